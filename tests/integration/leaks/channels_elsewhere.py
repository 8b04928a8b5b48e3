"""Channels of schedules, of workers, of the codec's own errors, and of this process's log."""

import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleCalendarSpec,
    ScheduleHandle,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import Priority, RetryPolicy, WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig
from tests.integration.leaks.carrier import Load, attribute
from tests.integration.leaks.deeds import Carrier
from tests.integration.leaks.ground import Ground
from tests.integration.leaks.scanning import id_with
from tests.integration.leaks.table import Guard, Verdict, channel

SEALED, REFUSED, REPLACED, ABSENT = Verdict.SEALED, Verdict.REFUSED, Verdict.REPLACED, Verdict.ABSENT
Parts = Callable[[str], dict[str, Any]]
Change = Callable[[ScheduleHandle, str], Awaitable[None]]
Updater = Callable[[ScheduleUpdateInput], ScheduleUpdate]
YEARLY = ScheduleCalendarSpec(month=[ScheduleRange(1)], day_of_month=[ScheduleRange(1)])


def _schedule(ground: Ground, given: dict[str, Any]) -> Schedule:
    action: dict[str, Any] = {"id": ground.new_id(), "task_queue": ground.queue, "args": [Load()]}
    action |= given.get("action", {})
    spec: dict[str, Any] = {"calendars": [YEARLY], **given.get("spec", {})}
    return Schedule(
        action=ScheduleActionStartWorkflow(given.get("workflow", "Quiet"), **action),
        spec=ScheduleSpec(**spec),
        state=ScheduleState(note=given.get("note")),
    )


def scheduled(name: str, verdict: Verdict, *guards: Guard, given: Parts, bare: bool = True) -> None:
    """A row whose string is in a new schedule: `given` makes its parts from the string."""

    async def plant(ground: Ground, number: int) -> None:
        parts: dict[str, Any] = given(ground.text(number))
        schedule_id = parts.get("id", ground.new_id())
        await ground.client.create_schedule(schedule_id, _schedule(ground, parts), **parts.get("options", {}))
        await _look(ground, schedule_id)

    channel(name, verdict, *guards, bare=bare)(plant)


async def _look(ground: Ground, schedule_id: str) -> None:
    """Have the schedule's workflow read it, and end it."""
    handle = ground.bare.get_schedule_handle(schedule_id)
    await handle.describe()
    await handle.delete()


scheduled("schedule: argument", SEALED, Guard.CODEC, given=lambda text: {"action": {"args": [Load(deed=text)]}})
scheduled(
    "schedule: memo of its workflows", SEALED, Guard.CODEC, given=lambda text: {"action": {"memo": {"memo": text}}}
)
scheduled(
    "schedule: summary of its workflows", SEALED, Guard.CODEC, given=lambda text: {"action": {"static_summary": text}}
)
scheduled(
    "schedule: details of its workflows", SEALED, Guard.CODEC, given=lambda text: {"action": {"static_details": text}}
)
scheduled(
    "schedule: key of that memo", REFUSED, Guard.KEYS, given=lambda text: {"action": {"memo": {text: "constant"}}}
)
scheduled(
    "schedule: memo of its own",
    REFUSED,
    Guard.UNUSED,
    Guard.CODEC,
    given=lambda text: {"options": {"memo": {"memo": text}}},
)
scheduled("schedule: note", REFUSED, Guard.REASONS, given=lambda text: {"note": text})
scheduled("schedule: id", REFUSED, Guard.IDS, given=lambda text: {"id": id_with(text)})
scheduled("schedule: id of its workflows", REFUSED, Guard.IDS, given=lambda text: {"action": {"id": id_with(text)}})
scheduled("schedule: type of its workflows", REFUSED, Guard.NAMES, given=lambda text: {"workflow": text})
scheduled("schedule: task queue", REFUSED, Guard.QUEUES, given=lambda text: {"action": {"task_queue": text + "@"}})
scheduled(
    "schedule: search attribute",
    REFUSED,
    Guard.ATTRIBUTES,
    given=lambda text: {"options": {"search_attributes": attribute(text)}},
)
scheduled(
    "schedule: search attribute of its workflows",
    REFUSED,
    Guard.ATTRIBUTES,
    given=lambda text: {"action": {"typed_search_attributes": attribute(text)}},
)
scheduled(
    "schedule: error types of its retry policy",
    REFUSED,
    Guard.RETRIES,
    given=lambda text: {"action": {"retry_policy": RetryPolicy(non_retryable_error_types=[text])}},
)
scheduled(
    "schedule: fairness key",
    REFUSED,
    Guard.FAIRNESS,
    given=lambda text: {"action": {"priority": Priority(fairness_key=text)}},
)
scheduled(
    "schedule: comment of a cron expression",
    REFUSED,
    Guard.UNUSED,
    given=lambda text: {"spec": {"cron_expressions": [f"0 12 * * MON #{text}"]}},
)
scheduled(
    "schedule: comment of a calendar",
    REFUSED,
    Guard.UNUSED,
    given=lambda text: {"spec": {"skip": [ScheduleCalendarSpec(comment=text)]}},
)
scheduled(
    "schedule: time zone", REFUSED, Guard.UNUSED, given=lambda text: {"spec": {"time_zone_name": text}}, bare=False
)


