"""The live syncs as Temporal runs them: start, ask, steer and watch them. Every caller outside a workflow uses this."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from temporalio.api.enums.v1 import PendingActivityState, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    ResetActivityExecutionRequest,
)
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowHandle,
    WorkflowUpdateHandle,
    WorkflowUpdateStage,
)
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
)
from temporalio.service import RPCError, RPCStatusCode

from contactsync.activities.messages import (
    DeleteDecision,
    DeletesDecided,
    PassResult,
    PassWanted,
    PauseRequest,
    Progress,
    SyncArgs,
)
from contactsync.errors import (
    NoWorker,
    SourceThrottled,
    TemporalUnavailable,
)
from contactsync.identifiers import sync_workflow_id
from contactsync.workers.conditions import Condition, Trouble, condition_of
from contactsync.workers.refusals import answered, refusal_of, temporal_errors
from contactsync.workflows.connection_sync import UNDER_WAY, ConnectionSync
from contactsync.workflows.state_attribute import STATE_ATTRIBUTE

TENANT_ATTRIBUTE: Final = SearchAttributeKey.for_keyword("ContactSyncTenant")
CONNECTION_ATTRIBUTE: Final = SearchAttributeKey.for_keyword("ContactSyncConnection")
SOURCE_ATTRIBUTE: Final = SearchAttributeKey.for_keyword("ContactSyncSource")
SEARCH_ATTRIBUTES: Final = (TENANT_ATTRIBUTE, CONNECTION_ATTRIBUTE, SOURCE_ATTRIBUTE, STATE_ATTRIBUTE)

Reason = Literal["operator", "maintenance", "credentials", "privacy"]

_CALL: Final = timedelta(seconds=10)
_QUERY: Final = timedelta(seconds=3)
_POLLED_WITHIN: Final = timedelta(seconds=90)
"""A worker's poll lasts a minute at most; one that was last seen before that is gone."""

_PATIENCE: Final = SourceThrottled.__name__
_LIVE_PRIORITY: Final = 2
SyncHandle = WorkflowHandle[ConnectionSync, None]


@dataclass(frozen=True, slots=True)
class Sync:
    """A connection, as much of it as its workflow is started with."""

    tenant_id: UUID
    connection_id: UUID
    kind: str

    @property
    def workflow_id(self) -> str:
        """See `sync_workflow_id`."""
        return sync_workflow_id(self.tenant_id, self.connection_id)


