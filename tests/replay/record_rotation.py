"""Records histories of `RotateTenantKey`: `uv run python -m tests.replay.record_rotation NAME-OF-THE-SHAPE`.

As `tests.replay.record` does for the workflows of connections.
"""

import asyncio
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID

from temporalio import activity
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from tests.integration.workflows.running import TENANT, suggesting_server
from tests.replay.fixture_keys import new_fixture_ring, save_keys
from tests.replay.record import HISTORIES

from contactsync.activities.rotation_messages import (
    PLAN_ROTATION,
    REINDEX_ROWS,
    RESEAL_ROWS,
    RETIRE_KEYS,
    ROTATE_KEYS,
    KeysRetired,
    KeysRewrapped,
    PlanRotation,
    ReindexRows,
    ResealRows,
    RetireKeys,
    RotateArgs,
    RotateKeys,
    RotationPlan,
    RowsReindexed,
    RowsResealed,
)
from contactsync.errors import DatabaseUnavailable
from contactsync.identifiers import rotate_workflow_id
from contactsync.workflows.rotate_tenant_key import RotateTenantKey

_QUEUE: Final = "recorded"


class Batches:
    """So many batches of rows each; the database is away once, and older keys are needed for a while."""

    def __init__(self, count: int) -> None:
        self._reindexes = self._reseals = count
        self._retires = [KeysRetired(done=False, under_way=1), KeysRetired(done=False, unmoved=2)]
        self._away = True

    @activity.defn(name=PLAN_ROTATION)
    async def plan_rotation(self, request: PlanRotation) -> RotationPlan:
        """The second of each."""
        return RotationPlan(
            version=2, index_epoch=2 if request.index else None, row_epoch=2 if request.reseal else None
        )

    @activity.defn(name=ROTATE_KEYS)
    async def rotate_keys(self, request: RotateKeys) -> KeysRewrapped:
        """At the second attempt."""
        if self._away:
            self._away = False
            raise DatabaseUnavailable
        return KeysRewrapped(keys=request.plan.version, retired=1)

    @activity.defn(name=REINDEX_ROWS)
    async def reindex_rows(self, request: ReindexRows) -> RowsReindexed:
        """The next batch."""
        self._reindexes -= 1
        return RowsReindexed(rows=2, connection_id=UUID(int=request.connection_id.int + 1), done=self._reindexes <= 0)

    @activity.defn(name=RESEAL_ROWS)
    async def reseal_rows(self, request: ResealRows) -> RowsResealed:
        """The next batch."""
        self._reseals -= 1
        return RowsResealed(rows=3, table=request.table, skip=request.skip + 1, done=self._reseals <= 0)

    @activity.defn(name=RETIRE_KEYS)
    async def retire_keys(self, request: RetireKeys) -> KeysRetired:
        """When nothing needs them any more."""
        assert request.since > 0
        return self._retires.pop(0) if self._retires else KeysRetired(done=True)


async def rotated(
    environment: WorkflowEnvironment, args: RotateArgs, batches: Batches, *, last: bool
) -> WorkflowHistory:
    """One rotation: its first run, or its last."""
    worker = Worker(
        environment.client,
        task_queue=_QUEUE,
        workflows=[RotateTenantKey],
        activities=[
            batches.plan_rotation,
            batches.rotate_keys,
            batches.reindex_rows,
            batches.reseal_rows,
            batches.retire_keys,
        ],
    )
    async with worker:
        handle = await environment.client.start_workflow(
            RotateTenantKey.run, args, id=rotate_workflow_id(TENANT), task_queue=_QUEUE
        )
        assert (await handle.result()).phase == "ended"
    return await environment.client.get_workflow_handle(
        handle.id, run_id=None if last else handle.first_execution_run_id
    ).fetch_history()


async def record(shape: str) -> None:
    """Record every scenario into `histories/{shape}/`, with the keys to open them."""
    folder = HISTORIES / shape
    folder.mkdir(parents=True)
    whole = RotateArgs(tenant_id=TENANT, index=True, reseal=True, settle_seconds=0.1)
    with TemporaryDirectory() as temporary:
        root_key = Path(temporary) / "root.key"
        ring, store = await new_fixture_ring(root_key, TENANT)
        async with suggesting_server(ring) as server:
            histories = {
                "rotation-of-the-tenant-key": await rotated(
                    server, RotateArgs(tenant_id=TENANT), Batches(1), last=True
                ),
                "rotation-of-all-keys": await rotated(server, whole, Batches(2), last=False),
                "rotation-continued": await rotated(server, whole, Batches(20), last=True),
            }
        for name, history in histories.items():
            recorded = {"workflowId": history.workflow_id, **json.loads(history.to_json())}
            (folder / f"{name}.json").write_text(json.dumps(recorded) + "\n")
        await save_keys(folder / "keys.json", root_key, store, TENANT)


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
