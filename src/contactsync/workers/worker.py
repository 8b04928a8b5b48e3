"""The worker process: connect, register, run."""

import gc
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog
from temporalio.client import Client
from temporalio.worker import Interceptor, UnsandboxedWorkflowRunner, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from contactsync.identifiers import PLATFORM_TENANT
from contactsync.workers.activity_logs import ActivityLogs
from contactsync.workers.bootstrap import Parts, opened, temporal_client
from contactsync.workers.key_flush import flushing
from contactsync.workers.registered import WORKFLOWS
from contactsync.workers.schedules import keeping_schedules
from contactsync.workers.settings import Settings
from contactsync.workers.slots import slots_of
from contactsync.workers.stopping import stop_requested

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

_STICKY_SECONDS: Final = 5
"""So long a workflow waits for the process that has it in memory, before any other may take it up."""

_OBJECTS_A_LOOK: Final = 20_000
"""About those of a page of 1,000 contacts."""


async def run_worker(settings: Settings, interceptors: Sequence[Interceptor] = ()) -> None:
    """Work until SIGINT or SIGTERM, then let running activities finish.

    `interceptors` stand outside of ours.

    Raises:
        SettingsError, DatabaseError, KeysError, TemporalError: it could not start.
    """
    structlog.contextvars.bind_contextvars(pid=os.getpid())  # several may write to one log
    async with opened(settings) as parts:
        await parts.ring.check()
        client = await temporal_client(settings, parts.ring, stage=parts.stage)
        await parts.ring.create_tenant(PLATFORM_TENANT)  # what runs by the clock is sealed under its keys
        worker = make_worker(parts, client, interceptors, UnsandboxedWorkflowRunner())
        _leave_alone_what_stays()
        flushed = flushing(parts.settings.keys_database(), parts.ring)
        async with keeping_schedules(client, settings.task_queue), flushed, worker:
            log.info("worker started", task_queue=settings.task_queue, namespace=settings.temporal_namespace)
            await stop_requested()
            log.info("worker stops when its activities are done", seconds=settings.shutdown_seconds)


def _leave_alone_what_stays() -> None:
    """Have the garbage collector look at pages and not at modules, which live as long as the process: looking through
    them again for every few hundred objects of a page took as long as reading its JSON."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_A_LOOK)


def make_worker(
    parts: Parts,
    client: Client,
    interceptors: Sequence[Interceptor] = (),
    runner: WorkflowRunner | None = None,
) -> Worker:
    """A worker for everything there is to do.

    Workflows run in Temporal's sandbox unless `runner` is another one. The sandbox looks for what is not deterministic,
    which a workflow's code either does or does not: tests run every workflow in it, so that processes need not, where
    it takes a fifth of the CPU and half of the memory of a connection that waits (docs/decisions/0008-speed.md).
    """
    fetching, cleaning = parts.fetching(), parts.cleaning()
    storing, backfilling = parts.storing(), parts.backfilling()
    key_life, offboarding = parts.key_life(client), parts.offboarding()
    auditing, rotating = parts.auditing(), parts.rotating()
    slots = slots_of(parts.settings)
    return Worker(
        client,
        task_queue=parts.settings.task_queue,
        workflows=WORKFLOWS,
        activities=[
            auditing.make_checkpoints,
            fetching.fetch_page,
            cleaning.sanitize_page,
            storing.open_pass,
            storing.upsert_page,
            storing.upsert_in_turn,
            storing.close_pass,
            storing.set_paused,
            storing.decide_deletes,
            backfilling.open_backfill,
            backfilling.set_backfill_paused,
            backfilling.close_backfill,
            key_life.judge_keys,
            key_life.settle_keys,
            parts.purging(client).purge_staged,
            offboarding.disable_tenant,
            offboarding.enable_tenant,
            offboarding.stop_workflows,
            offboarding.destroy_keys,
            offboarding.delete_rows,
            offboarding.delete_executions,
            offboarding.certify,
            rotating.plan_rotation,
            rotating.rotate_keys,
            rotating.reindex_rows,
            rotating.reseal_rows,
            rotating.retire_keys,
        ],
        interceptors=[*interceptors, ActivityLogs()],
        workflow_runner=runner or SandboxedWorkflowRunner(),
        max_cached_workflows=parts.settings.cached_workflows,
        tuner=slots.tuner,
        activity_task_poller_behavior=slots.pollers,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=_STICKY_SECONDS),
        graceful_shutdown_timeout=timedelta(seconds=parts.settings.shutdown_seconds),
    )
