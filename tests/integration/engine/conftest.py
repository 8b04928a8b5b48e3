"""An engine in this process: real PostgreSQL, real Temporal, a worker, and sources in memory."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.integration.engine.paged import Bench, Prepare, Script

from contactsync.activities.messages import ConnectionRef, PassResult
from contactsync.activities.sources import registry
from contactsync.activities.store.directory import Directory, NewConnection, TenantPolicy
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.postgres import Database
from contactsync.workers.bootstrap import Parts, temporal_client
from contactsync.workers.embedded.temporal import TemporalServer
from contactsync.workers.settings import Settings
from contactsync.workers.syncs import Sync, Syncs
from contactsync.workers.worker import make_worker


@dataclass(frozen=True, slots=True)
class Engine:
    """What the tests drive."""

    parts: Parts
    syncs: Syncs

    async def tenant(self) -> UUID:
        """A new tenant."""
        tenant = await self.parts.directory.add_tenant("Tenant of a test", TenantPolicy(default_region="DE"))
        return tenant.tenant_id

    async def connect(self, tenant_id: UUID, settings: dict[str, object]) -> Sync:
        """A new connection to a source in memory."""
        new = NewConnection(kind="memory", settings=settings, interval_seconds=3600, jitter_seconds=0)
        connection = await self.parts.directory.add_connection(tenant_id, new)
        return Sync(tenant_id, connection.connection_id, connection.kind)

    async def sync(self, sync: Sync) -> PassResult:
        """A pass, awaited."""
        return await self.syncs.result(sync, await self.syncs.sync_now(sync))

    async def held(self, sync: Sync) -> set[str]:
        """The source ids that the database holds."""
        ref = ConnectionRef(tenant_id=sync.tenant_id, connection_id=sync.connection_id)
        return {held.source_id async for held in self.parts.contacts.all_of(ref)}


@pytest.fixture
async def engine(database: Database, temporal_server: TemporalServer, tmp_path: Path) -> AsyncGenerator[Engine]:
    """A running engine."""
    async with running_engine(database, temporal_server, tmp_path) as engine:
        yield engine


@asynccontextmanager
async def running_engine(database: Database, temporal_server: TemporalServer, folder: Path) -> AsyncGenerator[Engine]:
    """An engine whose new root key is in the folder."""
    settings = Settings.model_validate(
        {
            "temporal_address": temporal_server.address,
            "temporal_namespace": temporal_server.namespace,
            "task_queue": f"engine-{uuid4()}",
            "page_rows": 100,
        }
    )
    ring = KeyRing(PostgresKeyStore(database), FileRootKey.create(folder / "root.key"))
    parts = Parts(settings, database, ring)
    client = await temporal_client(settings, ring)
    async with make_worker(parts, client):
        yield Engine(parts, Syncs(client, settings.task_queue))


@pytest.fixture
def prepare(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """See `Prepare`."""

    async def prepared(script: Script, **settings: object) -> Bench:
        monkeypatch.setattr(registry, "KINDS", script.kinds())
        ring = KeyRing(MemoryKeyStore(), FileRootKey.create(tmp_path / f"{uuid4()}.key"))
        directory = Directory(database, ring)
        tenant = await directory.add_tenant("Tenant of a test")
        new = NewConnection(kind="paged", settings=settings)
        return Bench(database, ring, await directory.add_connection(tenant.tenant_id, new))

    return prepared
