"""P31: a merge or a new id leaves the old one as a second person."""

import pytest
from tests.pitfalls.links import Link, Platform

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.faults import Faults, Merges
from contactsync.activities.sources.simulator.provider import Provider

A, B, C = "000000001", "000000002", "000000003"
TELLERS: tuple[Merges, ...] = ("both", "tombstone", "ids")


async def _changed(link: Link, clock: VirtualClock) -> None:
    clock.advance(600)
    await link.sync()
    assert await link.copy() == link.truth()


@pytest.mark.parametrize("merges", TELLERS)
async def test_p31_a_merge_leaves_one_person(platform: Platform, clock: VirtualClock, merges: Merges) -> None:
    """Whoever tells of it: the loser is gone, the winner is who it was, and a chain of merges ends at its end."""
    provider = Provider(10, clock=clock, faults=Faults(merges=merges))
    async with platform.reading(provider) as link:
        await link.sync()
        people = await link.people()
        clock.advance(600)
        provider.merge(A, B)
        await _changed(link, clock)
        provider.merge(B, C)
        await _changed(link, clock)
        assert (await link.people())[C] == people[C]


@pytest.mark.parametrize("merges", TELLERS)
async def test_p31_a_renamed_contact_is_the_same_person(
    platform: Platform, clock: VirtualClock, merges: Merges
) -> None:
    """It keeps the platform's own id under the source's new one, over two renames in one pass, in whatever order they
    are told."""
    provider = Provider(10, clock=clock, faults=Faults(merges=merges))
    async with platform.reading(provider) as link:
        await link.sync()
        person = (await link.people())[A]
        clock.advance(600)
        provider.rename(A, "m")
        await _changed(link, clock)
        assert (await link.people())["m"] == person
        for before, between, after in (("m", "z", "b"), ("b", "a", "x")):
            provider.rename(before, between)
            provider.rename(between, after)
            await _changed(link, clock)
            assert (await link.people())[after] == person


async def test_p31_merges_are_no_mass_deletion(platform: Platform, clock: VirtualClock) -> None:
    """A clean-up of duplicates by the hundred is not held, and does not count when some contacts are really deleted."""
    provider = Provider(400, clock=clock)
    async with platform.reading(provider) as link:
        await link.sync()
        clock.advance(600)
        for number in range(0, 400, 2):
            provider.merge(f"{number:09}", f"{number + 1:09}")
        clock.advance(10)
        provider.delete(*list(link.truth())[:15])
        clock.advance(600)
        counts = (await link.sync()).counts
        assert (counts.held, counts.deleted) == (0, 215)
        assert await link.copy() == link.truth()


async def test_p31_a_contact_that_moves_to_another_folder_is_there_once(
    platform: Platform, clock: VirtualClock
) -> None:
    """With its id, or under another one that nothing links to it; read by folders."""
    provider = Provider(30, clock=clock, folders=("in", "out"))
    parts = {"parts": {"params": {"folder": "{value}"}, "values": ["in", "out"]}}
    async with platform.reading(provider, further=parts) as link:
        await link.sync()
        clock.advance(600)
        provider.move("000000002", "out")
        provider.move("000000004", "out", "elsewhere")
        await _changed(link, clock)
        provider.move("000000002", "in")
        platform.hours = 25
        await _changed(link, clock)


async def test_p31_a_contact_that_moves_while_its_folders_are_listed_is_not_lost(
    platform: Platform, clock: VirtualClock
) -> None:
    """It goes from the folder that is not read yet to the one that was: the listing never sees it, and keeps it."""
    provider = Provider(300, clock=clock, folders=("in", "out"))
    parts = {"parts": {"params": {"folder": "{value}"}, "values": ["in", "out"]}}
    async with platform.reading(provider, further=parts) as link:
        await link.sync()
        platform.hours = 25
        clock.advance(86_400)

        def move(number: int) -> None:
            if number == 2:
                provider.move("000000299", "in")
            clock.advance(1)

        provider.move("000000001", "in")
        synced = await link.sync(between=move)
        assert synced.counts.deleted == 0
        assert await link.copy() == link.truth()
