"""The worker process: connect, register, run."""

import asyncio
import signal
from datetime import timedelta

from temporalio.worker import Worker

from contactsync.workers.bootstrap import opened, temporal_client
from contactsync.workers.settings import Settings
from contactsync.workflows.connection_sync import ConnectionSync


async def run_worker(settings: Settings) -> None:
    """Work until SIGINT or SIGTERM, then let running activities finish.

    Raises:
        SettingsError, DatabaseError, KeysError, TemporalError: it could not start.
    """
    async with opened(settings) as parts:
        client = await temporal_client(settings, parts.ring)
        storing = parts.storing()
        worker = Worker(
            client,
            task_queue=settings.task_queue,
            workflows=[ConnectionSync],
            activities=[
                parts.fetching().fetch_page,
                parts.cleaning().sanitize_page,
                storing.open_pass,
                storing.upsert_page,
                storing.close_pass,
                storing.set_paused,
            ],
            max_concurrent_activities=settings.max_activities,
            graceful_shutdown_timeout=timedelta(seconds=settings.shutdown_seconds),
        )
        async with worker:
            await stop_requested()


async def stop_requested() -> None:
    """Return when the process is asked to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    await stop.wait()
