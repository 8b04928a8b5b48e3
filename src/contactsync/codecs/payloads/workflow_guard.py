"""Stands before what workflows send: what travels in clear has a closed form, or the workflow task fails.

Every method raises SealRefused, which Temporal takes for a bug of the code: the workflow stands until it is mended.
Search attributes and patches that a workflow sets by itself do not pass here; a test of the house looks after them.
"""

from typing import Any, NoReturn

from temporalio.worker import (
    ContinueAsNewInput,
    SignalChildWorkflowInput,
    SignalExternalWorkflowInput,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    StartNexusOperationInput,
    WorkflowInboundInterceptor,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle, ChildWorkflowHandle

from contactsync.codecs.payloads import forms
from contactsync.errors import SealRefused

# Any is the type that the SDK gives to whatever a workflow takes and returns
# ruff: noqa: A002, ARG002


class WorkflowGuard(WorkflowInboundInterceptor):
    """Puts `_Outbound` before every command."""

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        """Stand nearest to the server."""
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        forms.check_name(input.activity, None)
        forms.check_absent(input.activity_id)
        forms.check_absent(input.event_groups)
        forms.check_task_queue(input.task_queue)
        forms.check_names(input.headers)
        forms.check_retries(input.retry_policy)
        forms.check_priority(input.priority)
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> ActivityHandle[Any]:
        forms.check_name(input.activity, None)
        forms.check_absent(input.activity_id)
        forms.check_absent(input.event_groups)
        forms.check_names(input.headers)
        forms.check_retries(input.retry_policy)
        return super().start_local_activity(input)

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> ChildWorkflowHandle[Any, Any]:
        forms.check_workflow_id(input.id)
        forms.check_name(input.workflow, None)
        forms.check_task_queue(input.task_queue)
        forms.check_names(input.memo or ())
        forms.check_names(input.headers)
        forms.check_attributes(input.search_attributes)
        forms.check_retries(input.retry_policy)
        forms.check_priority(input.priority)
        forms.check_absent(input.cron_schedule)
        forms.check_absent(input.versioning_override)
        forms.check_absent(input.event_groups)
        return await super().start_child_workflow(input)

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        if input.workflow is not None:
            forms.check_name(input.workflow, None)
        forms.check_task_queue(input.task_queue)
        forms.check_names(input.memo or ())
        forms.check_attributes(input.search_attributes)
        forms.check_retries(input.retry_policy)
        forms.check_absent(input.event_groups)
        super().continue_as_new(input)

    async def signal_child_workflow(self, input: SignalChildWorkflowInput) -> None:
        forms.check_name(input.signal, None)
        forms.check_absent(input.event_groups)
        await super().signal_child_workflow(input)

    async def signal_external_workflow(self, input: SignalExternalWorkflowInput) -> None:
        forms.check_workflow_id(input.workflow_id)
        forms.check_name(input.signal, None)
        forms.check_absent(input.event_groups)
        await super().signal_external_workflow(input)

    async def start_nexus_operation(self, input: StartNexusOperationInput[Any, Any]) -> NoReturn:
        """Never: it leaves for a place that has other keys."""
        raise SealRefused
