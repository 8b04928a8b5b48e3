"""What a source is to the engine. One module per kind of source stands beside this one.

A source knows its protocol and nothing of Temporal, PostgreSQL or sealing. It is asked for one page at a time and
answers with changes and an opaque cursor. It keeps no state between calls: everything it needs to go on is in its
cursor, and in the `Workbench` the engine lends it.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol
from uuid import UUID

from msgspec import Struct

from contactsync.activities.contacts.contact import Contact, Fields, read
from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sources.addresses import AddressRules
from contactsync.activities.sources.meter import Meter
from contactsync.activities.sources.secrets import Secrets
from contactsync.activities.sources.tokens import Tokens


class Changed(Struct, frozen=True):
    """A contact as the source has it now: `content` is its JSON (`contact.written`). `etag` is opaque; `version` only
    where the source's own are ordered."""

    source_id: str
    content: bytes
    etag: str | None = None
    version: int | None = None

    @property
    def contact(self) -> Contact:
        """The contact, read from its JSON."""
        return read(self.content)

    def __repr__(self) -> str:
        return f"Changed({self.source_id!r}, etag={self.etag!r}, version={self.version!r})"


class Removed(Struct, frozen=True):
    """The source says that it no longer has this contact."""

    source_id: str
    version: int | None = None


class Unchanged(Struct, frozen=True):
    """Listed, and equal to what is held already: nobody cleans or writes it again."""

    source_id: str


class Unreadable(Struct, frozen=True):
    """Listed, but its text is no contact: set aside with a reason, never dropped in silence."""

    source_id: str
    reason: QuarantineReason


class Moved(Struct, frozen=True):
    """The source renamed this contact to `to`, or merged it into `to`: whoever knew it by the old id finds it there.

    It comes before the `Changed` of `to`, if both are in one page.
    """

    source_id: str
    to: str
    version: int | None = None


Change = Changed | Removed | Unchanged | Unreadable | Moved


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A bounded part of a pass.

    `cursor` goes on after this page, or starts the next pass when `done`. `full` says that the page belongs to a
    complete listing, so that at its end what was not listed is gone; `restarted` that this page is the first of a
    new complete listing (the cursor was missing or no longer valid). `downloaded` counts bodies fetched.
    """

    changes: tuple[Change, ...]
    cursor: bytes
    done: bool
    full: bool
    restarted: bool = False
    downloaded: int = 0
    total: int | None = None  # contacts in all, where the source says so


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the engine may rely on, so that a source keeps none of the rules of a cursor itself.

    `tokens`: it gives change tokens of its own; without them the engine asks by windows of time (`query.py`).
    `changes`: it can be asked what changed; without that each pass is a complete listing.
    `versions`: of two versions the greater is the newer. `tombstones`: it tells what was deleted; without them only a
    complete listing does. `order`: how an answer about changes is sorted. `lag_seconds`: a change may become visible
    this much later than its time says. `settles_seconds`: for so long an index may leave out what is there already,
    and the engine takes a second look. `reconcile_seconds`: how often a complete listing checks it all (None: never).
    """

    tokens: bool = False
    changes: bool = True
    versions: bool = False
    tombstones: bool = False
    order: Literal["none", "time", "time_id"] = "none"
    lag_seconds: float = 0.0
    settles_seconds: float = 0.0
    reconcile_seconds: float | None = 86_400.0


PAGE_ROWS: Final = 4000
PAGE_BYTES: Final = 2304 * 1024
"""The largest pages of ours; so many usual contacts fit."""


@dataclass(frozen=True, slots=True)
class PageLimits:
    """Bounds of one page: contacts, and bytes of their JSON. A page may be smaller, never larger."""

    rows: int = PAGE_ROWS
    bytes: int = PAGE_BYTES


SOURCE_BYTES: Final = 1024 * 1024
"""What a source gives at a time, at most. Cleaning writes the numbers and addresses that contacts are found by once
more, which doubles a page of nothing but phone numbers; compressed that still is no more than a payload holds. Of pages
that are gathered it is seen how they compress (`activities/fetching`)."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a check found: how many address books answer, and what the source can do. Counts and flags only."""

    address_books: int
    incremental: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to sign in. `secret` is the password or token; neither is ever shown."""

    username: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


class Workbench(Protocol):
    """What the engine lends a source: what is held already, a place for long listings, a meter for its requests, which
    addresses it may reach, the OAuth tokens of its connection, and what resolves references to further secrets."""

    @property
    def meter(self) -> Meter: ...

    @property
    def addresses(self) -> AddressRules: ...

    @property
    def tokens(self) -> Tokens: ...

    @property
    def secrets(self) -> Secrets: ...

    async def unchanged(self, etags: Mapping[str, str]) -> frozenset[str]:
        """Those source ids whose stored etag equals the given one (no body needs to be downloaded for them)."""
        ...

    async def wants_more(self, records: int, size: int) -> bool:
        """Whether the page after the one under way will be fetched at once, so that it may be asked for already.

        What the one under way holds is not known yet: its answer has so many records, and bytes (0: unknown). Yes is
        the leave to send one further request.
        """
        ...

    async def stash(self, parts: Sequence[bytes]) -> UUID:
        """Keep parts of a listing, sealed, until the pass ends; returns the handle to put into a cursor."""
        ...

    async def stashed(self, handle: UUID, index: int) -> bytes:
        """The part at `index`.

        Raises:
            CursorExpired: the listing is no longer there.
        """
        ...


class Source(Protocol):
    """One address book account, open."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def check(self) -> SourceInfo:
        """Ask the source who we are and what it has; download no contact.

        Raises:
            SourceUnavailable, SourceAddressWrong, CredentialsRejected, SourceMisbehaved, SourceThrottled.
        """
        ...

    async def fetch(self, cursor: bytes | None, limits: PageLimits) -> FetchedPage:
        """One page after `cursor`; None starts a complete listing.

        An expired cursor is no error here: the page says `restarted` and a complete listing begins.

        Raises:
            SourceUnavailable, SourceThrottled, SourceAddressWrong, CredentialsRejected, SourceMisbehaved.
        """
        ...

    async def baseline(self) -> bytes | None:
        """A cursor at the source's present, without listing anything; None where the source has no such thing.

        With it a backfill can do the first listing while live sync goes on from now.
        """
        ...

    async def partitions(self, since: float | None, /) -> tuple[bytes | None, ...]:
        """The cursors from which a complete listing can be read in parts, side by side, each with `fetch`.

        A part ends with its page that says `done`; `(None,)` is a listing in one part. `since` (seconds since the
        epoch) asks for contacts changed since then only; a source that cannot do that lists all.
        """
        ...


class SourceFactory(Protocol):
    """Opens a source of one kind; its settings have been validated by the kind's own model."""

    def __call__(
        self, settings: Mapping[str, object], credentials: Credentials, fields: Fields, workbench: Workbench
    ) -> AbstractAsyncContextManager[Source]: ...
