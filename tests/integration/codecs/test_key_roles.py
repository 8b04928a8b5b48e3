"""What the roles of the key store may and may not do, in PostgreSQL itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import pytest

from contactsync.codecs.audit.chain import Entry
from contactsync.codecs.audit.key_trail import DatabaseKeyTrail
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.key import KeyPurpose, new_kid
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import LASTING_PURPOSES, KeyRing
from contactsync.codecs.keys.store import StoredDataKey
from contactsync.errors import DatabaseRefused, KeyDestroyed, KeyUnknown, TenantNotFound
from contactsync.postgres import Database
from contactsync.workers.embedded.provision import DatabaseUrls

NOW: Final = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
async def codec_database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """The database, as the codec server's user."""
    connected = await Database.connect(database_urls.codec)
    yield connected
    await connected.close()


@pytest.fixture
def root(tmp_path: Path) -> FileRootKey:
    """A root key."""
    return FileRootKey.create(tmp_path / "root.key")


@pytest.fixture
async def tenant_id(database: Database, root: FileRootKey) -> UUID:
    """A tenant with all its keys."""
    tenant_id = uuid4()
    await KeyRing(PostgresKeyStore(database), root).create_tenant(tenant_id)
    return tenant_id


async def test_racing_processes_make_one_payload_key(
    database_urls: DatabaseUrls, root: FileRootKey, tenant_id: UUID
) -> None:
    """Rings over pools of their own, all in need of today's key at once, agree on one id and one secret."""
    databases = [await Database.connect(database_urls.app, max_size=2) for _ in range(6)]
    try:
        rings = [KeyRing(PostgresKeyStore(each), root) for each in databases]
        keys = await asyncio.gather(*(ring.payload_key(tenant_id) for ring in rings))
    finally:
        await asyncio.gather(*(each.close() for each in databases))
    assert (len({key.kid for key in keys}), len({key.secret.expose() for key in keys})) == (1, 1)


async def test_the_codec_server_opens_payloads(
    database: Database, codec_database: Database, root: FileRootKey, tenant_id: UUID
) -> None:
    """With its own user, and the id alone, the codec server finds key and tenant."""
    key = await KeyRing(PostgresKeyStore(database), root).payload_key(tenant_id)
    reader = KeyRing(PostgresKeyStore(codec_database), root)
    await reader.check()
    found = await reader.open_payload_key(key.kid)
    assert (tenant_id, key.secret.expose()) == (found.tenant_id, found.secret.expose())


async def test_the_codec_server_sees_no_other_key(
    database: Database, codec_database: Database, root: FileRootKey, tenant_id: UUID
) -> None:
    """Row, index and suppression keys are not there for the codec server, by id, by list or in a count."""
    await KeyRing(PostgresKeyStore(database), root).payload_key(tenant_id)
    reader, ring = PostgresKeyStore(codec_database), KeyRing(PostgresKeyStore(codec_database), root)
    keys = await PostgresKeyStore(database).data_keys(tenant_id, LASTING_PURPOSES)
    assert len(LASTING_PURPOSES) == len(keys)
    for key in keys:
        assert await reader.data_key(key.kid) is None
        with pytest.raises(KeyUnknown):
            await ring.open_payload_key(key.kid)
    visible = await reader.data_keys(tenant_id, list(KeyPurpose))
    assert [key.purpose for key in visible] == [KeyPurpose.PAYLOAD]
    async with codec_database.transaction() as connection:
        purposes = await connection.fetch("SELECT DISTINCT purpose FROM keys.data_key")
    assert [row["purpose"] for row in purposes] == ["payload"]
    with pytest.raises(TenantNotFound):
        await ring.tenant_sealer(tenant_id)


async def test_the_codec_server_changes_nothing(
    database: Database, codec_database: Database, root: FileRootKey, tenant_id: UUID
) -> None:
    """It can neither add, alter, destroy nor delete a key."""
    key = await KeyRing(PostgresKeyStore(database), root).payload_key(tenant_id)
    reader = PostgresKeyStore(codec_database)
    for attempt in (
        lambda: reader.destroy_data_key(key.kid, NOW),
        lambda: reader.destroy_tenant(tenant_id, NOW),
        lambda: KeyRing(reader, root).create_tenant(uuid4()),
        lambda: _execute(codec_database, "UPDATE keys.data_key SET purpose = 'payload'"),
        lambda: _execute(codec_database, "DELETE FROM keys.data_key"),
    ):
        with pytest.raises(DatabaseRefused):
            await attempt()
    assert key.kid == (await KeyRing(PostgresKeyStore(database), root).open_payload_key(key.kid)).kid


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM keys.data_key",
        "DELETE FROM keys.tenant_key",
        "TRUNCATE keys.data_key",
        "UPDATE keys.data_key SET purpose = 'payload'",
        "UPDATE keys.data_key SET destroy_at = now() + interval '100 years'",
        "UPDATE keys.tenant_key SET kid = '\\x00'",
        "ALTER TABLE keys.data_key NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE keys.data_key DISABLE TRIGGER ALL",
        "DROP TABLE keys.data_key",
    ],
)
async def test_the_key_store_owns_nothing(database: Database, tenant_id: UUID, statement: str) -> None:
    """The app's user cannot delete a key's row, relabel it, lengthen its life, or touch the tables."""
    del tenant_id
    with pytest.raises(DatabaseRefused):
        await _execute(database, statement)


