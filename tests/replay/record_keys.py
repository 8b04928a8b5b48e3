"""Records histories of `DestroyExpiredKeys`: `uv run python -m tests.replay.record_keys NAME-OF-THE-SHAPE`.

As `tests.replay.record` does for the workflows of connections; these are the platform's, sealed under its keys.
"""

import asyncio
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID, uuid4

from temporalio import activity
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from tests.integration.workflows.running import suggesting_server
from tests.replay.fixture_keys import new_fixture_ring, save_keys
from tests.replay.record import HISTORIES

from contactsync.activities.key_messages import (
    JUDGE_KEYS,
    SETTLE_KEYS,
    JudgedKeys,
    JudgeKeys,
    KeyRef,
    KeysSettled,
    SettleKeys,
)
from contactsync.errors import TemporalUnavailable
from contactsync.identifiers import PLATFORM_TENANT, platform_workflow_id
from contactsync.workflows.destroy_expired_keys import DestroyExpiredKeys

_QUEUE: Final = "recorded"


class Batches:
    """So many batches of keys, every third of them with nothing to do; Temporal is away once."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._away = True

    @activity.defn(name=JUDGE_KEYS)
    async def judge_keys(self, request: JudgeKeys) -> JudgedKeys:
        """The next batch."""
        if request.after is not None and self._away:
            self._away = False
            raise TemporalUnavailable
        self._left -= 1
        ref = KeyRef(tenant_id=UUID(int=self._left + 1), kid=f"{self._left:032x}")
        done = () if self._left % 3 == 0 else (ref,)
        return JudgedKeys(destroy=done, hold=done, held=1, next=ref if self._left else None)

    @activity.defn(name=SETTLE_KEYS)
    async def settle_keys(self, request: SettleKeys) -> KeysSettled:
        """As asked."""
        return KeysSettled(destroyed=len(request.destroy))


async def _recorded(environment: WorkflowEnvironment, count: int) -> WorkflowHistory:
    """The first run over so many batches."""
    batches = Batches(count)
    activities = [batches.judge_keys, batches.settle_keys]
    async with Worker(environment.client, task_queue=_QUEUE, workflows=[DestroyExpiredKeys], activities=activities):
        handle = await environment.client.start_workflow(
            DestroyExpiredKeys.run, id=f"{platform_workflow_id('destroy-expired-keys')}/{uuid4()}", task_queue=_QUEUE
        )
        await handle.result()
    first = environment.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    return await first.fetch_history()


async def record(shape: str) -> None:
    """Record every scenario into `histories/{shape}/`, with the keys to open them."""
    folder = HISTORIES / shape
    folder.mkdir(parents=True)
    with TemporaryDirectory() as temporary:
        root_key = Path(temporary) / "root.key"
        ring, store = await new_fixture_ring(root_key, PLATFORM_TENANT)
        async with suggesting_server(ring) as server:
            for name, count in (("keys-nothing-due", 1), ("keys-several-batches", 4), ("keys-continued-as-new", 30)):
                history = await _recorded(server, count)
                recorded = {"workflowId": history.workflow_id, **json.loads(history.to_json())}
                (folder / f"{name}.json").write_text(json.dumps(recorded) + "\n")
        await save_keys(folder / "keys.json", root_key, store, PLATFORM_TENANT)


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
