"""The live syncs as Temporal runs them: start, ask, steer and watch them. Every caller outside a workflow uses this."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from temporalio.api.enums.v1 import PendingActivityState, TaskQueueType, WorkflowExecutionStatus
from temporalio.api.failure.v1 import Failure
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkflowExecutionResponse,
    ResetActivityExecutionRequest,
)
from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
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
from temporalio.converter import WorkflowSerializationContext
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from contactsync.activities.messages import PassResult, PauseRequest, Progress, SyncArgs
from contactsync.codecs.payloads.connect import error_of
from contactsync.errors import (
    ContactSyncError,
    NoWorker,
    SourceThrottled,
    TemporalError,
    TemporalRefused,
    TemporalUnavailable,
)
from contactsync.identifiers import sync_workflow_id
from contactsync.workflows.connection_sync import ConnectionSync

TENANT_ATTRIBUTE: Final = SearchAttributeKey.for_keyword("ContactSyncTenant")
CONNECTION_ATTRIBUTE: Final = SearchAttributeKey.for_keyword("ContactSyncConnection")
SOURCE_ATTRIBUTE: Final = SearchAttributeKey.for_keyword("ContactSyncSource")
STATE_ATTRIBUTE: Final = SearchAttributeKey.for_keyword("ContactSyncState")
SEARCH_ATTRIBUTES: Final = (TENANT_ATTRIBUTE, CONNECTION_ATTRIBUTE, SOURCE_ATTRIBUTE, STATE_ATTRIBUTE)

Reason = Literal["operator", "maintenance", "credentials", "privacy"]

_CALL: Final = timedelta(seconds=10)
_QUERY: Final = timedelta(seconds=3)
_POLLED_WITHIN: Final = timedelta(seconds=90)
"""A worker's poll lasts a minute at most; one that was last seen before that is gone."""

_FAILS_FOR_GOOD: Final = 3
"""From this attempt on an activity counts as one that keeps failing."""

_HALTED: Final = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED
_RUNS: Final = frozenset({WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING, _HALTED})
_PATIENCE: Final = SourceThrottled.__name__
_LIVE_PRIORITY: Final = 2
_NOBODY_ANSWERS: Final = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION})

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
class Trouble:
    """What an activity keeps failing with: a code of the closed list, its sentence, and how often it was tried."""

    code: str
    message: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Condition:
    """How Temporal has a sync: `running`, `halted` by Temporal's own pause commands, and what it keeps failing with."""

    running: bool
    halted: bool = False
    trouble: Trouble | None = None


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
                search_attributes=_attributes(sync),
                priority=_priority(sync),
                rpc_timeout=_CALL,
            )

    async def sync_now(self, sync: Sync) -> WorkflowUpdateHandle[PassResult]:
        """Ask for a pass, starting the workflow if need be; returns once a worker has taken the request."""
        start = WithStartWorkflowOperation(
            ConnectionSync.run,
            _args(sync),
            id=sync.workflow_id,
            task_queue=self.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=_attributes(sync),
            priority=_priority(sync),
        )
        with temporal_errors():
            return await self.client.start_update_with_start_workflow(  # pyright: ignore[reportUnknownMemberType]
                ConnectionSync.sync_now,
                start_workflow_operation=start,
                wait_for_stage=WorkflowUpdateStage.ACCEPTED,
            )

    async def pause(self, sync: Sync, reason: Reason) -> bool:
        """Ask the workflow to pause; False where none runs."""
        return await self._signal(sync, PauseRequest(reason=reason))

    async def resume(self, sync: Sync) -> bool:
        """Ask the workflow to go on; False where none runs."""
        return await self._signal(sync, None)

    async def progress(self, sync: Sync) -> Progress | None:
        """Where the sync stands; None where no workflow runs, or no worker answers in time."""
        try:
            return await self._handle(sync).query(ConnectionSync.progress, rpc_timeout=_QUERY)
        except (RPCTimeoutOrCancelledError, WorkflowQueryFailedError):
            return None
        except RPCError as error:
            if error.status in _NOBODY_ANSWERS or isinstance(refusal_of(error), TemporalUnavailable):
                return None
            raise refusal_of(error) from None

    async def trouble(self, sync: Sync) -> Trouble | None:
        """What keeps the sync from going on; None where nothing does, or no workflow runs."""
        return (await self.condition(sync)).trouble

    async def condition(self, sync: Sync) -> Condition:
        """Whether the sync's workflow runs, and what keeps it from going on."""
        try:
            raw = (await self._handle(sync).describe(rpc_timeout=_CALL)).raw_description
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return Condition(running=False)
            raise refusal_of(error) from None
        status = raw.workflow_execution_info.status
        return Condition(
            running=status in _RUNS,
            halted=status == _HALTED or any(pending.paused for pending in raw.pending_activities),
            trouble=await self._found_trouble(sync, raw),
        )

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

    async def _found_trouble(self, sync: Sync, raw: DescribeWorkflowExecutionResponse) -> Trouble | None:
        attempts = raw.pending_workflow_task.attempt
        if attempts >= _FAILS_FOR_GOOD:
            return Trouble("InternalError", "the workers cannot run this sync's workflow; their log says why", attempts)
        for pending in raw.pending_activities:
            if pending.attempt >= _FAILS_FOR_GOOD and pending.HasField("last_failure"):
                return await self._trouble(sync, pending)
        return None

    async def _trouble(self, sync: Sync, pending: PendingActivityInfo) -> Trouble | None:
        message = await self._message(sync, pending.last_failure)
        code = pending.last_failure.application_failure_info.type
        return Trouble(code, message, pending.attempt) if code else None

    async def _message(self, sync: Sync, failure: Failure) -> str:
        """The failure's own sentence; the default one of its type where it cannot be opened here."""
        converter = self.client.data_converter.with_context(
            WorkflowSerializationContext(namespace=self.client.namespace, workflow_id=sync.workflow_id)
        )
        kept = Failure()
        kept.CopyFrom(failure)
        try:
            error = await converter.decode_failure(kept)
        except ContactSyncError:
            return sentence_of(failure.application_failure_info.type)
        return error.message if isinstance(error, ApplicationError) else sentence_of("")


