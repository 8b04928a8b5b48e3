"""P4: the next page asks for what changed after the last record's time, and drops those that changed at that time."""

import pytest
from tests.pitfalls.links import Platform

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.faults import Faults, Order
from contactsync.activities.sources.simulator.provider import Provider


@pytest.mark.parametrize("order", ["time_id", "time"])
async def test_p04_equal_times_survive_a_crash_after_each_page(
    platform: Platform, clock: VirtualClock, order: Order
) -> None:
    """500 contacts of one timestamp in pages of 100; after each page the worker dies and another goes on."""
    provider = Provider(500, clock=clock, spacing_seconds=0.0, faults=Faults(order=order))
    async with platform.reading(provider, further={"changes": {"order": order}}) as link:
        await link.sync()
        clock.advance(600)
        provider.edit(*link.truth())
        clock.advance(600)
        for _ in range(50):
            if (await link.sync(crash_after=1)).is_done:
                break
        assert await link.copy() == link.truth()


async def test_p04_equal_times_survive_tokens_that_expire_after_each_page(
    platform: Platform, clock: VirtualClock
) -> None:
    """The pass cannot go on where it stood, and begins inside the tie: none of the 500 is left out."""
    provider = Provider(500, clock=clock, spacing_seconds=0.0)
    async with platform.reading(provider) as link:
        await link.sync()
        clock.advance(600)
        provider.edit(*link.truth())
        clock.advance(600)
        expired: list[int] = []

        def expire(number: int) -> None:
            if number in {1, 3}:
                provider.expire_tokens()
                expired.append(number)

        await link.sync(between=expire)
        assert expired
        assert await link.copy() == link.truth()
