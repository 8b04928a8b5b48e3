"""Row-level security: what a role sees and may do, proven as that role."""

import asyncpg
import pytest
from tests.integration.store.address_book import Book, bad, upsert

from contactsync.errors import ConnectionNotFound, DatabaseRefused, TenantNotFound
from contactsync.workers.embedded.provision import DatabaseUrls

TENANT_TABLES = ("tenant", "connection", "progress", "pass", "stash", "contact", "contact_lookup", "quarantine")


async def fill(book: Book) -> None:
    """A row in every table."""
    ticket = await book.open()
    await book.workbench().stash([b"listing"])
    await book.commit(ticket, 1, [upsert("ada"), bad("eve")])


async def counted(book: Book, table: str, tenant: Book | None) -> int:
    """How many rows a tenant sees, or nobody."""
    async with book.store.database.transaction(tenant.ref.tenant_id if tenant else None) as connection:
        return await connection.fetchval(f"SELECT count(*) FROM contactsync.{table}")  # noqa: S608 - a constant


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_a_tenant_sees_its_own_rows_only(book: Book, table: str) -> None:
    """With a tenant set its own rows are visible; with another, none of them; with none, nothing at all."""
    await fill(book)
    stranger = await book.store.new_book()
    own = await counted(book, table, book)
    assert own > 0
    foreign = await counted(book, table, stranger)
    assert foreign in {0, 1}  # the stranger's own tenant, connection and progress rows
    assert await counted(book, table, None) == 0
    async with book.store.database.transaction(stranger.ref.tenant_id) as connection:
        query = f"SELECT count(*) FROM contactsync.{table} WHERE tenant_id = $1"  # noqa: S608 - a constant
        assert await connection.fetchval(query, book.ref.tenant_id) == 0


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_no_row_can_be_written_for_another_tenant(book: Book, table: str) -> None:
    """An insert that names another tenant is refused, as are updates that would hand a row over."""
    await fill(book)
    stranger = await book.store.new_book()
    copied = (
        f"INSERT INTO contactsync.{table} SELECT (jsonb_populate_record(t, $1::jsonb)).* FROM contactsync.{table} t"  # noqa: S608 - a constant
    )
    with pytest.raises(DatabaseRefused, match="lacks a right"):  # not a constraint's doing
        async with book.store.database.transaction(book.ref.tenant_id) as connection:
            await connection.execute(copied, f'{{"tenant_id": "{stranger.ref.tenant_id}"}}')


@pytest.mark.parametrize("table", ["contact", "progress", "pass", "quarantine", "connection", "tenant"])
async def test_no_row_of_another_tenant_can_be_changed(book: Book, table: str) -> None:
    """An update that aims at another tenant's rows finds none."""
    await fill(book)
    stranger = await book.store.new_book()
    async with book.store.database.transaction(stranger.ref.tenant_id) as connection:
        update = f"UPDATE contactsync.{table} SET tenant_id = tenant_id WHERE tenant_id = $1"  # noqa: S608 - a constant
        assert await connection.execute(update, book.ref.tenant_id) == "UPDATE 0"


async def test_the_directory_reads_tenants_and_connections_only(book: Book) -> None:
    """The scope of `tenant list` shows tenants and connections of all, nothing else, and changes nothing."""
    await fill(book)
    await book.store.new_book()
    async with book.store.database.transaction(directory=True) as connection:
        seen = {
            table: await connection.fetchval(f"SELECT count(*) FROM contactsync.{table}")  # noqa: S608 - a constant
            for table in TENANT_TABLES
        }
        changed = await connection.execute("UPDATE contactsync.connection SET paused = 'x'")
        named = await connection.execute("UPDATE contactsync.tenant SET label = 'x'")
    assert {table for table, rows in seen.items() if rows} == {"tenant", "connection"}
    assert (seen["tenant"], changed, named) == (2, "UPDATE 0", "UPDATE 0")


