"""Budgets of provider accounts, in the database that all workers share."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from tests.integration.store.address_book import Book, Store

from contactsync.activities.messages import ConnectionRef
from contactsync.activities.sources.limits import RequestLimits
from contactsync.activities.sources.meter import Meter, Window
from contactsync.activities.store.budgets import (
    GRACE_SECONDS,
    LEASE_SECONDS,
    Budgets,
    BudgetState,
    Call,
    Lane,
    budget_account,
)
from contactsync.postgres import Database
from contactsync.workers.embedded.provision import DatabaseUrls

ACCOUNT = b"an account's key"
FREE = RequestLimits()


class Desk:
    """Asks for one connection."""

    def __init__(self, database: Database, ref: ConnectionRef, tenant_pages: int = 8) -> None:
        self.ref = ref
        self.database = database
        self.budgets = Budgets(database, tenant_pages)

    def call(self, lease: str, limits: RequestLimits = FREE, lane: Lane = Lane.LIVE, account: bytes = ACCOUNT) -> Call:
        """A fetch."""
        return Call(ref=self.ref, account=account, limits=limits, lane=lane, lease=lease)

    async def take(self, call: Call) -> float:
        """See `Budgets.take`."""
        return await self.budgets.take(call)

    async def settle(self, call: Call, requests: int = 1) -> float:
        """A fetch that made so many requests and heard nothing of limits."""
        return await self.budgets.settle(call, Meter(requests=requests))

    async def state(self) -> BudgetState:
        """See `Budgets.of`."""
        return await self.budgets.of(self.ref, ACCOUNT)

    async def later(self, seconds: float) -> None:
        """Moves everything that is kept into the past, as if so much time had gone by."""
        ago = timedelta(seconds=seconds)
        async with self.database.transaction(self.ref.tenant_id) as connection:
            await connection.execute(
                "UPDATE contactsync.budget SET counted_at = counted_at - $1::interval, "
                "blocked_until = blocked_until - $1::interval",
                ago,
            )
            await connection.execute(
                "UPDATE contactsync.budget_lease SET since = since - $1::interval, "
                "held_until = held_until - $1::interval, due_at = due_at - $1::interval",
                ago,
            )


@pytest.fixture
def desk(database: Database, book: Book) -> Desk:
    """Asks for the book's connection."""
    return Desk(database, book.ref)


async def test_without_limits_a_fetch_goes_at_once(desk: Desk) -> None:
    """Without limits a fetch goes, and what is kept of it ends with it."""
    assert await desk.take(desk.call("a")) == 0.0
    assert (await desk.state()).live == 1
    assert await desk.settle(desk.call("a")) == 0.0
    state = await desk.state()
    assert (state.live, state.waiting, state.tokens, state.day_requests) == (0, 0, None, 0)


async def test_the_same_lease_is_taken_once(desk: Desk) -> None:
    """An attempt after a dead one has its lease, and its place is not charged a second time."""
    limits = RequestLimits(per_second=0.001, burst=2, concurrent=1)
    assert [await desk.take(desk.call("a", limits)) for _ in range(3)] == [0.0, 0.0, 0.0]
    state = await desk.state()
    assert state.live == 1
    assert state.tokens == pytest.approx(1.0, abs=0.01)  # pyright: ignore[reportUnknownMemberType]


async def test_more_than_the_rate_waits(desk: Desk) -> None:
    """When the tokens are gone, a fetch is told when the next one comes, and then it goes."""
    limits = RequestLimits(per_second=0.1, burst=2)
    for lease in ("a", "b"):
        assert await desk.take(desk.call(lease, limits)) == 0.0
    assert 9.0 < await desk.take(desk.call("c", limits)) <= 10.0
    await desk.later(10.0)
    assert await desk.take(desk.call("c", limits)) == 0.0
    assert await desk.take(desk.call("d", limits)) > 9.0


