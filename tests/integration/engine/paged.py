"""A kind of source that a test writes page by page, and the fetching activity on a real database."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from pydantic import Field as Bounded
from temporalio.testing import ActivityEnvironment

from contactsync.activities.cleaning import Cleaning
from contactsync.activities.contacts.contact import Contact, Fields, Name, Note, written
from contactsync.activities.fetching import Fetching
from contactsync.activities.gathering import Gathering
from contactsync.activities.messages import ConnectionRef, FetchRequest, Page, PageResult, PartRef
from contactsync.activities.pages import clean_changes, load_clean
from contactsync.activities.sources.addresses import AddressRules
from contactsync.activities.sources.limits import RequestLimits, SourceSettings
from contactsync.activities.sources.memory import minimised
from contactsync.activities.sources.progress_guard import BOUNDS, Bounds
from contactsync.activities.sources.registry import KINDS, Kind
from contactsync.activities.sources.source import (
    Capabilities,
    Change,
    Changed,
    Credentials,
    FetchedPage,
    PageLimits,
    Source,
    SourceInfo,
    Unchanged,
    Workbench,
)
from contactsync.activities.sources.window_etags import told_once
from contactsync.activities.store.contacts import Contacts
from contactsync.activities.store.cursors import Cursor, seal_cursor
from contactsync.activities.store.directory import Connection, Directory
from contactsync.codecs.keys.ring import KeyRing
from contactsync.postgres import Database

START = 1_800_000_000.0
ONE_BY_ONE = Gathering(seconds=0.0)
"""Each page of the source is a page of the engine's."""


class PagedSettings(SourceSettings):
    """Limits of its account."""

    per_second: float | None = None
    burst: int = 1
    concurrent: int | None = Bounded(default=None, ge=1)

    def limits(self) -> RequestLimits:
        """See `SourceSettings`."""
        return RequestLimits(per_second=self.per_second, burst=self.burst, concurrent=self.concurrent)


@dataclass(slots=True)
class Script:
    """What the source answers: `answer` gets the cursor it is asked with. `asked` are those cursors, `limits` what its
    pages were to be within. `looks_up`: what is held as it is listed is called unchanged. `asks_ahead`: for the page
    after one, if it is wanted."""

    answer: Callable[[bytes | None], FetchedPage]
    can: Capabilities = field(default_factory=lambda: Capabilities(tokens=True, tombstones=True))
    cards: Mapping[str, str] = field(default_factory=dict[str, str])  # id → note, listed with etags of their own
    asked: list[bytes | None] = field(default_factory=list[bytes | None])
    limits: list[PageLimits] = field(default_factory=list[PageLimits])
    looks_up: bool = False
    asks_ahead: bool = False

    @property
    def kind(self) -> Kind:
        """To be registered as `paged`."""
        return Kind(PagedSettings, self.open)

    @asynccontextmanager
    async def open(
        self, settings: Mapping[str, object], credentials: Credentials, fields: Fields, workbench: Workbench
    ) -> AsyncGenerator[Source]:
        """See `SourceFactory`."""
        del settings, credentials
        yield Paged(self, fields, workbench)

    def kinds(self) -> dict[str, Kind]:
        """The registry with this one in it."""
        return {**KINDS, "paged": self.kind}


