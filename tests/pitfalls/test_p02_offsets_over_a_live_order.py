"""P2: pages are counted over a list that moves while it is read, so that a record slips past the reader."""

import pytest
from tests.pitfalls.links import Link, Platform

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.faults import Faults
from contactsync.activities.sources.simulator.provider import Provider

PAGINGS = ("offset", "page")


async def _move_while_reading(link: Link, clock: VirtualClock) -> int:
    """After each of ten pages a contact that was read goes to the end of the order. Gives the number of deletions."""

    def move(number: int) -> None:
        clock.advance(1)
        if number <= 10:
            link.provider.edit(f"{number * 7:09}")

    return (await link.sync(between=move)).counts.deleted


@pytest.mark.parametrize("paging", PAGINGS)
async def test_p02_a_listing_that_moves_loses_nobody(platform: Platform, clock: VirtualClock, paging: str) -> None:
    """The whole list by time of change: nobody is taken for deleted, and after a further pass the copy is equal."""
    provider = Provider(250, clock=clock, faults=Faults(listing_order="time"))
    platform.page_rows = 50
    async with platform.reading(provider, paging=paging) as link:
        assert await _move_while_reading(link, clock) == 0
        assert set(await link.copy()) == set(link.truth())
        await link.sync()
        assert await link.copy() == link.truth()


@pytest.mark.parametrize("paging", PAGINGS)
async def test_p02_changes_that_move_are_all_read(platform: Platform, clock: VirtualClock, paging: str) -> None:
    """Changes by time: what slips back to a place that was read already is read all the same."""
    provider = Provider(250, clock=clock)
    platform.page_rows = 50
    async with platform.reading(provider, paging=paging) as link:
        await link.sync()
        clock.advance(600)
        for source_id in link.truth():
            clock.advance(0.01)
            provider.edit(source_id)
        clock.advance(600)
        await _move_while_reading(link, clock)
        await link.sync()
        assert await link.copy() == link.truth()


async def test_p02_a_cursor_that_counts_and_does_not_say_so_loses_nobody_for_good(
    platform: Platform, clock: VirtualClock
) -> None:
    """Nothing can tell such a cursor from a good one; whom it hid, the next quiet listing brings."""
    provider = Provider(250, clock=clock, faults=Faults(listing_order="time", cursors="offset"))
    platform.page_rows = 50
    async with platform.reading(provider) as link:
        await _move_while_reading(link, clock)
        platform.hours = 25
        clock.advance(86_400)
        await link.sync()
        assert await link.copy() == link.truth()
