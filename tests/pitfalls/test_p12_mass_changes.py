"""P12: one request for all that changed, and a guard that only notices when everything is gone."""

from itertools import islice

from tests.pitfalls.links import Platform
from tests.pitfalls.sources import LIMITS, walking

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.activities.store.holds import Holds


async def test_p12_50000_changes_come_in_bounded_pages(clock: VirtualClock) -> None:
    """No page holds more than its bound, and no request asks for more."""
    provider = Provider(50_000, clock=clock, spacing_seconds=0.1)
    async with walking(provider) as walk:
        walked = await walk.from_the_beginning_of_time()
        assert len(walk.replica.contacts) == 50_000
    assert max(len(page.changes) for page in walked.pages) <= LIMITS.rows
    assert {asked.params["limit"] for asked in provider.asked} == {str(LIMITS.rows)}


async def test_p12_60_percent_that_vanish_from_a_listing_are_held(platform: Platform, clock: VirtualClock) -> None:
    """Without tombstones: they wait for a person, visibly, and meanwhile what changes arrives."""
    provider = Provider(400, clock=clock)
    async with platform.reading(provider) as link:
        await link.sync()
        provider.delete(*islice(link.truth(), 240), purge=True)
        provider.edit("000000399")
        provider.add(2)
        platform.hours, _ = 25, clock.advance(86_400)
        counts = (await link.sync()).counts
        assert (counts.deleted, counts.held, counts.updated, counts.added) == (0, 240, 1, 2)
        hold = await Holds(platform.database).open_hold(link.ref)
        assert hold is not None
        assert (hold.contacts, hold.live, hold.cause) == (240, 400, "listing")


async def test_p12_60_percent_tombstones_are_held(platform: Platform, clock: VirtualClock) -> None:
    """The source says itself that they are gone; that is no less likely to be a mistake."""
    provider = Provider(400, clock=clock)
    async with platform.reading(provider) as link:
        await link.sync()
        clock.advance(600)
        provider.delete(*islice(link.truth(), 240))
        clock.advance(600)
        counts = (await link.sync()).counts
        assert counts.deleted + counts.held == 240
        assert counts.held >= 160
        assert len(await link.copy()) >= 320
