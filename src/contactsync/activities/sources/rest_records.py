"""A provider's records as changes of contacts, by the expressions of [fields]."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from operator import attrgetter
from typing import Final, get_args

from msgspec import Raw
from msgspec.json import Encoder
from pydantic import JsonValue

from contactsync.activities.contacts.contact import Contact, Field, Fields
from contactsync.activities.contacts.dates import normal_date
from contactsync.activities.contacts.limits import MAX_MEMBERS
from contactsync.activities.contacts.quarantine import QuarantineReason, UnreadableContact
from contactsync.activities.sources import rest_values as values
from contactsync.activities.sources.query import Listed, Record
from contactsync.activities.sources.rest_answers import NO_JSON, NoJson, parsed
from contactsync.activities.sources.rest_expressions import NotEvaluable, compiled, is_true
from contactsync.activities.sources.rest_outlines import Outline, Outlined, outline
from contactsync.activities.sources.rest_selections import Path, Select
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

_HEADS: Final = ("id", "version", "changed_at", "etag", "deleted", "merged_into", "merged_ids")
_NO_ID: Final = "a record of the source has no usable id; check `id` in [fields]"

_Listing = Callable[[str, int | None, str | None], Listed | Unreadable]
"""Makes a contact of its source id, its version and the ETag that the source gives it."""

READING: Final = 1
"""Raise it when the same values are read as another contact, so that all records are read once more; a test notices."""


class Mapper:
    """Reads records; only the properties in `fields` are looked at."""

    def __init__(self, table: FieldsTable, fields: Fields) -> None:
        properties = _in_order(dict(_properties(table, fields)))
        self._selects = [select for _, select, _ in properties]
        self._reads = [(name, read) for name, _, read in properties]
        self._mark = _mark(table, fields)
        self._heads = [_select(table, name) for name in _HEADS]
        self._outline, self._repeated = _outlined(table, [name for name, _, _ in properties])
        self._outline_mark = sha256(self._mark).digest()

    @property
    def skims(self) -> bool:
        """Whether it takes records that are not read yet."""
        return self._outline is not None

    def records(self, raw: JsonValue | Raw) -> tuple[Record, ...]:
        """What a record says: of itself, and before that of those that were merged into it.

        Raises:
            SourceMisbehaved: it is no object, or has no id.
        """
        if isinstance(raw, Raw):
            return self._skimmed(raw)
        if not isinstance(raw, dict):
            raise SourceMisbehaved("a record of the source is no object; check `records` in [list]")
        source_id = self._id_of(raw)
        try:
            heads = [select(raw) for select in self._heads]
        except NotEvaluable:
            return (Record(Unreadable(source_id, QuarantineReason.INVALID)),)
        return _told(source_id, heads, partial(self._listed, raw))

    def _id_of(self, raw: JsonValue) -> str:
        try:
            found = self._heads[0](raw)
        except NotEvaluable:
            raise SourceMisbehaved(_NO_ID) from None
        return _source_id(found)

    def _skimmed(self, raw: Raw) -> tuple[Record, ...]:
        found = self._outline.of(raw) if self._outline else None
        if found is None:
            return self.records(_parsed(raw))
        return _told(_source_id(found.heads[0]), found.heads, partial(self._unread, raw, found))

    def _unread(self, raw: Raw, found: Outlined, source_id: str, version: int | None, etag: str | None) -> Listed:
        said = b""
        if self._repeated or version is not None or etag is not None:
            said = _written((version, etag, [found.heads[at] for at in self._repeated]))
        digest = etag_of(self._outline_mark + said + found.texts)
        return Listed(source_id, digest, version, partial(self._read_unread, raw))

    def _read_unread(self, raw: Raw) -> bytes | QuarantineReason:
        record = _parsed(raw)
        try:
            return self._read([select(record) for select in self._selects])
        except NotEvaluable:
            return QuarantineReason.INVALID

    def _listed(self, raw: JsonValue, source_id: str, version: int | None, etag: str | None) -> Listed | Unreadable:
        try:
            found = [select(raw) for select in self._selects]
            digest = etag_of(self._mark + _written((version, etag, found)))
        except NotEvaluable:
            return Unreadable(source_id, QuarantineReason.INVALID)
        return Listed(source_id, digest, version, partial(self._read, found))

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


def _told(source_id: str, heads: Sequence[JsonValue], listed: _Listing) -> tuple[Record, ...]:
    """What a record says that has these heads; as what it is `listed` if it is a contact."""
    _, version, changed_at, etag, deleted, winner, losers = heads
    try:
        number = None if version is None else _version_of(version)
        at = None if changed_at is None else instant_of(changed_at)
        merged = [] if losers is None else _merged(losers, source_id)
        own_etag = None if etag is None else _id_text(etag)
        to = None if winner is None else _id_text(winner)
    except NotEvaluable:
        return (Record(Unreadable(source_id, QuarantineReason.INVALID)),)
    except UnreadableContact as error:
        return (Record(Unreadable(source_id, error.reason)),)
    if to and to != source_id:
        itself = Record(Moved(source_id, to, number), at)
    elif deleted is not None and is_true(deleted):
        itself = Record(Removed(source_id, number), at)
    else:
        itself = Record(listed(source_id, number, own_etag), at)
    return (*[Record(move, at) for move in merged], itself) if merged else (itself,)


def _source_id(value: JsonValue) -> str:
    try:
        source_id = _id_text(value)
    except NotEvaluable:
        source_id = ""
    if not source_id:
        raise SourceMisbehaved(_NO_ID)
    return source_id


def _merged(losers: JsonValue, winner: str) -> list[Moved]:
    if isinstance(losers, str):  # as in "1;2"
        losers = list[JsonValue](part.strip() for part in losers.replace(",", ";").split(";"))
    ids = dict.fromkeys(_id_text(each) for each in values.items_of(losers, _MAX_MERGED))
    return [Moved(each, winner) for each in ids if each and each != winner]


def _parsed(raw: Raw) -> JsonValue:
    value = parsed(bytes(raw))
    if isinstance(value, NoJson):
        raise SourceMisbehaved(NO_JSON)
    return value


def _outlined(table: FieldsTable, names: Sequence[str]) -> tuple[Outline | None, list[int]]:
    """What finds all that is looked at for the properties of these names, and which of the heads are among them."""
    said = table.model_dump(exclude_none=True)
    heads = [compiled(said[name]).path if name in said else None for name in _HEADS]
    if any(path is None and name in said for name, path in zip(_HEADS, heads, strict=True)):
        return None, []
    texts = [said[name] if isinstance(said[name], dict) else {name: said[name]} for name in names]
    places = [compiled(text).places for each in texts for text in each.values()]
    known = frozenset[Path]().union(*(each for each in places if each is not None))
    found = None if None in places else outline(tuple(heads), known)
    return found, [at for at, path in enumerate(heads) if path in known]


def _select(table: object, name: str) -> Select:
    """What an expression of the table finds; nothing where the table has none."""
    text: object = attrgetter(name)(table)
    return compiled(text).of if isinstance(text, str) else _nothing


def _nothing(_: JsonValue) -> None:
    return None


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
