"""A provider's records as changes of contacts, by the expressions of [fields]."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, get_args

from pydantic import JsonValue

from contactsync.activities.contacts.contact import Anniversary, Contact, Field, Fields, Name, NameComponent, written
from contactsync.activities.contacts.dates import normal_date
from contactsync.activities.contacts.limits import MAX_MEMBERS
from contactsync.activities.contacts.quarantine import QuarantineReason, UnreadableContact
from contactsync.activities.sources import rest_values as values
from contactsync.activities.sources.query import Instant, Record
from contactsync.activities.sources.rest_expressions import Expression, NotEvaluable, compiled, is_true
from contactsync.activities.sources.rest_settings import AnniversariesTable, FieldsTable, NameTable
from contactsync.activities.sources.rest_times import instant_of
from contactsync.activities.sources.source import Changed, Moved, Removed, Unreadable
from contactsync.errors import SourceMisbehaved

MAX_ID_CHARS: Final = 1024
"""Characters of a source id or an etag."""

_MAX_MERGED: Final = 1000
_MAX_VERSION: Final = 1 << 62

Read = Callable[[JsonValue], object]

_NAME_PARTS: Final = ("title", "given", "given2", "surname", "surname2", "generation", "credential")
_KINDS: Final = frozenset[str](get_args(Contact.model_fields["kind"].annotation))
_LISTS: Final[Mapping[Field, tuple[str, Read]]] = {
    Field.NICKNAMES: ("nicknames", values.nicknames_of),
    Field.ORGANIZATIONS: ("organizations", values.organizations_of),
    Field.TITLES: ("titles", values.titles_of),
    Field.EMAILS: ("emails", values.emails_of),
    Field.PHONES: ("phones", values.phones_of),
    Field.ADDRESSES: ("addresses", values.addresses_of),
    Field.ONLINE_SERVICES: ("online_services", values.services_of),
    Field.LINKS: ("links", values.links_of),
    Field.NOTES: ("notes", values.notes_of),
    Field.KEYWORDS: ("keywords", values.texts_of),
    Field.MEMBERS: ("members", lambda value: values.texts_of(value, MAX_MEMBERS)),
}


@dataclass(frozen=True, slots=True)
class _Head:
    """What is known of a record besides its contact."""

    id: str
    version: int | None
    changed_at: Instant | None
    etag: str | None


class Mapper:
    """Reads records; only the properties in `fields` are looked at."""

    def __init__(self, table: FieldsTable, fields: Fields) -> None:
        self._table = table
        self._lists = [
            (name, compiled(text), read)
            for field, (name, read) in _LISTS.items()
            if field in fields and (text := _text(table, name)) is not None
        ]
        self._name = _expressions(table.name) if Field.NAME in fields else {}
        self._dates = _expressions(table.anniversaries) if Field.ANNIVERSARIES in fields else {}
        self._id = compiled(table.id)
        self._one = {
            name: compiled(text)
            for name in ("version", "changed_at", "etag", "deleted", "merged_into", "merged_ids", "uid", "kind")
            if (text := _text(table, name)) is not None
        }

    def records(self, raw: JsonValue) -> tuple[Record, ...]:
        """What a record says: of itself, and before that of those that were merged into it.

        Raises:
            SourceMisbehaved: it is no object, or has no id.
        """
        source_id = self._id_of(raw)
        try:
            head = self._head(source_id, raw)
            merged = self._merged(raw, head)
            return (*merged, Record(self._change(raw, head), head.changed_at))
        except NotEvaluable:
            return (Record(Unreadable(source_id, QuarantineReason.INVALID)),)
        except UnreadableContact as error:
            return (Record(Unreadable(source_id, error.reason)),)

    def contact(self, raw: JsonValue) -> Contact:
        """The contact in a record.

        Raises:
            NotEvaluable: a value is not of the shape that its property needs.
            UnreadableContact: it has too many values.
        """
        found: dict[str, object] = {name: read(each.of(raw)) for name, each, read in self._lists}
        if self._name:
            found["name"] = self._name_of(raw)
        if self._dates:
            found["anniversaries"] = self._dates_of(raw)
        kind = values.text_of(self._ask("kind", raw)).lower()
        return Contact.model_validate(
            {
                "uid": values.text_of(self._ask("uid", raw))[:MAX_ID_CHARS],
                "kind": kind if kind in _KINDS else "individual",
                **found,
            }
        )

    def _ask(self, name: str, raw: JsonValue) -> JsonValue:
        expression = self._one.get(name)
        return None if expression is None else expression.of(raw)

    def _id_of(self, raw: JsonValue) -> str:
        if not isinstance(raw, dict):
            raise SourceMisbehaved("a record of the source is no object; check `records` in [list]")
        try:
            source_id = _id_text(self._id.of(raw))
        except NotEvaluable:
            source_id = ""
        if not source_id:
            raise SourceMisbehaved("a record of the source has no usable id; check `id` in [fields]")
        return source_id

    def _head(self, source_id: str, raw: JsonValue) -> _Head:
        return _Head(
            id=source_id,
            version=_version_of(self._ask("version", raw)),
            changed_at=instant_of(self._ask("changed_at", raw)),
            etag=_etag_of(self._ask("etag", raw)),
        )

    def _merged(self, raw: JsonValue, head: _Head) -> tuple[Record, ...]:
        listed = self._ask("merged_ids", raw)
        if isinstance(listed, str):  # as in "1;2"
            listed = list[JsonValue](part.strip() for part in listed.replace(",", ";").split(";"))
        ids = dict.fromkeys(_id_text(each) for each in values.items_of(listed, _MAX_MERGED))
        return tuple(Record(Moved(each, head.id), head.changed_at) for each in ids if each and each != head.id)

    def _change(self, raw: JsonValue, head: _Head) -> Changed | Removed | Unreadable | Moved:
        winner = _id_text(self._ask("merged_into", raw))
        if winner and winner != head.id:
            return Moved(head.id, winner, head.version)
        if is_true(self._ask("deleted", raw)):
            return Removed(head.id, head.version)
        try:
            return Changed(head.id, written(self.contact(raw)), head.etag, head.version)
        except UnreadableContact as error:
            return Unreadable(head.id, error.reason)
        except NotEvaluable:
            return Unreadable(head.id, QuarantineReason.INVALID)

    def _name_of(self, raw: JsonValue) -> Name | None:
        texts = {part: values.text_of(each.of(raw)) for part, each in self._name.items()}
        components = [
            NameComponent.model_validate({"kind": part, "value": texts[part]})
            for part in _NAME_PARTS
            if texts.get(part)
        ]
        full = texts.get("full", "")
        return Name(full=full, components=tuple(components)) if full or components else None

    def _dates_of(self, raw: JsonValue) -> list[Anniversary]:
        texts = {kind: values.text_of(each.of(raw)) for kind, each in self._dates.items()}
        dates = {kind: date for kind, text in texts.items() if (date := normal_date(text))}
        return [Anniversary.model_validate({"kind": kind, "date": date}) for kind, date in dates.items()]


def _text(table: FieldsTable, name: str) -> str | None:
    text: object = getattr(table, name)
    return text if isinstance(text, str) else None


def _expressions(table: NameTable | AnniversariesTable) -> dict[str, Expression]:
    given: Mapping[str, object] = vars(table)
    return {name: compiled(text) for name, text in given.items() if isinstance(text, str)}


def _id_text(value: JsonValue) -> str:
    """An id as text; a cut or changed one would name another record."""
    text = values.text_of(value)
    if len(text) > MAX_ID_CHARS or "\0" in text or (isinstance(value, str) and text != value):
        raise NotEvaluable
    return text


def _etag_of(value: JsonValue) -> str | None:
    text = _id_text(value)
    return text or None


def _version_of(value: JsonValue) -> int | None:
    """An integer, or a time in microseconds."""
    if value is None or value == "":
        return None
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
