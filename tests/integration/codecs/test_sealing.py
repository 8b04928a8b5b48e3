"""Sealing against a real Temporal: what it holds, what workers take, what replays."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ListWorkersRequest, SignalWorkflowExecutionRequest
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer, Worker
from tests.integration.codecs.everything import (
    Child,
    Everything,
    Failing,
    Paging,
    Said,
    echo,
    fail_after_heartbeat,
    fail_as_ours,
    planted,
)
from tests.integration.codecs.headers import HEADER, HeaderInterceptor
from tests.integration.codecs.histories import stored_events, unsealed
from tests.rings import ring_of

from contactsync.activities.messages import CleanPage, Page, PageHead
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.client_plugin import SealingPlugin
from contactsync.codecs.payloads.connect import connect
from contactsync.errors import TemporalRefused
from contactsync.workers.embedded.temporal import TemporalServer

TENANT, OTHER = uuid4(), uuid4()
PLANTED = range(1, 40)
WRITTEN_BY_CORE = {
    ("EVENT_TYPE_MARKER_RECORDED", b"json/plain"),  # which patches and local activities there were; no values
    ("EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", b"json/plain"),  # the names of the patches
}


@pytest.fixture(scope="module")
async def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    """Keys of two tenants."""
    return await ring_of(tmp_path_factory.mktemp("keys"), TENANT, OTHER)


@pytest.fixture(scope="module")
async def client(temporal_server: TemporalServer, ring: KeyRing) -> Client:
    """A sealing client."""
    return await connect(temporal_server.address, "default", ring)


@asynccontextmanager
async def working(client: Client) -> AsyncGenerator[str]:
    """A worker; its task queue."""
    queue = f"queue-{uuid4()}"
    activities: list[Callable[..., Awaitable[object]]] = [echo, fail_after_heartbeat, fail_as_ours]
    workflows = [Everything, Child, Failing]
    async with Worker(client, task_queue=queue, workflows=workflows, activities=activities):
        yield queue


async def start_everything(client: Client, queue: str, tenant: UUID = TENANT) -> WorkflowHandle[Everything, Said]:
    """Start the workflow that does it all; it waits for a signal."""
    return await client.start_workflow(
        Everything.run,
        Said(text=planted(20)),
        id=f"sync/{tenant}/{uuid4()}",
        task_queue=queue,
        memo={"memo": planted(21)},
        static_summary=planted(22),
        static_details=planted(23),
    )


async def until_next_run(handle: WorkflowHandle[Everything, Said], run_id: str) -> None:
    """Wait until another run has taken over."""
    async with asyncio.timeout(60):
        while (await handle.describe()).run_id == run_id:  # noqa: ASYNC110  # the server does not tell
            await asyncio.sleep(0.05)


async def until_task_fails(client: Client, workflow_id: str) -> list[str]:
    """The causes of failed workflow tasks, once there is one."""
    async with asyncio.timeout(30):
        while True:
            events = await stored_events(client, workflow_id)
            failed = [e for e in events if e.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED]
            if failed:
                return [event.workflow_task_failed_event_attributes.failure.message for event in failed]
            await asyncio.sleep(0.05)


async def test_temporal_holds_ciphertext_only(client: Client, ring: KeyRing) -> None:
    """Every payload of every kind is sealed, no planted string is in history, and the histories replay."""
    async with working(client) as queue:
        handle = await start_everything(client, queue)
        assert await handle.query(Everything.heard, Said(text=planted(24))) == [planted(24)]
        assert await handle.execute_update(Everything.tell, Said(text=planted(25))) == Said(text=planted(25))
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(Everything.tell, Said(text=planted(26), run=99))
        first_run = (await handle.describe()).run_id
        await handle.signal(Everything.hear, Said(text=planted(27)))
        await until_next_run(handle, first_run)
        await handle.signal(Everything.hear, Said(text=planted(28)))
        assert (await handle.result()).text == planted(20) + planted(2)
        described = await client.get_workflow_handle(handle.id, run_id=first_run).describe()
        assert await described.memo() == {"memo": planted(21), "later": planted(8)}
        assert await described.static_summary() == planted(22)

    runs = [await stored_events(client, handle.id, first_run), await stored_events(client, handle.id)]
    child = await stored_events(client, f"{handle.id}/1")
    assert {found for events in [*runs, child] for found in unsealed(events)} == WRITTEN_BY_CORE
    for events in [*runs, child]:
        texts = b"".join(event.SerializeToString() for event in events)
        assert [number for number in PLANTED if planted(number).encode() in texts] == []
    seen = {EventType.Name(event.event_type) for event in runs[0]}
    assert seen >= {
        "EVENT_TYPE_MARKER_RECORDED",
        "EVENT_TYPE_ACTIVITY_TASK_FAILED",
        "EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED",
        "EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
        "EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
    }

    replayer = Replayer(workflows=[Everything, Child], plugins=[SealingPlugin(ring)], namespace="default")
    for run_id in (first_run, None):
        history = await client.get_workflow_handle(handle.id, run_id=run_id).fetch_history()
        await replayer.replay_workflow(history)


async def test_the_positive_control_finds_what_is_not_sealed(temporal_server: TemporalServer) -> None:
    """Without the plugin the same search finds the strings: it is able to."""
    plain = await Client.connect(temporal_server.address)
    handle = await plain.start_workflow("Nobody", planted(20), id=f"plain-{uuid4()}", task_queue="nobody")
    events = await stored_events(plain, handle.id)
    await handle.terminate()
    assert unsealed(events)
    assert planted(20).encode() in b"".join(event.SerializeToString() for event in events)


async def test_p24_errors_of_our_own_arrive_with_their_type_only(client: Client) -> None:
    """Types are of the closed list on both sides, and a workflow's own failure says nothing in clear."""
    async with working(client) as queue:
        handle = await client.start_workflow(
            "Failing", Said(text=planted(29)), id=f"sync/{TENANT}/{uuid4()}", task_queue=queue
        )
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        assert isinstance(caught.value.cause, ApplicationError)
        assert caught.value.cause.type == "InternalError"
        events = await stored_events(client, handle.id)
        closing = events[-1].workflow_execution_failed_event_attributes.failure
        assert (closing.message, closing.stack_trace) == ("Encoded failure", "")
        assert unsealed(events) == []


