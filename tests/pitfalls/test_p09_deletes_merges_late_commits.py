"""P9: no deletions, no merges, and nothing that was committed late with an earlier time."""

from tests.pitfalls.links import Platform

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.provider import Provider

LOOKS_BACK = {"capabilities": {"lag_seconds": 300.0}}


async def test_p09_a_row_that_commits_late_with_an_earlier_time_arrives(
    platform: Platform, clock: VirtualClock
) -> None:
    """Passes go by between its time and its commit; the mark lies far enough behind."""
    provider = Provider(50, clock=clock)
    async with platform.reading(provider, further=LOOKS_BACK) as link:
        await link.sync()
        clock.advance(1000)
        provider.edit("000000007", shows_after=240.0)
        for _ in range(3):
            clock.advance(70)
            provider.edit("000000008")
            await link.sync()
        clock.advance(60)
        await link.sync()
        assert await link.copy() == link.truth()


async def test_p09_deletions_and_merges_arrive_late_too(platform: Platform, clock: VirtualClock) -> None:
    """A tombstone that commits late, a merge, and a contact that comes back under its id."""
    provider = Provider(50, clock=clock)
    async with platform.reading(provider, further=LOOKS_BACK) as link:
        await link.sync()
        clock.advance(1000)
        provider.delete("000000001", shows_after=200.0)
        provider.delete("000000004")
        provider.merge("000000002", "000000003")
        clock.advance(100)
        await link.sync()
        assert set(await link.copy()) - set(link.truth()) == {"000000001"}
        provider.restore("000000004")
        clock.advance(150)
        await link.sync()
        assert await link.copy() == link.truth()


async def test_p09_what_no_tombstone_tells_is_found_by_the_next_complete_listing(
    platform: Platform, clock: VirtualClock
) -> None:
    """A purged contact stays until the daily listing, and no longer."""
    provider = Provider(50, clock=clock)
    async with platform.reading(provider) as link:
        await link.sync()
        clock.advance(3600)
        provider.delete("000000005", purge=True)
        await link.sync()
        assert "000000005" in await link.copy()
        platform.hours = 25
        clock.advance(86_400)
        synced = await link.sync()
        assert synced.counts.deleted == 1
        assert await link.copy() == link.truth()
