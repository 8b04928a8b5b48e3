"""Activities that follow a script, for tests of `Backfill`: parts of numbered pages, and a store that counts."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from temporalio import activity
from tests.integration.workflows.scripted import CONTACT, waiting

from contactsync.activities.messages import (
    CLOSE_BACKFILL,
    FETCH_PAGE,
    OPEN_BACKFILL,
    SANITIZE_PAGE,
    SET_BACKFILL_PAUSED,
    UPSERT_PAGE,
    BackfillResult,
    BackfillTicket,
    CleanPage,
    CloseBackfill,
    Counts,
    FetchRequest,
    OpenBackfill,
    Page,
    PageHead,
    PageResult,
    PartTicket,
    SetBackfillPaused,
)
from contactsync.errors import BackfillNotFound, ContactSyncError, SourceUnavailable, StalePass

Place = tuple[int, int]
"""Part and page."""


@dataclass
class BackfillScript:
    """What the activities do, and what they saw. `pages`: how many each part has."""

    pages: Mapping[int, int] = field(default_factory=lambda: {0: 3, 1: 2, 2: 4})
    rows: int = 10
    body: bytes = CONTACT
    window: int = 2
    rows_per_second: float | None = None
    is_known: bool = True
    is_paused: bool = False
    ended: str | None = None
    open_fails: list[ContactSyncError] = field(default_factory=list[ContactSyncError])
    fails_at: dict[Place, ContactSyncError] = field(default_factory=dict[Place, ContactSyncError])
    fetch_always_fails: Callable[[], Exception] | None = None
    down_from: Place | None = None
    waits_at: dict[Place, float] = field(default_factory=dict[Place, float])
    redo_at: set[Place] = field(default_factory=set[Place])
    hold_fetching: asyncio.Event | None = None
    hold_writing: asyncio.Event | None = None
    hold_pausing: asyncio.Event | None = None
    events: list[str] = field(default_factory=list[str])
    written: list[Place] = field(default_factory=list[Place])
    openings: list[UUID] = field(default_factory=list[UUID])
    pauses: list[bool] = field(default_factory=list[bool])
    closed: list[str] = field(default_factory=list[str])
    most_at_once: int = 0
    _running: set[int] = field(default_factory=set[int])
    _places: dict[int, PartTicket] = field(default_factory=dict[int, PartTicket])

    @activity.defn(name=OPEN_BACKFILL)
    async def open_backfill(self, request: OpenBackfill) -> BackfillTicket:
        if not self.is_known:
            raise BackfillNotFound
        if self.open_fails:
            raise self.open_fails.pop(0)
        if request.opening_id not in self.openings:
            self.openings.append(request.opening_id)
        if request.plan and not self._places:
            self._places = {part: PartTicket(part=part) for part in self.pages}
        return BackfillTicket(
            tenant_id=request.tenant_id,
            connection_id=request.connection_id,
            backfill_id=request.backfill_id,
            epoch=len(self.openings),
            cutoff_epoch=7,
            parts=tuple(self._places.values()),
            window=self.window,
            rows_per_second=self.rows_per_second,
            state=self.ended or ("paused" if self.is_paused else "running"),
            counts=self._counts(),
        )

    @activity.defn(name=FETCH_PAGE)
    async def fetch_page(self, request: FetchRequest) -> Page:
        assert request.part is not None
        place = (request.part.part, request.page)
        self.events.append(f"fetch {place[0]}/{place[1]}")
        if self.hold_fetching is not None:
            await self.hold_fetching.wait()
        if self.fetch_always_fails is not None:
            raise self.fetch_always_fails()
        if self.down_from is not None and place >= self.down_from:
            raise SourceUnavailable
        if place in self.fails_at:
            raise self.fails_at.pop(place)
        if place in self.waits_at:
            return waiting(request, self.waits_at.pop(place))
        self._running.add(place[0])
        self.most_at_once = max(self.most_at_once, len(self._running))
        return Page(head=self._head(request, place), body=self.body)

    @activity.defn(name=SANITIZE_PAGE)
    async def sanitize_page(self, page: Page) -> CleanPage:
        return CleanPage(head=page.head, body=page.body)

    @activity.defn(name=UPSERT_PAGE)
    async def upsert_page(self, page: CleanPage) -> PageResult:
        part = page.head.part
        assert part is not None
        if self.hold_writing is not None:
            await self.hold_writing.wait()
        place = (part.part, page.head.page)
        if self.ended or part.epoch != len(self.openings) or page.head.page != self._places[part.part].page + 1:
            self.events.append(f"stale {place[0]}/{place[1]}")
            raise StalePass
        if place in self.redo_at:
            self.redo_at.discard(place)
            return PageResult(counts=Counts(), done=False, redo=True)
        self._commit(page.head, place)
        return PageResult(counts=Counts(pages=1, added=self.rows), done=page.head.done)

    @activity.defn(name=SET_BACKFILL_PAUSED)
    async def set_backfill_paused(self, request: SetBackfillPaused) -> None:
        self.events.append(f"pause {request.paused}")
        if self.hold_pausing is not None:
            await self.hold_pausing.wait()
        self.pauses.append(request.paused)
        self.is_paused = request.paused

    @activity.defn(name=CLOSE_BACKFILL)
    async def close_backfill(self, request: CloseBackfill) -> BackfillResult:
        if self.ended is None:
            if request.epoch != len(self.openings):
                raise StalePass
            self.ended = request.outcome
        self.closed.append(request.outcome)
        return BackfillResult(outcome=self.ended, counts=self._counts())

    def _head(self, request: FetchRequest, place: Place) -> PageHead:
        return PageHead(
            tenant_id=request.tenant_id,
            connection_id=request.connection_id,
            epoch=request.epoch,
            page=request.page,
            cursor=f"after {place[0]}/{place[1]}".encode(),
            done=place[1] == self.pages[place[0]],
            full=True,
            generation=1,
            changes=self.rows,
            downloaded=self.rows,
            part=request.part,
        )

    def _commit(self, head: PageHead, place: Place) -> None:
        self.events.append(f"write {place[0]}/{place[1]}")
        self.written.append(place)
        self._places[place[0]] = PartTicket(part=place[0], page=head.page, cursor=head.cursor, done=head.done)
        if head.done:
            self._running.discard(place[0])

    def _counts(self) -> Counts:
        return Counts(pages=len(self.written), added=self.rows * len(self.written))
