"""What a source without change tokens is to the engine: two questions, asked a page at a time.

A source of this sort keeps no rule of cursors. `windows.py` makes a whole `Source` of it: high-water mark before the
first page, ties at page edges, second looks, expired tokens, reconciliation and offset paging are all done there, once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sources.source import (
    Capabilities,
    Changed,
    Moved,
    PageLimits,
    Removed,
    SourceInfo,
    Unreadable,
)

Instant = int
"""Microseconds since the epoch, in the source's clock."""


class Listed(Struct, frozen=True):
    """A contact that is there, and is read only where it is not held already. `etag` stands for all that is kept of
    it; `content` is its JSON (`contact.written`), or why there is none."""

    source_id: str
    etag: str
    version: int | None
    content: Callable[[], bytes | QuarantineReason]

    def read(self) -> Changed | Unreadable:
        """What the source says of it."""
        content = self.content()
        if isinstance(content, bytes):
            return Changed(self.source_id, content, self.etag, self.version)
        return Unreadable(self.source_id, content)

    def __repr__(self) -> str:
        return f"Listed({self.source_id!r}, etag={self.etag!r}, version={self.version!r})"


class Record(Struct, frozen=True):
    """What the source says of one contact, and when it says that it changed (None: it does not say)."""

    change: Listed | Changed | Removed | Unreadable | Moved
    changed_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Changes with `since <= changed_at < until` (`until` None: no upper bound can be asked for).

    `after_id`: only those that changed exactly at `since` and whose source id is greater, for an instant that is
    shared by more contacts than a query may answer (order `time_id` only).
    """

    since: Instant
    until: Instant | None = None
    after_id: str | None = None


@dataclass(frozen=True, slots=True)
class QueryPage:
    """One answer. `token` asks for the next page (None: this was the last); `is_capped`: the source ends its answer
    here although there is more, as one that never answers more than 10,000 records. `clock`: the source's own time
    at the answer, where it says so. `total`: records in all, where it says so. `size`: bytes of the answer.
    """

    records: tuple[Record, ...]
    token: bytes | None
    is_capped: bool = False
    clock: Instant | None = None
    total: int | None = None
    is_offset: bool = False
    """`token` is the decimal number of records before the next page, so that pages shift when records come, go or
    change. The engine asks with smaller numbers too, to see whether they did; where only whole pages can be asked for,
    the answer begins with the page that holds that record."""
    size: int = 0


class QuerySource(Protocol):
    """Listing and changes, a page at a time."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def check(self) -> SourceInfo:
        """As `Source.check`."""
        ...

    async def list_page(self, token: bytes | None, part: bytes | None, limits: PageLimits) -> QueryPage:
        """A page of the complete listing, or of one of the parts that `list_parts` named.

        Raises:
            CursorExpired: the source no longer knows the token.
            SourceUnavailable, SourceThrottled, SourceAddressWrong, CredentialsRejected, SourceMisbehaved.
        """
        ...

    async def changes_page(self, window: Window, token: bytes | None, limits: PageLimits) -> QueryPage:
        """A page of what changed inside the window. Not asked where the capabilities say no to `changes`.

        Raises:
            as `list_page`.
        """
        ...

    def list_parts(self) -> tuple[bytes | None, ...]:
        """Parts of the complete listing that can be read side by side; `(None,)` where there is one only.

        It is asked again while they are read: the last part may have become two by then, and those before it stay.
        """
        ...
