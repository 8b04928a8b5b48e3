"""P15: deletions are tracked before the listing could begin, so that a failure there counts as an empty listing."""

import pytest
from tests.pitfalls.links import Platform

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.faults import Failure, Garbage, Refused
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.activities.store.holds import Holds
from contactsync.activities.store.passes import Passes
from contactsync.errors import SourceError


@pytest.mark.parametrize("failure", [Refused(500), Refused(401), Garbage()], ids=repr)
async def test_p15_a_listing_that_never_began_leaves_everything_as_it_was(
    platform: Platform, clock: VirtualClock, failure: Failure
) -> None:
    """The very first request of a due listing fails, several times; nothing is deleted, held or marked."""
    provider = Provider(30, clock=clock)
    async with platform.reading(provider) as link:
        await link.sync()
        platform.hours = 25
        for _ in range(3):
            provider.fail(failure)
            with pytest.raises(SourceError):
                await link.sync()
        assert not (await Passes(platform.database).progress(link.ref)).listing
        assert await link.copy() == link.truth()
        assert await Holds(platform.database).open_hold(link.ref) is None
        assert (await link.sync()).counts.deleted == 0
        assert await link.copy() == link.truth()


async def test_p15_a_first_listing_that_fails_begins_as_the_first(platform: Platform, clock: VirtualClock) -> None:
    """A connection whose first request fails is as new as before, and its first listing is complete."""
    provider = Provider(30, clock=clock)
    async with platform.reading(provider) as link:
        provider.fail(Refused(503))
        with pytest.raises(SourceError):
            await link.sync()
        assert (await link.open()).cursor is None
        assert (await link.sync()).counts.added == 30
