"""What runs by the clock: Temporal's schedules of workflows about the platform, ensured by each worker.

A schedule holds ids only, and its workflows take no argument: a schedule keeps its arguments for ever, sealed under a
key that ends.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from contactsync.errors import TemporalError
from contactsync.identifiers import platform_workflow_id
from contactsync.workers.refusals import temporal_errors
from contactsync.workflows.checkpoint_logs import CheckpointLogs
from contactsync.workflows.destroy_expired_keys import DestroyExpiredKeys
from contactsync.workflows.purge_expired import PurgeExpired

_CALL: Final = timedelta(seconds=20)
_FIRST_WAIT_SECONDS: Final = 1.0
_LONGEST_WAIT_SECONDS: Final = 60.0

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Planned:
    """One schedule: workflow `workflow` (its registered name) with no argument, `every` so often, counted from
    1970-01-01 UTC plus `offset`. Its id is `platform/{nil}/{name}`, and its runs' ids begin with that. A run that is
    still under way when the next is due takes its place."""

    name: str
    workflow: str
    every: timedelta
    offset: timedelta = timedelta(0)

    @property
    def schedule_id(self) -> str:
        """The schedule's id, and the beginning of its workflows' ids."""
        return platform_workflow_id(self.name)

    def schedule(self, task_queue: str) -> Schedule:
        """As Temporal is told."""
        return Schedule(
            action=ScheduleActionStartWorkflow(self.workflow, id=self.schedule_id, task_queue=task_queue),
            spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=self.every, offset=self.offset)]),
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=self.every),
        )


SCHEDULES: Final[tuple[Planned, ...]] = (
    Planned("destroy-expired-keys", DestroyExpiredKeys.__name__, every=timedelta(hours=1)),
    Planned("purge-expired", PurgeExpired.__name__, every=timedelta(hours=1), offset=timedelta(minutes=30)),
    Planned("checkpoint-logs", CheckpointLogs.__name__, every=timedelta(minutes=1)),
)
"""All there are; each workflow here is one that every worker knows."""


@asynccontextmanager
async def keeping_schedules(
    client: Client, task_queue: str, planned: Sequence[Planned] = SCHEDULES
) -> AsyncGenerator[None]:
    """Make the schedules that are missing; while the block runs, bring the others to what this version plans.

    Only the first is waited for. Temporal answers for one schedule one after the other, so that a hundred workers that
    begin at once would wait for each other, and some of them in vain.

    Raises:
        TemporalUnavailable, TemporalRefused: what is missing could not be made.
    """
    there = [each for each in planned if not await _made(client, each, task_queue)]
    ensuring = asyncio.create_task(_ensure_in_time(client, task_queue, there))
    try:
        yield
    finally:
        ensuring.cancel()
        with suppress(asyncio.CancelledError):
            await ensuring


async def ensure_schedules(client: Client, task_queue: str, planned: Sequence[Planned]) -> None:
    """Make the schedules that are missing, and bring the others to what is planned. One that somebody paused stays
    paused.

    Raises:
        TemporalUnavailable, TemporalRefused.
    """
    for each in planned:
        if not await _made(client, each, task_queue):
            await _correct(client, each, task_queue)


async def _ensure_in_time(client: Client, task_queue: str, planned: Sequence[Planned]) -> None:
    for each in planned:
        wait = _FIRST_WAIT_SECONDS
        while not await _is_ensured(client, task_queue, each):
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311  # so that not all ask at once
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)


async def _is_ensured(client: Client, task_queue: str, planned: Planned) -> bool:
    try:
        await ensure_schedules(client, task_queue, [planned])  # by now it may be missing, too
    except TemporalError as error:
        log.warning("a schedule is not brought up to date yet", operation=planned.name, code=error.code)
        return False
    return True


async def _made(client: Client, planned: Planned, task_queue: str) -> bool:
    """Whether it was missing, and is there now."""
    try:
        with temporal_errors():
            await client.create_schedule(planned.schedule_id, planned.schedule(task_queue), rpc_timeout=_CALL)
    except ScheduleAlreadyRunningError:
        return False
    return True


async def _correct(client: Client, planned: Planned, task_queue: str) -> None:
    wanted = planned.schedule(task_queue)
    with temporal_errors():
        await client.get_schedule_handle(planned.schedule_id).update(
            lambda there: _correction(there, wanted), rpc_timeout=_CALL
        )


def _correction(there: ScheduleUpdateInput, wanted: Schedule) -> ScheduleUpdate | None:
    """What is to change; None where all is as wanted."""
    held = there.description.schedule
    if _essence(held) == _essence(wanted):
        return None
    wanted.state = held.state
    return ScheduleUpdate(wanted)


def _essence(schedule: Schedule) -> tuple[object, ...]:
    action = schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)  # noqa: S101  # there is no other kind
    intervals = tuple((each.every, each.offset or timedelta(0)) for each in schedule.spec.intervals)
    policy = schedule.policy
    return (
        *(action.workflow, action.id, action.task_queue, len(action.args)),
        *(intervals, policy.overlap, policy.catchup_window),
    )
