"""P34: a body that was cut off, or a page of which half was sent, counts as the last page."""

import pytest
from tests.pitfalls.links import Platform

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.faults import Cut, Failure, Garbage, HalfBody, Refused
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.errors import SourceError, SourceMisbehaved

HALVES: tuple[Failure, ...] = (
    Cut(0.0),
    Cut(0.5),
    Cut(0.999),
    HalfBody(0.0),
    HalfBody(0.5),
    HalfBody(0.999),
    Garbage(),
    Garbage(b"{}", "application/json"),
    Garbage(b"[]", "application/json"),
    Garbage(b'{"records": null, "next": null}', "application/json"),
    Garbage(b'{"records": {}, "next": null}', "application/json"),
)


@pytest.mark.parametrize("failure", HALVES, ids=repr)
@pytest.mark.parametrize("page", [1, 3])
async def test_p34_half_a_page_is_no_page(platform: Platform, clock: VirtualClock, failure: Failure, page: int) -> None:
    """In the middle and at the end of a listing: the pass fails there, deletes nothing, and the next one is whole."""
    provider = Provider(25, clock=clock)
    platform.page_rows = 10
    async with platform.reading(provider) as link:
        await link.sync()
        platform.hours = 25
        clock.advance(600)

        def fail(number: int) -> None:
            if number == page - 1:
                provider.fail(failure)

        fail(0)
        with pytest.raises(SourceMisbehaved):
            await link.sync(between=fail)
        assert await link.copy() == link.truth()
        synced = await link.sync()
        assert (synced.is_done, synced.counts.deleted, synced.counts.held) == (True, 0, 0)
        assert await link.copy() == link.truth()


async def test_p34_a_redirect_to_a_page_of_another_host_is_no_page(platform: Platform, clock: VirtualClock) -> None:
    """Nobody follows it with the credentials, and it is not the end either."""
    provider = Provider(5, clock=clock)
    async with platform.reading(provider) as link:
        await link.sync()
        provider.fail(Refused(302, headers=(("location", "https://elsewhere.example/login"),)))
        with pytest.raises(SourceError):
            await link.sync()
        assert await link.copy() == link.truth()
