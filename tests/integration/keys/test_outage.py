"""OpenBao stops and starts again: under a ring, and under a running sync."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, Final
from uuid import uuid4

import pytest
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor
from tests.integration.keys.roots import transit_key
from tests.openbao import OpenBao

from contactsync.activities.messages import ConnectionRef
from contactsync.activities.store.directory import NewConnection, TenantPolicy
from contactsync.codecs.keys.cache import DEFAULT_LIMITS
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.keys.root import TenantKeyName
from contactsync.codecs.keys.vault import VaultClient
from contactsync.codecs.keys.vault_root import VaultRootKey
from contactsync.errors import RootKeyUnavailable
from contactsync.postgres import Database
from contactsync.workers.bootstrap import Parts, temporal_client
from contactsync.workers.embedded.folders import temporary_folder
from contactsync.workers.embedded.temporal import TemporalServer
from contactsync.workers.settings import Settings
from contactsync.workers.syncs import Sync, Syncs
from contactsync.workers.worker import make_worker

OLD: Final = DEFAULT_LIMITS.ttl + 1
"""After so many seconds every cached key is to be renewed, and may serve by grace only."""

OVER: Final = OLD + 3 * DEFAULT_LIMITS.grace
"""After so many more no key in memory serves any longer."""

CONTACTS: Final = 600
BOUNDED: Final = 60.0


class Clock:
    """The monotonic clock, and what a test adds to it."""

    def __init__(self) -> None:
        self.added = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return time.monotonic() + self.added


class WatchedRoot(VaultRootKey):
    """Counts how often it was not reached, and tells when that was often."""

    failed = 0

    def __init__(self, client: VaultClient, mount: str, key: str) -> None:
        super().__init__(client, mount, key)
        self.failed_often = asyncio.Event()

    async def unwrap(self, name: TenantKeyName, wrapped: bytes) -> bytes:
        """As always, but counted."""
        try:
            return await super().unwrap(name, wrapped)
        except RootKeyUnavailable:
            self.failed += 1
            if self.failed >= 5:
                self.failed_often.set()
            raise


class AtPage(Interceptor):
    """Does something in the worker as it begins to write the page of a number, once."""

    def __init__(self, page: int, act: Callable[[], Awaitable[None]]) -> None:
        self._left = page
        self._act = act

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Stands before every activity."""
        return _Acting(next, self._begun)

    async def _begun(self, activity: str) -> None:
        if activity not in {"upsert_page", "upsert_in_turn"}:
            return
        self._left -= 1
        if self._left == 0:
            await self._act()


class _Acting(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, begun: Callable[[str], Awaitable[None]]) -> None:  # noqa: A002
        super().__init__(next)
        self._begun = begun

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        """First what the test wants."""
        await self._begun(input.fn.__name__)
        return await self.next.execute_activity(input)


@pytest.fixture(scope="module")
async def stopping() -> AsyncIterator[OpenBao]:
    """An OpenBao of these tests alone."""
    with temporary_folder() as folder:
        server = await OpenBao.start(folder)
        yield server
        await server.stop()


@pytest.fixture
async def root(stopping: OpenBao) -> AsyncGenerator[WatchedRoot]:
    """A root key in it; the server runs again afterwards."""
    root = WatchedRoot(stopping.client, "transit", await transit_key(stopping))
    yield root
    await stopping.client.close()
    if stopping.child.ended:
        await stopping.restart()


@pytest.fixture
def settings(temporal_server: TemporalServer) -> Settings:
    """The settings of a worker."""
    return Settings.model_validate(
        {
            "temporal_address": temporal_server.address,
            "temporal_namespace": temporal_server.namespace,
            "task_queue": f"outage-{uuid4()}",
            "page_rows": 100,
        }
    )


async def test_a_ring_outlives_an_outage(stopping: OpenBao, root: WatchedRoot) -> None:
    """Cached keys serve through the grace, then nothing does and that is retryable; back again it works at once."""
    clock, tenant, stranger = Clock(), uuid4(), uuid4()
    ring = KeyRing(MemoryKeyStore(), root, monotonic=clock)
    await ring.create_tenant(tenant)
    await ring.create_tenant(stranger)
    key = await ring.payload_key(tenant)
    clock.added = OLD
    await ring.payload_key(tenant)
    await stopping.stop()
    clock.added += OLD
    assert (await ring.payload_key(tenant)).kid == (await ring.open_payload_key(key.kid)).kid == key.kid
    clock.added += OVER
    for _ in range(2):
        for use in (ring.payload_key(tenant), ring.open_payload_key(key.kid), ring.tenant_sealer(stranger)):
            with pytest.raises(RootKeyUnavailable):
                await use
    with pytest.raises(RootKeyUnavailable):
        await ring.check()
    await stopping.restart()
    await ring.check()
    assert (await ring.payload_key(tenant)).kid == (await ring.open_payload_key(key.kid)).kid == key.kid


