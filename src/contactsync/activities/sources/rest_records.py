"""A provider's records as changes of contacts, by the expressions of [fields]."""

from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from typing import Final, get_args

from msgspec.json import Encoder
from pydantic import JsonValue

from contactsync.activities.contacts.contact import Contact, Field, Fields
from contactsync.activities.contacts.dates import normal_date
from contactsync.activities.contacts.limits import MAX_MEMBERS
from contactsync.activities.contacts.quarantine import QuarantineReason, UnreadableContact
from contactsync.activities.sources import rest_values as values
from contactsync.activities.sources.query import Record
from contactsync.activities.sources.rest_expressions import NotEvaluable, compiled, is_true
from contactsync.activities.sources.rest_selections import Select
from contactsync.activities.sources.rest_settings import FieldsTable
from contactsync.activities.sources.rest_times import instant_of
from contactsync.activities.sources.source import Changed, Moved, Removed, Unreadable
from contactsync.errors import SourceMisbehaved

MAX_ID_CHARS: Final = 1024
"""Characters of a source id or an etag."""

_MAX_MERGED: Final = 1000
_MAX_VERSION: Final = 1 << 62

_NAME_PARTS: Final = ("title", "given", "given2", "surname", "surname2", "generation", "credential")
_DATES: Final = ("birth", "death", "wedding")
_KINDS: Final = frozenset[str](get_args(Contact.model_fields["kind"].annotation)) - {"individual"}
_LISTS: Final[Mapping[Field, tuple[str, Select]]] = {
    Field.NICKNAMES: ("nicknames", values.listed(values.nickname)),
    Field.ORGANIZATIONS: ("organizations", values.listed(values.organization)),
    Field.TITLES: ("titles", values.listed(values.title)),
    Field.EMAILS: ("emails", values.listed(values.email)),
    Field.PHONES: ("phones", values.listed(values.phone)),
    Field.ADDRESSES: ("addresses", values.listed(values.address)),
    Field.ONLINE_SERVICES: ("online_services", values.listed(values.service)),
    Field.LINKS: ("links", values.listed(values.link)),
    Field.NOTES: ("notes", values.listed(values.note)),
    Field.KEYWORDS: ("keywords", values.texts_of),
    Field.MEMBERS: ("members", lambda value: values.texts_of(value, MAX_MEMBERS)),
}
_encoder: Final = Encoder()


class Mapper:
    """Reads records; only the properties in `fields` are looked at."""

    def __init__(self, table: FieldsTable, fields: Fields) -> None:
        self._properties = _in_order(dict(_properties(table, fields)))
        self._id = compiled(table.id).of
        self._version = _select(table, "version")
        self._changed_at = _select(table, "changed_at")
        self._etag = _select(table, "etag")
        self._deleted = _select(table, "deleted")
        self._merged_into = _select(table, "merged_into")
        self._merged_ids = _select(table, "merged_ids")

    def records(self, raw: JsonValue) -> tuple[Record, ...]:
        """What a record says: of itself, and before that of those that were merged into it.

        Raises:
            SourceMisbehaved: it is no object, or has no id.
        """
        source_id = self._id_of(raw)
        try:
            version, changed_at = _version_of(self._version(raw)), instant_of(self._changed_at(raw))
            etag = _id_text(self._etag(raw)) or None
            merged = self._merged(raw, source_id)
            change = self._change(raw, source_id, version, etag)
        except NotEvaluable:
            return (Record(Unreadable(source_id, QuarantineReason.INVALID)),)
        except UnreadableContact as error:
            return (Record(Unreadable(source_id, error.reason)),)
        itself = Record(change, changed_at)
        return (*[Record(move, changed_at) for move in merged], itself) if merged else (itself,)

    def content(self, raw: JsonValue) -> bytes:
        """The contact in a record, as `contact.written` has it.

        Raises:
            NotEvaluable: a value is not of the shape that its property needs.
            UnreadableContact: it has too many values.
        """
        members: dict[str, JsonValue] = {}
        for name, property_of in self._properties:
            found = property_of(raw)
            if found:
                members[name] = found
        return _encoder.encode(members)

    def _id_of(self, raw: JsonValue) -> str:
        if not isinstance(raw, dict):
            raise SourceMisbehaved("a record of the source is no object; check `records` in [list]")
        try:
            source_id = _id_text(self._id(raw))
        except NotEvaluable:
            source_id = ""
        if not source_id:
            raise SourceMisbehaved("a record of the source has no usable id; check `id` in [fields]")
        return source_id

    def _merged(self, raw: JsonValue, winner: str) -> list[Moved]:
        listed = self._merged_ids(raw)
        if listed is None:
            return []
        if isinstance(listed, str):  # as in "1;2"
            listed = list[JsonValue](part.strip() for part in listed.replace(",", ";").split(";"))
        ids = dict.fromkeys(_id_text(each) for each in values.items_of(listed, _MAX_MERGED))
        return [Moved(each, winner) for each in ids if each and each != winner]

    def _change(
        self, raw: JsonValue, source_id: str, version: int | None, etag: str | None
    ) -> Changed | Removed | Unreadable | Moved:
        winner = _id_text(self._merged_into(raw))
        if winner and winner != source_id:
            return Moved(source_id, winner, version)
        if is_true(self._deleted(raw)):
            return Removed(source_id, version)
        try:
            return Changed(source_id, self.content(raw), etag, version)
        except UnreadableContact as error:
            return Unreadable(source_id, error.reason)
        except NotEvaluable:
            return Unreadable(source_id, QuarantineReason.INVALID)


