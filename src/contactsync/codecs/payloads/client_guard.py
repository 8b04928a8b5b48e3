"""Stands before every call of a client: what travels in clear has a closed form, or the call is not made.

Every method raises SealRefused. Calls of the raw service (`client.workflow_service`) do not pass here.
"""

from collections.abc import Awaitable, Collection, Mapping
from inspect import isawaitable
from typing import Any, Final, NoReturn

from temporalio.client import (
    BackfillScheduleInput,
    CancelWorkflowInput,
    CountWorkflowsInput,
    CreateScheduleInput,
    DeleteScheduleInput,
    DescribeScheduleInput,
    DescribeWorkflowInput,
    FetchWorkflowHistoryEventsInput,
    ListSchedulesInput,
    ListWorkflowsInput,
    OutboundInterceptor,
    PauseScheduleInput,
    QueryWorkflowInput,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAsyncIterator,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
    SignalWorkflowInput,
    StartActivityInput,
    StartNexusOperationInput,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    StartWorkflowUpdateWithStartInput,
    TerminateWorkflowInput,
    TriggerScheduleInput,
    UnpauseScheduleInput,
    UpdateScheduleInput,
    UpdateWithStartStartWorkflowInput,
    WorkflowExecutionAsyncIterator,
    WorkflowExecutionCount,
    WorkflowExecutionDescription,
    WorkflowHandle,
    WorkflowHistoryEventAsyncIterator,
    WorkflowUpdateHandle,
)

from contactsync.codecs.payloads import forms
from contactsync.errors import SealRefused

# Any is the type that the SDK gives to whatever a workflow takes and returns
# ruff: noqa: A002, ANN401, ARG002