def changed(name: str, verdict: Verdict, guard: Guard, change: Change) -> None:
    """A row whose string comes into a schedule that is there: `change(handle, string)`."""

    async def plant(ground: Ground, number: int) -> None:
        schedule_id = ground.new_id()
        handle = await ground.client.create_schedule(schedule_id, _schedule(ground, {}))
        try:
            await change(handle, ground.text(number))
        finally:
            await _look(ground, schedule_id)

    channel(name, verdict, guard)(plant)


def _with_note(text: str) -> Updater:
    def updated(old: ScheduleUpdateInput) -> ScheduleUpdate:
        old.description.schedule.state.note = text
        return ScheduleUpdate(old.description.schedule)

    return updated


def _with_argument(text: str) -> Updater:
    def updated(old: ScheduleUpdateInput) -> ScheduleUpdate:
        assert isinstance(old.description.schedule.action, ScheduleActionStartWorkflow)
        old.description.schedule.action.args = [Load(deed=text)]
        return ScheduleUpdate(old.description.schedule)

    return updated


def _with_attribute(text: str) -> Updater:
    return lambda old: ScheduleUpdate(old.description.schedule, search_attributes=attribute(text))


changed("schedule: note of a pause", REFUSED, Guard.REASONS, lambda handle, text: handle.pause(note=text))
changed("schedule: note of its end", REFUSED, Guard.REASONS, lambda handle, text: handle.unpause(note=text))
changed("schedule: note by an update", REFUSED, Guard.REASONS, lambda handle, text: handle.update(_with_note(text)))
changed("schedule: argument by an update", SEALED, Guard.CODEC, lambda h, text: h.update(_with_argument(text)))
changed("schedule: attribute by an update", REFUSED, Guard.ATTRIBUTES, lambda h, text: h.update(_with_attribute(text)))


@channel("client: identity that is set", REPLACED, Guard.IDENTITY)
async def _(ground: Ground, number: int) -> None:
    await _said_by(ground, await ground.connect(identity=ground.text(number)))


@channel("client: host name in its identity", REPLACED, Guard.IDENTITY)
async def _(ground: Ground, number: int) -> None:
    with patch.object(socket, "gethostname", lambda: ground.text(number)):
        client = await ground.connect()
    await _said_by(ground, client)


async def _said_by(ground: Ground, client: Client) -> None:
    handle = await client.start_workflow("Quiet", Load(), id=ground.new_id(), task_queue=ground.queue)
    await ground.end(handle.id)


def worker(name: str, guard: Guard, options: Parts) -> None:
    """A row whose string a worker would tell of itself."""

    async def plant(ground: Ground, number: int) -> None:
        given: dict[str, Any] = {"task_queue": f"{ground.queue}-{number}", **options(ground.text(number))}
        async with Worker(ground.client, workflows=[Carrier], **given):
            handle = await ground.start("Carrier", Load(), task_queue=given["task_queue"])
            await ground.until_polled(given["task_queue"])
            with suppress(RPCError):
                await handle.result(rpc_timeout=timedelta(seconds=1))  # one of a deployment gets nothing to do
        await ground.end(handle.id)

    channel(name, REFUSED, guard)(plant)


worker("worker: identity", Guard.UNUSED, lambda text: {"identity": text})
worker("worker: build id", Guard.UNUSED, lambda text: {"build_id": text})
worker(
    "worker: deployment",
    Guard.UNUSED,
    lambda text: {"deployment_config": WorkerDeploymentConfig(WorkerDeploymentVersion(text, "1"), False)},
)


@channel("error of the codec while it seals", REPLACED, Guard.CODEC_ERRORS, bare=False)
async def _(ground: Ground, number: int) -> None:
    """The key store fails with the string while a workflow's answer is sealed."""
    queue = f"{ground.queue}-broken"
    async with Worker(await ground.connect(broken=ground.text(number)), task_queue=queue, workflows=[Carrier]):
        handle = await ground.start("Carrier", Load(deed="nothing"), task_queue=queue)
        await ground.standstill(handle.id)
    await ground.end(handle.id)


@channel("log: error of an activity", ABSENT, Guard.LOGS)
async def _(ground: Ground, number: int) -> None:
    await ground.carry("failing: foreign", number)


@channel("log: line of the workflow's logger", ABSENT, Guard.LOGS, bare=False)
async def _(ground: Ground, number: int) -> None:
    await ground.carry("log", number)


@channel("log: line of a library, its arguments", ABSENT, Guard.LOGS, bare=False)
async def _(ground: Ground, number: int) -> None:
    logging.getLogger("a.library").debug("said %s", ground.text(number))


@channel("log: line of a library, its error", ABSENT, Guard.LOGS, bare=False)
async def _(ground: Ground, number: int) -> None:
    try:
        raise ValueError(ground.text(number))
    except ValueError:
        logging.getLogger("a.library").exception("failed")


@channel("log: line of Temporal's core", ABSENT, Guard.LOGS, bare=False)
async def _(ground: Ground, number: int) -> None:
    logging.getLogger("temporalio.core").warning("%s", ground.text(number))


@channel("log: a field of our own line that is on no list", ABSENT, Guard.NONE, bare=False)
async def _(ground: Ground, number: int) -> None:
    structlog.get_logger().warning("said", said=ground.text(number))
