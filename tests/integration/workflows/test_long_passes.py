"""Passes of `ConnectionSync` that are too long for one run, on a real server that suggests a new run early."""

import asyncio
import os

import pytest
from temporalio.client import WorkflowUpdateStage
from temporalio.testing import WorkflowEnvironment
from tests.integration.workflows.running import result_of, syncing, until
from tests.integration.workflows.scripted import Script

from contactsync.activities.messages import PauseRequest
from contactsync.workflows.connection_sync import UNDER_WAY, ConnectionSync

PAGES = 25


async def test_a_long_pass_is_one_pass_over_several_runs(suggesting: WorkflowEnvironment) -> None:
    """Twenty-five pages take several runs: each page is written once, in order, and who asked is told the sum."""
    script = Script(pages=PAGES)
    async with syncing(suggesting, script) as handle:
        latest = suggesting.client.get_workflow_handle_for(ConnectionSync.run, handle.id)
        asked = await latest.execute_update(ConnectionSync.sync_now)
        assert asked.outcome == UNDER_WAY
        result = await result_of(suggesting, handle, asked)
        progress = await latest.query(ConnectionSync.progress)
    assert script.written == [*range(1, PAGES + 1)]
    assert (result.outcome, result.counts.pages, result.counts.added) == ("completed", PAGES, 10 * PAGES)
    assert (progress.passes, script.passes, set(script.opened)) == (1, 1, {result.pass_id})
    assert len(script.opened) > 2


@pytest.mark.parametrize(("pages", "outcome"), [(5, "completed"), (10, UNDER_WAY)])
async def test_a_pass_of_large_pages_leaves_its_run_later_than_suggested(
    environment: WorkflowEnvironment, pages: int, outcome: str
) -> None:
    """A page is 1.3 MB of history: 6.5 MB are walked through in one run, 13 are not, and every page is written once."""
    script = Script(pages=pages, body=os.urandom(330_000))
    async with syncing(environment, script) as handle:
        asked = await handle.execute_update(ConnectionSync.sync_now)
        assert asked.outcome == outcome
        assert (await result_of(environment, handle, asked)).counts.pages == pages
    assert script.written == [*range(1, pages + 1)]


async def test_a_sync_asked_for_in_a_long_pass_is_not_forgotten_by_the_next_run(
    suggesting: WorkflowEnvironment,
) -> None:
    """It is the next pass, whatever run that is in, and whoever asked hears of that one."""
    script = Script(pages=PAGES, hold_fetching=asyncio.Event())
    async with syncing(suggesting, script, next_due=None) as handle:
        await until(lambda: "fetch 1" in script.events)
        update = await handle.start_update(ConnectionSync.sync_now, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        assert script.hold_fetching is not None
        script.hold_fetching.set()
        result = await result_of(suggesting, handle, await update.result())
    assert script.written[: 2 * PAGES] == [*range(1, PAGES + 1), *range(1, PAGES + 1)]
    assert (result.outcome, result.number, script.passes) == ("completed", 2, 2)


async def test_a_pause_in_a_long_pass_is_kept_by_the_next_run(suggesting: WorkflowEnvironment) -> None:
    """The pass ends as paused, is recorded so once, and resuming brings the rest."""
    script = Script(pages=PAGES)
    async with syncing(suggesting, script, next_due=None) as handle:
        latest = suggesting.client.get_workflow_handle_for(ConnectionSync.run, handle.id)
        await until(lambda: len(script.opened) == 2)
        await latest.signal(ConnectionSync.pause, PauseRequest(reason="privacy"))
        await until(lambda: script.pauses == ["privacy"])
        assert script.closed == ["paused"]
        assert len(script.written) < PAGES
        await latest.signal(ConnectionSync.resume)
        asked = await latest.execute_update(ConnectionSync.sync_now)
        assert (await result_of(suggesting, handle, asked)).outcome == "completed"
    assert script.pauses == ["privacy", None]