async def test_the_tenant_is_forgotten_with_the_transaction(book: Book, database_urls: DatabaseUrls) -> None:
    """A pooled connection carries no tenant into the next transaction."""
    await fill(book)
    async with book.store.database.transaction(book.ref.tenant_id) as connection:
        await connection.fetchval("SELECT count(*) FROM contactsync.contact")
    raw = await asyncpg.connect(database_urls.app)
    try:
        async with raw.transaction():
            await raw.execute("SELECT set_config('app.tenant_id', $1, true)", str(book.ref.tenant_id))
            assert await raw.fetchval("SELECT count(*) FROM contactsync.contact") == 1
        assert await raw.fetchval("SELECT count(*) FROM contactsync.contact") == 0
    finally:
        await raw.close()


async def test_partitions_cannot_be_read_around_the_policy(book: Book) -> None:
    """The app may not touch a partition by its own name."""
    for table in ("contact_0", "contact_lookup_0"):
        with pytest.raises(DatabaseRefused):
            async with book.store.database.transaction(book.ref.tenant_id) as connection:
                await connection.fetchval(f"SELECT count(*) FROM contactsync.{table}")  # noqa: S608 - a constant


async def test_every_table_of_tenants_is_forced(database_urls: DatabaseUrls) -> None:
    """Each table with a tenant_id, partitions too, has row-level security enabled, forced, and a policy."""
    owner = await asyncpg.connect(database_urls.owner)
    try:
        rows = await owner.fetch(
            """
            SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
                EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) AS has_policy
            FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
            WHERE c.relnamespace = 'contactsync'::regnamespace AND c.relkind IN ('r', 'p')
            """
        )
    finally:
        await owner.close()
    assert {row["relname"] for row in rows} >= set(TENANT_TABLES) | {"contact_0", "contact_lookup_7"}
    assert [row["relname"] for row in rows if not all(tuple(row)[1:])] == []


async def test_even_the_owner_sees_nothing_without_a_tenant(book: Book, database_urls: DatabaseUrls) -> None:
    """Forced means forced: the owner of the tables sees no contact either."""
    await fill(book)
    owner = await asyncpg.connect(database_urls.owner)
    try:
        assert await owner.fetchval("SELECT count(*) FROM contactsync.contact") == 0
    finally:
        await owner.close()


async def test_the_roles_are_powerless(database_urls: DatabaseUrls) -> None:
    """The roles own nothing, are no superusers, bypass no policy, and make no roles, databases or tables."""
    app = await asyncpg.connect(database_urls.app)
    try:
        rows = await app.fetch(
            """
            SELECT rolname FROM pg_roles
            WHERE (rolname LIKE 'contactsync%' AND rolname <> 'contactsync_owner')
                AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb
                    OR EXISTS (SELECT FROM pg_class c WHERE c.relowner = pg_roles.oid)
                    OR EXISTS (SELECT FROM pg_namespace n WHERE n.nspowner = pg_roles.oid))
            """
        )
        assert rows == []
        for statement in ("CREATE TABLE contactsync.mine (x int)", "CREATE TABLE public.mine (x int)"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(statement)
        for statement in (
            "DELETE FROM contactsync.contact",
            "DELETE FROM contactsync.pass",
            "TRUNCATE contactsync.stash",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(statement)
    finally:
        await app.close()


async def test_the_codec_server_sees_no_contacts(book: Book, database_urls: DatabaseUrls) -> None:
    """The codec server's user has no right on contacts, tenants or connections."""
    await fill(book)
    codec = await asyncpg.connect(database_urls.codec)
    try:
        for table in TENANT_TABLES:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await codec.fetchval(f"SELECT count(*) FROM contactsync.{table}")  # noqa: S608 - a constant
    finally:
        await codec.close()


async def test_another_tenants_connection_is_not_found(book: Book) -> None:
    """Asked for under another tenant, a connection is simply not there."""
    stranger = await book.store.new_book()
    with pytest.raises(ConnectionNotFound):
        await book.store.directory.get_connection(book.ref.connection_id, stranger.ref.tenant_id)
    with pytest.raises(TenantNotFound):
        await book.store.directory.get_tenant(book.ref.connection_id)
