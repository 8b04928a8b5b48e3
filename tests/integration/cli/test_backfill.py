"""Backfills, as a person starts, watches and steers them."""

import json
from typing import Any
from uuid import uuid4

import pytest
from tests.integration.cli.running import Site, printed, ref_of, until

from contactsync.errors import BackfillNotFound, TemporalUnavailable
from contactsync.identifiers import backfill_workflow_id
from contactsync.workers.cli import backfill
from contactsync.workers.embedded.ports import LOOPBACK, free_port
from contactsync.workers.settings import PREFIX
from contactsync.workers.syncs import Sync

BOOK: dict[str, object] = {"made_up": 250}
SLOW = 1.0
"""Contacts a second: after its first page, a hundred contacts, a backfill waits for more than a minute."""


async def start(sync: Sync, rate: float | None = None, *, dry_run: bool = False) -> dict[str, Any]:
    """What `backfill start` prints."""
    window = 1 if rate is not None else 4
    report = await backfill.start_backfill(str(sync.connection_id), None, rate, window, dry_run=dry_run)
    return printed(report)["backfill"]


async def status(sync: Sync) -> dict[str, Any]:
    """What `backfill status` prints of the newest backfill."""
    return printed(await backfill.backfill_status(str(sync.connection_id)))["backfill"]


async def ended(sync: Sync) -> dict[str, Any]:
    """The newest backfill once it has ended."""

    async def is_over() -> bool:
        return (await status(sync))["ended_at"] is not None

    await until(is_over)
    return await status(sync)


async def waits(sync: Sync) -> None:
    """Return when the backfill has pages and waits for its pace."""

    async def is_waiting() -> bool:
        live = (await status(sync))["live"]
        return live["waiting_until"] is not None

    await until(is_waiting)


async def contacts(site: Site, sync: Sync) -> int:
    """How many contacts the database has of a connection."""
    return (await site.parts.contacts.counts(ref_of(sync))).live


async def test_a_connection_that_never_synced(site: Site) -> None:
    """The backfill brings every contact, and live sync is started with it: it begins at the present, with nothing."""
    async with site.worker():
        sync = await site.connect(BOOK)
        started = await start(sync)
        assert (started["is_new"], started["number"], started["live_started"]) == (True, 1, True)
        over = await ended(sync)
        first = await site.syncs.result(sync, await site.syncs.sync_now(sync))
        assert (first.outcome, first.counts.downloaded) == ("completed", 0)
        passes = await site.parts.passes.history(ref_of(sync))
        assert sum(each.counts.downloaded for each in passes) == 0
    assert (over["state"], over["contacts"], over["counts"]["added"]) == ("completed", 250, 250)
    assert over["parts"] == over["parts_done"] > 0
    assert (over["seconds_left"], over["live"]) == (None, None)
    assert over["contacts_per_second"] > 0
    assert await contacts(site, sync) == 250


async def test_beside_a_live_sync(site: Site) -> None:
    """A connection that syncs already keeps its contacts; nothing changes, everything is read."""
    async with site.worker():
        sync = await site.connect(BOOK)
        await site.syncs.result(sync, await site.syncs.sync_now(sync))
        assert (await start(sync))["live_started"] is False
        over = await ended(sync)
        again = await start(sync)
        assert (again["is_new"], again["number"]) == (True, 2)
        await ended(sync)
    assert (over["state"], over["counts"]["unchanged"], over["counts"]["added"]) == ("completed", 250, 0)
    report = printed(await backfill.backfill_status(str(sync.connection_id)))
    assert [report["backfill"]["number"], *(each["number"] for each in report["earlier"])] == [2, 1]


async def test_a_dry_run_changes_nothing(site: Site) -> None:
    """It counts what it would write; no contact is there afterwards, and no live sync was started for it."""
    async with site.worker():
        sync = await site.connect(BOOK)
        assert (await start(sync, dry_run=True))["live_started"] is False
        over = await ended(sync)
    assert (over["state"], over["dry_run"], over["counts"]["added"]) == ("completed", True, 250)
    assert (await contacts(site, sync), (await site.parts.freshness.of(sync.connection_id)).last) == (0, None)


