"""The roles that `deploy/postgres/` makes are enough for every process, and no more than that."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
from tests.prepared_postgres import password, prepared_postgres

from contactsync.activities.store.migrate import check_schema, migrate
from contactsync.errors import DatabaseError, DatabaseRefused
from contactsync.postgres import Database
from contactsync.workers.embedded.postgres import PostgresServer


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgresServer]:
    """A PostgreSQL of its own, prepared as the image prepares it."""
    async with prepared_postgres(tmp_path_factory.mktemp("secrets")) as server:
        yield server


def _url(server: PostgresServer, user: str, secret: str, database: str = "contactsync") -> str:
    return f"postgresql://{user}:{quote(password(secret), safe='')}@127.0.0.1:{server.port}/{database}"


async def test_the_owner_migrates_without_rights_over_roles(server: PostgresServer) -> None:
    """The owner, who may make no roles, runs every migration."""
    assert await migrate(_url(server, "contactsync_owner", "owner_db_password")) != []


@pytest.mark.parametrize(
    ("user", "secret"),
    [("contactsync_worker", "worker_db_password"), ("contactsync_codec_server", "codec_db_password")],
)
async def test_the_processes_find_the_schema_and_cannot_change_it(
    server: PostgresServer, user: str, secret: str
) -> None:
    """Worker and codec server find the schema they need, and may create nothing in the database."""
    await migrate(_url(server, "contactsync_owner", "owner_db_password"))
    database = await Database.connect(_url(server, user, secret))
    await check_schema(database)
    for statement in ("CREATE TABLE contactsync.t ()", "CREATE SCHEMA s", "CREATE TEMPORARY TABLE t ()"):
        with pytest.raises(DatabaseRefused):
            async with database.transaction() as connection:
                await connection.execute(statement)
    await database.close()


async def test_nobody_enters_the_other_databases(server: PostgresServer) -> None:
    """Temporal's user cannot connect to contactsync's database, nor the worker to Temporal's."""
    for url in (
        _url(server, "temporal", "temporal_db_password"),
        _url(server, "contactsync_worker", "worker_db_password", "temporal"),
    ):
        database = await Database.connect(url)
        with pytest.raises(DatabaseError):
            await database.check()
        await database.close()
