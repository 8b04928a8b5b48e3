"""A provider's records as changes of contacts, by the expressions of [fields]."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from operator import attrgetter
from typing import Final, TypeVar, get_args

from msgspec.json import Encoder
from pydantic import JsonValue

from contactsync.activities.contacts.contact import Contact, Field, Fields
from contactsync.activities.contacts.dates import normal_date
from contactsync.activities.contacts.limits import MAX_MEMBERS
from contactsync.activities.contacts.quarantine import QuarantineReason, UnreadableContact
from contactsync.activities.sources import rest_values as values
from contactsync.activities.sources.query import Listed, Record
from contactsync.activities.sources.rest_expressions import NotEvaluable, compiled, is_true
from contactsync.activities.sources.rest_selections import Select
from contactsync.activities.sources.rest_settings import FieldsTable
from contactsync.activities.sources.rest_times import instant_of
from contactsync.activities.sources.source import Moved, Removed, Unreadable
from contactsync.activities.sources.window_etags import etag_of
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

Value = TypeVar("Value")

READING: Final = 1
"""Raise it when the same values are read as another contact, so that all records are read once more; a test notices."""


class Mapper:
    """Reads records; only the properties in `fields` are looked at."""

    def __init__(self, table: FieldsTable, fields: Fields) -> None:
        properties = _in_order(dict(_properties(table, fields)))
        self._selects = [select for _, select, _ in properties]
        self._reads = [(name, read) for name, _, read in properties]
        self._mark = _mark(table, fields)
        self._id = compiled(table.id).of
        self._version = _read_by(table, "version", _version_of)
        self._changed_at = _read_by(table, "changed_at", instant_of)
        self._etag = _read_by(table, "etag", _id_text)
        self._deleted = _select(table, "deleted")
        self._merged_into = _read_by(table, "merged_into", _id_text)
        self._merged_ids = _select(table, "merged_ids")

    def records(self, raw: JsonValue) -> tuple[Record, ...]:
        """What a record says: of itself, and before that of those that were merged into it.

        Raises:
            SourceMisbehaved: it is no object, or has no id.
        """
        source_id = self._id_of(raw)
        try:
            version, changed_at = self._version(raw), self._changed_at(raw)
            merged = self._merged(raw, source_id)
            change = self._change(raw, source_id, version)
        except NotEvaluable:
            return (Record(Unreadable(source_id, QuarantineReason.INVALID)),)
        except UnreadableContact as error:
            return (Record(Unreadable(source_id, error.reason)),)
        itself = Record(change, changed_at)
        return (*[Record(move, changed_at) for move in merged], itself) if merged else (itself,)

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

    def _change(self, raw: JsonValue, source_id: str, version: int | None) -> Listed | Removed | Unreadable | Moved:
        etag, winner = self._etag(raw), self._merged_into(raw)
        if winner and winner != source_id:
            return Moved(source_id, winner, version)
        if is_true(self._deleted(raw)):
            return Removed(source_id, version)
        try:
            found = [select(raw) for select in self._selects]
            etag = etag_of(self._mark + _written((version, etag, found)))
        except NotEvaluable:
            return Unreadable(source_id, QuarantineReason.INVALID)
        return Listed(source_id, etag, version, partial(self._read, found))

    def _read(self, found: Sequence[JsonValue]) -> bytes | QuarantineReason:
        """The contact of what the expressions found, and of nothing else, so that an ETag of that stands for it."""
        members: dict[str, JsonValue] = {}
        try:
            for at, (name, read) in enumerate(self._reads):
                if (value := found[at]) is not None and (member := read(value)):
                    members[name] = member
        except UnreadableContact as error:
            return error.reason
        except NotEvaluable:
            return QuarantineReason.INVALID
        return _encoder.encode(members)


def _select(table: object, name: str) -> Select:
    """What an expression of the table finds; nothing where the table has none."""
    text: object = attrgetter(name)(table)
    return compiled(text).of if isinstance(text, str) else _nothing


def _nothing(_: JsonValue) -> None:
    return None


def _read_by(table: object, name: str, read: Callable[[JsonValue], Value]) -> Callable[[JsonValue], Value | None]:
    """What an expression of the table finds, read; None where it finds nothing."""
    select = _select(table, name)
    if select is _nothing:
        return _nothing

    def value_of(raw: JsonValue) -> Value | None:
        found = select(raw)
        return None if found is None else read(found)

    return value_of


def _properties(table: FieldsTable, fields: Fields) -> Iterator[tuple[str, tuple[Select, Select]]]:
    """How the properties that are wanted are found and read, by their names in the contact's JSON."""
    yield "uid", (_select(table, "uid"), lambda found: values.text_of(found)[:MAX_ID_CHARS])
    yield "kind", (_select(table, "kind"), _kind_of)
    if Field.NAME in fields:
        yield "name", _name(table)
    if Field.ANNIVERSARIES in fields:
        yield "anniversaries", _dates(table)
    for field, (name, read) in _LISTS.items():
        if field in fields:
            yield name, (_select(table, name), read)


def _in_order(properties: Mapping[str, tuple[Select, Select]]) -> list[tuple[str, Select, Select]]:
    """As `contact.py` has them, without those that the mapping does not name."""
    named = {name: ways for name, ways in properties.items() if ways[0] is not _nothing}
    return [(name, *named[name]) for name in Contact.model_fields if name in named]


def _kind_of(found: JsonValue) -> JsonValue:
    kind = values.text_of(found).lower()
    return kind if kind in _KINDS else None


def _parts(table: object, names: Sequence[str]) -> tuple[list[str], Select]:
    """The members that the table has, and what their expressions find, one after the other."""
    given = [name for name in names if _select(table, name) is not _nothing]
    selects = [_select(table, name) for name in given]
    return given, (lambda raw: [select(raw) for select in selects]) if selects else _nothing


def _texts(names: Sequence[str], found: JsonValue) -> list[tuple[str, str]]:
    """What `_parts` found as texts, those that say something."""
    parts = enumerate(found if isinstance(found, list) else ())
    return [(names[at], text) for at, value in parts if value is not None and (text := values.text_of(value))]


def _name(table: FieldsTable) -> tuple[Select, Select]:
    names, parts_of = _parts(table.name, ("full", *_NAME_PARTS))

    def name_of(found: JsonValue) -> JsonValue:
        texts = _texts(names, found)
        components: list[JsonValue] = [{"kind": kind, "value": text} for kind, text in texts if kind != "full"]
        name: dict[str, JsonValue] = {} if len(components) == len(texts) else {"full": texts[0][1]}
        if components:
            name["components"] = components
        return name

    return parts_of, name_of


def _dates(table: FieldsTable) -> tuple[Select, Select]:
    names, parts_of = _parts(table.anniversaries, _DATES)

    def dates_of(found: JsonValue) -> JsonValue:
        texts = _texts(names, found)
        return [{"kind": kind, "date": date} for kind, text in texts if (date := normal_date(text))]

    return parts_of, dates_of


def _mark(table: FieldsTable, fields: Fields) -> bytes:
    """Stands for the mapping."""
    return sha256(_encoder.encode((READING, table.model_dump(mode="json"), sorted(fields)))).digest()


def _written(found: object) -> bytes:
    """Equal for equal values only."""
    try:
        return _encoder.encode(found)
    except UnicodeEncodeError:  # half of a surrogate pair
        return ascii(found).encode()
    except RecursionError:
        raise NotEvaluable from None


def _id_text(value: JsonValue) -> str:
    """An id as text; a cut or changed one would name another record."""
    if isinstance(value, str) and value.isprintable() and len(value) <= MAX_ID_CHARS:
        return value
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
