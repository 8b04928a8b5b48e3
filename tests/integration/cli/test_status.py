"""What `contactsync status` shows of one connection."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.integration.cli.running import Site, printed, until

from contactsync.activities.sources.simulator.face import serving
from contactsync.activities.sources.simulator.faults import Refused
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.activities.sources.simulator.settings_file import rest_settings
from contactsync.workers.cli.output import Report, console
from contactsync.workers.cli.status import status_of
from contactsync.workers.settings import PREFIX
from contactsync.workers.syncs import Sync

LIMITS = {"per_second": 50.0, "burst": 10, "concurrent": 2, "daily": 1000, "daily_zone": "Europe/Berlin"}
PATIENCE = Refused(429, retry_after=3600)


@asynccontextmanager
async def limited(site: Site, provider: Provider) -> AsyncGenerator[Sync]:
    """A connection to an account with limits of every sort."""
    async with serving(provider) as url:
        yield await site.connect(rest_settings(url, further={"limits": LIMITS}), kind="rest")


async def status(sync: Sync) -> dict[str, Any]:
    """What is printed with `--json`."""
    return printed(await status_of(str(sync.connection_id), check=False))["connection"]


def drawn(report: Report) -> str:
    """What people read."""
    shown = console()
    with shown.capture() as captured:
        shown.print(report.picture())
    return captured.get()


async def test_the_budget_of_the_account(site: Site) -> None:
    """What the account allows and what is left of it, after a pass and before the first one."""
    async with site.worker(), limited(site, Provider(20)) as sync:
        before = (await status(sync))["budget"]
        assert (before["per_second"], before["daily"], before["day_requests"]) == (50.0, 1000, 0)
        await site.syncs.result(sync, await site.syncs.sync_now(sync))
        budget = (await status(sync))["budget"]
        assert budget["day_requests"] > 0
        assert (budget["live"], budget["backfill"], budget["waiting"], budget["blocked_until"]) == (0, 0, 0, None)
        text = drawn(await status_of(str(sync.connection_id), check=False))
    assert "50 requests a second" in text
    assert f"{budget['day_requests']} of 1000 requests today (Europe/Berlin)" in text


async def test_a_source_that_asks_for_patience(site: Site) -> None:
    """Until when the pass waits, and until when the account is left alone."""
    provider = Provider(20)
    provider.fail(PATIENCE, 5, "contacts")
    async with site.worker(), limited(site, provider) as sync:
        await site.syncs.start(sync)

        async def waits() -> bool:
            return (await status(sync))["live"]["waiting_until"] is not None

        await until(waits)
        seen = await status(sync)
        assert seen["budget"]["blocked_until"] is not None
        assert seen["live"]["failing"] is None
        text = drawn(await status_of(str(sync.connection_id), check=False))
    assert "waits until" in text
    assert "as the provider asked" in text


async def test_an_account_without_limits(site: Site) -> None:
    """Where nothing is limited and nobody waits there is nothing to tell."""
    sync = await site.connect({"made_up": 1})
    report = await status_of(str(sync.connection_id), check=False)
    assert "budget" not in drawn(report)
    assert printed(report)["connection"]["budget"]["per_second"] is None


async def test_without_the_keys(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the root key there is no budget to see, and all the rest is shown."""
    sync = await site.connect({"made_up": 1})
    monkeypatch.setenv(f"{PREFIX}ROOT_KEY_FILE", "/not/there")
    seen = await status(sync)
    assert (seen["budget"], seen["state"], seen["contacts"]) == (None, "new", 0)