class Paged:
    """The source; its etags do not know the allow-list."""

    def __init__(self, script: Script, fields: Fields, workbench: Workbench) -> None:
        self._script = script
        self._fields = fields
        self._workbench = workbench
        self._early: bytes | None = None

    @property
    def capabilities(self) -> Capabilities:
        """See `Source`."""
        return self._script.can

    async def check(self) -> SourceInfo:
        """See `Source`."""
        return SourceInfo(1, incremental=True)

    async def baseline(self) -> bytes | None:
        """See `Source`."""
        return b"now"

    async def partitions(self, _since: float | None, /) -> tuple[bytes | None, ...]:
        """See `Source`."""
        return (None,)

    async def fetch(self, cursor: bytes | None, limits: PageLimits) -> FetchedPage:
        """See `Source`."""
        self._script.limits.append(limits)
        if cursor is None or cursor != self._early:
            self._ask(cursor)
        page = self._script.answer(cursor)
        if self._script.asks_ahead and not page.done and await self._workbench.wants_more(len(page.changes), 0):
            self._early = page.cursor
            self._ask(page.cursor)
        if self._script.looks_up:
            return replace(page, changes=tuple(await told_once(self._workbench, page.changes)))
        if not page.full or not self._script.cards:
            return page
        held = await self._workbench.unchanged(dict.fromkeys(self._script.cards, "as ever"))
        changes = tuple(self._change(name, note, name in held) for name, note in self._script.cards.items())
        return FetchedPage(changes, page.cursor, page.done, page.full, page.restarted)

    def _ask(self, cursor: bytes | None) -> None:
        self._script.asked.append(cursor)
        self._workbench.meter.count()

    def _change(self, name: str, note: str, is_held: bool) -> Change:
        if is_held:
            return Unchanged(name)
        whole = Contact(name=Name(full=name), notes=(Note(note=note),))
        return Changed(name, written(minimised(whole, self._fields)), "as ever")


@dataclass(slots=True)
class Bench:
    """One connection to a script, and the activities."""

    database: Database
    ring: KeyRing
    connection: Connection
    now: float = START
    bounds: Bounds = BOUNDS
    gathering: Gathering = ONE_BY_ONE
    limits: PageLimits = field(default_factory=PageLimits)

    @property
    def ref(self) -> ConnectionRef:
        """The connection."""
        return ConnectionRef(tenant_id=self.connection.tenant_id, connection_id=self.connection.connection_id)

    @property
    def directory(self) -> Directory:
        """Tenants and connections."""
        return Directory(self.database, self.ring)

    @property
    def contacts(self) -> Contacts:
        """Contacts."""
        return Contacts(self.database, self.ring)

    async def fetch(
        self, page: int = 1, cursor: bytes | None = None, *, epoch: int = 1, part: PartRef | None = None
    ) -> Page:
        """The activity, as a worker runs it."""
        fetching = Fetching(
            self.database,
            self.ring,
            self.limits,
            AddressRules(),
            clock=lambda: self.now,
            bounds=self.bounds,
            gathering=self.gathering,
        )
        request = FetchRequest(**self.ref.model_dump(), epoch=epoch, page=page, cursor=cursor, part=part)
        return await ActivityEnvironment().run(fetching.fetch_page, request)

    async def write(self, page: Page) -> PageResult:
        """Cleans and commits a page."""
        clean = await ActivityEnvironment().run(Cleaning(self.directory).sanitize_page, page)
        return await self.contacts.commit(clean.head, clean_changes(load_clean(clean.body)))

    async def opened_at(self, source: bytes) -> bytes:
        """A sealed cursor at this place of the source."""
        sealer = await self.ring.tenant_sealer(self.ref.tenant_id)
        cursor = Cursor(generation=1, full=True, source=source, listed_at=self.now)
        return seal_cursor(sealer, self.ref.connection_id, cursor)

    async def follow(self, cursor: bytes | None, *, most: int = 200) -> Page:
        """Pages until one is the last."""
        for number in range(1, most):
            page = await self.fetch(number, cursor)
            if page.head.done:
                return page
            cursor = page.head.cursor
        raise AssertionError("the pass does not end")


class Prepare(Protocol):
    """Makes a connection to a script."""

    async def __call__(self, script: Script, **settings: object) -> Bench: ...


def page_of(*names: str, cursor: bytes, done: bool = False, full: bool = True, restarted: bool = False) -> FetchedPage:
    """A page that names these contacts."""
    changes = tuple(Changed(name, written(Contact(uid=name))) for name in names)
    return FetchedPage(changes, cursor, done, full, restarted, len(changes))


def three_pages(cursor: bytes | None) -> FetchedPage:
    """A listing of three pages; then every pass is one empty page."""
    if cursor is None:
        return page_of("a", cursor=b"1", restarted=True)
    pages = {b"1": page_of("b", cursor=b"2"), b"2": page_of("c", cursor=b"end", done=True)}
    return pages.get(cursor, page_of(cursor=b"end", done=True, full=False))
