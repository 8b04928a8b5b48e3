"""P6: a pass resumes at the last time plus a millisecond, and loses what is indexed late or shares that instant."""

from tests.pitfalls.links import Platform

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.faults import Faults
from contactsync.activities.sources.simulator.provider import Provider


async def test_p06_a_crash_inside_a_group_of_equal_times_loses_none(platform: Platform, clock: VirtualClock) -> None:
    """Half the group is committed when the worker dies; the next pass reads the other half."""
    provider = Provider(300, clock=clock, resolution=1000)
    async with platform.reading(provider, further={"changes": {"format": "epoch_ms"}}) as link:
        await link.sync()
        clock.advance(600)
        provider.edit(*list(link.truth())[:250])
        clock.advance(600)
        await link.sync(crash_after=1)
        await link.sync(crash_after=1)
        await link.sync()
        assert await link.copy() == link.truth()


async def test_p06_an_index_that_lags_is_waited_for(platform: Platform, clock: VirtualClock) -> None:
    """Changes show up to a minute late; the mark stays as far behind, and each arrives."""
    provider = Provider(200, clock=clock, faults=Faults(index_lag_seconds=60.0))
    async with platform.reading(provider, further={"capabilities": {"lag_seconds": 90.0}}) as link:
        await link.sync()
        for number in range(8):
            clock.advance(20)
            provider.edit(f"{number * 11:09}", f"{number * 13 + 1:09}")
            await link.sync()
        clock.advance(120)
        await link.sync()
        assert await link.copy() == link.truth()


async def test_p06_what_a_young_index_left_out_is_found_by_the_second_look(
    platform: Platform, clock: VirtualClock
) -> None:
    """Half of all edits are missing from answers for two minutes; a second look after that time brings them."""
    provider = Provider(200, clock=clock, faults=Faults(index_settle_seconds=120.0, index_miss_share=0.5))
    settles = {"capabilities": {"settles_seconds": 120.0}}
    async with platform.reading(provider, further=settles) as link:
        await link.sync()
        for number in range(5):
            clock.advance(50)
            provider.edit(*list(link.truth())[number * 10 : number * 10 + 20])
            await link.sync()
        for _ in range(4):
            clock.advance(70)
            await link.sync()
        assert await link.copy() == link.truth()
