"""What a clean page asks the store to do, one change for one thing the source listed.

`source_id` is the source's own name of the contact inside its connection. It is personal often enough (a card's
path may hold a name), so the store keeps it sealed and finds it by a keyed index.
"""

from dataclasses import dataclass

from contactsync.activities.contacts.quarantine import QuarantineReason


@dataclass(frozen=True, slots=True)
class Upsert:
    """A contact as it is now. `content`: the clean contact as canonical JSON, in UTF-8; `emails` and `phones`: the
    normal forms under which it can be found. `version` only where the source's own versions are ordered."""

    source_id: str
    content: bytes
    etag: str | None = None
    version: int | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The source no longer has this contact."""

    source_id: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """The source listed this contact, and it is equal to what is held."""

    source_id: str


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The source listed something that cannot be kept, for a reason of the closed list."""

    source_id: str
    reason: QuarantineReason


@dataclass(frozen=True, slots=True)
class Alias:
    """The source renamed this contact to `to`, or merged it into `to`."""

    source_id: str
    to: str
    version: int | None = None


Entry = Upsert | Tombstone | Seen | Quarantine
"""What a page says of one contact by itself."""

CleanChange = Entry | Alias
