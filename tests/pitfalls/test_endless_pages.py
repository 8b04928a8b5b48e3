"""Bad input: a chain of pages without an end, a cursor that never advances, a page that repeats."""

import pytest
from tests.pitfalls.links import Platform

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.faults import Faults, Loop
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.activities.store.holds import Holds
from contactsync.errors import SourceLoops

LOOPS: tuple[Loop, ...] = ("stuck", "repeats", "circle")


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("listing", [True, False], ids=["listing", "changes"])
async def test_pages_without_an_end_are_noticed(
    platform: Platform, clock: VirtualClock, loop: Loop, *, listing: bool
) -> None:
    """The pass ends with an error that names it; nothing is deleted or held, and a mended source syncs on."""
    platform.page_rows = 10
    provider = Provider(100, clock=clock)
    async with platform.reading(provider) as link:
        await link.sync()
        clock.advance(86_400)
        platform.hours = 25 if listing else 0
        provider.edit(*link.truth())
        clock.advance(600)
        provider.faults = Faults(loop=loop)
        with pytest.raises(SourceLoops):
            await link.sync()
        assert set(await link.copy()) == set(link.truth())
        assert await Holds(platform.database).open_hold(link.ref) is None
        provider.faults = Faults()
        await link.sync()
        assert await link.copy() == link.truth()
