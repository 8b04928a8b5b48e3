"""Pages as large as they may be, and which do not compress, pass what Temporal takes in one request."""

import asyncio
import os
from collections.abc import Sequence
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer
from tests.integration.workflows.running import backfilling, syncing, until
from tests.integration.workflows.scripted import Script
from tests.integration.workflows.scripted_backfill import BackfillScript

from contactsync.activities.pages import BODY_BYTES
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.client_plugin import SealingPlugin
from contactsync.workflows.backfill import Backfill
from contactsync.workflows.connection_sync import ConnectionSync
from contactsync.workflows.task_room import REQUEST_BYTES

LARGE: Final = os.urandom(BODY_BYTES)
PARTS: Final = 4


def asked_at_once(events: Sequence[HistoryEvent]) -> list[int]:
    """Bytes of the activities that each workflow task asked for."""
    sizes: dict[int, int] = {}
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            task = event.activity_task_scheduled_event_attributes.workflow_task_completed_event_id
            sizes[task] = sizes.get(task, 0) + event.ByteSize()
    return list(sizes.values())


async def test_parts_that_are_fetched_at_once_are_handed_on_one_after_the_other(
    environment: WorkflowEnvironment, ring: KeyRing
) -> None:
    """Four bodies of 1.75 MB arrive in the same moment: no workflow task asks for more than a request holds, and a
    replay asks for the same."""
    script = BackfillScript(
        pages=dict.fromkeys(range(PARTS), 1), window=PARTS, body=LARGE, hold_fetching=asyncio.Event()
    )
    async with backfilling(environment, script) as handle:
        await until(lambda: len(script.events) == PARTS)
        assert script.hold_fetching is not None
        script.hold_fetching.set()
        assert (await handle.result()).outcome == "completed"
        history = await handle.fetch_history()
    assert sorted(script.written) == [(part, 1) for part in range(PARTS)]
    assert BODY_BYTES < max(asked_at_once(history.events)) < REQUEST_BYTES
    replayer = Replayer(workflows=[Backfill], plugins=[SealingPlugin(ring)], namespace=environment.client.namespace)
    await replayer.replay_workflow(history)


async def test_more_parts_than_a_history_has_room_for(environment: WorkflowEnvironment) -> None:
    """Eight parts at a time of the largest pages would be more than Temporal lets a run become: it ends none of them,
    since fewer go at a time, and a run ends where it has to."""
    script = BackfillScript(pages=dict.fromkeys(range(2 * PARTS), 2), window=2 * PARTS, body=LARGE)
    async with backfilling(environment, script) as handle:
        assert (await handle.result()).outcome == "completed"
    assert sorted(script.written) == [(part, page) for part in range(2 * PARTS) for page in (1, 2)]


async def test_a_pass_of_such_pages(environment: WorkflowEnvironment) -> None:
    """A page is handed on while the one before it is: each is written once, in its order."""
    script = Script(pages=2, body=LARGE)
    async with syncing(environment, script) as handle:
        result = await handle.execute_update(ConnectionSync.sync_now)
        first = environment.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
        events = (await first.fetch_history()).events
    assert (result.outcome, script.written) == ("completed", [1, 2])
    assert BODY_BYTES < max(asked_at_once(events)) < REQUEST_BYTES