def _waits_for_retry(pending: PendingActivityInfo) -> bool:
    """One that runs is left alone: a reset makes the server forget its attempt, which then times out."""
    scheduled = pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    return scheduled and pending.attempt > 1 and pending.last_failure.application_failure_info.type != _PATIENCE


def error_class(code: str) -> type[ContactSyncError]:
    """The class that a code of the closed list names; `ContactSyncError` for every other."""
    waiting: list[type[ContactSyncError]] = [ContactSyncError]
    while waiting:
        each = waiting.pop()
        if each.__name__ == code:
            return each
        waiting.extend(each.__subclasses__())
    return ContactSyncError


def sentence_of(code: str) -> str:
    """The default sentence of a code."""
    return (error_class(code).__doc__ or "").strip()


@contextmanager
def temporal_errors() -> Generator[None]:
    """Turns the client's errors into ours; their texts are dropped."""
    try:
        yield
    except RPCError as error:
        raise refusal_of(error) from None
    except RPCTimeoutOrCancelledError:
        raise TemporalUnavailable from None
    except (WorkflowUpdateFailedError, WorkflowFailureError):
        raise TemporalRefused("the sync's workflow was ended while it was waited for; start it again") from None


def refusal_of(error: RPCError) -> TemporalError:
    """What a failed call means; those that are about search attributes and namespaces say what to do."""
    if error.status is RPCStatusCode.INVALID_ARGUMENT and "search attribute" in error.message:
        return TemporalRefused("Temporal does not know contactsync's search attributes; run `contactsync migrate`")
    if error.status is RPCStatusCode.NOT_FOUND and "amespace" in error.message:
        return TemporalRefused("there is no such Temporal namespace; create it, or check the setting")
    return error_of(error)


def _args(sync: Sync) -> SyncArgs:
    return SyncArgs(tenant_id=sync.tenant_id, connection_id=sync.connection_id)


def _priority(sync: Sync) -> Priority:
    return Priority(priority_key=_LIVE_PRIORITY, fairness_key=str(sync.tenant_id))


def _attributes(sync: Sync) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [
            SearchAttributePair(TENANT_ATTRIBUTE, str(sync.tenant_id)),
            SearchAttributePair(CONNECTION_ATTRIBUTE, str(sync.connection_id)),
            SearchAttributePair(SOURCE_ATTRIBUTE, sync.kind),
        ]
    )
