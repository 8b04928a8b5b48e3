"""The body of pages: what fetch, sanitize and upsert hand to each other through a workflow that does not look.

A body is a JSON array of records, each with an `op`. Counts and flags are in the page's head.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from contactsync.activities.contacts.contact import Contact, Frozen
from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sources.source import Change, Changed, Moved, Removed, Unchanged, Unreadable
from contactsync.activities.store.changes import Alias, CleanChange, Quarantine, Seen, Tombstone, Upsert
from contactsync.errors import PageUnreadable

BODY_BYTES: Final = 1_500_000
"""Sources bound a page by its text, which JSON may write longer; Temporal refuses a payload past 2 MiB for ever."""

_BRACKETS: Final = 2
"""What an array of one record takes beside it."""


class RawContact(Frozen):
    """A contact as the source has it, minimised."""

    op: Literal["raw"]
    id: str
    etag: str | None = None
    version: int | None = None
    contact: Contact


class CleanContact(Frozen):
    """A clean contact: canonical JSON, and the normal forms for its blind indexes."""

    op: Literal["clean"]
    id: str
    etag: str | None = None
    version: int | None = None
    content: str
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()


class Gone(Frozen):
    """A tombstone."""

    op: Literal["gone"]
    id: str
    version: int | None = None


class Same(Frozen):
    """Listed and unchanged."""

    op: Literal["same"]
    id: str


class Bad(Frozen):
    """Set aside, with a reason code."""

    op: Literal["bad"]
    id: str
    reason: QuarantineReason


class Renamed(Frozen):
    """The contact of this id is found under another one now."""

    op: Literal["moved"]
    id: str
    to: str
    version: int | None = None


Other = Gone | Same | Bad | Renamed
"""Records that are the same before and after cleaning."""

RawRecord = RawContact | Other
CleanRecord = CleanContact | Other
Listed = TypeVar("Listed", RawContact, CleanContact)

_raw_records = TypeAdapter(list[Annotated[RawRecord, Field(discriminator="op")]])
_clean_records = TypeAdapter(list[Annotated[CleanRecord, Field(discriminator="op")]])


def raw_records(changes: Iterable[Change]) -> list[RawRecord]:
    """A source's changes as records."""
    return [_raw_record(change) for change in changes]


def _raw_record(change: Change) -> RawRecord:
    match change:
        case Changed():
            return RawContact(
                op="raw", id=change.source_id, etag=change.etag, version=change.version, contact=change.contact
            )
        case Removed():
            return Gone(op="gone", id=change.source_id, version=change.version)
        case Unchanged():
            return Same(op="same", id=change.source_id)
        case Unreadable():
            return Bad(op="bad", id=change.source_id, reason=change.reason)
        case Moved():
            return Renamed(op="moved", id=change.source_id, to=change.to, version=change.version)


def changes_of(records: Iterable[RawRecord]) -> list[Change]:
    """Records as the source's changes again."""
    return [_change(record) for record in records]


def _change(record: RawRecord) -> Change:
    match record:
        case RawContact():
            return Changed(record.id, record.contact, record.etag, record.version)
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
                content=record.content.encode(),
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
    """The body of a `Page`, at most `limit` bytes: the largest contacts become quarantine entries until it fits."""
    return _body(list(records), _raw_records, limit)


def load_raw(body: bytes) -> list[RawRecord]:
    """The records of a `Page`.

    Raises:
        PageUnreadable: another version wrote it.
    """
    try:
        return list(_raw_records.validate_json(body))
    except ValidationError:
        raise PageUnreadable from None


def clean_body(records: Iterable[CleanRecord], limit: int = BODY_BYTES) -> Body:
    """The body of a `CleanPage`, bounded as that of a `Page`."""
    return _body(list(records), _clean_records, limit)


def load_clean(body: bytes) -> list[CleanRecord]:
    """The records of a `CleanPage`.

    Raises:
        PageUnreadable: another version wrote it.
    """
    try:
        return list(_clean_records.validate_json(body))
    except ValidationError:
        raise PageUnreadable from None


def _body(
    records: list[Listed | Gone | Same | Bad | Renamed],
    adapter: TypeAdapter[list[Listed | Gone | Same | Bad | Renamed]],
    limit: int,
) -> Body:
    content = adapter.dump_json(records, exclude_defaults=True)
    if len(content) > limit:
        sizes = [len(adapter.dump_json([record], exclude_defaults=True)) for record in records]
        total = sum(sizes)
        for position in sorted(range(len(sizes)), key=lambda position: sizes[position], reverse=True):
            if total <= limit:
                break
            aside = Bad(op="bad", id=records[position].id, reason=QuarantineReason.TOO_LARGE)
            records[position] = aside
            total -= sizes[position] - len(aside.model_dump_json()) - _BRACKETS
        content = adapter.dump_json(records, exclude_defaults=True)
    return Body(content, sum(isinstance(record, Bad) for record in records))
