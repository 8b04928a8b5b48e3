"""What a source's pages amount to, kept in memory: a stand-in for the store.

It applies pages as the store does (a complete listing sweeps what it did not list, an unreadable contact leaves the
last good one in place) and lends a source its workbench. The contract suite of sources stands on it, and so may the
tests of a source that lives elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from contactsync.activities.contacts.contact import Contact
from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sources.addresses import AddressRules
from contactsync.activities.sources.meter import Meter
from contactsync.activities.sources.secrets import Secrets
from contactsync.activities.sources.source import (
    Change,
    Changed,
    FetchedPage,
    Moved,
    PageLimits,
    Removed,
    Source,
    Unchanged,
    Unreadable,
)
from contactsync.activities.sources.tokens import MemoryTokens, Tokens
from contactsync.errors import CursorExpired


@dataclass(frozen=True, slots=True)
class Pass:
    """A finished pass, page by page."""

    pages: Sequence[FetchedPage]

    @property
    def changes(self) -> list[Change]:
        """Everything the pages said, in order."""
        return [change for page in self.pages for change in page.changes]

    @property
    def downloaded(self) -> int:
        """Bodies that were fetched."""
        return sum(page.downloaded for page in self.pages)

    @property
    def full(self) -> bool:
        """Whether it ended as a complete listing."""
        return self.pages[-1].full

    @property
    def restarts(self) -> int:
        """Complete listings that began in it."""
        return sum(page.restarted for page in self.pages)


@dataclass(slots=True)
class Replica:
    """Contacts by source id; also a `Workbench`. `is_eager`: it always wants one more page."""

    contacts: dict[str, Contact] = field(default_factory=dict[str, Contact])
    etags: dict[str, str] = field(default_factory=dict[str, str])
    unreadable: dict[str, QuarantineReason] = field(default_factory=dict[str, QuarantineReason])
    cursor: bytes | None = None
    meter: Meter = field(default_factory=Meter)
    addresses: AddressRules = field(default_factory=lambda: AddressRules(("127.0.0.0/8", "::1/128")))
    tokens: Tokens = field(default_factory=MemoryTokens)
    secrets: Secrets = field(default_factory=Secrets)
    is_eager: bool = False
    _listed: set[str] = field(default_factory=set[str])
    _stashes: dict[UUID, tuple[bytes, ...]] = field(default_factory=dict[UUID, tuple[bytes, ...]])

    async def unchanged(self, etags: Mapping[str, str]) -> frozenset[str]:
        """See `Workbench.unchanged`."""
        return frozenset(name for name, etag in etags.items() if self.etags.get(name) == etag)

    async def wants_more(self, records: int, size: int) -> bool:
        """See `Workbench.wants_more`."""
        del records, size
        return self.is_eager

    async def stash(self, parts: Sequence[bytes]) -> UUID:
        """See `Workbench.stash`."""
        handle = uuid4()
        self._stashes[handle] = tuple(parts)
        return handle

    async def stashed(self, handle: UUID, index: int) -> bytes:
        """See `Workbench.stashed`."""
        if handle not in self._stashes or index >= len(self._stashes[handle]):
            raise CursorExpired
        return self._stashes[handle][index]

    @property
    def stashes(self) -> int:
        """How many listings are stashed."""
        return len(self._stashes)

    def lose_stashes(self) -> None:
        """Loses every stashed listing."""
        self._stashes.clear()

    def apply(self, page: FetchedPage) -> None:
        """Takes a page in; the cursor moves on with it."""
        if page.restarted:
            self._listed.clear()
        for change in page.changes:
            self._take(change)
        if page.full and page.done:
            self._sweep()
        self.cursor = page.cursor

    def _take(self, change: Change) -> None:
        self._listed.add(change.source_id)
        match change:
            case Changed():
                self.contacts[change.source_id] = change.contact
                self.etags[change.source_id] = change.etag or ""
                self.unreadable.pop(change.source_id, None)
            case Removed():
                self._listed.discard(change.source_id)
                self._drop(change.source_id)
            case Unreadable():
                self.unreadable[change.source_id] = change.reason
                self.etags.pop(change.source_id, None)
            case Moved():
                self._listed.discard(change.source_id)
                self._drop(change.source_id)
            case Unchanged():
                pass

    def _sweep(self) -> None:
        for source_id in {*self.contacts, *self.unreadable} - self._listed:
            self._drop(source_id)

    def _drop(self, source_id: str) -> None:
        self.contacts.pop(source_id, None)
        self.etags.pop(source_id, None)
        self.unreadable.pop(source_id, None)

    async def follow(self, source: Source, limits: PageLimits | None = None, *, max_pages: int = 10_000) -> Pass:
        """Runs one pass to its end and takes each page in."""
        pages: list[FetchedPage] = []
        while len(pages) < max_pages:
            page = await source.fetch(self.cursor, limits or PageLimits())
            self.apply(page)
            pages.append(page)
            if page.done:
                return Pass(pages)
        raise AssertionError("the pass does not end")