async def test_a_tenant_has_so_many_pages_at_a_time(database: Database, book: Book) -> None:
    """All workers together run so many fetches of a tenant, whatever their accounts are; another tenant's go."""
    desks = [Desk(database, book.ref, tenant_pages=3) for _ in range(4)]
    calls = [desk.call(f"{n}", account=uuid4().bytes) for desk in desks for n in (f"{id(desk)}a", f"{id(desk)}b")]
    waits = await asyncio.gather(*(desks[0].take(call) for call in calls))
    assert sum(wait == 0.0 for wait in waits) == 3
    other = Desk(database, (await book.store.new_book()).ref, tenant_pages=3)
    assert await desks[0].take(desks[0].call("x")) > 0
    assert await other.take(other.call("x")) == 0.0


async def test_refused_without_a_word_is_left_alone_longer_each_time(desk: Desk) -> None:
    """A source that only says no is asked again after a minute, then two, then four; an answer ends that."""
    waits: list[float] = []
    for lease in ("a", "b", "c"):
        assert await desk.take(desk.call(lease)) == 0.0
        meter = Meter(requests=1)
        meter.refused(60.0, said_how_long=False)
        waits.append(round(await desk.budgets.settle(desk.call(lease), meter)))
        assert await desk.take(desk.call("x")) > 0
        await desk.later(waits[-1] + 31)
    assert waits == [60, 120, 240]


async def test_what_the_provider_says_is_believed(desk: Desk) -> None:
    """When an answer says that nothing remains, nobody goes before the limit starts anew."""
    assert await desk.take(desk.call("a")) == 0.0
    meter = Meter(requests=1)
    meter.hear([Window("interval", remaining=0, allowed=100, resets_in=40.0)])
    assert await desk.budgets.settle(desk.call("a"), meter) == 0.0
    assert 38 < await desk.take(desk.call("b")) <= 40


async def test_a_dead_worker_s_lease_runs_out(desk: Desk) -> None:
    """What nobody gives back is free again after the longest that an attempt may take, and not before."""
    limits = RequestLimits(concurrent=1)
    assert await desk.take(desk.call("dead", limits)) == 0.0
    await desk.later(LEASE_SECONDS - 5)
    assert await desk.take(desk.call("next", limits)) > 0
    await desk.later(6)
    assert await desk.take(desk.call("next", limits)) == 0.0
    await desk.settle(desk.call("dead", limits))  # late, and harmless
    assert (await desk.state()).live == 1


async def test_a_page_of_many_requests_leads_into_debt(desk: Desk) -> None:
    """A page's requests are charged when it ends, all of them; the next page waits until the debt is paid."""
    limits = RequestLimits(per_second=1.0, burst=2, daily=1000)
    assert await desk.take(desk.call("a", limits)) == 0.0
    await desk.settle(desk.call("a", limits), requests=12)
    state = await desk.budgets.of(desk.ref, ACCOUNT, limits)
    assert state.day_requests == 12
    assert state.tokens is not None
    assert -10.0 <= state.tokens < -9.0
    assert 10.0 < await desk.take(desk.call("b", limits)) <= 11.0


async def test_a_page_without_requests_costs_nothing(desk: Desk) -> None:
    """What was set aside for a page that then asked nothing is given back."""
    limits = RequestLimits(per_second=0.001, burst=3, daily=5)
    assert await desk.take(desk.call("a", limits)) == 0.0
    await desk.settle(desk.call("a", limits), requests=0)
    state = await desk.budgets.of(desk.ref, ACCOUNT, limits)
    assert state.day_requests == 0
    assert state.tokens == pytest.approx(3.0, abs=0.01)  # pyright: ignore[reportUnknownMemberType]


async def test_all_workers_share_an_account(database_urls: DatabaseUrls, desk: Desk) -> None:
    """However many workers ask at the same moment, no more go than the account allows."""
    limits = RequestLimits(concurrent=3, daily=1000)
    workers = [await Database.connect(database_urls.app, max_size=4) for _ in range(3)]
    try:
        asking = [
            Budgets(worker, 50).take(desk.call(f"{number}/{turn}", limits))
            for turn in range(6)
            for number, worker in enumerate(workers)
        ]
        waits = await asyncio.gather(*asking)
    finally:
        for worker in workers:
            await worker.close()
    assert sum(wait == 0.0 for wait in waits) == 3
    state = await desk.state()
    assert (state.live, state.waiting, state.day_requests) == (3, 15, 3)