async def test_a_sealed_server_is_an_outage(stopping: OpenBao, root: WatchedRoot) -> None:
    """A server that was sealed by hand is away, not refusing; started again it unseals itself."""
    wrapped = await root.wrap(TenantKeyName(uuid4(), 1, bytes(16)), b"x")
    await stopping.client.call("PUT", "sys/seal", {})
    with pytest.raises(RootKeyUnavailable):
        await root.unwrap(TenantKeyName(uuid4(), 1, bytes(16)), wrapped)
    await stopping.stop()
    await stopping.restart()
    await root.health()


async def test_a_sync_goes_on_within_the_grace(
    stopping: OpenBao, root: WatchedRoot, settings: Settings, database: Database
) -> None:
    """OpenBao stops in the middle of a pass: the pass completes with the keys in memory, whose time was over."""
    clock = Clock()

    async def cut() -> None:
        await stopping.stop()
        clock.added += OLD

    parts = Parts(settings, database, KeyRing(PostgresKeyStore(database), root, monotonic=clock))
    client = await temporal_client(settings, parts.ring)
    syncs, sync = Syncs(client, settings.task_queue), await _connected(parts)
    async with make_worker(parts, client, [AtPage(3, cut)]):
        async with asyncio.timeout(BOUNDED):
            result = await syncs.result(sync, await syncs.sync_now(sync))
        await client.get_workflow_handle(sync.workflow_id).terminate()
    assert stopping.child.ended
    assert root.failed
    assert (result.outcome, result.counts.added) == ("completed", CONTACTS)


async def test_a_sync_waits_for_the_root_key(
    stopping: OpenBao, root: WatchedRoot, settings: Settings, database: Database
) -> None:
    """Past the grace nothing is sealed or opened; when OpenBao is back the pass ends by itself, with every contact."""
    clock = Clock()

    async def cut() -> None:
        await stopping.stop()
        clock.added += OVER

    parts = Parts(settings, database, KeyRing(PostgresKeyStore(database), root, monotonic=clock))
    caller = await temporal_client(settings, KeyRing(PostgresKeyStore(database), root))
    client = await temporal_client(settings, parts.ring)
    syncs, sync = Syncs(caller, settings.task_queue), await _connected(parts)
    async with make_worker(parts, client, [AtPage(3, cut)]):
        passing = asyncio.create_task(syncs.result(sync, await syncs.sync_now(sync)))
        async with asyncio.timeout(BOUNDED):
            await root.failed_often.wait()
        held = await _held(database, sync)
        assert not passing.done()
        await stopping.restart()
        async with asyncio.timeout(BOUNDED):
            result = await passing
        await caller.get_workflow_handle(sync.workflow_id).terminate()
    assert 0 < held < CONTACTS
    assert (result.outcome, result.counts.added) == ("completed", CONTACTS)
    assert await _held(database, sync) == CONTACTS


async def _connected(parts: Parts) -> Sync:
    """A tenant with a source of made-up contacts."""
    tenant = await parts.directory.add_tenant("Tenant of a test", TenantPolicy(default_region="DE"))
    new = NewConnection(kind="memory", settings={"made_up": CONTACTS}, interval_seconds=3600, jitter_seconds=0)
    connection = await parts.directory.add_connection(tenant.tenant_id, new)
    return Sync(tenant.tenant_id, connection.connection_id, connection.kind)


async def _held(database: Database, sync: Sync) -> int:
    """How many contacts the connection has; counted without a key."""
    ref = ConnectionRef(tenant_id=sync.tenant_id, connection_id=sync.connection_id)
    async with database.transaction(ref.tenant_id) as connection:
        return await connection.fetchval(
            "SELECT count(*) FROM contactsync.contact WHERE tenant_id = $1 AND connection_id = $2",
            ref.tenant_id,
            ref.connection_id,
        )