async def test_p25_injected_plaintext_is_not_taken(client: Client) -> None:
    """A plain signal written past our client fails the workflow task with a constant text; nothing is run with it."""
    async with working(client) as queue:
        handle = await start_everything(client, queue)
        await inject_signal(client, handle.id, Payload(metadata={"encoding": b"json/plain"}, data=b'{"text":"x"}'))
        assert set(await until_task_fails(client, handle.id)) == {"Encoded failure"}
        await handle.terminate()


async def test_p25_a_foreign_tenants_payload_is_not_taken(client: Client) -> None:
    """A payload sealed for another tenant, written past our client, is refused in the same way."""
    foreign = await stolen_argument(client, OTHER)
    async with working(client) as queue:
        handle = await start_everything(client, queue)
        await inject_signal(client, handle.id, foreign)
        assert set(await until_task_fails(client, handle.id)) == {"Encoded failure"}
        await handle.terminate()


async def stolen_argument(client: Client, tenant: UUID) -> Payload:
    """The sealed argument of a tenant's workflow, as the server has it."""
    handle = await start_everything(client, "nobody", tenant)
    events = await stored_events(client, handle.id)
    await handle.terminate()
    return events[0].workflow_execution_started_event_attributes.input.payloads[0]


async def inject_signal(client: Client, workflow_id: str, payload: Payload) -> None:
    """Signal with a payload as it is, past the codec."""
    await client.workflow_service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            signal_name="hear",
            input=Payloads(payloads=[payload]),
        )
    )


