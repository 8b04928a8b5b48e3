"""A database that is read-only, full, gone, or not ours: one error each, nothing lost, and the work goes on after."""

import asyncio
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from tests.integration.store.address_book import Book, Store, upsert

from contactsync.codecs.keys.ring import KeyRing
from contactsync.errors import (
    ContactSyncError,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseRefused,
    DatabaseUnavailable,
    SettingsError,
)
from contactsync.postgres import Database, owner_connection
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.provision import DatabaseUrls


def database_name(urls: DatabaseUrls) -> str:
    """The name of the test's database."""
    return urlsplit(urls.app).path.removeprefix("/")


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[Database]:
    """A pool of its own, so that settings of the database apply to its sessions."""
    database = await Database.connect(url)
    try:
        yield database
    finally:
        await database.close()


async def test_a_read_only_database(
    book: Book, ring: KeyRing, database_urls: DatabaseUrls, postgres_server: PostgresServer
) -> None:
    """A read-only database says so, can be read, and the same page is committed once it is writable."""
    ticket = await book.open()
    setting = f'ALTER DATABASE "{database_name(database_urls)}" SET default_transaction_read_only'
    async with owner_connection(postgres_server.url()) as administrator:
        await administrator.execute(f"{setting} = on")
        async with connected(database_urls.app) as database:
            read_only = Book(Store(database, ring), book.ref)
            with pytest.raises(DatabaseReadOnly):
                await read_only.commit(ticket, 1, [upsert("ada")])
            with pytest.raises(DatabaseReadOnly):
                await read_only.open()
        await administrator.execute(f"{setting} = off")
    assert await book.held() == {}
    await book.commit(ticket, 1, [upsert("ada")])


@pytest.mark.parametrize("table", ["contactsync.contact", "contactsync.contact_lookup", "audit.entry"])
async def test_a_full_database(book: Book, database_urls: DatabaseUrls, table: str) -> None:
    """Out of space at whatever statement of the page, nothing of it stays; with space again it is committed."""
    ticket = await book.open()
    async with owner_connection(database_urls.owner) as owner:
        await owner.execute(
            "CREATE FUNCTION public.full() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'planted' USING ERRCODE = 'disk_full'; END$$;"
            f"CREATE TRIGGER zz_full BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION public.full()"
        )
        with pytest.raises(DatabaseFull) as caught:
            await book.commit(ticket, 1, [upsert("ada")], done=True)
        assert "planted" not in "".join(traceback.format_exception_only(caught.value))
        await owner.execute(f"DROP TRIGGER zz_full ON {table}")
    progress = await book.store.passes.progress(book.ref)
    assert (progress.page, progress.started, progress.open) == (0, False, True)
    assert await book.rows("SELECT 1 FROM contactsync.contact") == []
    result = await book.commit(ticket, 1, [upsert("ada")], done=True)
    assert result.counts.added == 1


async def end_the_waiting(administrator: "asyncpg.Connection[asyncpg.Record]") -> None:
    """End the session that waits for a lock, once there is one."""
    query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    async with asyncio.timeout(20):
        while not await administrator.fetchval(query):
            pass


async def test_a_session_that_is_ended_in_mid_commit(book: Book, postgres_server: PostgresServer) -> None:
    """A commit whose session the server ends is unavailable, writes nothing, and succeeds when tried again."""
    ticket = await book.open()
    async with (
        owner_connection(postgres_server.url()) as administrator,
        book.store.database.transaction(book.ref.tenant_id) as blocker,
    ):
        await blocker.execute("SELECT 1 FROM contactsync.progress FOR UPDATE")
        commit = asyncio.create_task(book.commit(ticket, 1, [upsert("ada")]))
        await end_the_waiting(administrator)
        with pytest.raises(DatabaseUnavailable):
            await commit
    assert await book.held() == {}
    await book.commit(ticket, 1, [upsert("ada")])
    assert set(await book.held()) == {"ada"}


def altered(url: str, *, password: str | None = None, port: int | None = None, path: str | None = None) -> str:
    """The URL with a part changed."""
    parts = urlsplit(url)
    netloc = f"{parts.username}:{password or parts.password}@{parts.hostname}:{port or parts.port}"
    return urlunsplit(parts._replace(netloc=netloc, path=path or parts.path))


async def trouble_with(url: str) -> ContactSyncError:
    """What asking this database ends with."""
    with pytest.raises(ContactSyncError) as caught:
        async with connected(url) as database:
            await database.check()
    return caught.value


async def test_a_wrong_address(database_urls: DatabaseUrls, unused_tcp_port: int) -> None:
    """Nobody there, a wrong password, no such database, no URL: each its own sentence, without password or address."""
    nobody = await trouble_with(altered(database_urls.app, port=unused_tcp_port))
    password = await trouble_with(altered(database_urls.app, password="wrong"))
    missing = await trouble_with(altered(database_urls.app, path="/missing"))
    nonsense = await trouble_with("planted:secret")
    assert [type(each) for each in (nobody, password, missing, nonsense)] == [
        DatabaseUnavailable,
        DatabaseRefused,
        DatabaseRefused,
        SettingsError,
    ]
    assert len({str(each) for each in (nobody, password, missing, nonsense)}) == 4
    for each in (nobody, password, missing, nonsense):
        text = "".join(traceback.format_exception_only(each))
        assert not any(part in text for part in ("wrong\n", "missing", "planted", "secret", str(unused_tcp_port)))


async def test_the_pool_is_lazy(unused_tcp_port: int) -> None:
    """A worker may start before its database: the pool connects when it is first needed."""
    async with connected(f"postgresql://a:b@127.0.0.1:{unused_tcp_port}/x") as database:
        with pytest.raises(DatabaseUnavailable):
            await database.check()


async def test_errors_hold_no_values(book: Book) -> None:
    """Neither a refused value of the client nor a violated key of the server shows in what is raised."""
    for query, arguments in (
        ("SELECT $1::int", ("planted",)),
        (
            "INSERT INTO contactsync.tenant (tenant_id, label, policy) VALUES ($1, 'planted', '{}')",
            (book.ref.tenant_id,),
        ),
        ("SELECT 'planted'::int", ()),
    ):
        with pytest.raises(DatabaseRefused) as caught:
            await book.rows(query, *arguments)
        error: BaseException | None = caught.value
        assert error.__suppress_context__
        assert error.__cause__ is None
        assert "planted" not in "".join(traceback.format_exception_only(error))


async def test_statements_without_cache(book: Book, ring: KeyRing, database_urls: DatabaseUrls) -> None:
    """Without prepared statements, as behind a pooler in transaction mode, everything works as well."""
    database = await Database.connect(database_urls.app, statement_cache=False)
    try:
        plain = Book(Store(database, ring), book.ref)
        ticket = await plain.open()
        await plain.commit(ticket, 1, [upsert("ada")])
        assert set(await plain.held()) == {"ada"}
        async with database.transaction() as connection:
            assert await connection.fetch("SELECT 1 FROM pg_prepared_statements") == []
    finally:
        await database.close()
