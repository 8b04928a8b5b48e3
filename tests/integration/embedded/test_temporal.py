"""The embedded Temporal server."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from temporalio.api.common.v1 import Priority, WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueRequest,
    StartWorkflowExecutionRequest,
)
from temporalio.service import ConnectConfig, ServiceClient

from contactsync.workers.embedded.temporal import TemporalServer

POLL = timedelta(seconds=30)
BIG, LATE, FIRST = 120, 12, 20


async def test_fairness_is_on(temporal_server: TemporalServer) -> None:
    """Tenants with little to do, who come late, do not wait until a big backlog is done (who is next is drawn)."""
    client = await _client(temporal_server)
    queue = f"fairness-{uuid4()}"
    late = [f"late-{number}" for number in range(LATE)]
    await _backlog(client, temporal_server.namespace, queue, ["big"] * BIG)
    await _backlog(client, temporal_server.namespace, queue, late)
    first = [await _next_tenant(client, temporal_server.namespace, queue) for _ in range(FIRST)]
    assert any(tenant in late for tenant in first)


async def _client(server: TemporalServer) -> ServiceClient:
    return await ServiceClient.connect(ConnectConfig(target_host=server.address))


async def _backlog(client: ServiceClient, namespace: str, queue: str, tenants: Sequence[str]) -> None:
    requests = [
        StartWorkflowExecutionRequest(
            namespace=namespace,
            workflow_id=f"{tenant}/{number}/{uuid4()}",
            workflow_type=WorkflowType(name="Nothing"),
            task_queue=TaskQueue(name=queue),
            request_id=str(uuid4()),
            priority=Priority(fairness_key=tenant),
        )
        for number, tenant in enumerate(tenants)
    ]
    await asyncio.gather(*map(client.workflow_service.start_workflow_execution, requests))


async def _next_tenant(client: ServiceClient, namespace: str, queue: str) -> str:
    request = PollWorkflowTaskQueueRequest(namespace=namespace, task_queue=TaskQueue(name=queue), identity="test")
    answer = await client.workflow_service.poll_workflow_task_queue(request, timeout=POLL)
    return answer.workflow_execution.workflow_id.partition("/")[0]
