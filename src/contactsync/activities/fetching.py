"""The activity `fetch_page`: one page from a source, minimised, before anything leaves the worker.

What holds for every kind of source is done here, once: the account's budget, complete listings when they are due,
their generations, pages of the source gathered into one, and the watch over pages that lead nowhere. docs/sync.md tells
the rules.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from temporalio import activity

from contactsync.activities.gathering import GATHERING, Gathered, Gathering, Onward
from contactsync.activities.heartbeat import heartbeating
from contactsync.activities.messages import FETCH_PAGE, ConnectionRef, FetchRequest, Page, PageHead
from contactsync.activities.pages import BODY_BYTES, GATHERED_BYTES, UNBOUNDED, raw_body, raw_records
from contactsync.activities.reaching import Reach
from contactsync.activities.sources.addresses import AddressRules
from contactsync.activities.sources.meter import Meter
from contactsync.activities.sources.progress_guard import BOUNDS, Bounds, Trail
from contactsync.activities.sources.registry import account_of, limits_of
from contactsync.activities.sources.secrets import Secrets
from contactsync.activities.sources.source import SOURCE_BYTES, Capabilities, Changed, FetchedPage, PageLimits, Source
from contactsync.activities.store.budgets import Allowance, Budgets, Call, Lane, budget_account
from contactsync.activities.store.cursors import Cursor, digest_cursor, mask_of, open_cursor, seal_cursor
from contactsync.activities.store.directory import Connection, Directory, TenantPolicy
from contactsync.activities.store.passes import Passes
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import SourceThrottled
from contactsync.postgres import Database

DEFAULT_TENANT_PAGES = 8


@dataclass(frozen=True, slots=True)
class Job:
    """A page that is asked for, and what is known of its connection."""

    request: FetchRequest
    connection: Connection
    policy: TenantPolicy
    sealer: TenantSealer
    cursor: Cursor | None

    @property
    def ref(self) -> ConnectionRef:
        """The connection."""
        return ConnectionRef(tenant_id=self.request.tenant_id, connection_id=self.request.connection_id)

    @property
    def mask(self) -> str:
        """What the page is read and cleaned by."""
        return mask_of(self.policy.fields, self.policy.default_region)

    @property
    def is_first(self) -> bool:
        """Whether nothing was held when the listing began that the page belongs to: nobody needs to look it up."""
        return self.cursor is None or self.cursor.first

    @property
    def trail(self) -> Trail:
        """The pages of the pass that came before."""
        return self.cursor.trail if self.cursor and self.request.page > 1 else Trail()

    @property
    def call(self) -> Call:
        """How the page asks its account's budget. An attempt after a dead one is the same call."""
        kind, settings = self.connection.kind, self.connection.settings
        account = budget_account(self.sealer, self.connection.connection_id, account_of(kind, settings))
        lane = Lane.BACKFILL if self.request.part else Lane.LIVE
        return Call(self.ref, account, limits_of(kind, settings), lane, _lease(self.request))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of the source is asked for. `known`: the cursor that the page before it left; `asked`: the one that
    it is asked with (None: a listing begins). `reread`: no body counts as held; `trail`: the pass's pages so far."""

    known: Cursor | None
    asked: Cursor | None
    reread: bool
    trail: Trail

    @classmethod
    def after(cls, cursor: Cursor) -> "Place":
        """Right behind a page of the same fetch."""
        return cls(cursor, cursor, cursor.reread, cursor.trail)


@dataclass(frozen=True, slots=True)
class Fetched:
    """Pages as their source gave them, the cursor that follows each, and the generation that had swept before them."""

    gathered: Gathered
    cursors: Sequence[Cursor]
    as_of: int


