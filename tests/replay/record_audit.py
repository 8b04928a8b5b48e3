"""Records histories of `CheckpointLogs`: `uv run python -m tests.replay.record_audit NAME-OF-THE-SHAPE`.

As `tests.replay.record_keys` does: the workflow is the platform's, sealed under its keys.
"""

import asyncio
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import uuid4

from temporalio import activity
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from tests.integration.workflows.running import suggesting_server
from tests.replay.fixture_keys import new_fixture_ring, save_keys
from tests.replay.record import HISTORIES

from contactsync.activities.audit_messages import MAKE_CHECKPOINTS, CheckpointsMade
from contactsync.errors import DatabaseUnavailable
from contactsync.identifiers import PLATFORM_TENANT, platform_workflow_id
from contactsync.workflows.checkpoint_logs import CheckpointLogs

_QUEUE: Final = "recorded"


class Logs:
    """Three logs, one of which is not sound; the database is away so many times."""

    def __init__(self, away: int) -> None:
        self._away = away

    @activity.defn(name=MAKE_CHECKPOINTS)
    async def make_checkpoints(self) -> CheckpointsMade:
        """All of them."""
        self._away -= 1
        if self._away >= 0:
            raise DatabaseUnavailable
        return CheckpointsMade(made=2, unsound=1)


async def _recorded(environment: WorkflowEnvironment, away: int) -> WorkflowHistory:
    logs = Logs(away)
    workflow_id = f"{platform_workflow_id('checkpoint-logs')}/{uuid4()}"
    async with Worker(
        environment.client, task_queue=_QUEUE, workflows=[CheckpointLogs], activities=[logs.make_checkpoints]
    ):
        handle = await environment.client.start_workflow(CheckpointLogs.run, id=workflow_id, task_queue=_QUEUE)
        await handle.result()
    return await handle.fetch_history()


async def record(shape: str) -> None:
    """Record every scenario into `histories/{shape}/`, with the keys to open them."""
    folder = HISTORIES / shape
    folder.mkdir(parents=True)
    with TemporaryDirectory() as temporary:
        root_key = Path(temporary) / "root.key"
        ring, store = await new_fixture_ring(root_key, PLATFORM_TENANT)
        async with suggesting_server(ring) as server:
            for name, away in (("checkpoints-at-once", 0), ("checkpoints-database-away", 2)):
                history = await _recorded(server, away)
                recorded = {"workflowId": history.workflow_id, **json.loads(history.to_json())}
                (folder / f"{name}.json").write_text(json.dumps(recorded) + "\n")
        await save_keys(folder / "keys.json", root_key, store, PLATFORM_TENANT)


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
