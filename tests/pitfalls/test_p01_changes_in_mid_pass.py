"""P1: the mark is the latest change seen, so that a contact that changed after it was read is lost for good."""

from tests.pitfalls.links import Link, Platform

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.faults import Faults
from contactsync.activities.sources.simulator.provider import Provider

READ, UNREAD = "000000003", "000000250"


async def _edit_while_reading(link: Link, clock: VirtualClock) -> None:
    """After the first page a contact that was read changes, and a moment later one that was not."""

    def edit(number: int) -> None:
        if number == 1:
            clock.advance(5)
            link.provider.edit(READ)
            clock.advance(3)
            link.provider.edit(UNREAD)
        clock.advance(60)

    await link.sync(between=edit)


async def test_p01_a_contact_that_changes_after_it_was_listed_is_not_lost(
    platform: Platform, clock: VirtualClock
) -> None:
    """The first listing, with an edit behind the reader: the copy is equal after the next pass."""
    async with platform.reading(Provider(300, clock=clock)) as link:
        await _edit_while_reading(link, clock)
        await link.sync()
        assert await link.copy() == link.truth()


async def test_p01_a_contact_that_changes_after_a_pass_read_its_change_is_not_lost(
    platform: Platform, clock: VirtualClock
) -> None:
    """A pass of changes in no order: who was read on the first page changes, and a little later everyone else does."""
    provider = Provider(300, clock=clock, faults=Faults(order="shuffled"))
    async with platform.reading(provider, further={"changes": {"order": "none"}}) as link:
        await link.sync()
        clock.advance(600)
        provider.edit(*link.truth())
        clock.advance(600)

        began = clock.now()

        def edit(_: int) -> None:
            if link.read and clock.now() == began:
                clock.advance(1)
                provider.edit(*link.read)
                clock.advance(1)
                provider.edit(*set(link.truth()) - link.read)

        await link.sync(between=edit)
        await link.sync()
        assert await link.copy() == link.truth()
