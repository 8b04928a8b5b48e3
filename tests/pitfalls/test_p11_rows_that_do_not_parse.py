"""P11: rows that do not parse are dropped with a warning."""

import pytest
from tests.pitfalls.links import Platform

from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.errors import SourceMisbehaved

ODD: dict[str, dict[str, object]] = {
    "odd-emails": {"emails": {"0": {"address": 17}}},
    "odd-title": {"title": {"en": "Engineer"}},
    "odd-number": {"phones": [{"number": ["+49 30 1"]}]},
    "odd-many": {"emails": [{"address": f"a{number}@people.example"} for number in range(500)]},
}


async def test_p11_a_row_that_does_not_parse_is_counted_and_named(platform: Platform, clock: VirtualClock) -> None:
    """Each is set aside with a reason, the others arrive, and a mended one takes its place."""
    provider = Provider(20, clock=clock)
    for source_id, values in ODD.items():
        provider.put(source_id, values)
    clock.advance(600)
    async with platform.reading(provider) as link:
        counts = (await link.sync()).counts
        assert (counts.added, counts.quarantined) == (20, len(ODD))
        named = await platform.contacts.quarantined(link.ref, actor="tester", reason="test")
        assert {each.source_id for each in named} == set(ODD)
        assert {each.reason for each in named} == {QuarantineReason.INVALID, QuarantineReason.TOO_MANY_VALUES}
        clock.advance(600)
        for source_id in ODD:
            provider.put(source_id)
        clock.advance(600)
        await link.sync()
        assert (await platform.contacts.counts(link.ref)).quarantined == 0
        assert await link.copy() == link.truth()


async def test_p11_a_contact_that_becomes_unreadable_keeps_its_last_good_form(
    platform: Platform, clock: VirtualClock
) -> None:
    """It is set aside, and neither deleted nor emptied."""
    provider = Provider(5, clock=clock)
    async with platform.reading(provider) as link:
        await link.sync()
        clock.advance(600)
        provider.put("000000002", {"title": 7.5, "phones": {"a": 1}})
        clock.advance(600)
        counts = (await link.sync()).counts
        assert (counts.quarantined, counts.deleted) == (1, 0)
        assert (await link.copy())["000000002"] == 1


@pytest.mark.parametrize("raw", [b'{"title": "no id"}', b'"only text"', b"null", b'{"id": {"a": 1}}'])
async def test_p11_a_row_without_an_id_ends_the_pass(platform: Platform, clock: VirtualClock, raw: bytes) -> None:
    """There is nothing to set aside by name, so the answer as a whole is no answer, and nothing is swept."""
    provider = Provider(5, clock=clock)
    async with platform.reading(provider) as link:
        await link.sync()
        clock.advance(600)
        provider.put("odd", raw=raw)
        clock.advance(600)
        with pytest.raises(SourceMisbehaved):
            await link.sync()
        assert len(await link.copy()) == 5
