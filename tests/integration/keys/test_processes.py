"""The long processes keep their keys in step with the key store, and workers make the schedules."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from temporalio.client import Client

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.postgres import Database
from contactsync.workers.codec_server import run_codec_server
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.provision import DatabaseUrls
from contactsync.workers.embedded.temporal import TemporalServer
from contactsync.workers.schedules import SCHEDULES
from contactsync.workers.settings import Settings
from contactsync.workers.worker import run_worker

LISTENING: Final = """SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'contactsync-listening' AND datname = current_database()"""


@pytest.fixture
def given(database_urls: DatabaseUrls, temporal_server: TemporalServer, tmp_path: Path) -> dict[str, object]:
    """The settings of a process."""
    FileRootKey.create(tmp_path / "root.key")
    return {
        "database_url": database_urls.app,
        "root_key_file": tmp_path / "root.key",
        "temporal_address": temporal_server.address,
        "temporal_namespace": temporal_server.namespace,
        "task_queue": f"process-{uuid4()}",
        "shutdown_seconds": 0,
    }


@pytest.fixture
async def superuser(postgres_server: PostgresServer, database_urls: DatabaseUrls) -> AsyncGenerator[Database]:
    """Who sees every connection to the fresh database."""
    database = await Database.connect(postgres_server.url(database_urls.app.rpartition("/")[2]))
    yield database
    await database.close()


@asynccontextmanager
async def _running(process: Coroutine[object, object, None]) -> AsyncGenerator["asyncio.Task[None]"]:
    task = asyncio.ensure_future(process)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        for number in (signal.SIGINT, signal.SIGTERM):  # the process's own, on the loop of all tests
            asyncio.get_running_loop().remove_signal_handler(number)


async def _listens(superuser: Database, process: "asyncio.Task[None]") -> None:
    """Return when one connection listens to the key store."""
    async with asyncio.timeout(30):
        while not process.done():
            async with superuser.transaction() as connection:
                if await connection.fetchval(LISTENING) == 1:
                    return
            await asyncio.sleep(0.05)
    await process


async def test_a_worker_listens_and_makes_the_schedules(
    given: dict[str, object], superuser: Database, temporal_server: TemporalServer
) -> None:
    """The schedules start their workflows on its task queue."""
    async with _running(run_worker(Settings.model_validate(given))) as process:
        await _listens(superuser, process)
        client = await Client.connect(temporal_server.address, namespace=temporal_server.namespace)
        async with asyncio.timeout(30):
            for planned in SCHEDULES:
                handle = client.get_schedule_handle(planned.schedule_id)
                while getattr((await handle.describe()).schedule.action, "task_queue", None) != given["task_queue"]:
                    pass
    for planned in SCHEDULES:
        await client.get_schedule_handle(planned.schedule_id).delete()


async def test_a_codec_server_listens(
    given: dict[str, object], superuser: Database, database_urls: DatabaseUrls
) -> None:
    """With its own user, who reads payload keys only."""
    settings = Settings.model_validate({**given, "database_url": database_urls.codec, "codec_port": 0})
    async with _running(run_codec_server(settings, lambda _: None)) as process:
        await _listens(superuser, process)
