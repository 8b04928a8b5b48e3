"""Budgets of provider accounts, in the database that all workers share."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from tests.integration.store.address_book import Book, Store

from contactsync.activities.messages import ConnectionRef
from contactsync.activities.sources.limits import RequestLimits
from contactsync.activities.sources.meter import Meter, Window
from contactsync.activities.store.budgets import Budgets, BudgetState, Call, Lane, budget_account
from contactsync.postgres import Database

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
    other = await book.store.new_book()
    assert await Desk(database, other.ref, tenant_pages=3).take(desks[0].call("x", account=ACCOUNT)) > 0
    assert await Desk(database, other.ref, tenant_pages=3).take(Desk(database, other.ref).call("x")) == 0.0


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


async def test_accounts_are_keyed(store: Store, book: Book) -> None:
    """Two connections to one account share its budget; without an account each has its own; a tenant's is its own."""
    sealer = await store.ring.tenant_sealer(book.ref.tenant_id)
    other = await store.ring.tenant_sealer((await store.new_book()).ref.tenant_id)
    one, two = uuid4(), uuid4()
    assert budget_account(sealer, one, "someone") == budget_account(sealer, two, "someone")
    assert budget_account(sealer, one, "") != budget_account(sealer, two, "")
    assert budget_account(sealer, one, "someone") != budget_account(other, one, "someone")
