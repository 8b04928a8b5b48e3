"""The database's side of offboarding a tenant."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from tests.integration.store.address_book import Book, Store, bad, upsert

from contactsync.activities.store.backfill_rows import NewBackfill
from contactsync.activities.store.directory import NewConnection
from contactsync.activities.store.offboarding import Offboardings
from contactsync.errors import (
    ConnectionNotFound,
    ContactSyncError,
    DatabaseRefused,
    StalePass,
    TenantDisabled,
    TenantNotFound,
)

WEEK = 7 * 86400.0
KEPT = {"tenant", "offboarding", "certificate"}


@pytest.fixture
def offboardings(store: Store) -> Offboardings:
    """The class under test."""
    return Offboardings(store.database)


async def disabled(offboardings: Offboardings, book: Book) -> UUID:
    """Begin; answers the opening."""
    opening = uuid4()
    await offboardings.disable(book.ref.tenant_id, opening, WEEK, "cli/0")
    return opening


async def filled(store: Store) -> Book:
    """A connection with something in every table that the store's own classes fill."""
    book = await store.new_book()
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada"), upsert("bob"), bad("eve")], full=True)
    await book.workbench().stash([b"a listing"])
    await book.backfill(NewBackfill())
    return book


async def rows_of(store: Store, tenant_id: UUID) -> dict[str, int]:
    """How many rows each table of the application holds of a tenant; what holds none is left out."""
    async with store.database.transaction(tenant_id) as connection:
        names = await connection.fetch(
            "SELECT table_name AS name FROM information_schema.columns"
            " WHERE table_schema = 'contactsync' AND column_name = 'tenant_id'"
        )
        counts = {
            row["name"]: await connection.fetchval(f'SELECT count(*) FROM contactsync."{row["name"]}"')  # noqa: S608
            for row in names
        }
    return {name: count for name, count in counts.items() if count}


async def kinds_of(store: Store, tenant_id: UUID) -> list[str]:
    """The kinds of the audit log's entries."""
    async with store.database.transaction(tenant_id) as connection:
        rows = await connection.fetch("SELECT entry::jsonb ->> 'kind' AS kind FROM audit.entry ORDER BY seq")
    return [row["kind"] for row in rows]


async def test_a_disabled_tenant_begins_nothing(store: Store, offboardings: Offboardings) -> None:
    """No pass, page, backfill or connection begins; what ends something still may."""
    book = await store.new_book()
    ticket = await book.open()
    filling = await book.backfill()
    await disabled(offboardings, book)
    for asked in (
        book.open(),
        book.commit(ticket, 1, [upsert("ada")]),
        filling.open(),
        filling.plan(),
        filling.commit(1, [upsert("ada")]),
        store.directory.add_connection(book.ref.tenant_id, NewConnection(kind="memory", settings={})),
        store.directory.working_tenant(book.ref.tenant_id),
    ):
        with pytest.raises(TenantDisabled):
            await asked
    await store.backfills.set_paused(filling.ref, True, actor="worker")
    assert await book.held() == {}


async def test_disabling_twice_is_once(store: Store, book: Book, offboardings: Offboardings) -> None:
    """The same opening again changes nothing; another one goes on with the quarantine that is under way."""
    opening = await disabled(offboardings, book)
    first = await offboardings.find(book.ref.tenant_id)
    assert await offboardings.disable(book.ref.tenant_id, opening, 1.0, "cli/0") == first
    second = await offboardings.disable(book.ref.tenant_id, uuid4(), 1.0, "cli/0")
    assert first is not None
    assert (second.quarantine_until, second.state) == (first.quarantine_until, "quarantine")
    assert (await kinds_of(store, book.ref.tenant_id)).count("tenant_disabled") == 1
    with pytest.raises(StalePass):
        await offboardings.disable(book.ref.tenant_id, opening, 1.0, "cli/0")
    with pytest.raises(StalePass):
        await offboardings.decide(book.ref.tenant_id, opening, "worker")


async def test_cancelling_gives_everything_back(store: Store, book: Book, offboardings: Offboardings) -> None:
    """The tenant works again, pauses of an operator stay, and what comes late disables nothing."""
    paused = await store.new_book(book.ref.tenant_id)
    await store.directory.set_paused(paused.ref.tenant_id, paused.ref.connection_id, "operator")
    opening = await disabled(offboardings, book)
    assert (await store.directory.find_connection(book.ref.connection_id)).paused == "TenantDisabled"
    for _ in range(2):
        await offboardings.enable(book.ref.tenant_id, "cli/0")
    assert (await book.open()).paused is None
    assert (await paused.open()).paused == "operator"
    for late in (
        offboardings.disable(book.ref.tenant_id, opening, WEEK, "cli/0"),
        offboardings.decide(book.ref.tenant_id, opening, "worker"),
    ):
        with pytest.raises(StalePass):
            await late
    assert (await store.directory.working_tenant(book.ref.tenant_id)).disabled_at is None
    kinds = await kinds_of(store, book.ref.tenant_id)
    assert [kind for kind in kinds if kind.startswith("tenant_")] == [
        "tenant_added",
        "tenant_disabled",
        "tenant_enabled",
    ]


