"""P8: the mark is stored before what it stands for is processed, and starting anew resets it."""

from tests.pitfalls.links import Platform

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.provider import Provider


async def test_p08_a_crash_between_fetch_and_write_loses_nothing(platform: Platform, clock: VirtualClock) -> None:
    """Pages are fetched and dropped, in a first listing and in a pass of changes: the next pass brings them."""
    provider = Provider(150, clock=clock)
    async with platform.reading(provider) as link:
        ticket = await link.open()
        page = await link.fetch(ticket, 1, ticket.cursor)
        await link.fetch(ticket, 2, page.head.cursor)
        await link.sync()
        assert await link.copy() == link.truth()
        clock.advance(600)
        provider.edit(*link.truth())
        clock.advance(600)
        ticket = await link.open()
        page = await link.fetch(ticket, 1, ticket.cursor)
        await link.fetch(ticket, 2, page.head.cursor)
        await link.sync()
        assert await link.copy() == link.truth()


async def test_p08_pausing_and_resuming_keeps_the_mark(platform: Platform, clock: VirtualClock) -> None:
    """What changed while the connection was paused is what the next pass reads: not all, and not nothing."""
    provider = Provider(150, clock=clock)
    async with platform.reading(provider) as link:
        await link.sync()
        clock.advance(600)
        await platform.directory.set_paused(link.tenant_id, link.connection_id, "operator", actor="test")
        provider.edit("000000001", "000000002")
        clock.advance(86_400)
        await platform.directory.set_paused(link.tenant_id, link.connection_id, None, actor="test")
        synced = await link.sync()
        assert (synced.counts.updated, synced.counts.added, synced.counts.downloaded) == (2, 0, 2)
        assert await link.copy() == link.truth()
