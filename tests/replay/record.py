"""Records the histories that the replay tests replay: `uv run python -m tests.replay.record NAME-OF-THE-SHAPE`.

Run it when a workflow gets a new shape (behind `workflow.patched`), and commit the new folder beside the old ones:
today's code must replay them all. The histories are ciphertext, sealed under the test keys in `keys.json`.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from tests.integration.workflows.running import (
    TENANT,
    BackfillHandle,
    Handle,
    backfilling,
    result_of,
    suggesting_server,
    syncing,
    time_skipping,
    until,
)
from tests.integration.workflows.scripted import Script
from tests.integration.workflows.scripted_backfill import BackfillScript
from tests.replay.fixture_keys import new_fixture_ring, save_keys

from contactsync.activities.messages import DeleteDecision, PauseRequest
from contactsync.errors import (
    CredentialsRejected,
    SourceAddressWrong,
    SourceLoops,
    SourceUnavailable,
)
from contactsync.workflows.backfill import Backfill
from contactsync.workflows.connection_sync import ConnectionSync

HISTORIES = Path(__file__).parent / "histories"

Scenario = Callable[[WorkflowEnvironment], Awaitable[WorkflowHistory]]


async def several_passes(environment: WorkflowEnvironment) -> WorkflowHistory:
    """Passes of five pages, asked for and by the interval."""
    async with syncing(environment, Script(pages=5)) as handle:
        await handle.execute_update(ConnectionSync.sync_now)
        await environment.sleep(timedelta(minutes=40))
        await handle.execute_update(ConnectionSync.sync_now)
        return await handle.fetch_history()


async def refused_then_resumed(environment: WorkflowEnvironment) -> WorkflowHistory:
    """Refused credentials pause; resuming syncs."""
    script = Script(pages=2, fetch_fails=[CredentialsRejected()])
    async with syncing(environment, script) as handle:
        await handle.execute_update(ConnectionSync.sync_now)
        await until(lambda: len(script.pauses) == 1)
        await handle.signal(ConnectionSync.resume)
        await until(lambda: script.written == [1, 2])
        await handle.execute_update(ConnectionSync.sync_now)
        return await handle.fetch_history()


async def paused_in_a_pass(environment: WorkflowEnvironment) -> WorkflowHistory:
    """A pause while pages are under way."""
    script = Script(pages=9, hold_fetching=asyncio.Event())
    async with syncing(environment, script, next_due=None) as handle:
        await until(lambda: "fetch 1" in script.events)
        await handle.signal(ConnectionSync.pause, PauseRequest(reason="operator"))
        if script.hold_fetching is not None:
            script.hold_fetching.set()
        await until(lambda: script.pauses == ["operator"])
        return await handle.fetch_history()


async def failures(environment: WorkflowEnvironment) -> WorkflowHistory:
    """Errors that are retried, and one that ends a pass."""
    script = Script(pages=3, fetch_fails=[SourceUnavailable(), SourceAddressWrong()])
    async with syncing(environment, script) as handle:
        await handle.execute_update(ConnectionSync.sync_now)
        await handle.execute_update(ConnectionSync.sync_now)
        return await handle.fetch_history()


async def continued_as_new(environment: WorkflowEnvironment) -> WorkflowHistory:
    """A run of a whole day, up to its end."""
    async with syncing(environment, Script(pages=1, interval_seconds=6 * 3600)) as handle:
        await handle.execute_update(ConnectionSync.sync_now)
        await environment.sleep(timedelta(hours=25))
        return await _first_run(environment, handle)


async def carried_on(environment: WorkflowEnvironment) -> WorkflowHistory:
    """The run after that one."""
    async with syncing(environment, Script(pages=1, interval_seconds=6 * 3600)) as handle:
        await handle.execute_update(ConnectionSync.sync_now)
        await environment.sleep(timedelta(hours=25))
        return await environment.client.get_workflow_handle(handle.id).fetch_history()


async def quiet_pages(environment: WorkflowEnvironment) -> WorkflowHistory:
    """Pages without contacts, which nobody cleans, among others."""
    async with syncing(environment, Script(pages=4, quiet=frozenset({1, 3, 4}))) as handle:
        await handle.execute_update(ConnectionSync.sync_now)
        await environment.sleep(timedelta(minutes=20))
        await handle.execute_update(ConnectionSync.sync_now)
        return await handle.fetch_history()


async def two_writes(environment: WorkflowEnvironment) -> WorkflowHistory:
    """A page that waits while the one before is written, and one that gave up waiting."""
    script = Script(pages=5, hold_writing=asyncio.Event(), early_at={3})
    async with syncing(environment, script, next_due=None) as handle:
        await until(lambda: script.in_turn == [2])
        await handle.query(ConnectionSync.progress)
        if script.hold_writing is not None:
            script.hold_writing.set()
        await until(lambda: len(script.written) == 5)
        await handle.execute_update(ConnectionSync.sync_now)
        return await handle.fetch_history()


async def patience_and_decisions(environment: WorkflowEnvironment) -> WorkflowHistory:
    """A page that has to wait, pages without end, and deletions that are held and decided on."""
    script = Script(pages=2, waits=[60.0], fails_at={2: SourceLoops()}, hold_id=uuid4(), held=3)
    async with syncing(environment, script, next_due=None) as handle:
        await environment.sleep(timedelta(minutes=2))
        await until(lambda: script.pauses == ["SourceLoops"])
        assert script.hold_id is not None
        decision = DeleteDecision(hold_id=script.hold_id, actor="cli/0")
        await handle.execute_update(ConnectionSync.approve_deletes, decision)
        await handle.signal(ConnectionSync.resume)
        await handle.execute_update(ConnectionSync.sync_now)
        return await handle.fetch_history()


async def begun_in_mid_pass(environment: WorkflowEnvironment) -> WorkflowHistory:
    """A run that goes on with the pass of the one before, up to where that one is too long again."""
    script = Script(pages=30)
    async with syncing(environment, script) as handle:
        latest = environment.client.get_workflow_handle_for(ConnectionSync.run, handle.id)
        await result_of(environment, handle, await latest.execute_update(ConnectionSync.sync_now))
        first = await environment.client.get_workflow_handle(
            handle.id, run_id=handle.first_execution_run_id
        ).fetch_history()
        second = first.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        return await environment.client.get_workflow_handle(handle.id, run_id=second).fetch_history()


async def ended_in_mid_pass(environment: WorkflowEnvironment) -> WorkflowHistory:
    """The run before that one: somebody who waits is told to ask there."""
    script = Script(pages=30)
    async with syncing(environment, script) as handle:
        await handle.execute_update(ConnectionSync.sync_now)
        return await environment.client.get_workflow_handle(
            handle.id, run_id=handle.first_execution_run_id
        ).fetch_history()


async def backfill_completed(environment: WorkflowEnvironment) -> WorkflowHistory:
    """Parts side by side, at a rate, with a page fetched again and a page that has to wait."""
    script = BackfillScript(redo_at={(2, 4)}, waits_at={(1, 2): 90.0}, rows_per_second=1.0)
    async with backfilling(environment, script) as handle:
        await handle.result()
        return await handle.fetch_history()


async def backfill_paused_and_mended(environment: WorkflowEnvironment) -> WorkflowHistory:
    """An error that somebody mends, an outage that passes, a pause that ends."""
    script = BackfillScript(fails_at={(0, 2): CredentialsRejected()}, hold_fetching=asyncio.Event())
    async with backfilling(environment, script) as handle:
        await until(lambda: "fetch 0/1" in script.events)
        await handle.signal(Backfill.pause, PauseRequest(reason="maintenance"))
        assert script.hold_fetching is not None
        script.hold_fetching.set()
        await until(lambda: script.pauses == [True])
        script.fetch_always_fails = SourceUnavailable
        await handle.signal(Backfill.resume)
        await environment.sleep(timedelta(minutes=30))
        script.fetch_always_fails = None
        await environment.sleep(timedelta(minutes=30))
        await until(lambda: script.pauses == [True, False, True])
        await handle.signal(Backfill.resume)
        await handle.result()
        return await handle.fetch_history()


async def backfill_cancelled(environment: WorkflowEnvironment) -> WorkflowHistory:
    """Cancelled while pages are fetched and written."""
    script = BackfillScript(pages={0: 50, 1: 50})
    async with backfilling(environment, script) as handle:
        await until(lambda: len(script.written) >= 4)
        await handle.cancel()
        await handle.result()
        return await handle.fetch_history()


async def backfill_too_long_for_a_run(environment: WorkflowEnvironment) -> WorkflowHistory:
    """Its first run."""
    script = BackfillScript(pages={0: 20, 1: 20})
    async with backfilling(environment, script) as handle:
        await handle.result()
        return await _first_run(environment, handle)


async def _first_run(environment: WorkflowEnvironment, handle: Handle | BackfillHandle) -> WorkflowHistory:
    first = environment.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    return await first.fetch_history()


SKIPPING: tuple[Scenario, ...] = (
    several_passes,
    refused_then_resumed,
    paused_in_a_pass,
    failures,
    continued_as_new,
    carried_on,
    quiet_pages,
    two_writes,
    patience_and_decisions,
    backfill_completed,
    backfill_paused_and_mended,
)
REAL: tuple[Scenario, ...] = (
    begun_in_mid_pass,
    ended_in_mid_pass,
    backfill_cancelled,
    backfill_too_long_for_a_run,
)


async def record(shape: str) -> None:
    """Record every scenario into `histories/{shape}/`, with the keys to open them."""
    folder = HISTORIES / shape
    folder.mkdir(parents=True)
    with TemporaryDirectory() as temporary:
        root_key = Path(temporary) / "root.key"
        ring, store = await new_fixture_ring(root_key, TENANT)
        for scenario in SKIPPING:
            async with time_skipping(ring) as skipping:
                _save(folder, scenario, await scenario(skipping))
        async with suggesting_server(ring) as real:
            for scenario in REAL:
                _save(folder, scenario, await scenario(real))
        await save_keys(folder / "keys.json", root_key, store, TENANT)


def _save(folder: Path, scenario: Scenario, history: WorkflowHistory) -> None:
    recorded = {"workflowId": history.workflow_id, **json.loads(history.to_json())}
    (folder / f"{_name_of(scenario)}.json").write_text(json.dumps(recorded) + "\n")


def _name_of(scenario: Scenario) -> str:
    return getattr(scenario, "__name__", "scenario").replace("_", "-")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