async def test_what_was_decided_cannot_be_undone(book: Book, offboardings: Offboardings) -> None:
    """After the point of no return the tenant is not enabled, by whatever order things come in."""
    opening = await disabled(offboardings, book)
    for _ in range(2):
        await offboardings.decide(book.ref.tenant_id, opening, "worker")
    with pytest.raises(TenantDisabled):
        await offboardings.enable(book.ref.tenant_id, "cli/0")
    again = await offboardings.disable(book.ref.tenant_id, uuid4(), WEEK, "cli/0")
    assert again.state == "decided"


async def test_deciding_and_cancelling_at_once(book: Book, offboardings: Offboardings) -> None:
    """One of the two wins, and the other is told."""
    opening = await disabled(offboardings, book)
    answers = await asyncio.gather(
        offboardings.decide(book.ref.tenant_id, opening, "worker"),
        offboardings.enable(book.ref.tenant_id, "cli/0"),
        return_exceptions=True,
    )
    refused = [each for each in answers if isinstance(each, ContactSyncError)]
    assert len(refused) == 1
    found = await offboardings.find(book.ref.tenant_id)
    assert found is not None
    assert found.state == ("decided" if isinstance(answers[1], TenantDisabled) else "cancelled")


async def test_rows_go_in_batches_and_are_counted(store: Store, offboardings: Offboardings) -> None:
    """Nothing is left but what tells of the offboarding, the counts are exact, and other tenants keep every row."""
    book, other = await filled(store), await filled(store)
    opening = await disabled(offboardings, book)
    before, theirs = await rows_of(store, book.ref.tenant_id), await rows_of(store, other.ref.tenant_id)
    await offboardings.decide(book.ref.tenant_id, opening, "worker")
    batches = 0
    while await offboardings.delete_batch(book.ref.tenant_id, most=2):
        batches += 1
    assert batches > 3
    assert await rows_of(store, book.ref.tenant_id) == {"tenant": 1, "offboarding": 1}
    assert await rows_of(store, other.ref.tenant_id) == theirs
    found = await offboardings.find(book.ref.tenant_id)
    assert found is not None
    whole = {name: count for name, count in before.items() if not name[-1].isdigit() and name not in KEPT}
    assert found.deleted == whole
    assert {"contact", "contact_lookup", "quarantine", "stash", "backfill", "progress", "connection"} <= set(whole)


async def test_only_what_is_decided_is_deleted(store: Store, offboardings: Offboardings) -> None:
    """During the quarantine the database itself refuses to delete, and so it does for a tenant that just works."""
    book = await filled(store)
    with pytest.raises(DatabaseRefused):
        await offboardings.delete_batch(book.ref.tenant_id)
    await disabled(offboardings, book)
    with pytest.raises(DatabaseRefused):
        await offboardings.delete_batch(book.ref.tenant_id)
    assert await book.held() == {"ada": "ada", "bob": "bob"}


async def test_a_late_writer_finds_no_connection(store: Store, offboardings: Offboardings) -> None:
    """A page, a stash or a pass that comes after the rows are gone writes nothing."""
    book = await store.new_book()
    ticket = await book.open()
    head = await book.head(ticket, 1)
    opening = await disabled(offboardings, book)
    await offboardings.decide(book.ref.tenant_id, opening, "worker")
    while await offboardings.delete_batch(book.ref.tenant_id):
        pass
    with pytest.raises(ConnectionNotFound):
        await store.contacts.commit(head, [upsert("ada")])
    with pytest.raises(ConnectionNotFound):
        await book.open()
    with pytest.raises(DatabaseRefused):
        await book.workbench().stash([b"late"])
    assert await rows_of(store, book.ref.tenant_id) == {"tenant": 1, "offboarding": 1}


async def test_the_keys_end_is_told_once(store: Store, book: Book, offboardings: Offboardings) -> None:
    """The time the keys are gone since is the last at which one was destroyed, with one entry for each time."""
    opening = await disabled(offboardings, book)
    await offboardings.record_destroyed(book.ref.tenant_id, 3, "worker")
    assert (await offboardings.find(book.ref.tenant_id) or pytest.fail("gone")).effective_at is None
    await offboardings.decide(book.ref.tenant_id, opening, "worker")
    times: list[datetime | None] = []
    for keys in (3, 0, 1):
        await offboardings.record_destroyed(book.ref.tenant_id, keys, "worker")
        times.append((await offboardings.find(book.ref.tenant_id) or pytest.fail("gone")).effective_at)
    first, same, later = times
    assert first is not None
    assert later is not None
    assert first == same
    assert first < later
    assert (await kinds_of(store, book.ref.tenant_id)).count("key_destroyed") == 2


async def test_a_certificate_is_issued_once(store: Store, book: Book, offboardings: Offboardings) -> None:
    """The first note stays, and the tenant's label goes."""
    await disabled(offboardings, book)
    assert await offboardings.certificate(book.ref.tenant_id) is None
    for note in ("first", "second"):
        await offboardings.issue(book.ref.tenant_id, note, datetime.now(UTC), "00", "worker")
    assert await offboardings.certificate(book.ref.tenant_id) == "first"
    assert (await store.directory.get_tenant(book.ref.tenant_id)).label == "offboarded"
    assert (await kinds_of(store, book.ref.tenant_id)).count("certificate_issued") == 1


async def test_nobody_is_offboarded_who_is_not_there(offboardings: Offboardings) -> None:
    """The platform's own tenant, and any other that is no row, is not found."""
    for tenant_id in (UUID(int=0), uuid4()):
        with pytest.raises(TenantNotFound):
            await offboardings.disable(tenant_id, uuid4(), WEEK, "cli/0")
