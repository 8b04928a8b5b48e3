"""Migrations: run once, in order, whole or not at all; and the schema they add up to."""

import asyncio
from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest
from scripts.dump_schema import SCHEMA_FILE, schema_of

from contactsync.activities.store.migrate import Migration, bundled_migrations, check_schema, migrate
from contactsync.errors import DatabaseRefused, NotMigrated
from contactsync.postgres import Database, owner_connection
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.provision import DatabaseUrls, drop_database, make_database, make_logins

NAMES = [migration.name for migration in bundled_migrations()]


@pytest.fixture
async def empty(postgres_server: PostgresServer) -> AsyncGenerator[str]:
    """The owner's URL of a database without any schema."""
    name = f"test_{uuid4().hex}"
    logins = await make_logins(postgres_server)
    await make_database(postgres_server, name)
    yield logins.urls(postgres_server.port, name).owner
    await drop_database(postgres_server, name)


async def tables(url: str) -> set[str]:
    """The tables there are."""
    async with owner_connection(url) as connection:
        rows = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace::regnamespace::text = 'contactsync'"
        )
    return {row["relname"] for row in rows}


async def test_migrations_run_once_in_order(empty: str) -> None:
    """The first run does everything in the order of the numbers; the second does nothing."""
    assert await migrate(empty) == NAMES
    assert sorted(NAMES) == NAMES
    assert await migrate(empty) == []


async def test_migrators_at_once_do_it_once(empty: str) -> None:
    """Of four migrators at once one runs everything, the others wait and find nothing to do."""
    ran = await asyncio.gather(*(migrate(empty) for _ in range(4)))
    assert sorted(ran, key=len) == [[], [], [], NAMES]


async def test_a_failing_migration_leaves_nothing(empty: str) -> None:
    """A file that fails half-way leaves none of it, keeps those before it, and names itself and no more."""
    broken = Migration("0099_broken", "CREATE TABLE contactsync.half (x int); SELECT 'planted'::int")
    with pytest.raises(DatabaseRefused, match=r"0099_broken failed and left nothing behind.*SQLSTATE 22P02") as caught:
        await migrate(empty, [*bundled_migrations(), broken])
    assert "planted" not in str(caught.value)
    assert "half" not in await tables(empty)
    assert await migrate(empty) == []


async def test_a_changed_migration_is_refused(empty: str) -> None:
    """A file that was changed after it was run is refused before anything runs."""
    await migrate(empty)
    first, *others = bundled_migrations()
    changed = [Migration(first.name, first.sql + "-- a word"), *others, Migration("0099_new", "SELECT 1")]
    with pytest.raises(DatabaseRefused, match=f"{first.name} was changed"):
        await migrate(empty, changed)
    async with owner_connection(empty) as connection:
        assert await connection.fetchval("SELECT count(*) FROM contactsync.migration") == len(NAMES)


async def test_an_unmigrated_database_is_told(empty: str) -> None:
    """A process on a database without schema, or with an older one, is told to migrate; a newer one is no problem."""
    database = await Database.connect(empty)
    try:
        with pytest.raises(NotMigrated):
            await check_schema(database)
        await migrate(empty, bundled_migrations()[:3])
        with pytest.raises(NotMigrated):
            await check_schema(database)
        await migrate(empty, [*bundled_migrations(), Migration("0099_of_the_future", "SELECT 1")])
        await check_schema(database)
    finally:
        await database.close()


@pytest.mark.parametrize("user", ["app", "codec"])
async def test_every_process_can_check_the_schema(database_urls: DatabaseUrls, user: str) -> None:
    """Workers and codec server may read which migrations were run."""
    database = await Database.connect(database_urls.app if user == "app" else database_urls.codec)
    try:
        await check_schema(database)
    finally:
        await database.close()


async def test_the_schema_file_is_the_sum_of_the_migrations(database_urls: DatabaseUrls) -> None:
    """docs/schema.sql is what the migrations make; scripts/dump_schema.py writes it anew."""
    made = await asyncio.to_thread(schema_of, database_urls.owner)
    assert made == SCHEMA_FILE.read_text()


async def test_audit_logs_that_are_older_than_their_checkpoints_are_counted(empty: str) -> None:
    """The migration that brings checkpoints finds the logs of all tenants, though its owner is no superuser."""
    at = NAMES.index("0012_audit_checkpoints")
    await migrate(empty, bundled_migrations()[:at])
    tenants = [uuid4(), uuid4()]
    async with owner_connection(empty) as owner:
        for tenant in tenants:
            await owner.execute("SELECT set_config('app.tenant_id', $1, false)", str(tenant))
            statement = "INSERT INTO audit.entry SELECT $1, 1, 'x', sha256(decode(repeat('00', 32), 'hex') || 'x')"
            await owner.execute(statement, tenant)
    assert await migrate(empty) == NAMES[at:]
    async with owner_connection(empty) as owner:
        rows = await owner.fetch("SELECT tenant_id, entries, checkpointed FROM audit.chain")
    assert {tuple(row) for row in rows} == {(tenant, 1, 0) for tenant in tenants}
