"""Channels that a client's calls about workflows have."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio.api.batch.v1 import BatchOperationTermination
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    PauseActivityRequest,
    ResetWorkflowExecutionRequest,
    StartBatchOperationRequest,
)
from temporalio.client import (
    AsyncActivityHandle,
    WithStartWorkflowOperation,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import (
    PinnedVersioningOverride,
    Priority,
    RetryPolicy,
    WorkerDeploymentVersion,
    WorkflowIDConflictPolicy,
)
from temporalio.service import RPCError
from tests.integration.leaks.carrier import Load, Said, attribute
from tests.integration.leaks.ground import Ground, Handle
from tests.integration.leaks.headers import header
from tests.integration.leaks.scanning import id_with
from tests.integration.leaks.table import Guard, Plant, Verdict, channel

SEALED, REFUSED, REPLACED = Verdict.SEALED, Verdict.REFUSED, Verdict.REPLACED
TYPED, ABSENT = Verdict.TYPED, Verdict.ABSENT
LATER = timedelta(hours=1)

RawCall = Callable[[Ground, str, str], Awaitable[None]]
Completion = Callable[[AsyncActivityHandle, str], Awaitable[None]]
Options = Callable[[str], dict[str, Any]]
Call = Callable[[Handle, str, Load], Awaitable[object]]
WithStart = Callable[[str, Load], tuple[str, object, dict[str, Any], Load, dict[str, Any]]]
"""The update's name, argument and options; the workflow's argument and options."""

# ruff: noqa: ARG005  # each lambda takes what it needs


def started(name: str, verdict: Verdict, guard: Guard, options: Options, *, bare: bool = True) -> None:
    """A row whose string is among the options of a start: `options` makes them from the string."""

    async def plant(ground: Ground, number: int) -> None:
        handle = await ground.start(**options(ground.text(number)))
        await ground.end(handle.id)

    channel(name, verdict, guard, bare=bare)(plant)


started("start: argument", SEALED, Guard.CODEC, lambda text: {"load": Load(deed=text), "task_queue": "nobody"})
started("start: memo", SEALED, Guard.CODEC, lambda text: {"memo": {"memo": text}})
started("start: key of the memo", REFUSED, Guard.KEYS, lambda text: {"memo": {text: "constant"}})
started("start: static summary", SEALED, Guard.CODEC, lambda text: {"static_summary": text})
started("start: static details", SEALED, Guard.CODEC, lambda text: {"static_details": text})
started("start: workflow id", REFUSED, Guard.IDS, lambda text: {"id": id_with(text)})
started("start: workflow type", REFUSED, Guard.NAMES, lambda text: {"workflow": text})
started("start: task queue", REFUSED, Guard.QUEUES, lambda text: {"task_queue": text + "@"})
started("start: search attribute", REFUSED, Guard.ATTRIBUTES, lambda text: {"search_attributes": attribute(text)})
started("start: fairness key", REFUSED, Guard.FAIRNESS, lambda text: {"priority": Priority(fairness_key=text)})
started(
    "start: error types of the retry policy",
    REFUSED,
    Guard.RETRIES,
    lambda text: {"retry_policy": RetryPolicy(non_retryable_error_types=[text])},
)
started(
    "start: version to run on",
    REFUSED,
    Guard.UNUSED,
    lambda text: {"versioning_override": PinnedVersioningOverride(WorkerDeploymentVersion(text, "1"))},
)
started("start: cron expression", REFUSED, Guard.UNUSED, lambda text: {"cron_schedule": text}, bare=False)
started("start: gRPC metadata", REFUSED, Guard.UNUSED, lambda text: {"rpc_metadata": {"said": text}}, bare=False)
started(
    "signal with start: argument",
    SEALED,
    Guard.CODEC,
    lambda text: {"start_signal": "hear", "start_signal_args": [Said(text=text)]},
)
started("signal with start: name", REFUSED, Guard.NAMES, lambda text: {"start_signal": text})


@channel("start: header", REFUSED, Guard.HEADERS)
async def _(ground: Ground, number: int) -> None:
    workflow_id = ground.new_id()
    ground.headers.of[workflow_id] = {"trace": header(ground.text(number))}
    await ground.start(id=workflow_id)
    await ground.end(workflow_id)


@channel("start: name of a header", REFUSED, Guard.KEYS, Guard.HEADERS)
async def _(ground: Ground, number: int) -> None:
    workflow_id = ground.new_id()
    ground.headers.of[workflow_id] = {ground.text(number): header("constant")}
    await ground.start(id=workflow_id)
    await ground.end(workflow_id)


def asked(name: str, verdict: Verdict, guard: Guard, call: Call, *, bare: bool = True) -> None:
    """A row whose string is in a call about a workflow that runs: `call(handle, string, load)` makes it."""

    async def plant(ground: Ground, number: int) -> None:
        handle = await ground.start()
        load = Load(number=number, token=ground.token)
        try:
            with suppress(WorkflowUpdateFailedError, WorkflowQueryFailedError, RPCError):
                await call(handle, ground.text(number), load)
        finally:
            await ground.end(handle.id)

    channel(name, verdict, guard, bare=bare)(plant)


def doing(deed: str, load: Load) -> Load:
    """The load with this deed."""
    return load.model_copy(update={"deed": deed})


asked("signal: argument", SEALED, Guard.CODEC, lambda handle, text, _: handle.signal("hear", Said(text=text)))
asked("signal: name", REFUSED, Guard.NAMES, lambda handle, text, _: handle.signal(text))
asked("query: argument", ABSENT, Guard.NONE, lambda h, text, _: h.query("asked", Said(text=text)), bare=False)
asked("query: answer", ABSENT, Guard.NONE, lambda handle, _, load: handle.query("ask", load), bare=False)
asked("query: failure", ABSENT, Guard.NONE, lambda h, _, load: h.query("ask", doing("fail", load)), bare=False)
asked("query: name", REFUSED, Guard.NAMES, lambda handle, text, _: handle.query(text), bare=False)
asked("update: argument", SEALED, Guard.CODEC, lambda h, text, _: h.execute_update("told", Said(text=text)))
asked("update: answer", SEALED, Guard.CODEC, lambda handle, _, load: handle.execute_update("tell", load))
asked("update: failure", SEALED, Guard.FAILURE_TEXT, lambda h, _, load: h.execute_update("tell", doing("fail", load)))
asked(
    "update: refusal by its validator",
    ABSENT,
    Guard.NONE,
    lambda handle, _, load: handle.execute_update("tell", doing("refuse", load)),
    bare=False,
)
asked("update: id", REFUSED, Guard.UPDATE_IDS, lambda h, text, load: h.execute_update("tell", load, id=text))
asked("update: name", REFUSED, Guard.NAMES, lambda handle, text, _: handle.execute_update(text), bare=False)
asked("cancel: reason", REFUSED, Guard.REASONS, lambda handle, text, _: handle.cancel(reason=text))
asked("terminate: reason", REFUSED, Guard.REASONS, lambda handle, text, _: handle.terminate(reason=text))
asked("terminate: details", SEALED, Guard.CODEC, lambda handle, text, _: handle.terminate(text))


async def _current_details(ground: Ground, number: int) -> str:
    handle = await ground.start("Carrier", Load(deed="details: current", number=number, token=ground.token))
    try:
        return str(await handle.query("__temporal_workflow_metadata"))
    finally:
        await ground.end(handle.id)


@channel("current details, which the server asks for", ABSENT, Guard.NONE, bare=False)
async def _(ground: Ground, number: int) -> None:
    await _current_details(ground, number)


def named(name: str, call: Callable[[Handle], Awaitable[object]]) -> None:
    """A row whose string is an id that a call asks for."""

    async def plant(ground: Ground, number: int) -> None:
        with suppress(RPCError):
            await call(ground.client.get_workflow_handle(id_with(ground.text(number))))

    channel(name, REFUSED, Guard.IDS)(plant)


named("describe: workflow id", lambda handle: handle.describe())
named("history: workflow id", lambda handle: handle.fetch_history())
named("signal: workflow id", lambda handle: handle.signal("hear", Said(text="constant")))
named("query: workflow id", lambda handle: handle.query("ask", Load()))
named("update: workflow id", lambda handle: handle.execute_update("tell", Load()))
named("cancel: workflow id", lambda handle: handle.cancel())
named("terminate: workflow id", lambda handle: handle.terminate())


def with_start(name: str, verdict: Verdict, guard: Guard, how: WithStart) -> None:
    """A row whose string is in an update with start: `how` makes the update's and the start's parts."""

    async def plant(ground: Ground, number: int) -> None:
        update, argument, options, load, options_of_start = how(
            ground.text(number), Load(number=number, token=ground.token)
        )
        given: dict[str, Any] = {
            "id": ground.new_id(),
            "task_queue": ground.queue,
            "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
            **options_of_start,
        }
        operation: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation("Quiet", load, **given)
        client: Any = ground.client
        try:
            await client.execute_update_with_start_workflow(
                update, argument, start_workflow_operation=operation, **options
            )
        finally:
            if "id" not in options_of_start:
                await ground.end(given["id"])

    channel(name, verdict, guard)(plant)


with_start(
    "update with start: argument", SEALED, Guard.CODEC, lambda text, load: ("told", Said(text=text), {}, Load(), {})
)
with_start("update with start: answer", SEALED, Guard.CODEC, lambda text, load: ("tell", load, {}, Load(), {}))
with_start(
    "update with start: argument of the workflow",
    SEALED,
    Guard.CODEC,
    lambda text, load: ("told", Said(text="constant"), {}, Load(token=text), {}),
)
with_start(
    "update with start: update's id",
    REFUSED,
    Guard.UPDATE_IDS,
    lambda text, load: ("told", Said(text="constant"), {"id": text}, Load(), {}),
)
with_start(
    "update with start: workflow id",
    REFUSED,
    Guard.IDS,
    lambda text, load: ("told", Said(text="constant"), {}, Load(), {"id": id_with(text)}),
)
with_start(
    "update with start: memo",
    SEALED,
    Guard.CODEC,
    lambda text, load: ("told", Said(text="constant"), {}, Load(), {"memo": {"memo": text}}),
)
with_start(
    "update with start: search attribute",
    REFUSED,
    Guard.ATTRIBUTES,
    lambda text, load: ("told", Said(text="constant"), {}, Load(), {"search_attributes": attribute(text)}),
)


@channel("visibility: literal of a query", REFUSED, Guard.NONE, bare=False)
async def _(ground: Ground, number: int) -> None:
    await ground.client.count_workflows(f"WorkflowId = '{ground.text(number)}'")


@channel("visibility: literal of a list's query", REFUSED, Guard.NONE, bare=False)
async def _(ground: Ground, number: int) -> None:
    _ = [run async for run in ground.client.list_workflows(f"WorkflowType = '{ground.text(number)}'")]


@channel("activity without a workflow: id", REFUSED, Guard.NO_TENANT, Guard.CODEC)
async def _(ground: Ground, number: int) -> None:
    await ground.client.start_activity(
        "take", Load(), id=ground.text(number), task_queue=ground.queue, start_to_close_timeout=LATER
    )


@channel("activity without a workflow: argument", REFUSED, Guard.NO_TENANT, Guard.CODEC)
async def _(ground: Ground, number: int) -> None:
    await ground.client.start_activity(
        "take", Said(text=ground.text(number)), id="constant", task_queue=ground.queue, start_to_close_timeout=LATER
    )


def raw(name: str) -> Callable[[RawCall], Plant]:
    """A row whose string is in a call of the raw service, which no interceptor sees."""

    def added(call: RawCall) -> Plant:
        async def plant(ground: Ground, number: int) -> None:
            handle = await ground.start("Carrier", Load(deed="later: x", number=0, token=ground.token))
            try:
                await _until_activity(handle)
                with suppress(RPCError):
                    await call(ground, handle.id, ground.text(number))
            finally:
                await ground.end(handle.id)

        return channel(name, TYPED, Guard.HOUSE)(plant)

    return added


async def _until_activity(handle: Handle) -> None:
    async with asyncio.timeout(30):
        while not (await handle.describe()).raw_description.pending_activities:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.03)


@raw("raw service: reason of a reset")
async def _(ground: Ground, workflow_id: str, text: str) -> None:
    await ground.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=ground.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            reason=text,
            workflow_task_finish_event_id=4,
            request_id="constant",
        )
    )


@raw("raw service: reason of a pause of an activity")
async def _(ground: Ground, workflow_id: str, text: str) -> None:
    await ground.client.workflow_service.pause_activity(
        PauseActivityRequest(
            namespace=ground.client.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id),
            id="1",
            reason=text,
        )
    )


@raw("raw service: reason of a batch operation")
async def _(ground: Ground, workflow_id: str, text: str) -> None:
    await ground.client.workflow_service.start_batch_operation(
        StartBatchOperationRequest(
            namespace=ground.client.namespace,
            job_id=f"batch-{workflow_id[-12:]}",
            reason=text,
            executions=[WorkflowExecution(workflow_id=workflow_id)],
            termination_operation=BatchOperationTermination(identity="constant"),
        )
    )


def completed(name: str, verdict: Verdict, call: Completion, *, bare: bool = True) -> None:
    """A row whose string is given by somebody else for an activity that waits for it."""

    async def plant(ground: Ground, number: int) -> None:
        handle = await ground.start("Carrier", Load(deed="later: x", number=0, token=ground.token))
        try:
            await _until_activity(handle)
            waiting = ground.client.get_async_activity_handle(workflow_id=handle.id, run_id=None, activity_id="1")
            with suppress(RPCError):
                await call(waiting, ground.text(number))
        finally:
            await ground.end(handle.id)

    channel(name, verdict, Guard.CODEC, bare=bare)(plant)


completed("activity completed from elsewhere: result", REFUSED, lambda waiting, text: waiting.complete(text))
completed("activity completed from elsewhere: heartbeat", REFUSED, lambda waiting, text: waiting.heartbeat(text))
completed(
    "activity completed from elsewhere: details of its cancellation",
    REFUSED,
    lambda waiting, text: waiting.report_cancellation(text),
    bare=False,
)
