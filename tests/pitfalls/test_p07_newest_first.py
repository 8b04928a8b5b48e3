"""P7: answers come newest first and the mark moves with the first record: a crash loses all that is older."""

from tests.pitfalls.links import Platform

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.faults import Faults
from contactsync.activities.sources.simulator.provider import Provider


async def test_p07_a_crash_after_the_newest_record_loses_none_of_the_older(
    platform: Platform, clock: VirtualClock
) -> None:
    """The worker dies after a page of one record, three times over; the pass that comes to its end has them all."""
    platform.page_rows = 1
    provider = Provider(12, clock=clock, faults=Faults(order="newest_first"))
    async with platform.reading(provider, further={"changes": {"order": "none"}}) as link:
        await link.sync()
        clock.advance(600)
        for source_id in link.truth():
            clock.advance(1)
            provider.edit(source_id)
        clock.advance(600)
        for _ in range(3):
            assert not (await link.sync(crash_after=1)).is_done
            provider.expire_tokens()
        await link.sync()
        assert await link.copy() == link.truth()
