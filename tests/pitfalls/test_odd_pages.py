"""What providers do to their pages without meaning harm: repeat, stray, stand empty, expire, and be too large."""

import pytest
from tests.pitfalls.links import Platform

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.faults import EXPIRED, Faults, Refused
from contactsync.activities.sources.simulator.provider import Provider

ODD = {
    "repeated": Faults(duplicates=7),
    "strays": Faults(strays=9),
    "empty": Faults(empty_pages=3),
    "small": Faults(max_page=40),
    "all": Faults(duplicates=3, strays=3, empty_pages=1, max_page=40, order="time"),
}


CASES = [*((odd, "cursor") for odd in ODD), ("all", "link"), ("all", "next_url")]


@pytest.mark.parametrize(("odd", "paging"), CASES)
async def test_odd_pages_change_nothing(platform: Platform, clock: VirtualClock, odd: str, paging: str) -> None:
    """The first listing and a pass of changes end equal; what comes again is neither added nor deleted again."""
    order = {"changes": {"order": ODD[odd].order}}
    provider = Provider(130, clock=clock, faults=ODD[odd])
    async with platform.reading(provider, paging=paging, further=order) as link:
        assert (await link.sync()).counts.added == 130
        clock.advance(600)
        provider.edit(*list(link.truth())[:90])
        provider.delete("000000100")
        clock.advance(600)
        counts = (await link.sync()).counts
        assert (counts.updated, counts.deleted, counts.added) == (90, 1, 0)
        assert await link.copy() == link.truth()


@pytest.mark.parametrize("expiry", [EXPIRED, Refused(400, body=EXPIRED.body), Refused(410, body=b"gone")], ids=repr)
async def test_a_token_that_expires_in_mid_listing_begins_it_anew(
    platform: Platform, clock: VirtualClock, expiry: Refused
) -> None:
    """In whatever way it is told; nobody is deleted who was listed before, and who is gone is found."""
    provider = Provider(350, clock=clock, faults=Faults(expiry=expiry))
    async with platform.reading(provider) as link:
        await link.sync()
        provider.delete("000000001", purge=True)
        platform.hours = 25

        def expire(number: int) -> None:
            if number == 2:
                provider.expire_tokens()

        synced = await link.sync(between=expire)
        assert (synced.counts.deleted, synced.counts.held) == (1, 0)
        assert await link.copy() == link.truth()


async def test_answers_that_are_larger_than_a_page_are_cut(platform: Platform, clock: VirtualClock) -> None:
    """The provider sends 500 at once, a page takes 100; a worker that dies between two of them loses none."""
    provider = Provider(500, clock=clock)
    async with platform.reading(provider, further={"list": {"page_size": 500, "size_param": ""}}) as link:
        await link.sync(crash_after=2)
        synced = await link.sync()
        assert max(page.head.changes for page in synced.pages) <= 100
        assert await link.copy() == link.truth()
