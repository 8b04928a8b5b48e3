"""A time-skipping Temporal, a worker with scripted activities, and a running sync."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final
from uuid import UUID, uuid4

from temporalio.api.enums.v1 import EventType, IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from tests.binaries import time_skipping_server
from tests.integration.workflows.scripted import Script
from tests.integration.workflows.scripted_backfill import BackfillScript

from contactsync.activities.messages import BackfillArgs, BackfillResult, PassResult, PassWanted, SyncArgs
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.client_plugin import SealingPlugin
from contactsync.identifiers import backfill_workflow_id, sync_workflow_id
from contactsync.workers.embedded.installed import temporal_program
from contactsync.workers.embedded.temporal import TemporalServer
from contactsync.workers.search_attributes import add_missing_attributes
from contactsync.workers.syncs import SEARCH_ATTRIBUTES
from contactsync.workflows.backfill import Backfill
from contactsync.workflows.connection_sync import UNDER_WAY, ConnectionSync

TENANT: Final = UUID("5b0f8f0e-6a53-4c0e-9d5f-0d6f4f0c7d11")
CONNECTION: Final = UUID("0c8f5d1a-93f0-4c3a-8a53-64a5a4f6f0a2")
NOT_BY_ITSELF: Final = 4e9
"""A due time in the far future: the first pass starts when the test asks for it."""

Handle = WorkflowHandle[ConnectionSync, None]
BackfillHandle = WorkflowHandle[Backfill, BackfillResult]


@asynccontextmanager
async def time_skipping(ring: KeyRing) -> AsyncGenerator[WorkflowEnvironment]:
    """A time-skipping Temporal whose clients seal with `ring`."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=time_skipping_server(), plugins=[SealingPlugin(ring)]
    ) as environment:
        await know_attributes(environment)
        yield environment


async def on_server(server: TemporalServer, ring: KeyRing) -> WorkflowEnvironment:
    """A real Temporal whose clients seal with `ring`."""
    client = await Client.connect(server.address, namespace=server.namespace, plugins=[SealingPlugin(ring)])
    await add_missing_attributes(client)
    return WorkflowEnvironment.from_client(client)


@asynccontextmanager
async def suggesting_server(ring: KeyRing) -> AsyncGenerator[WorkflowEnvironment]:
    """A real Temporal that suggests a new run at 60 events; its clients seal with `ring`."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(temporal_program()),
        dev_server_extra_args=["--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=60"],
        plugins=[SealingPlugin(ring)],
    ) as server:
        await know_attributes(server)
        yield server


async def know_attributes(environment: WorkflowEnvironment) -> None:
    """Make our search attributes; the time-skipping server can add them, but not list them."""
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    request = AddSearchAttributesRequest(
        namespace=environment.client.namespace,
        search_attributes={key.name: keyword for key in SEARCH_ATTRIBUTES},
    )
    await environment.client.operator_service.add_search_attributes(request)


@asynccontextmanager
async def syncing(environment: WorkflowEnvironment, script: Script, **args: object) -> AsyncGenerator[Handle]:
    """A worker with the script, and a running sync whose first pass waits to be asked for."""
    args = {"next_due": NOT_BY_ITSELF} | args
    queue = f"queue-{uuid4()}"
    activities: list[Callable[..., Awaitable[object]]] = [
        script.open_pass,
        script.fetch_page,
        script.sanitize_page,
        script.upsert_page,
        script.upsert_in_turn,
        script.close_pass,
        script.set_paused,
        script.decide_deletes,
    ]
    async with Worker(environment.client, task_queue=queue, workflows=[ConnectionSync], activities=activities):
        handle = await environment.client.start_workflow(
            ConnectionSync.run,
            SyncArgs.model_validate({"tenant_id": TENANT, "connection_id": CONNECTION, **args}),
            id=sync_workflow_id(TENANT, uuid4()),
            task_queue=queue,
        )
        try:
            yield handle
        finally:
            with suppress(RPCError):  # a test may have ended it
                await handle.terminate()


async def result_of(environment: WorkflowEnvironment, handle: Handle, asked: PassResult) -> PassResult:
    """What the pass did that somebody asked for, in whichever run it ends."""
    latest = environment.client.get_workflow_handle_for(ConnectionSync.run, handle.id)
    while asked.outcome == UNDER_WAY:
        asked = await latest.execute_update(ConnectionSync.await_pass, PassWanted(number=asked.number))
    return asked


@asynccontextmanager
async def backfilling(
    environment: WorkflowEnvironment, script: BackfillScript, *, cached: int = 100, **args: object
) -> AsyncGenerator[BackfillHandle]:
    """A worker with the script that keeps so many workflows in memory, and a running backfill."""
    queue = f"queue-{uuid4()}"
    activities: list[Callable[..., Awaitable[object]]] = [
        script.open_backfill,
        script.fetch_page,
        script.sanitize_page,
        script.upsert_page,
        script.set_backfill_paused,
        script.close_backfill,
    ]
    async with Worker(
        environment.client,
        task_queue=queue,
        workflows=[Backfill],
        activities=activities,
        max_cached_workflows=cached,
    ):
        handle = await environment.client.start_workflow(
            Backfill.run,
            BackfillArgs.model_validate(
                {"tenant_id": TENANT, "connection_id": CONNECTION, "backfill_id": uuid4(), **args}
            ),
            id=backfill_workflow_id(TENANT, uuid4(), 1),
            task_queue=queue,
        )
        try:
            yield handle
        finally:
            with suppress(RPCError):  # most have ended
                await handle.terminate()


async def failure_in(handle: Handle) -> None:
    """Wait until the history tells of an activity that failed for good."""
    failed = EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED
    async with asyncio.timeout(20):
        while failed not in {event.event_type for event in (await handle.fetch_history()).events}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def scheduled_in(handle: Handle) -> list[str]:
    """The activities that the history tells of, in order."""
    events = (await handle.fetch_history()).events
    scheduled = [event.activity_task_scheduled_event_attributes.activity_type.name for event in events]
    return [name for name in scheduled if name]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, at most 20 seconds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # a condition on what activities wrote; nobody signals it
            await asyncio.sleep(0.01)
