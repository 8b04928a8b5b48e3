"""Records the histories that the replay tests replay: `uv run python -m tests.replay.record NAME-OF-THE-SHAPE`.

Run it when `ConnectionSync` gets a new shape (behind `workflow.patched`), and commit the new folder beside the old
ones: today's code must replay them all. The histories are ciphertext, sealed under the test keys in `keys.json`.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from tests.integration.workflows.running import TENANT, syncing, time_skipping, until
from tests.integration.workflows.scripted import Script
from tests.replay.fixture_keys import new_fixture_ring, save_keys

from contactsync.activities.messages import PauseRequest
from contactsync.errors import CredentialsRejected, SourceAddressWrong, SourceUnavailable
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
        first = environment.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
        return await first.fetch_history()


async def carried_on(environment: WorkflowEnvironment) -> WorkflowHistory:
    """The run after that one."""
    async with syncing(environment, Script(pages=1, interval_seconds=6 * 3600)) as handle:
        await handle.execute_update(ConnectionSync.sync_now)
        await environment.sleep(timedelta(hours=25))
        return await environment.client.get_workflow_handle(handle.id).fetch_history()


SCENARIOS: tuple[Scenario, ...] = (
    several_passes,
    refused_then_resumed,
    paused_in_a_pass,
    failures,
    continued_as_new,
    carried_on,
)


async def record(shape: str) -> None:
    """Record every scenario into `histories/{shape}/`, with the keys to open them."""
    folder = HISTORIES / shape
    folder.mkdir(parents=True)
    with TemporaryDirectory() as temporary:
        root_key = Path(temporary) / "root.key"
        ring, store = await new_fixture_ring(root_key, TENANT)
        async with time_skipping(ring) as environment:
            for scenario in SCENARIOS:
                history = await scenario(environment)
                recorded = {"workflowId": history.workflow_id, **json.loads(history.to_json())}
                (folder / f"{_name_of(scenario)}.json").write_text(json.dumps(recorded) + "\n")
        await save_keys(folder / "keys.json", root_key, store, TENANT)


def _name_of(scenario: Scenario) -> str:
    return getattr(scenario, "__name__", "scenario").replace("_", "-")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
