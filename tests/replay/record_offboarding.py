"""Records histories of `OffboardTenant`: `uv run python -m tests.replay.record_offboarding NAME-OF-THE-SHAPE`.

As `tests.replay.record` does for the workflows of connections; these are the platform's, sealed under its keys.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from tests.integration.workflows.running import suggesting_server, until
from tests.integration.workflows.scripted_offboarding import OffboardScript, offboarding
from tests.replay.fixture_keys import new_fixture_ring, save_keys
from tests.replay.record import HISTORIES

from contactsync.activities.offboarding_messages import (
    DELETE_ROWS,
    DESTROY_KEYS,
    DISABLE_TENANT,
    OffboardDecision,
)
from contactsync.errors import StalePass
from contactsync.identifiers import PLATFORM_TENANT
from contactsync.workflows.offboard_tenant import OffboardTenant

WHO = OffboardDecision(actor="cli/2")

Scenario = Callable[[WorkflowEnvironment], Awaitable[WorkflowHistory]]


async def offboarding_approved(environment: WorkflowEnvironment) -> WorkflowHistory:
    """To its end by approval, with an error on the way."""
    script = OffboardScript()
    script.fail(DELETE_ROWS)
    return await _recorded(environment, script, approve=True)


async def offboarding_continued(environment: WorkflowEnvironment) -> WorkflowHistory:
    """The last run of one that took several."""
    return await _recorded(environment, OffboardScript(executions=[1] * 8), approve=True, last=True)


async def offboarding_cancelled(environment: WorkflowEnvironment) -> WorkflowHistory:
    """Undone."""
    return await _recorded(environment, OffboardScript(), approve=False)


async def offboarding_taken_over(environment: WorkflowEnvironment) -> WorkflowHistory:
    """Decided before; the server deletes no execution."""
    script = OffboardScript(decided=True, refused=True)
    async with offboarding(environment, script) as handle:
        await handle.result()
        return await handle.fetch_history()


async def offboarding_overtaken(environment: WorkflowEnvironment) -> WorkflowHistory:
    """Its time is over, and another run has overtaken it."""
    script = OffboardScript()
    script.fail(DESTROY_KEYS, StalePass())
    async with offboarding(environment, script, quarantine_seconds=0.01) as handle:
        await until(lambda: DESTROY_KEYS in script.events and not script.fails[DESTROY_KEYS])
        while (await handle.describe()).close_time is None:  # noqa: ASYNC110  # nobody signals it
            await asyncio.sleep(0.05)
        return await handle.fetch_history()


async def _recorded(
    environment: WorkflowEnvironment, script: OffboardScript, *, approve: bool, last: bool = False
) -> WorkflowHistory:
    async with offboarding(environment, script) as handle:
        await until(lambda: DISABLE_TENANT in script.events)
        await handle.execute_update(OffboardTenant.approve if approve else OffboardTenant.cancel, WHO)
        await handle.result()
        description = await handle.describe()
        first = description.raw_description.workflow_execution_info.first_run_id
        run_id = description.run_id if last else first
        return await environment.client.get_workflow_handle(handle.id, run_id=run_id).fetch_history()


SCENARIOS: tuple[Scenario, ...] = (
    offboarding_approved,
    offboarding_continued,
    offboarding_cancelled,
    offboarding_taken_over,
    offboarding_overtaken,
)


async def record(shape: str) -> None:
    """Record every scenario into `histories/{shape}/`, with the keys to open them."""
    folder = HISTORIES / shape
    folder.mkdir(parents=True)
    with TemporaryDirectory() as temporary:
        root_key = Path(temporary) / "root.key"
        ring, store = await new_fixture_ring(root_key, PLATFORM_TENANT)
        async with suggesting_server(ring) as server:
            for scenario in SCENARIOS:
                history = await scenario(server)
                recorded = {"workflowId": history.workflow_id, **json.loads(history.to_json())}
                name = getattr(scenario, "__name__", "scenario").replace("_", "-")
                (folder / f"{name}.json").write_text(json.dumps(recorded) + "\n")
        await save_keys(folder / "keys.json", root_key, store, PLATFORM_TENANT)


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
