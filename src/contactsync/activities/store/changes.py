"""What a clean page asks the store to do, one change for one thing the source listed.

`source_id` is the source's own name of the contact inside its connection. It is personal often enough (a card's
path may hold a name), so the store keeps it sealed and finds it by a keyed index.
"""

from msgspec import Struct

from contactsync.activities.contacts.quarantine import QuarantineReason


class Upsert(Struct, frozen=True, gc=False):
    """A contact as it is now. `content`: the clean contact as canonical JSON, in UTF-8; `emails` and `phones`: the
    normal forms under which it can be found. `version` only where the source's own versions are ordered."""

    source_id: str
    content: bytes
    etag: str | None = None
    version: int | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()


class Tombstone(Struct, frozen=True, gc=False):
    """The source no longer has this contact."""

    source_id: str
    version: int | None = None


class Seen(Struct, frozen=True, gc=False):
    """The source listed this contact, and it is equal to what is held."""

    source_id: str


class Quarantine(Struct, frozen=True, gc=False):
    """The source listed something that cannot be kept, for a reason of the closed list."""

    source_id: str
    reason: QuarantineReason


class Alias(Struct, frozen=True, gc=False):
    """The source renamed this contact to `to`, or merged it into `to`."""

    source_id: str
    to: str
    version: int | None = None


Entry = Upsert | Tombstone | Seen | Quarantine
"""What a page says of one contact by itself."""

CleanChange = Entry | Alias