async def test_who_asked_first_goes_first(desk: Desk) -> None:
    """A place that becomes free is kept for the one who waits for it, though another asks at that moment."""
    limits = RequestLimits(concurrent=1)
    for lease in ("running", "first", "second"):
        await desk.take(desk.call(lease, limits))
    await desk.settle(desk.call("running", limits))
    assert await desk.take(desk.call("new", limits)) > 0
    assert await desk.take(desk.call("first", limits)) == 0.0


async def test_who_does_not_come_back_loses_its_place(desk: Desk) -> None:
    """A workflow that ended while it waited keeps nobody else waiting for long."""
    limits = RequestLimits(concurrent=1)
    for lease in ("running", "gone"):
        await desk.take(desk.call(lease, limits))
    await desk.settle(desk.call("running", limits))
    assert await desk.take(desk.call("new", limits)) > 0
    await desk.later(GRACE_SECONDS + 5)
    assert await desk.take(desk.call("new", limits)) == 0.0


async def test_live_goes_before_backfill(desk: Desk) -> None:
    """Live sync that waits goes before a backfill that has waited for longer, and never behind it."""
    limits = RequestLimits(concurrent=1)
    assert await desk.take(desk.call("running", limits)) == 0.0
    assert await desk.take(desk.call("old", limits, Lane.BACKFILL)) > 0
    assert await desk.take(desk.call("live", limits)) > 0
    await desk.settle(desk.call("running", limits))
    assert await desk.take(desk.call("old", limits, Lane.BACKFILL)) > 0
    assert await desk.take(desk.call("live", limits)) == 0.0


async def test_a_backfill_has_its_share_only(database: Database, book: Book) -> None:
    """When a backfill's tokens are gone, live sync still finds some."""
    desk = Desk(database, book.ref, tenant_pages=100)
    limits = RequestLimits(per_second=0.001, burst=8, backfill_share=0.5)
    went = [await desk.take(desk.call(f"b{number}", limits, Lane.BACKFILL)) == 0.0 for number in range(6)]
    assert went == [True] * 4 + [False] * 2
    assert [await desk.take(desk.call(f"l{number}", limits)) == 0.0 for number in range(5)] == [True] * 4 + [False]
    state = await desk.state()
    assert (state.backfill, state.live, state.waiting) == (4, 4, 3)


async def test_nothing_is_kept_of_an_account_without_limits(desk: Desk, database: Database) -> None:
    """An account without limits whose provider says nothing of any leaves no row."""
    assert await desk.take(desk.call("a")) == 0.0
    await desk.settle(desk.call("a"), requests=3)
    async with database.transaction(desk.ref.tenant_id) as connection:
        assert await connection.fetchval("SELECT count(*) FROM contactsync.budget") == 0
        assert await connection.fetchval("SELECT count(*) FROM contactsync.budget_lease") == 0


async def test_a_good_answer_ends_a_row_of_refusals(desk: Desk) -> None:
    """After an answer the next refusal without a word is the first again, also where nothing is limited."""
    for lease, refuses in (("a", True), ("b", False), ("c", True)):
        assert await desk.take(desk.call(lease)) == 0.0
        meter = Meter(requests=1)
        if refuses:
            meter.refused(60.0, said_how_long=False)
        wait = await desk.budgets.settle(desk.call(lease), meter)
        assert wait == (60.0 if refuses else 0.0)
        await desk.later(wait + 31)


async def test_an_operator_sees_the_budget(desk: Desk) -> None:
    """The state names what the provider said, until when the account is left alone, and who fetches and waits."""
    limits = RequestLimits(per_second=0.5, burst=4, daily=100)
    await desk.take(desk.call("a", limits))
    meter = Meter(requests=2)
    meter.hear([Window("interval", 7, 100, resets_in=500.0, length=600.0)])
    meter.refused(90.0, said_how_long=True)
    await desk.budgets.settle(desk.call("a", limits), meter)
    assert await desk.take(desk.call("b", limits)) > 80
    state = await desk.budgets.of(desk.ref, ACCOUNT, limits)
    assert state.blocked_until is not None
    assert (state.live, state.waiting, state.tenant_fetches, state.day_requests) == (0, 1, 0, 2)
    assert [(window.name, window.remaining, window.allowed) for window in state.windows] == [("interval/600", 7, 100)]
    await desk.later(91)
    assert (await desk.state()).blocked_until is None