@dataclass(frozen=True, slots=True)
class Fetching:
    """What `fetch_page` works with. `clock` gives epoch seconds; `bounds` say when pages lead nowhere, and `gathering`
    how many pages of a source become one."""

    database: Database
    ring: KeyRing
    limits: PageLimits
    addresses: AddressRules
    tenant_pages: int = DEFAULT_TENANT_PAGES
    clock: Callable[[], float] = time.time
    bounds: Bounds = BOUNDS
    gathering: Gathering = GATHERING
    secrets: Secrets = field(default_factory=Secrets)

    @activity.defn(name=FETCH_PAGE)
    async def fetch_page(self, request: FetchRequest) -> Page:
        """The page after the request's cursor; or no page, but for how long to wait before asking again.

        Raises:
            SourceError, KeysError, DatabaseError: each with its retry verdict. `SourceThrottled` is none of them.
        """
        async with heartbeating():
            return await self._fetch(request)

    async def _fetch(self, request: FetchRequest) -> Page:
        job, meter = await self._job(request), Meter()
        budgets, call = Budgets(self.database, self.tenant_pages), job.call
        wait = await budgets.take(call)
        if wait > 0:
            return waiting(request, wait)
        try:
            fetched = await self._ask(job, Allowance(budgets, call, meter))
        except SourceThrottled as throttled:
            _heed(meter, throttled)
            return waiting(request, max(throttled.after_seconds, await budgets.settle(call, meter)))
        except BaseException:  # a worker that is stopped gives its lease back too
            await budgets.settle(call, meter)
            raise
        await budgets.settle(call, meter)
        return _page(job, fetched)

    async def _job(self, request: FetchRequest) -> Job:
        directory = Directory(self.database, self.ring)
        tenant, connection = await directory.working_connection(request.tenant_id, request.connection_id)
        sealer = await self.ring.tenant_sealer(request.tenant_id)
        cursor = open_cursor(sealer, request.connection_id, request.cursor) if request.cursor else None
        return Job(request, connection, tenant.policy, sealer, cursor)

    async def _ask(self, job: Job, allowance: Allowance) -> Fetched:
        part, cursor, limits = job.request.part, job.cursor, self._limits_of(job.connection)
        as_of = await Passes(self.database).swept_generation(job.ref) if part else 0
        reread = part is None and _reads_anew(cursor, job.mask, job.request.page)
        gathered = Gathered(limits, self.gathering)
        onward = Onward(gathered, allowance.goes_on)
        reach = Reach(self.database, self.ring, self.addresses, self.secrets)
        lent = reach.source(
            job.connection,
            job.policy.fields,
            allowance.meter,
            part=part,
            reread=reread or job.is_first,
            named=gathered.named,
            wants_more=onward.ahead,
        )
        async with lent as source:
            asked = cursor if part or not self._lists_anew(job, source.capabilities) else None
            page = await source.fetch(asked.source if asked else None, _of_source(limits))
            after = await self._after(job, Place(cursor, asked, reread, job.trail), page)
            gathered.begin(page)
            cursors = [after]
            if after.first == job.is_first:
                await self._gather(job, source, onward, cursors, allowance.meter)
        return Fetched(gathered, cursors, as_of)

    async def _gather(self, job: Job, source: Source, onward: Onward, cursors: list[Cursor], meter: Meter) -> None:
        """Adds what else fits, each page with the cursor that follows it. What fails is left to the next fetch, which
        begins there."""
        limits = _of_source(self._limits_of(job.connection))
        while onward.gathered.has_room():
            after = cursors[-1]
            try:
                if not await onward.in_turn():
                    break
                page = await source.fetch(after.source, limits)
                if not onward.gathered.is_alike(page):
                    break
                following = await self._after(job, Place.after(after), page)
            except SourceThrottled as throttled:
                _heed(meter, throttled)
                break
            except Exception:  # noqa: BLE001  # whatever it is, what was read before it is worth keeping
                break
            if not onward.gathered.takes(page):
                break
            cursors.append(following)

    def _lists_anew(self, job: Job, can: Capabilities) -> bool:
        """Whether a complete listing is to begin though there is a cursor; never inside another one."""
        cursor = job.cursor
        if cursor is None or job.request.page != 1:
            return False
        if cursor.mask and cursor.mask != job.mask:
            return True
        if cursor.full or can.reconcile_seconds is None or cursor.listed_at is None:
            return False
        return self.clock() - cursor.listed_at >= can.reconcile_seconds

    def _limits_of(self, connection: Connection) -> PageLimits:
        return PageLimits(rows=connection.page_rows or self.limits.rows, bytes=self.limits.bytes)

    async def _after(self, job: Job, place: Place, page: FetchedPage) -> Cursor:
        """The cursor that follows a page of the source.

        Raises:
            SourceLoops: the pages lead nowhere.
        """
        known, asked = place.known, place.asked
        begins = page.restarted and job.request.part is None
        goes_on = page.full and not page.done
        listed_at = asked.listed_at if asked else None
        return Cursor(
            generation=await Passes(self.database).next_generation(job.ref) if begins else _generation(known),
            full=goes_on,
            source=page.cursor,
            listed_at=self.clock() if begins or listed_at is None else listed_at,
            mask=_mask_after(asked, job.mask, is_read_anew=begins and place.reread),
            reread=place.reread and not page.done,
            first=goes_on and job.is_first and (known is None or not page.restarted),
            trail=place.trail.followed_by(asked.source if asked else None, page, self.bounds),
        )


