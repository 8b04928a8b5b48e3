"""How Temporal has a workflow: whether it runs, who paused it, and what keeps it from going on."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import Client
from temporalio.converter import WorkflowSerializationContext
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from contactsync.errors import ContactSyncError
from contactsync.workers.refusals import INTERNAL, refusal_of, sentence_of

_CALL: Final = timedelta(seconds=10)
_FAILS_FOR_GOOD: Final = 3
"""From this attempt on an activity counts as one that keeps failing."""

_HALTED: Final = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED
_RUNS: Final = frozenset({WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING, _HALTED})


@dataclass(frozen=True, slots=True)
class Trouble:
    """What an activity keeps failing with: a code of the closed list, its sentence, and how often it was tried."""

    code: str
    message: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Condition:
    """How Temporal has a workflow: `running`, `halted` by Temporal's own pause commands, what it keeps failing with."""

    running: bool
    halted: bool = False
    trouble: Trouble | None = None


async def condition_of(client: Client, workflow_id: str) -> Condition:
    """How Temporal has a workflow. A client without keys may ask too: sentences are the default ones then.

    Raises:
        TemporalUnavailable, TemporalRefused.
    """
    try:
        raw = (await client.get_workflow_handle(workflow_id).describe(rpc_timeout=_CALL)).raw_description
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return Condition(running=False)
        raise refusal_of(error) from None
    status = raw.workflow_execution_info.status
    return Condition(
        running=status in _RUNS,
        halted=status == _HALTED or any(pending.paused for pending in raw.pending_activities),
        trouble=await _found_trouble(client, workflow_id, raw),
    )


async def _found_trouble(client: Client, workflow_id: str, raw: DescribeWorkflowExecutionResponse) -> Trouble | None:
    attempts = raw.pending_workflow_task.attempt
    if attempts >= _FAILS_FOR_GOOD:
        return Trouble(INTERNAL, "the workers cannot run this workflow; their log says why", attempts)
    for pending in raw.pending_activities:
        if pending.attempt >= _FAILS_FOR_GOOD and pending.HasField("last_failure"):
            return await _trouble(client, workflow_id, pending)
    return None


async def _trouble(client: Client, workflow_id: str, pending: PendingActivityInfo) -> Trouble | None:
    message = await _message(client, workflow_id, pending.last_failure)
    code = pending.last_failure.application_failure_info.type
    return Trouble(code, message, pending.attempt) if code else None


async def _message(client: Client, workflow_id: str, failure: Failure) -> str:
    """The failure's own sentence; the default one of its type where it cannot be opened here."""
    converter = client.data_converter.with_context(
        WorkflowSerializationContext(namespace=client.namespace, workflow_id=workflow_id)
    )
    kept = Failure()
    kept.CopyFrom(failure)
    try:
        error = await converter.decode_failure(kept)
    except ContactSyncError:
        return sentence_of(failure.application_failure_info.type)
    return error.message if isinstance(error, ApplicationError) else sentence_of("")
