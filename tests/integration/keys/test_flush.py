"""A key that changes in the key store is forgotten by every process that listens, long before its time to live."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from contactsync.codecs.keys.cache import CacheLimits
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing, RingPolicy, now_utc
from contactsync.codecs.keys.store import KeyStore
from contactsync.errors import KeyDestroyed
from contactsync.postgres import Database
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.provision import DatabaseUrls
from contactsync.workers.key_flush import flush, flushing

LASTING = RingPolicy(cache=CacheLimits(ttl=86_400, renew_before=1))


class Listening(KeyRing):
    """A ring that says when somebody listens for it, since everything is read again then."""

    def __init__(self, store: KeyStore, root: FileRootKey) -> None:
        super().__init__(store, root, policy=LASTING)
        self.listens = asyncio.Event()

    def forget(self, tenant_id: UUID | None = None) -> None:
        """Said as it is done."""
        super().forget(tenant_id)
        self.listens.set()


@pytest.fixture
def rings(database: Database, tmp_path: Path) -> Callable[[], Listening]:
    """Makes the rings of different processes; what they cached they keep for a day."""
    root = FileRootKey.create(tmp_path / "root.key")
    return lambda: Listening(PostgresKeyStore(database), root)


async def _destroyed(ask: Callable[[], Awaitable[object]]) -> None:
    """Return when the key is gone."""
    async with asyncio.timeout(20):
        while True:
            try:
                await ask()
            except KeyDestroyed:
                return
            await asyncio.sleep(0.02)


async def _tenant(ring: KeyRing) -> UUID:
    tenant_id = uuid4()
    await ring.create_tenant(tenant_id)
    return tenant_id


async def test_a_destroyed_payload_key_is_gone_everywhere(
    database_urls: DatabaseUrls, rings: Callable[[], Listening]
) -> None:
    """A process that had it cached for a day loses it; a second tenant's stays where it is."""
    here, there = rings(), rings()
    tenant, other = await _tenant(there), await _tenant(there)
    async with flushing(database_urls.app, here):
        await asyncio.wait_for(here.listens.wait(), 20)
        key, kept = await here.payload_key(tenant), await here.payload_key(other)
        assert await there.store.destroy_data_key(key.kid, now_utc())
        await _destroyed(lambda: here.open_payload_key(key.kid))
        assert await here.open_payload_key(kept.kid) is kept


async def test_a_destroyed_tenant_is_gone_everywhere(
    database_urls: DatabaseUrls, rings: Callable[[], Listening]
) -> None:
    """Its rows open no more in a process that had the keys at hand."""
    here, there = rings(), rings()
    tenant = await _tenant(there)
    async with flushing(database_urls.app, here):
        await asyncio.wait_for(here.listens.wait(), 20)
        await here.tenant_sealer(tenant)
        await there.destroy_tenant(tenant)
        await _destroyed(lambda: here.tenant_sealer(tenant))


async def test_without_listening_a_key_stays_for_its_time(rings: Callable[[], Listening]) -> None:
    """The same without anybody listening: what the tests above see is the flush, not the cache's end."""
    here, there = rings(), rings()
    tenant = await _tenant(there)
    key = await here.payload_key(tenant)
    await there.store.destroy_data_key(key.kid, now_utc())
    assert await here.open_payload_key(key.kid) is key


async def test_what_nobody_heard_is_found_after_a_lost_connection(
    postgres_server: PostgresServer, database_urls: DatabaseUrls, rings: Callable[[], Listening]
) -> None:
    """The listening connection is cut and a key destroyed in the silence: when it listens again the key is gone."""
    here, there = rings(), rings()
    tenant = await _tenant(there)
    async with flushing(database_urls.app, here):
        await asyncio.wait_for(here.listens.wait(), 20)
        key = await here.payload_key(tenant)
        superuser = await Database.connect(postgres_server.url(database_urls.app.rpartition("/")[2]))
        async with superuser.transaction() as connection:
            await connection.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'contactsync-listening' AND datname = current_database()"
            )
        await there.store.destroy_data_key(key.kid, now_utc())
        await _destroyed(lambda: here.open_payload_key(key.kid))
        await superuser.close()


async def test_the_codec_servers_user_may_listen(database_urls: DatabaseUrls, rings: Callable[[], Listening]) -> None:
    """Its role reads payload keys only, and hears of them all the same."""
    here, there = rings(), rings()
    tenant = await _tenant(there)
    async with flushing(database_urls.codec, here):
        await asyncio.wait_for(here.listens.wait(), 20)
        key = await here.payload_key(tenant)
        await there.store.destroy_data_key(key.kid, now_utc())
        await _destroyed(lambda: here.open_payload_key(key.kid))


@pytest.mark.parametrize("told", [["no id"], ["/zz"], [str(UUID(int=n)) for n in range(300)]], ids=["a", "b", "many"])
async def test_what_is_unheard_of_flushes_everything(rings: Callable[[], Listening], told: list[str]) -> None:
    """News of an unknown form, or more of it than is worth looking at one by one."""
    here, there = rings(), rings()
    tenant = await _tenant(there)
    key = await here.payload_key(tenant)
    await there.store.destroy_data_key(key.kid, now_utc())
    flush(here, told)
    with pytest.raises(KeyDestroyed):
        await here.open_payload_key(key.kid)
