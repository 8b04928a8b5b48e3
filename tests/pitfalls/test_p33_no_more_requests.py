"""P33: 429, 403 or 503 without Retry-After, and a daily quota that ends at the account's midnight."""

import time

import pytest
from tests.pitfalls.links import Platform

from contactsync.activities.sources.simulator.clock import SECOND, VirtualClock
from contactsync.activities.sources.simulator.faults import Faults, Refused
from contactsync.activities.sources.simulator.limiting import midnight_after
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.errors import CredentialsRejected, SourceUnavailable

SPENT = b'{"error": {"code": "rate_limit"}}'
FORMS = {
    "429": (Refused(429), (20.0, 120.0)),
    "429 in seconds": (Refused(429, retry_after=7), (7.0, 8.0)),
    "429 as a date": (Refused(429, retry_after=90, as_date=True), (85.0, 95.0)),
    "503 in seconds": (Refused(503, retry_after=7), (7.0, 8.0)),
    "403 in seconds": (Refused(403, retry_after=7), (7.0, 8.0)),
    "403 by its body": (Refused(403, body=SPENT), (20.0, 120.0)),
    "503 by its body": (Refused(503, body=SPENT), (20.0, 120.0)),
    "200 by its body": (Refused(200, body=SPENT), (20.0, 120.0)),
    "403 by a header": (
        Refused(403, headers=(("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "45"))),
        (44.0, 46.0),
    ),
}


@pytest.mark.parametrize("form", FORMS)
async def test_p33_each_form_of_come_again_later_is_a_wait(platform: Platform, clock: VirtualClock, form: str) -> None:
    """No page, no error and no attempt used up: a time to wait, and after it the pass goes on where it was."""
    refused, (least, most) = FORMS[form]
    provider = Provider(150, clock=clock)
    async with platform.reading(provider) as link:

        def fail(number: int) -> None:
            if number == 1:
                provider.fail(refused)

        await link.sync(between=fail)
        assert len(link.waits) == 1
        assert least <= link.waits[0] <= most
        assert await link.copy() == link.truth()


async def test_p33_refusals_that_go_on_wait_longer_each_time(platform: Platform, clock: VirtualClock) -> None:
    """Without a Retry-After nobody knows how long; asking every minute would only prolong it."""
    provider = Provider(5, clock=clock)
    async with platform.reading(provider) as link:
        provider.fail(Refused(429), 3)
        await link.sync()
        assert len(link.waits) == 3
        assert link.waits[0] < link.waits[2]


async def test_p33_a_503_without_a_word_is_a_failure(platform: Platform, clock: VirtualClock) -> None:
    """It says nothing of patience: the attempt fails, and is made again with backoff."""
    provider = Provider(5, clock=clock)
    async with platform.reading(provider) as link:
        provider.fail(Refused(503))
        with pytest.raises(SourceUnavailable):
            await link.sync()
        assert link.waits == []


async def test_p33_a_403_without_a_word_is_about_credentials(platform: Platform, clock: VirtualClock) -> None:
    """Nothing in it speaks of limits; and nothing is deleted because of it."""
    provider = Provider(5, clock=clock)
    async with platform.reading(provider) as link:
        await link.sync()
        provider.fail(Refused(403))
        with pytest.raises(CredentialsRejected):
            await link.sync()
        assert await link.copy() == link.truth()


async def test_p33_a_daily_quota_ends_at_the_accounts_midnight(platform: Platform) -> None:
    """The day's requests are used up: one wait, until midnight in the account's zone, and then the rest."""
    clock = VirtualClock(time.time_ns() // 1000 + 30 * SECOND)
    zone = max(("Asia/Tokyo", "America/New_York"), key=lambda zone: midnight_after(clock.now(), zone))
    until_midnight = (midnight_after(clock.now(), zone) - clock.now()) / SECOND
    provider = Provider(500, clock=clock, faults=Faults(daily_quota=3, daily_zone=zone))
    async with platform.reading(provider, further={"limits": {"daily_zone": zone}}) as link:
        await link.sync(crash_after=3)
        assert link.waits == []
        await link.sync(crash_after=2)
        assert len(link.waits) == 1
        assert abs(link.waits[0] - until_midnight) < 60