@dataclass(frozen=True, slots=True)
class Syncs:
    """All live syncs of a namespace. Every method raises TemporalUnavailable and TemporalRefused."""

    client: Client
    task_queue: str

    async def start(self, sync: Sync) -> None:
        """Start the connection's workflow unless it runs."""
        with temporal_errors():
            await self.client.start_workflow(
                ConnectionSync.run,
                _args(sync),
                id=sync.workflow_id,
                task_queue=self.task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                search_attributes=attributes_of(sync),
                priority=_priority(sync),
                rpc_timeout=_CALL,
            )

    async def sync_now(self, sync: Sync) -> WorkflowUpdateHandle[PassResult]:
        """Ask for a pass, starting the workflow if need be; returns once a worker has taken the request."""
        with temporal_errors():
            return await self.client.start_update_with_start_workflow(  # pyright: ignore[reportUnknownMemberType]
                ConnectionSync.sync_now,
                start_workflow_operation=self._start_operation(sync),
                wait_for_stage=WorkflowUpdateStage.ACCEPTED,
            )

    async def result(self, sync: Sync, handle: WorkflowUpdateHandle[PassResult]) -> PassResult:
        """What the pass did that was asked for with `sync_now`, also where the workflow goes on in another run."""
        with temporal_errors():
            result = await handle.result()
            while result.outcome == UNDER_WAY:
                result = await self._handle(sync).execute_update(
                    ConnectionSync.await_pass, PassWanted(number=result.number)
                )
        return result

    async def decide(self, sync: Sync, decision: DeleteDecision, *, approve: bool) -> DeletesDecided:
        """Approve or reject held deletions, starting the workflow if need be; it works while the sync is paused, too.

        Raises:
            HoldNotFound: no such deletions are held any more.
        """
        with temporal_errors():
            return await self.client.execute_update_with_start_workflow(  # pyright: ignore[reportUnknownMemberType]
                ConnectionSync.approve_deletes if approve else ConnectionSync.reject_deletes,
                decision,
                start_workflow_operation=self._start_operation(sync),
            )

    async def pause(self, sync: Sync, reason: Reason) -> bool:
        """Ask the workflow to pause; False where none runs."""
        return await self._signal(sync, PauseRequest(reason=reason))

    async def resume(self, sync: Sync) -> bool:
        """Ask the workflow to go on; False where none runs."""
        return await self._signal(sync, None)

    async def progress(self, sync: Sync) -> Progress | None:
        """Where the sync stands; None where no workflow runs, or no worker answers in time."""
        return await answered(self._handle(sync).query(ConnectionSync.progress, rpc_timeout=_QUERY))

    async def trouble(self, sync: Sync) -> Trouble | None:
        """What keeps the sync from going on; None where nothing does, or no workflow runs."""
        return (await self.condition(sync)).trouble

    async def condition(self, sync: Sync) -> Condition:
        """Whether the sync's workflow runs, and what keeps it from going on."""
        return await condition_of(self.client, sync.workflow_id)

    async def try_now(self, sync: Sync) -> None:
        """Have what waits for its next attempt tried at once; a source that asked for patience is left alone.

        Servers that cannot do this, or do not let us, go on at their own pace.
        """
        try:
            raw = (await self._handle(sync).describe(rpc_timeout=_CALL)).raw_description
            for pending in raw.pending_activities:
                if _waits_for_retry(pending):
                    await self.client.workflow_service.reset_activity_execution(
                        ResetActivityExecutionRequest(
                            namespace=self.client.namespace,
                            workflow_id=sync.workflow_id,
                            activity_id=pending.activity_id,
                            identity=self.client.identity,
                        ),
                        timeout=_CALL,
                    )
        except RPCError as error:
            if isinstance(refusal_of(error), TemporalUnavailable):
                raise TemporalUnavailable from None

    async def worker_polls(self) -> bool:
        """Whether a worker has lately asked for work of both sorts."""
        for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
            request = DescribeTaskQueueRequest(
                namespace=self.client.namespace, task_queue=TaskQueue(name=self.task_queue), task_queue_type=kind
            )
            with temporal_errors():
                answer = await self.client.workflow_service.describe_task_queue(request, timeout=_CALL)
            oldest = datetime.now(UTC) - _POLLED_WITHIN
            if not any(poller.last_access_time.ToDatetime(UTC) >= oldest for poller in answer.pollers):
                return False
        return True

    async def require_worker(self) -> None:
        """Return if a worker is there.

        Raises:
            NoWorker: there is none.
        """
        if not await self.worker_polls():
            raise NoWorker

    def _start_operation(self, sync: Sync) -> WithStartWorkflowOperation[ConnectionSync, None]:
        return WithStartWorkflowOperation(
            ConnectionSync.run,
            _args(sync),
            id=sync.workflow_id,
            task_queue=self.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=attributes_of(sync),
            priority=_priority(sync),
        )

    def _handle(self, sync: Sync) -> SyncHandle:
        return self.client.get_workflow_handle_for(ConnectionSync.run, sync.workflow_id)

    async def _signal(self, sync: Sync, pause: PauseRequest | None) -> bool:
        handle = self._handle(sync)
        try:
            if pause is not None:
                await handle.signal(ConnectionSync.pause, pause, rpc_timeout=_CALL)
            else:
                await handle.signal(ConnectionSync.resume, rpc_timeout=_CALL)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise refusal_of(error) from None
        return True


def _waits_for_retry(pending: PendingActivityInfo) -> bool:
    """One that runs is left alone: a reset makes the server forget its attempt, which then times out."""
    scheduled = pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    return scheduled and pending.attempt > 1 and pending.last_failure.application_failure_info.type != _PATIENCE


def _args(sync: Sync) -> SyncArgs:
    return SyncArgs(tenant_id=sync.tenant_id, connection_id=sync.connection_id)


def _priority(sync: Sync) -> Priority:
    return Priority(priority_key=_LIVE_PRIORITY, fairness_key=str(sync.tenant_id))


def attributes_of(sync: Sync) -> TypedSearchAttributes:
    """By which Temporal Web finds the workflows of a connection."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(TENANT_ATTRIBUTE, str(sync.tenant_id)),
            SearchAttributePair(CONNECTION_ATTRIBUTE, str(sync.connection_id)),
            SearchAttributePair(SOURCE_ATTRIBUTE, sync.kind),
        ]
    )
