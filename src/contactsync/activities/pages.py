"""The body of pages: what fetch, sanitize and upsert hand to each other through a workflow that does not look.

A body is a JSON array of records, each with an `op`. Counts and flags are in the page's head.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from contactsync.activities.contacts.contact import Contact, Frozen
from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sources.source import Change, Changed, Removed, Unchanged, Unreadable
from contactsync.activities.store.changes import CleanChange, Quarantine, Seen, Tombstone, Upsert
from contactsync.errors import PageUnreadable


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


RawRecord = RawContact | Gone | Same | Bad
CleanRecord = CleanContact | Gone | Same | Bad

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


def dump_raw(records: Sequence[RawRecord]) -> bytes:
    """The body of a `Page`."""
    return _raw_records.dump_json(list(records), exclude_defaults=True)


def load_raw(body: bytes) -> list[RawRecord]:
    """The records of a `Page`.

    Raises:
        PageUnreadable: another version wrote it.
    """
    try:
        return list(_raw_records.validate_json(body))
    except ValidationError:
        raise PageUnreadable from None


def dump_clean(records: Sequence[CleanRecord]) -> bytes:
    """The body of a `CleanPage`."""
    return _clean_records.dump_json(list(records), exclude_defaults=True)


def load_clean(body: bytes) -> list[CleanRecord]:
    """The records of a `CleanPage`.

    Raises:
        PageUnreadable: another version wrote it.
    """
    try:
        return list(_clean_records.validate_json(body))
    except ValidationError:
        raise PageUnreadable from None
