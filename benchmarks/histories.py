"""The runs of a workflow, from its first to the one it is in: each goes on in the next."""

from collections.abc import AsyncIterator

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowHistoryEventFilterType
from temporalio.client import WorkflowHandle as Handle


async def runs(client: Client, workflow_id: str) -> AsyncIterator[Handle[object, object]]:
    """A handle of each run, in order."""
    described = await client.get_workflow_handle(workflow_id).describe()
    run_id = described.raw_description.workflow_execution_info.first_run_id
    while run_id:
        handle: Handle[object, object] = client.get_workflow_handle(workflow_id, run_id=run_id)
        yield handle
        run_id = await _next_run(handle)


async def history_bytes(client: Client, workflow_id: str) -> float:
    """Bytes of the histories of all runs, as the server counts them."""
    return float(sum([_size(await run.describe()) async for run in runs(client, workflow_id)]))


def _size(described: WorkflowExecutionDescription) -> int:
    return described.raw_description.workflow_execution_info.history_size_bytes


async def _next_run(handle: Handle[object, object]) -> str:
    """The run that a run went on in; empty for the last."""
    if (await handle.describe()).close_time is None:  # to ask a run that goes on for its last event is to wait for it
        return ""
    closing = WorkflowHistoryEventFilterType.CLOSE_EVENT
    last = [event async for event in handle.fetch_history_events(event_filter_type=closing)]
    return last[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