class ClientGuard(OutboundInterceptor):
    """`names`: the workflows, signals, queries and updates there are; None: any name that code could have."""

    def __init__(self, next: OutboundInterceptor, names: Collection[str] | None) -> None:
        super().__init__(next)
        self._names: Final = names

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        """Ids, names, search attributes, keys; no cron expression, no gRPC metadata."""
        self._check_start(input)
        forms.check_absent(input.rpc_metadata)
        if input.start_signal:
            forms.check_name(input.start_signal, self._names)
        return await super().start_workflow(input)

    async def start_update_with_start_workflow(
        self, input: StartWorkflowUpdateWithStartInput
    ) -> WorkflowUpdateHandle[Any]:
        """As for a start and an update."""
        self._check_start(input.start_workflow_input)
        forms.check_absent(input.rpc_metadata)
        forms.check_names(input.update_workflow_input.headers)
        forms.check_update_id(input.update_workflow_input.update_id)
        forms.check_name(input.update_workflow_input.update, self._names)
        return await super().start_update_with_start_workflow(input)

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        """Ids and the update's name."""
        self._check_call(input.id, input.rpc_metadata, input.headers)
        forms.check_update_id(input.update_id)
        forms.check_name(input.update, self._names)
        return await super().start_workflow_update(input)

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        """The id and the signal's name."""
        self._check_call(input.id, input.rpc_metadata, input.headers)
        forms.check_name(input.signal, self._names)
        await super().signal_workflow(input)

    async def query_workflow(self, input: QueryWorkflowInput) -> Any:
        """The id and the query's name."""
        self._check_call(input.id, input.rpc_metadata, input.headers)
        forms.check_name(input.query, self._names)
        return await super().query_workflow(input)

    async def cancel_workflow(self, input: CancelWorkflowInput) -> None:
        """The id and the reason's code."""
        self._check_call(input.id, input.rpc_metadata)
        forms.check_reason(input.reason)
        await super().cancel_workflow(input)

    async def terminate_workflow(self, input: TerminateWorkflowInput) -> None:
        """The id and the reason's code."""
        self._check_call(input.id, input.rpc_metadata)
        forms.check_reason(input.reason)
        await super().terminate_workflow(input)

    async def describe_workflow(self, input: DescribeWorkflowInput) -> WorkflowExecutionDescription:
        """The id."""
        self._check_call(input.id, input.rpc_metadata)
        return await super().describe_workflow(input)

    def fetch_workflow_history_events(
        self, input: FetchWorkflowHistoryEventsInput
    ) -> WorkflowHistoryEventAsyncIterator:
        """The id."""
        self._check_call(input.id, input.rpc_metadata)
        return super().fetch_workflow_history_events(input)

    def list_workflows(self, input: ListWorkflowsInput) -> WorkflowExecutionAsyncIterator:
        """The query's literals."""
        forms.check_query(input.query, self._names)
        return super().list_workflows(input)

    async def count_workflows(self, input: CountWorkflowsInput) -> WorkflowExecutionCount:
        """The query's literals."""
        forms.check_query(input.query, self._names)
        return await super().count_workflows(input)

    async def create_schedule(self, input: CreateScheduleInput) -> ScheduleHandle:
        """Everything a schedule holds in clear; it has no memo of its own, since that would be for ever."""
        self._check_call(input.id, input.rpc_metadata)
        forms.check_absent(input.memo)
        forms.check_attributes(input.search_attributes)
        forms.check_reason(input.schedule.state.note)
        self._check_schedule(input.schedule)
        return await super().create_schedule(input)

    async def update_schedule(self, input: UpdateScheduleInput) -> None:
        """What the updater makes of the schedule."""
        self._check_call(input.id, input.rpc_metadata)
        updater = input.updater

        async def checked(old: ScheduleUpdateInput) -> ScheduleUpdate | None:
            note = old.description.schedule.state.note  # read first: updaters may change what they are given
            made = updater(old)
            update: ScheduleUpdate | None = await _awaited(made) if isawaitable(made) else made
            if update is not None:
                forms.check_attributes(update.search_attributes)
                if update.schedule.state.note != note:
                    forms.check_reason(update.schedule.state.note)
                self._check_schedule(update.schedule)
            return update

        input.updater = checked
        await super().update_schedule(input)

    async def pause_schedule(self, input: PauseScheduleInput) -> None:
        """The note's code; the SDK's own sentence where there is none."""
        self._check_call(input.id, input.rpc_metadata)
        forms.check_reason(input.note)
        await super().pause_schedule(input)

    async def unpause_schedule(self, input: UnpauseScheduleInput) -> None:
        """As `pause_schedule`."""
        self._check_call(input.id, input.rpc_metadata)
        forms.check_reason(input.note)
        await super().unpause_schedule(input)

    async def backfill_schedule(self, input: BackfillScheduleInput) -> None:
        """The id."""
        self._check_call(input.id, input.rpc_metadata)
        await super().backfill_schedule(input)

    async def delete_schedule(self, input: DeleteScheduleInput) -> None:
        """The id."""
        self._check_call(input.id, input.rpc_metadata)
        await super().delete_schedule(input)

    async def describe_schedule(self, input: DescribeScheduleInput) -> ScheduleDescription:
        """The id."""
        self._check_call(input.id, input.rpc_metadata)
        return await super().describe_schedule(input)

    async def trigger_schedule(self, input: TriggerScheduleInput) -> None:
        """The id."""
        self._check_call(input.id, input.rpc_metadata)
        await super().trigger_schedule(input)

    def list_schedules(self, input: ListSchedulesInput) -> ScheduleAsyncIterator:
        """The query's literals."""
        forms.check_query(input.query, self._names)
        return super().list_schedules(input)

    async def start_activity(self, input: StartActivityInput) -> NoReturn:
        """Never: an activity without a workflow has no tenant."""
        raise SealRefused

    async def start_nexus_operation(self, input: StartNexusOperationInput) -> NoReturn:
        """Never: it leaves for a place that has other keys."""
        raise SealRefused

    def _check_call(self, workflow_id: str, metadata: Mapping[str, str | bytes], headers: Collection[str] = ()) -> None:
        forms.check_workflow_id(workflow_id)
        forms.check_names(headers)
        forms.check_absent(metadata)

    def _check_start(self, start: StartWorkflowInput | UpdateWithStartStartWorkflowInput) -> None:
        forms.check_workflow_id(start.id)
        forms.check_name(start.workflow, self._names)
        forms.check_task_queue(start.task_queue)
        forms.check_names(start.memo or ())
        forms.check_names(start.headers)
        forms.check_attributes(start.search_attributes)
        forms.check_retries(start.retry_policy)
        forms.check_priority(start.priority)
        forms.check_absent(start.cron_schedule)
        forms.check_absent(start.versioning_override)

    def _check_schedule(self, schedule: Schedule) -> None:
        _check_spec(schedule.spec)
        action = schedule.action
        if not isinstance(action, ScheduleActionStartWorkflow):
            raise SealRefused
        forms.check_workflow_id(action.id)
        forms.check_name(action.workflow, self._names)
        forms.check_task_queue(action.task_queue)
        forms.check_names(action.memo or ())
        forms.check_attributes(action.typed_search_attributes)
        forms.check_attributes(action.untyped_search_attributes)
        forms.check_retries(action.retry_policy)
        forms.check_priority(action.priority)


def _check_spec(spec: ScheduleSpec) -> None:
    forms.check_absent(spec.cron_expressions)
    forms.check_absent(spec.time_zone_name)
    for calendar in (*spec.calendars, *spec.skip):
        forms.check_absent(calendar.comment)


async def _awaited(made: Awaitable[ScheduleUpdate | None]) -> ScheduleUpdate | None:
    return await made