def _select(table: object, name: str) -> Select:
    """What an expression of the table finds; nothing where the table has none."""
    text: object = attrgetter(name)(table)
    return compiled(text).of if isinstance(text, str) else _nothing


def _nothing(_: JsonValue) -> JsonValue:
    return None


def _properties(table: FieldsTable, fields: Fields) -> Iterator[tuple[str, Select]]:
    """The readers of the properties that are wanted, by their names in the contact's JSON."""
    yield "uid", _after(_select(table, "uid"), lambda found: values.text_of(found)[:MAX_ID_CHARS])
    yield "kind", _after(_select(table, "kind"), _kind_of)
    if Field.NAME in fields:
        yield "name", _name(table)
    if Field.ANNIVERSARIES in fields:
        yield "anniversaries", _dates(table)
    for field, (name, read) in _LISTS.items():
        if field in fields:
            yield name, _after(_select(table, name), read)


def _in_order(properties: Mapping[str, Select]) -> list[tuple[str, Select]]:
    """As `contact.py` has them."""
    return [(name, properties[name]) for name in Contact.model_fields if name in properties]


def _after(select: Select, read: Select) -> Select:
    def property_of(raw: JsonValue) -> JsonValue:
        found = select(raw)
        return None if found is None else read(found)

    return property_of


def _kind_of(found: JsonValue) -> JsonValue:
    kind = values.text_of(found).lower()
    return kind if kind in _KINDS else None


def _parts(table: object, names: tuple[str, ...]) -> list[tuple[str, Callable[[JsonValue], str]]]:
    """The readers of the members that the table has."""
    given = [(name, _select(table, name)) for name in names]
    return [(name, _text(select)) for name, select in given if select is not _nothing]


def _text(select: Select) -> Callable[[JsonValue], str]:
    return lambda raw: values.text_of(select(raw))


def _name(table: FieldsTable) -> Select:
    full_of = _text(_select(table.name, "full"))
    parts = _parts(table.name, _NAME_PARTS)

    def name_of(raw: JsonValue) -> JsonValue:
        full = full_of(raw)
        components: list[JsonValue] = [{"kind": kind, "value": text} for kind, of in parts if (text := of(raw))]
        name: dict[str, JsonValue] = {"full": full} if full else {}
        if components:
            name["components"] = components
        return name

    return name_of


def _dates(table: FieldsTable) -> Select:
    parts = _parts(table.anniversaries, _DATES)

    def dates_of(raw: JsonValue) -> JsonValue:
        return [{"kind": kind, "date": date} for kind, of in parts if (date := normal_date(of(raw)))]

    return dates_of


def _id_text(value: JsonValue) -> str:
    """An id as text; a cut or changed one would name another record."""
    text = values.text_of(value)
    if len(text) > MAX_ID_CHARS or "\0" in text or (isinstance(value, str) and text != value):
        raise NotEvaluable
    return text


def _version_of(value: JsonValue) -> int | None:
    """An integer, or a time in microseconds."""
    if value is None or value == "":
        return None
    if type(value) is int and abs(value) < _MAX_VERSION:
        return value
    if isinstance(value, str) and not value.strip().lstrip("-").isdigit():
        return instant_of(value)
    text = values.text_of(value).strip()
    try:
        version = int(text)
    except ValueError:
        raise NotEvaluable from None
    if abs(version) >= _MAX_VERSION:
        raise NotEvaluable
    return version
