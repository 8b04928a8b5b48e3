"""P19: more records share one millisecond than a query may answer, and the sync asks for the same for ever."""

import pytest
from tests.pitfalls.links import Platform
from tests.pitfalls.sources import versions_of, walking

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.faults import Faults
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.errors import SourceMisbehaved

ORDERED = {"changes": {"cap": 10_000, "format": "epoch_ms"}}


async def test_p19_12000_equal_times_are_drained_by_id(clock: VirtualClock) -> None:
    """With a cap of 10,000; those before and after that instant arrive too."""
    provider = Provider(12_000, clock=clock, spacing_seconds=0.0, resolution=1000, faults=Faults(query_cap=10_000))
    provider.add(3, at=clock.now() - 10**12)
    clock.advance(60)
    provider.add(3)
    async with walking(provider, further=ORDERED) as walk:
        await walk.from_the_beginning_of_time()
        assert versions_of(walk.replica) == dict(provider.live())


async def test_p19_equal_times_without_an_order_by_id_are_told(clock: VirtualClock) -> None:
    """Where nobody can ask for those behind an id, the sync says so instead of going round."""
    provider = Provider(120, clock=clock, spacing_seconds=0.0, faults=Faults(query_cap=100, order="time"))
    async with walking(provider, further={"changes": {"cap": 100, "order": "time"}}) as walk:
        with pytest.raises(SourceMisbehaved, match="at one instant"):
            await walk.from_the_beginning_of_time()
    assert provider.requests < 20


async def test_p19_an_instant_is_drained_through_crashes(platform: Platform, clock: VirtualClock) -> None:
    """A mass update past the cap, and a worker that dies after each page."""
    provider = Provider(350, clock=clock, resolution=1000, faults=Faults(query_cap=150))
    async with platform.reading(provider, further={"changes": {"cap": 150, "format": "epoch_ms"}}) as link:
        await link.sync()
        clock.advance(600)
        provider.edit(*link.truth())
        clock.advance(600)
        for _ in range(30):
            if (await link.sync(crash_after=1)).is_done:
                break
        assert await link.copy() == link.truth()
