"""P3: a query answers no more than 10,000 records and ends as if that were all."""

import pytest
from tests.pitfalls.links import Platform
from tests.pitfalls.sources import versions_of, walking

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.faults import Faults, Order
from contactsync.activities.sources.simulator.provider import Provider

CAPPED = {"changes": {"cap": 1000}}


@pytest.mark.parametrize("refuses", [False, True])
async def test_p03_more_changes_than_a_query_answers_all_arrive(
    platform: Platform, clock: VirtualClock, *, refuses: bool
) -> None:
    """2,500 changes with a cap of 1,000, whether the provider ends there in silence or refuses the next page."""
    provider = Provider(2_500, clock=clock, faults=Faults(query_cap=1000, cap_refuses=refuses))
    platform.page_rows = 500
    async with platform.reading(provider, further=CAPPED) as link:
        await link.sync()
        clock.advance(600)
        for source_id in link.truth():
            clock.advance(0.01)
            provider.edit(source_id)
        clock.advance(600)
        await link.sync()
        assert await link.copy() == link.truth()


async def test_p03_25000_changes_with_a_cap_of_10000(clock: VirtualClock) -> None:
    """HubSpot's own figures."""
    provider = Provider(25_000, clock=clock, spacing_seconds=0.5, faults=Faults(query_cap=10_000))
    async with walking(provider, further={"changes": {"cap": 10_000}}) as walk:
        await walk.from_the_beginning_of_time()
        assert versions_of(walk.replica) == dict(provider.live())


@pytest.mark.parametrize("order", ["newest_first", "shuffled"])
async def test_p03_without_an_order_the_window_is_halved_until_it_fits(clock: VirtualClock, order: Order) -> None:
    """Nobody can say what a capped answer left out, so nothing of it counts as read."""
    provider = Provider(3_000, clock=clock, spacing_seconds=0.5, faults=Faults(query_cap=1_000, order=order))
    async with walking(provider, further={"changes": {"cap": 1_000, "order": "none"}}) as walk:
        await walk.from_the_beginning_of_time()
        assert versions_of(walk.replica) == dict(provider.live())
