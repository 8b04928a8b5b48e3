"""How fresh connections are, by the database alone."""

from uuid import uuid4

import pytest
from tests.integration.store.address_book import Book, Store, upsert

from contactsync.activities.messages import ClosePass
from contactsync.activities.store.freshness import Freshness, Standing
from contactsync.errors import ConnectionNotFound
from contactsync.postgres import load_queries

STATEMENTS = load_queries("contactsync.activities.store", "sql/freshness.sql")
CONNECTIONS = 3000
PASSES = 5


async def standing(book: Book) -> Standing:
    """Where the book's connection stands."""
    return await Freshness(book.store.database).of(book.ref.connection_id)


async def age(book: Book, hours: int) -> None:
    """Make all that happened to a connection older."""
    ref = (book.ref.tenant_id, book.ref.connection_id, hours)
    async with book.store.database.transaction(book.ref.tenant_id) as connection:
        await connection.execute(
            "UPDATE contactsync.connection SET created_at = created_at - $3 * interval '1 hour'"
            " WHERE tenant_id = $1 AND connection_id = $2",
            *ref,
        )
        await connection.execute(
            "UPDATE contactsync.pass SET started_at = started_at - $3 * interval '1 hour',"
            " ended_at = ended_at - $3 * interval '1 hour' WHERE tenant_id = $1 AND connection_id = $2",
            *ref,
        )


async def test_a_new_connection_has_its_objective_to_begin(book: Book) -> None:
    """Its age counts from its beginning: it is late when no pass completed within the objective."""
    seen = await standing(book)
    assert (seen.late, seen.state, seen.completed_at, seen.last) == (False, "new", None, None)
    assert seen.objective_seconds == 2 * seen.interval_seconds
    await age(book, 1)
    later = await standing(book)
    assert (later.late, later.fresh_at) == (True, later.created_at)


async def test_a_completed_pass_makes_it_fresh(book: Book) -> None:
    """A pass that reached the source's present counts, from its end on, until the objective is over."""
    await age(book, 1)
    ticket = await book.open()
    assert (await standing(book)).syncing
    await book.commit(ticket, 1, [upsert("ada")], done=True)
    fresh = await standing(book)
    assert (fresh.late, fresh.state) == (False, "waiting")
    assert fresh.last
    assert (fresh.last.outcome, fresh.last.counts.added, fresh.fresh_at) == ("completed", 1, fresh.completed_at)
    await age(book, 1)
    assert (await standing(book)).late


async def test_a_pass_that_failed_makes_nothing_fresh(book: Book) -> None:
    """The newest completed pass counts, not the newest pass; that one is told of."""
    await book.commit(await book.open(), 1, [upsert("ada")], done=True)
    await age(book, 1)
    ticket = await book.open()
    await book.store.passes.close(
        ClosePass(**book.ref.model_dump(), pass_id=ticket.pass_id, epoch=ticket.epoch, outcome="SourceMisbehaved")
    )
    seen = await standing(book)
    assert seen.last
    assert (seen.late, seen.last.outcome, seen.fresh_at) == (True, "SourceMisbehaved", seen.completed_at)


async def test_the_connections_of_all_tenants_are_seen(store: Store) -> None:
    """One look sees every tenant's connections, the oldest first, with those that are paused."""
    books = [await store.new_book() for _ in range(3)]
    await store.directory.set_paused(books[1].ref.tenant_id, books[1].ref.connection_id, "privacy")
    found = await Freshness(store.database).look()
    assert [each.connection_id for each in found] == [book.ref.connection_id for book in books]
    assert [(each.paused, each.state) for each in found] == [(None, "new"), ("privacy", "paused"), (None, "new")]


async def test_an_unknown_connection(store: Store) -> None:
    """What is not there is said so."""
    with pytest.raises(ConnectionNotFound):
        await Freshness(store.database).of(uuid4())


async def test_the_scope_reads_what_a_look_needs_and_writes_nothing(book: Book) -> None:
    """Under the watch's scope connections and passes are visible, no contact, cursor or tenant is, and none changes."""
    await book.commit(await book.open(), 1, [upsert("ada")], done=True)
    async with book.store.database.transaction() as connection:
        await connection.execute("SELECT set_config('app.scope', 'freshness', true)")
        seen = {
            table: await connection.fetchval(f"SELECT count(*) FROM contactsync.{table}")  # noqa: S608 - a constant
            for table in (
                "connection",
                "pass",
                "tenant",
                "contact",
                "contact_lookup",
                "progress",
                "stash",
                "quarantine",
            )
        }
        paused = await connection.execute("UPDATE contactsync.connection SET paused = 'x'")
        ended = await connection.execute("UPDATE contactsync.pass SET outcome = 'x'")
    assert {table for table, rows in seen.items() if rows} == {"connection", "pass"}
    assert (paused, ended) == ("UPDATE 0", "UPDATE 0")


async def test_thousands_of_connections_are_one_statement(book: Book) -> None:
    """However long their histories, each connection costs index probes, and no table of passes is read whole."""
    tenant = book.ref.tenant_id
    async with book.store.database.transaction(tenant) as connection:
        await connection.execute(
            "INSERT INTO contactsync.connection (tenant_id, connection_id, kind, sealed_settings, interval_seconds,"
            " jitter_seconds) SELECT $1, gen_random_uuid(), 'memory', '', 900, 0 FROM generate_series(1, $2)",
            tenant,
            CONNECTIONS,
        )
        await connection.execute(
            "INSERT INTO contactsync.pass (tenant_id, pass_id, connection_id, epoch, ended_at, outcome)"
            " SELECT tenant_id, gen_random_uuid(), connection_id, n, now(), 'completed'"
            " FROM contactsync.connection, generate_series(1, $1) n WHERE tenant_id = $2",
            PASSES,
            tenant,
        )
        await connection.execute("ANALYZE contactsync.pass")
    assert len(await Freshness(book.store.database).look()) == CONNECTIONS + 1
    async with book.store.database.transaction() as connection:
        await connection.execute(STATEMENTS["look_across"])
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {STATEMENTS['standings']}", None))
    assert "Index Only Scan Backward using pass_completed" in plan, plan
    assert "Seq Scan on pass" not in plan, plan