async def test_tenants_see_nothing_of_each_other(desk: Desk, store: Store) -> None:
    """Another tenant's account of the same digest is another account, with other leases."""
    limits = RequestLimits(concurrent=1)
    other = Desk(desk.database, (await store.new_book()).ref)
    assert await desk.take(desk.call("same", limits)) == 0.0
    assert await other.take(other.call("same", limits)) == 0.0
    await other.settle(other.call("same", limits))
    assert ((await desk.state()).live, (await other.state()).live) == (1, 0)


async def test_accounts_are_keyed(store: Store, book: Book) -> None:
    """Two connections to one account share its budget; without an account each has its own; a tenant's is its own."""
    sealer = await store.ring.tenant_sealer(book.ref.tenant_id)
    other = await store.ring.tenant_sealer((await store.new_book()).ref.tenant_id)
    one, two = uuid4(), uuid4()
    assert budget_account(sealer, one, "someone") == budget_account(sealer, two, "someone")
    assert budget_account(sealer, one, "") != budget_account(sealer, two, "")
    assert budget_account(sealer, one, "someone") != budget_account(other, one, "someone")


async def test_a_fetch_that_goes_on_pays_for_each_request(desk: Desk) -> None:
    """However often it asks to go on, in the end the account was charged for what was sent."""
    limits = RequestLimits(per_second=0.001, burst=10, daily=1000)
    call, meter = desk.call("a", limits), Meter()
    assert await desk.take(call) == 0.0
    for sent in (1, 3, 4):
        meter.requests = sent
        assert await desk.budgets.go_on(call, meter)
        assert (await desk.state()).day_requests == sent + 1
    meter.requests = 6
    await desk.budgets.settle(call, meter)
    state = await desk.state()
    assert state.day_requests == 6
    assert state.tokens == pytest.approx(4.0, abs=0.01)  # pyright: ignore[reportUnknownMemberType]


async def test_a_fetch_goes_on_within_its_limits(desk: Desk) -> None:
    """It may not when nothing is left; what it sent is charged all the same, once."""
    limits = RequestLimits(per_second=0.001, burst=2)
    call, meter = desk.call("a", limits), Meter(requests=1)
    assert await desk.take(call) == 0.0
    assert await desk.budgets.go_on(call, meter)
    meter.requests = 2
    assert not await desk.budgets.go_on(call, meter)
    await desk.budgets.settle(call, meter)
    assert await desk.take(desk.call("b", limits)) > 900


async def test_a_fetch_goes_on_behind_those_who_wait(desk: Desk) -> None:
    """Though it holds a place of the account: who waits for a place gets this one."""
    limits = RequestLimits(concurrent=1)
    call, meter = desk.call("a", limits), Meter(requests=1)
    assert await desk.take(call) == 0.0
    assert await desk.budgets.go_on(call, meter)
    assert await desk.take(desk.call("b", limits)) > 0
    assert not await desk.budgets.go_on(call, meter)


async def test_a_fetch_goes_on_while_the_source_has_nothing_against_it(desk: Desk) -> None:
    """Without limits of ours, what its answers say decides: nothing left, or patience, is the end."""
    call = desk.call("a")
    assert await desk.take(call) == 0.0
    assert await desk.budgets.go_on(call, Meter(requests=1))
    meter = Meter(requests=1)
    meter.hear([Window("interval", remaining=2, allowed=10, resets_in=30.0)])
    assert await desk.budgets.go_on(call, meter)
    meter.count()
    assert await desk.budgets.go_on(call, meter)
    meter.count()
    assert not await desk.budgets.go_on(call, meter)
    refused = Meter(requests=1)
    refused.refused(10.0, said_how_long=True)
    assert not await desk.budgets.go_on(call, refused)
