"""The body of pages: what fetch, sanitize and upsert hand to each other through a workflow that does not look.

A body is a JSON array of records, each with an `op`. Counts and flags are in the page's head. A contact stands in it as
the JSON that it is: it is put in and cut out again as it stands, and only who works on it reads it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import MsgspecError, Raw, Struct
from msgspec.json import Decoder, Encoder

from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sources.source import Change, Changed, Moved, Removed, Unchanged, Unreadable
from contactsync.activities.store.changes import Alias, CleanChange, Quarantine, Seen, Tombstone, Upsert
from contactsync.codecs.envelope.compression import compress
from contactsync.errors import PageUnreadable

BODY_BYTES: Final = 1_750_000
"""Of a body as it travels, compressed. Sources bound a page by its text, which JSON may write longer and cleaning may
double; Temporal refuses a payload past 2 MiB for ever."""

GATHERED_BYTES: Final = BODY_BYTES // 2
"""Of the same, where several pages of a source make one: cleaning may double that, and nothing is set aside for it."""

UNBOUNDED: Final = 1 << 40


class _Record(Struct, frozen=True, omit_defaults=True, tag_field="op"):
    """Base of all records; members that this version does not know are passed over."""

    id: str


class RawContact(_Record, frozen=True, tag="raw"):
    """A contact as the source has it, minimised. `contact` is its JSON (`contact.written`)."""

    contact: Raw
    etag: str | None = None
    version: int | None = None


class CleanContact(_Record, frozen=True, tag="clean"):
    """A clean contact: canonical JSON (`contact.written`), and the normal forms for its blind indexes."""

    contact: Raw
    etag: str | None = None
    version: int | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()


class Gone(_Record, frozen=True, tag="gone"):
    """A tombstone."""

    version: int | None = None


class Same(_Record, frozen=True, tag="same"):
    """Listed and unchanged."""


class Bad(_Record, frozen=True, tag="bad"):
    """Set aside, with a reason code."""

    reason: QuarantineReason


class Renamed(_Record, frozen=True, tag="moved"):
    """The contact of this id is found under another one now."""

    to: str
    version: int | None = None


Other = Gone | Same | Bad | Renamed
"""Records that are the same before and after cleaning."""

RawRecord = RawContact | Other
CleanRecord = CleanContact | Other

_encoder: Final = Encoder()
_raw_records: Final = Decoder(list[RawRecord])
_clean_records: Final = Decoder(list[CleanRecord])
_UNREADABLE: Final = (MsgspecError, UnicodeDecodeError, RecursionError)


def raw_records(changes: Iterable[Change]) -> list[RawRecord]:
    """A source's changes as records."""
    return [Same(change.source_id) if isinstance(change, Unchanged) else _raw_record(change) for change in changes]


def _raw_record(change: Changed | Removed | Unreadable | Moved) -> RawRecord:
    match change:
        case Changed():
            return RawContact(change.source_id, Raw(change.content), change.etag, change.version)
        case Removed():
            return Gone(change.source_id, change.version)
        case Unreadable():
            return Bad(change.source_id, change.reason)
        case Moved():
            return Renamed(change.source_id, change.to, change.version)


def changes_of(records: Iterable[RawRecord]) -> list[Change]:
    """Records as the source's changes again."""
    return [_change(record) for record in records]


def _change(record: RawRecord) -> Change:
    match record:
        case RawContact():
            return Changed(record.id, bytes(record.contact), record.etag, record.version)
        case Gone():
            return Removed(record.id, record.version)
        case Same():
            return Unchanged(record.id)
        case Bad():
            return Unreadable(record.id, record.reason)
        case Renamed():
            return Moved(record.id, record.to, record.version)


def clean_changes(records: Iterable[CleanRecord]) -> list[CleanChange]:
    """Records as what the store commits."""
    return [_clean_change(record) for record in records]


def _clean_change(record: CleanRecord) -> CleanChange:
    match record:
        case CleanContact():
            return Upsert(
                source_id=record.id,
                etag=record.etag,
                version=record.version,
                content=bytes(record.contact),
                emails=record.emails,
                phones=record.phones,
            )
        case Gone():
            return Tombstone(source_id=record.id, version=record.version)
        case Same():
            return Seen(source_id=record.id)
        case Bad():
            return Quarantine(source_id=record.id, reason=record.reason)
        case Renamed():
            return Alias(source_id=record.id, to=record.to, version=record.version)


@dataclass(frozen=True, slots=True)
class Body:
    """A page's body, and how many of its records are quarantine entries."""

    content: bytes
    quarantined: int


def raw_body(records: Iterable[RawRecord], limit: int = BODY_BYTES) -> Body:
    """The body of a `Page`, at most `limit` bytes compressed: or the largest contacts become quarantine entries."""
    return _body(list(records), limit)


def load_raw(body: bytes) -> list[RawRecord]:
    """The records of a `Page`.

    Raises:
        PageUnreadable: another version wrote it.
    """
    try:
        return _raw_records.decode(body)
    except _UNREADABLE:
        raise PageUnreadable from None


def clean_body(records: Iterable[CleanRecord], limit: int = BODY_BYTES) -> Body:
    """The body of a `CleanPage`, bounded as that of a `Page`."""
    return _body(list(records), limit)


def load_clean(body: bytes) -> list[CleanRecord]:
    """The records of a `CleanPage`.

    Raises:
        PageUnreadable: another version wrote it.
    """
    try:
        return _clean_records.decode(body)
    except _UNREADABLE:
        raise PageUnreadable from None


def _body(records: Sequence[RawRecord | CleanRecord], limit: int) -> Body:
    content = _encoder.encode(records)
    if len(content) > limit and len(compress(content)) > limit:
        records = _within(records, limit)
        content = _encoder.encode(records)
    return Body(content, sum([isinstance(record, Bad) for record in records]))


def _within(records: Sequence[RawRecord | CleanRecord], limit: int) -> list[RawRecord | CleanRecord]:
    """The records, the largest of them set aside."""
    fitting = list(records)
    sizes = [len(_encoder.encode(record)) for record in records]
    total = sum(sizes) + len(sizes) + 1
    for position in sorted(range(len(sizes)), key=lambda position: sizes[position], reverse=True):
        if total <= limit:
            break
        fitting[position] = Bad(records[position].id, QuarantineReason.TOO_LARGE)
        total -= sizes[position] - len(_encoder.encode(fitting[position]))
    return fitting