async def test_pause_resume_and_cancel(site: Site) -> None:
    """Each takes effect, is told by `status`, and may be done twice; what was written stays after the end."""
    async with site.worker():
        sync = await site.connect(BOOK)
        started = await start(sync, SLOW)
        await waits(sync)
        again = await start(sync)
        assert (again["is_new"], again["id"]) == (False, started["id"])
        for _ in range(2):
            paused = printed(await backfill.pause_backfill(str(sync.connection_id)))["backfill"]
            assert (paused["paused"], paused["running"]) == (True, True)
        await until_state(sync, "paused")
        assert (await status(sync))["seconds_left"] is None
        for _ in range(2):
            await backfill.resume_backfill(str(sync.connection_id))
        await until_state(sync, "running")
        await backfill.cancel_backfill(str(sync.connection_id))
        over = await ended(sync)
    assert over["state"] == "cancelled"
    assert await contacts(site, sync) == over["contacts"] > 0


async def until_state(sync: Sync, state: str) -> None:
    """Return when database and workflow agree on the state."""

    async def is_there() -> bool:
        seen = await status(sync)
        return seen["state"] == state and seen["live"]["state"] == state

    await until(is_there)


async def test_a_workflow_that_is_gone(site: Site) -> None:
    """Terminated, it is told of; resuming starts it where it was; where none runs, cancelling ends it at once."""
    async with site.worker():
        sync = await site.connect(BOOK)
        await start(sync, SLOW)
        await waits(sync)
        workflow_id = backfill_workflow_id(sync.tenant_id, sync.connection_id, 1)
        handle = site.syncs.client.get_workflow_handle(workflow_id)
        await handle.terminate()
        seen = await status(sync)
        assert (seen["state"], seen["live"]["running"]) == ("running", False)
        resumed = printed(await backfill.resume_backfill(str(sync.connection_id)))["backfill"]
        assert resumed["running"] is True
        await waits(sync)
        assert (await status(sync))["contacts"] >= seen["contacts"]
        await handle.terminate()
        cancelled = printed(await backfill.cancel_backfill(str(sync.connection_id)))["backfill"]
        assert cancelled["running"] is False
        assert (await status(sync))["state"] == "cancelled"


async def test_nothing_under_way(site: Site) -> None:
    """What is not there cannot be shown or steered, and the sentence says what to do."""
    sync = await site.connect(BOOK)
    for work in (
        backfill.backfill_status,
        backfill.pause_backfill,
        backfill.resume_backfill,
        backfill.cancel_backfill,
    ):
        with pytest.raises(BackfillNotFound, match="contactsync backfill start"):
            await work(str(sync.connection_id))


async def test_without_workers_and_without_temporal(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a worker it is requested and waits for one; without Temporal it is not, and status still tells."""
    sync = await site.connect(BOOK)
    monkeypatch.setenv(f"{PREFIX}TEMPORAL_ADDRESS", f"{LOOPBACK}:{free_port()}")
    with pytest.raises(TemporalUnavailable):
        await start(sync)
    assert await site.parts.backfills.list(ref_of(sync)) == ()
    monkeypatch.setenv(f"{PREFIX}TEMPORAL_ADDRESS", site.settings.temporal_address)
    started = await start(sync)
    assert (started["worker"], started["live_started"], started["state"]) == (False, False, "requested")
    assert "no worker takes the work yet" in capsys.readouterr().err
    monkeypatch.setenv(f"{PREFIX}TEMPORAL_ADDRESS", f"{LOOPBACK}:{free_port()}")
    seen = await status(sync)
    assert (seen["id"], seen["live"]["temporal"]) == (started["id"], False)
    monkeypatch.setenv(f"{PREFIX}TEMPORAL_ADDRESS", site.settings.temporal_address)
    async with site.worker():
        assert (await ended(sync))["state"] == "completed"


async def test_watching_to_the_end(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """`status --watch` ends with the backfill and says whether it completed; with JSON each look is a line."""
    async with site.worker():
        sync = await site.connect(BOOK)
        await start(sync)
        capsys.readouterr()
        assert await backfill.watch_backfill(str(sync.connection_id), as_json=True) is True
    printed_lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith('{"backfill"')]
    lines = [json.loads(line)["backfill"] for line in printed_lines]
    assert (lines[-1]["state"], lines[-1]["contacts"]) == ("completed", 250)
    assert [each["contacts"] for each in lines] == sorted(each["contacts"] for each in lines)


async def test_an_unknown_connection(site: Site) -> None:
    """A connection that is not there is told as such."""
    assert site
    with pytest.raises(Exception, match="there is no such connection"):
        await backfill.backfill_status(str(uuid4()))
