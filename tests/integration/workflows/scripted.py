"""Activities that follow a script, for tests of workflows: a source of numbered pages and a store that counts."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from temporalio import activity
from temporalio.exceptions import ApplicationError

from contactsync.activities.messages import (
    CLOSE_PASS,
    DECIDE_DELETES,
    FETCH_PAGE,
    OPEN_PASS,
    SANITIZE_PAGE,
    SET_PAUSED,
    UPSERT_IN_TURN,
    UPSERT_PAGE,
    CleanPage,
    ClosePass,
    Counts,
    DecideDeletes,
    DeletesDecided,
    FetchRequest,
    OpenPass,
    Page,
    PageHead,
    PageResult,
    PassTicket,
    SetPaused,
)
from contactsync.errors import ContactSyncError, HoldNotFound
from contactsync.workflows.page_steps import SOURCE_DOWN_AT_MOST

CONTACT = b"Zaphod Beeblebrox <zaphod@betelgeuse.example>"


def garbage_to_the_end() -> Exception:
    """Garbage that may be tried again only when the time of the page is over."""
    return ApplicationError("garbage", type="SourceMisbehaved", next_retry_delay=SOURCE_DOWN_AT_MOST)


def waiting(request: FetchRequest, seconds: float) -> Page:
    """No page, but for how long to wait."""
    head = PageHead(
        tenant_id=request.tenant_id,
        connection_id=request.connection_id,
        epoch=request.epoch,
        page=request.page,
        cursor=request.cursor or b"",
        done=False,
        full=False,
        generation=0,
        changes=0,
        downloaded=0,
        part=request.part,
        wait_seconds=seconds,
    )
    return Page(head=head, body=b"")


@dataclass
class Script:
    """What the activities do, and what they saw."""

    pages: int = 3
    contacts_per_page: int = 10
    body: bytes = CONTACT
    interval_seconds: int = 900
    fetch_fails: list[ContactSyncError] = field(default_factory=list[ContactSyncError])
    fetch_always_fails: Callable[[], Exception] | None = None
    fails_at: dict[int, ContactSyncError] = field(default_factory=dict[int, ContactSyncError])
    waits: list[float] = field(default_factory=list[float])
    waits_at: dict[int, float] = field(default_factory=dict[int, float])
    paused_in_database: str | None = None
    hold_writing: asyncio.Event | None = None
    hold_fetching: asyncio.Event | None = None
    hold_pausing: asyncio.Event | None = None
    hold_opening: asyncio.Event | None = None
    events: list[str] = field(default_factory=list[str])
    written: list[int] = field(default_factory=list[int])
    closed: list[str] = field(default_factory=list[str])
    pauses: list[str | None] = field(default_factory=list[str | None])
    passes: int = 0
    opened: list[UUID] = field(default_factory=list[UUID])
    page: int = 0
    cursor: bytes | None = None
    hold_id: UUID | None = None
    held: int = 0
    quiet: frozenset[int] = frozenset()  # pages without contacts
    cleaned: list[int] = field(default_factory=list[int])
    in_turn: list[int] = field(default_factory=list[int])
    early_at: set[int] = field(default_factory=set[int])
    writing_fails: dict[int, ContactSyncError] = field(default_factory=dict[int, ContactSyncError])
    cleaning_fails: dict[int, ContactSyncError] = field(default_factory=dict[int, ContactSyncError])
    gives_up: bool = False
    turned: asyncio.Condition = field(default_factory=asyncio.Condition)
    decisions: list[DecideDeletes] = field(default_factory=list[DecideDeletes])

    @activity.defn(name=OPEN_PASS)
    async def open_pass(self, request: OpenPass) -> PassTicket:
        if request.pass_id not in self.opened:
            self.passes += 1
            self.page = 0
        self.opened.append(request.pass_id)
        paused = self.paused_in_database
        self.events.append("open")
        if self.hold_opening is not None:
            await self.hold_opening.wait()
        return PassTicket(
            tenant_id=request.tenant_id,
            connection_id=request.connection_id,
            pass_id=request.pass_id,
            epoch=self.passes,
            cursor=self.cursor,
            interval_seconds=self.interval_seconds,
            jitter_seconds=60,
            paused=paused,
            page=self.page,
            holding=self.hold_id is not None,
        )

    @activity.defn(name=FETCH_PAGE)
    async def fetch_page(self, request: FetchRequest) -> Page:
        self.events.append(f"fetch {request.page}")
        if self.hold_fetching is not None:
            await self.hold_fetching.wait()
        if self.fetch_fails:
            raise self.fetch_fails.pop(0)
        if self.fetch_always_fails is not None:
            raise self.fetch_always_fails()
        if request.page in self.fails_at:
            raise self.fails_at.pop(request.page)
        if request.page in self.waits_at:
            return waiting(request, self.waits_at.pop(request.page))
        if self.waits:
            return waiting(request, self.waits.pop(0))
        head = PageHead(
            tenant_id=request.tenant_id,
            connection_id=request.connection_id,
            epoch=request.epoch,
            page=request.page,
            cursor=f"after {request.page}".encode(),
            done=request.page == self.pages,
            full=False,
            generation=1,
            changes=self.contacts_per_page,
            downloaded=self.contacts_per_page,
            contacts=0 if request.page in self.quiet else self.contacts_per_page,
        )
        return Page(head=head, body=self.body)

    @activity.defn(name=SANITIZE_PAGE)
    async def sanitize_page(self, page: Page) -> CleanPage:
        self.cleaned.append(page.head.page)
        if page.head.page in self.cleaning_fails:
            raise self.cleaning_fails.pop(page.head.page)
        return CleanPage(head=page.head, body=page.body)

    @activity.defn(name=UPSERT_PAGE)
    async def upsert_page(self, page: CleanPage) -> PageResult:
        if self.hold_writing is not None:
            await self.hold_writing.wait()
        if page.head.page in self.writing_fails:
            raise self.writing_fails.pop(page.head.page)
        return await self._written(page.head)

    @activity.defn(name=UPSERT_IN_TURN)
    async def upsert_in_turn(self, page: CleanPage) -> PageResult:
        self.in_turn.append(page.head.page)
        if page.head.page in self.early_at:
            self.early_at.discard(page.head.page)
            return PageResult(counts=Counts(), done=False, early=True)
        async with self.turned:
            await self.turned.wait_for(lambda: self.gives_up or self.page >= page.head.page - 1)
        if self.gives_up:
            return PageResult(counts=Counts(), done=False, early=True)
        return await self._written(page.head)

    async def give_up(self) -> None:
        """Pages wait for their turn no longer."""
        self.gives_up = True
        async with self.turned:
            self.turned.notify_all()

    async def _written(self, head: PageHead) -> PageResult:
        self.events.append(f"write {head.page}")
        self.written.append(head.page)
        self.cursor, self.page = head.cursor, head.page
        async with self.turned:
            self.turned.notify_all()
        counts = Counts(pages=1, added=head.changes, held=self.held if self.hold_id else 0)
        return PageResult(counts=counts, done=head.done)

    @activity.defn(name=CLOSE_PASS)
    async def close_pass(self, request: ClosePass) -> None:
        self.events.append("close")
        self.closed.append(request.outcome)

    @activity.defn(name=SET_PAUSED)
    async def set_paused(self, request: SetPaused) -> None:
        self.events.append(f"pause {request.paused}")
        if self.hold_pausing is not None:
            await self.hold_pausing.wait()
        self.pauses.append(request.paused)
        self.paused_in_database = request.paused

    @activity.defn(name=DECIDE_DELETES)
    async def decide_deletes(self, request: DecideDeletes) -> DeletesDecided:
        self.decisions.append(request)
        if request.hold_id != self.hold_id:
            raise HoldNotFound
        self.hold_id = None
        return DeletesDecided(outcome="approved" if request.approve else "rejected", contacts=self.held)
