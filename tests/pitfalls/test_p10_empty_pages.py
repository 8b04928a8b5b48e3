"""P10: an empty page moves the mark to "now" and leaves a gap; a stale, empty or broken listing deletes everyone."""

import pytest
from tests.pitfalls.links import Link, Platform

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.faults import Cut, Failure, Faults, HalfBody, Refused
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.activities.store.holds import Holds
from contactsync.errors import SourceError


async def test_p10_an_empty_answer_leaves_no_gap(platform: Platform, clock: VirtualClock) -> None:
    """Passes find nothing while a change is on its way through the index; it arrives nevertheless."""
    provider = Provider(20, clock=clock, faults=Faults(index_lag_seconds=200.0))
    async with platform.reading(provider, further={"capabilities": {"lag_seconds": 300.0}}) as link:
        await link.sync()
        clock.advance(1000)
        provider.edit("000000004")
        for _ in range(3):
            assert (await link.sync()).counts.updated == 0
            clock.advance(50)
        clock.advance(100)
        assert (await link.sync()).counts.updated == 1
        assert await link.copy() == link.truth()


async def _listing_is_due(link: Link, clock: VirtualClock) -> None:
    link.platform.hours += 25
    clock.advance(86_400)


async def test_p10_an_empty_listing_deletes_nobody(platform: Platform, clock: VirtualClock) -> None:
    """Even three contacts, fewer than the guard lets through, are held; the next good listing takes them back."""
    provider = Provider(3, clock=clock)
    async with platform.reading(provider) as link:
        await link.sync()
        provider.faults = Faults(listing_is_empty=True)
        await _listing_is_due(link, clock)
        counts = (await link.sync()).counts
        assert (counts.deleted, counts.held) == (0, 3)
        assert await link.copy() == link.truth()
        provider.faults = Faults()
        await _listing_is_due(link, clock)
        await link.sync()
        assert await Holds(platform.database).open_hold(link.ref) is None


async def test_p10_a_listing_that_ends_early_deletes_nobody(platform: Platform, clock: VirtualClock) -> None:
    """As if 40 of 100 were all there are: the missing ones are held, and what changed is taken in."""
    provider = Provider(100, clock=clock)
    async with platform.reading(provider) as link:
        await link.sync()
        provider.edit("000000001")
        provider.faults = Faults(listing_ends_after=40)
        await _listing_is_due(link, clock)
        counts = (await link.sync()).counts
        assert (counts.deleted, counts.held, counts.updated) == (0, 60, 1)
        assert await link.copy() == link.truth()


@pytest.mark.parametrize("failure", [Refused(500), Cut(), HalfBody(), Refused(403), Refused(404)], ids=repr)
async def test_p10_a_listing_that_fails_half_way_deletes_nobody(
    platform: Platform, clock: VirtualClock, failure: Failure
) -> None:
    """The second page of three fails; who was not listed by then is still there, and a whole listing ends equal."""
    provider = Provider(300, clock=clock)
    async with platform.reading(provider) as link:
        await link.sync()
        provider.delete("000000299", purge=True)
        await _listing_is_due(link, clock)

        def fail(number: int) -> None:
            if number == 1:
                provider.fail(failure)

        with pytest.raises(SourceError):
            await link.sync(between=fail)
        assert len(await link.copy()) == 300
        synced = await link.sync()
        assert (synced.is_done, synced.counts.deleted) == (True, 1)
        assert await link.copy() == link.truth()