def _of_source(limits: PageLimits) -> PageLimits:
    return replace(limits, bytes=min(limits.bytes, SOURCE_BYTES))


def _heed(meter: Meter, throttled: SourceThrottled) -> None:
    if meter.refused_for <= 0:  # the source saw it in a body, which the transport does not read
        meter.refused(throttled.after_seconds, said_how_long=True)


def waiting(request: FetchRequest, seconds: float) -> Page:
    """No page: the same cursor is to be asked for again after that time."""
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
    return Page(head=head, body=raw_body([]).content)


def _lease(request: FetchRequest) -> str:
    part = f"{request.part.backfill_id}/{request.part.epoch}/{request.part.part}" if request.part else "live"
    return f"{request.connection_id}/{part}/{request.epoch}/{request.page}"


def _reads_anew(cursor: Cursor | None, mask: str, page: int) -> bool:
    """Whether bodies that are held must be read all the same: the allow-list is another than when they were read."""
    if cursor is None:
        return False
    return cursor.reread or (page == 1 and cursor.mask not in ("", mask))


def _mask_after(asked: Cursor | None, mask: str, *, is_read_anew: bool) -> str:
    """The allow-list under which everything was read. Only a listing that reads all bodies makes it another one."""
    return mask if asked is None or not asked.mask or is_read_anew else asked.mask


def _generation(cursor: Cursor | None) -> int:
    return cursor.generation if cursor else 0


def _page(job: Job, fetched: Fetched) -> Page:
    """All that was gathered; or less, where it hardly compresses: its clean form has to fit, too."""
    count = len(fetched.cursors)
    page = _page_of(job, fetched, count)
    while count > 1 and len(page.packed) > GATHERED_BYTES:
        count //= 2
        page = _page_of(job, fetched, count)
    return page


def _page_of(job: Job, fetched: Fetched, count: int) -> Page:
    request, sealer, page, after = job.request, job.sealer, fetched.gathered.first(count), fetched.cursors[count - 1]
    body = raw_body(raw_records(page.changes), BODY_BYTES if count == 1 else UNBOUNDED)
    head = PageHead(
        tenant_id=request.tenant_id,
        connection_id=request.connection_id,
        epoch=request.epoch,
        page=request.page,
        cursor=seal_cursor(sealer, request.connection_id, after),
        done=page.done,
        full=page.full,
        generation=after.generation,
        changes=len(page.changes),
        downloaded=page.downloaded,
        quarantined=body.quarantined,
        part=request.part,
        as_of=fetched.as_of,
        total=page.total,
        after=digest_cursor(sealer, request.connection_id, request.cursor) if request.cursor else None,
        contacts=sum([isinstance(change, Changed) for change in page.changes]),
    )
    return Page(head=head, body=body.content)