async def test_update_with_start_is_sealed(client: Client) -> None:
    """The way in which syncs are started seals too."""
    async with working(client) as queue:
        start = WithStartWorkflowOperation(
            Everything.run,
            Said(text=planted(30)),
            id=f"sync/{TENANT}/{uuid4()}",
            task_queue=queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        told = await client.execute_update_with_start_workflow(
            Everything.tell, Said(text=planted(31)), start_workflow_operation=start
        )
        assert told == Said(text=planted(31))
        handle = await start.workflow_handle()
        assert unsealed(await stored_events(client, handle.id)) == []
        await handle.terminate()


async def test_headers_are_sealed_too(client: Client) -> None:
    """What an interceptor sends beside an activity's arguments arrives as sent, and is ciphertext on its way."""
    headers, queue = HeaderInterceptor(), f"queue-{uuid4()}"
    async with Worker(client, task_queue=queue, workflows=[Failing], activities=[echo], interceptors=[headers]):
        handle = await client.start_workflow("Failing", Said(text="x"), id=f"sync/{TENANT}/{uuid4()}", task_queue=queue)
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    events = await stored_events(client, handle.id)
    scheduled = [event for event in events if event.HasField("activity_task_scheduled_event_attributes")]
    assert [dict(arrived) for arrived in headers.arrived] == [{"trace": HEADER}]
    assert "trace" in scheduled[0].activity_task_scheduled_event_attributes.header.fields
    assert unsealed(events) == []


async def test_a_workflow_reads_heads_and_hands_bodies_on(client: Client) -> None:
    """The sandbox shares our message classes, or pages would be of a class that the converter does not know."""
    ids = {"tenant_id": TENANT, "connection_id": uuid4(), "epoch": 1, "page": 1, "cursor": b"x", "done": True}
    head = PageHead.model_validate({**ids, "full": True, "generation": 1, "changes": 1, "downloaded": 1})
    queue = f"queue-{uuid4()}"
    async with Worker(client, task_queue=queue, workflows=[Paging]), asyncio.timeout(20):
        clean = await client.execute_workflow(
            Paging.run, Page(head, b"\xffbody"), id=f"sync/{TENANT}/{uuid4()}", task_queue=queue
        )
    assert clean == CleanPage(head.model_copy(update={"page": 2}), b"\xffbody")


async def test_workers_report_nothing_of_their_host(client: Client) -> None:
    """The server is told of no worker's host, process or platform: there are no worker heartbeats."""
    async with working(client) as queue:
        handle = await start_everything(client, queue)
        await handle.query(Everything.heard, Said(text="x"))
        await handle.terminate()
    workers = await client.workflow_service.list_workers(ListWorkersRequest(namespace=client.namespace))
    assert [worker for worker in workers.workers_info if worker.worker_heartbeat.task_queue == queue] == []


async def test_an_id_without_a_tenant_starts_nothing(client: Client) -> None:
    """A workflow whose id names no tenant cannot be started: there is nothing to seal its arguments for."""
    with pytest.raises(Exception, match="no tenant to seal for"):
        await client.start_workflow(Everything.run, Said(text=planted(32)), id=f"x-{uuid4()}", task_queue="nobody")


async def test_identity_tells_nothing_of_the_host(client: Client) -> None:
    """Neither host name nor process id is in what the server keeps about who did what."""
    async with working(client) as queue:
        handle = await start_everything(client, queue)
        await handle.query(Everything.heard, Said(text="x"))
        started = (await stored_events(client, handle.id))[0].workflow_execution_started_event_attributes
        assert started.identity == client.identity
        assert started.identity.startswith("contactsync-")
        assert "@" not in started.identity
        await handle.terminate()


async def test_a_namespace_that_is_not_there_is_refused(temporal_server: TemporalServer, ring: KeyRing) -> None:
    """A wrong namespace gives one sentence at once, not a worker that polls for nothing."""
    with pytest.raises(TemporalRefused, match="no such namespace"):
        await connect(temporal_server.address, "not-there", ring)