async def test_destroyed_is_for_ever(database: Database, database_urls: DatabaseUrls, tenant_id: UUID) -> None:
    """Neither the app's user nor the owner of the tables brings a destroyed key back."""
    store = PostgresKeyStore(database)
    before = [await store.tenant_key(tenant_id), *await store.data_keys(tenant_id, list(KeyPurpose))]
    await store.destroy_tenant(tenant_id, NOW)
    owner = await Database.connect(database_urls.owner)
    try:
        for each in (database, owner):
            for table in ("tenant_key", "data_key"):
                with suppress(DatabaseRefused):  # the owner's statement may also find no row, by row-level security
                    await _execute(each, f"UPDATE keys.{table} SET wrapped = '\\x00', destroyed_at = NULL")  # noqa: S608
    finally:
        await owner.close()
    after = [await store.tenant_key(tenant_id), *await store.data_keys(tenant_id, list(KeyPurpose))]
    assert 1 + len(LASTING_PURPOSES) == len(before) == len(after)
    assert {None} == {key.wrapped for key in after if key is not None}


async def test_no_key_is_added_during_a_destruction(database: Database, tenant_id: UUID) -> None:
    """A key that is added while the tenant's destruction is under way waits for it, and then is not kept."""
    store = PostgresKeyStore(database)
    late = StoredDataKey(new_kid(), tenant_id, KeyPurpose.ROW, 2, 1, b"wrapped")
    async with database.transaction() as destroying:
        await destroying.execute(
            "UPDATE keys.tenant_key SET wrapped = NULL, destroyed_at = $2 WHERE tenant_id = $1", tenant_id, NOW
        )
        adding = asyncio.ensure_future(store.add_data_key(late))
        await _waiting_for_a_lock(database)
    with pytest.raises(KeyDestroyed):
        await adding
    assert await store.data_key(late.kid) is None


@pytest.mark.parametrize(
    "values",
    [
        "'\\x00', $1, 'row', 9, 1, '\\x00', NULL, NULL",
        "decode(md5('a'), 'hex'), $1, 'other', 9, 1, '\\x00', NULL, NULL",
        "decode(md5('a'), 'hex'), $1, 'payload', 9, 1, '\\x00', NULL, NULL",
        "decode(md5('a'), 'hex'), $1, 'payload', 9, 1, '\\x00', now(), now() + interval '31 days'",
        "decode(md5('a'), 'hex'), $1, 'payload', 9, 1, '\\x00', now(), now()",
        "decode(md5('a'), 'hex'), $1, 'row', 9, 1, '\\x00', now(), now() + interval '1 day'",
        "decode(md5('a'), 'hex'), $1, 'row', 9, 1, NULL, NULL, NULL",
        "decode(md5('a'), 'hex'), $1, 'row', 9, 7, '\\x00', NULL, NULL",
    ],
    ids=["short id", "purpose", "no dates", "over 30 days", "no time", "dates of a row", "no bytes", "no tenant key"],
)
async def test_rows_that_make_no_sense_are_refused(database: Database, tenant_id: UUID, values: str) -> None:
    """The tables themselves refuse keys of a wrong form, purpose, life or parent."""
    columns = "kid, tenant_id, purpose, epoch, tenant_version, wrapped, encrypt_until, destroy_at"
    with pytest.raises(DatabaseRefused):
        await _execute(database, f"INSERT INTO keys.data_key ({columns}) VALUES ({values})", tenant_id)  # noqa: S608


async def test_no_role_owns_the_tables(database_urls: DatabaseUrls) -> None:
    """The roles own no relation, and row-level security of data keys holds for the owner too."""
    connection = await asyncpg.connect(database_urls.owner)
    try:
        owners = await connection.fetch(
            "SELECT pg_get_userbyid(relowner) AS owner, relname, relrowsecurity, relforcerowsecurity "
            "FROM pg_class WHERE relnamespace = 'keys'::regnamespace"
        )
    finally:
        await connection.close()
    assert not {row["owner"] for row in owners} & {"contactsync_app", "contactsync_keys", "contactsync_codec"}
    [data_key] = [row for row in owners if row["relname"] == "data_key"]
    assert data_key["relrowsecurity"]
    assert data_key["relforcerowsecurity"]


async def _execute(database: Database, statement: str, *values: object) -> None:
    async with database.transaction() as connection:
        await connection.execute(statement, *values)


async def _waiting_for_a_lock(database: Database) -> None:
    """Returns when some statement in this database waits for another's lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(10):
        while True:
            async with database.transaction() as connection:
                if await connection.fetchval(query):
                    return


async def test_every_key_that_is_made_is_in_its_tenants_log_once(database: Database, tmp_path: Path) -> None:
    """However many rings make a tenant and its day's key at once, the log has one entry for each key that is kept."""
    tenant_id = uuid4()
    root = FileRootKey.create(tmp_path / "root.key")
    rings = [KeyRing(PostgresKeyStore(database), root, trail=DatabaseKeyTrail(database)) for _ in range(4)]
    await asyncio.gather(*(ring.create_tenant(tenant_id) for ring in rings))
    keys = await asyncio.gather(*(ring.payload_key(tenant_id) for ring in rings))
    kept = await PostgresKeyStore(database).data_keys(tenant_id, list(KeyPurpose))
    async with database.transaction(tenant_id) as connection:
        rows = await connection.fetch("SELECT entry FROM audit.entry")
    entries = [Entry.model_validate_json(row["entry"]) for row in rows]
    assert {(each.kind, each.actor) for each in entries} == {("key_made", "key-ring")}
    told = [each.detail["kid"] for each in entries if each.detail["key"] != "tenant"]
    assert sorted(told) == sorted(key.kid.hex() for key in kept)
    assert {key.kid for key in keys} <= {key.kid for key in kept}
    assert [each.detail["version"] for each in entries if each.detail["key"] == "tenant"] == [1]
