"""The stories of docs/pitfalls.md: a platform, and a clock that only the test moves."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.pitfalls.engines import PAGE_ROWS, Engine, task_queue
from tests.pitfalls.links import Platform

from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.postgres import Database
from contactsync.workers.bootstrap import Parts, temporal_client
from contactsync.workers.embedded.temporal import TemporalServer
from contactsync.workers.settings import Settings
from contactsync.workers.worker import make_worker


@pytest.fixture(scope="session")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    """Keys that last as long as the tests."""
    folder: Path = tmp_path_factory.mktemp("root")
    return KeyRing(MemoryKeyStore(), FileRootKey.create(folder / "root.key"))


@pytest.fixture
def platform(database: Database, ring: KeyRing) -> Platform:
    """The activities on a fresh database."""
    return Platform(database, ring)


@pytest.fixture
def clock() -> VirtualClock:
    """The provider's clock."""
    return VirtualClock()


@pytest.fixture
async def engine(database: Database, temporal_server: TemporalServer, tmp_path: Path) -> AsyncGenerator[Engine]:
    """A running engine that may reach this machine."""
    settings = Settings.model_validate(
        {
            "temporal_address": temporal_server.address,
            "temporal_namespace": temporal_server.namespace,
            "task_queue": task_queue(),
            "page_rows": PAGE_ROWS,
            "source_networks": "127.0.0.0/8",
        }
    )
    parts = Parts(settings, database, KeyRing(PostgresKeyStore(database), FileRootKey.create(tmp_path / "root.key")))
    client = await temporal_client(settings, parts.ring)
    async with make_worker(parts, client):
        yield Engine(parts, client)
