"""How a page's contacts are found, and one by its id: what that reads."""

from typing import Final
from uuid import UUID, uuid4

import pytest
from tests.integration.store.address_book import Book, moved, upsert
from tests.integration.store.plans import explained, rows_read

from contactsync.postgres import Database, Transaction, load_queries, owner_connection
from contactsync.workers.embedded.provision import DatabaseUrls

_FILES: Final = ("contacts", "workbench", "moving", "rotation")
SQL: Final = {file: load_queries("contactsync.activities.store", f"sql/{file}.sql") for file in _FILES}
PARTITION: Final = 3
KNOWN, CONTACTS, PAGE = 1_000, 5_000, 50
SEED: Final = """
INSERT INTO contactsync.contact (
    tenant_id, contact_id, connection_id, source_index, index_epoch, sealed, content_mac, observed, generation
)
SELECT $1, gen_random_uuid(), $2, uuid_send(gen_random_uuid()), 1, repeat('x', 300)::bytea, 'x', 1, 1
FROM generate_series(1, $3)
"""
IN_PARTITION: Final = "SELECT satisfies_hash_partition('contactsync.contact'::regclass, 8, $1, $2::uuid)"
SAMPLE: Final = "SELECT contact_id, source_index FROM contactsync.contact WHERE tenant_id = $1 LIMIT $2"

REFUSE_LOOPS: Final = """
CREATE FUNCTION contactsync.refuse_loops() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    ASSERT current_setting('enable_nestloop') = 'off';
    RETURN NULL;
END
$$;
CREATE TRIGGER refuse_loops BEFORE UPDATE OF sealed, etag_mac ON contactsync.contact
FOR EACH STATEMENT EXECUTE FUNCTION contactsync.refuse_loops()
"""

Ref = tuple[UUID, UUID]


async def planted(database: Database, contacts: int) -> Ref:
    """A tenant of the one partition and its connection, with so many contacts."""
    tenant_id, connection_id = uuid4(), uuid4()
    async with database.transaction() as connection:
        while not await connection.fetchval(IN_PARTITION, PARTITION, tenant_id):
            tenant_id = uuid4()
    async with database.transaction(tenant_id) as connection:
        await connection.execute(SEED, tenant_id, connection_id, contacts)
    return tenant_id, connection_id


@pytest.fixture
async def unknown(database: Database, database_urls: DatabaseUrls) -> Ref:
    """A tenant that statistics do not know, beside one that they know."""
    await planted(database, KNOWN)
    async with owner_connection(database_urls.owner) as owner:
        await owner.execute("ANALYZE contactsync.contact")
    return await planted(database, CONTACTS)


async def read_by_each(connection: Transaction, ref: Ref) -> dict[str, int]:
    """How many rows of contacts each statement reads for a page."""
    sample = await connection.fetch(SAMPLE, ref[0], PAGE)
    ids, indexes = [row[0] for row in sample], [row[1] for row in sample]
    macs, digests, numbers = bytes(16 * PAGE), [bytes(16)] * PAGE, [2] * PAGE
    statements: dict[str, tuple[str, tuple[object, ...]]] = {
        "held": ("contacts", (*ref, indexes)),
        "held_etags": ("workbench", (*ref, indexes)),
        "seen": ("contacts", (*ref, indexes, 2, 2)),
        "hold": ("contacts", (*ref, indexes, 2)),
        "touch": ("contacts", (*ref, indexes, digests, numbers, numbers, numbers, [None] * PAGE)),
        "change": ("contacts", (*ref, 1, 3, 3, ids, indexes, digests, macs, macs, numbers, b"\1" * 16)),
        "to_move": ("moving", (*ref, indexes)),
        "vacate": ("moving", (ref[0], ids)),
        "forward_contacts": ("rotation", (ref[0], 2, ids, indexes, digests)),
        "contact_reseal": ("rotation", (ref[0], ids, digests, digests)),
        "live_after": ("contacts", (*ref, UUID(int=0), PAGE)),
        "get": ("contacts", (ref[0], ids[0])),
    }
    return {
        name: rows_read(await explained(connection, SQL[file][name], *arguments), "contact_")
        for name, (file, arguments) in statements.items()
    }


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_a_page_of_a_tenant_that_statistics_do_not_know_reads_itself(
    database: Database, unknown: Ref, mode: str
) -> None:
    """Whatever the planner believes of a tenant: no statement reads more than the contacts it is for."""
    async with database.transaction(unknown[0]) as connection:
        await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
        read = await read_by_each(connection, unknown)
    assert {name: rows for name, rows in read.items() if rows > PAGE} == {}
    assert min(read.values()) > 0


async def test_what_is_written_is_joined_by_hash(book: Book, database_urls: DatabaseUrls) -> None:
    """Contacts that change, that are equal, or that move: none is compared with each other one of its page."""
    async with owner_connection(database_urls.owner) as owner:
        await owner.execute(REFUSE_LOOPS)
    ticket = await book.open()
    pages = [upsert("a"), upsert("b")], [upsert("a", "other")], [upsert("a", "other", etag="1")], [moved("a", "c")]
    for number, changes in enumerate(pages, 1):
        await book.commit(ticket, number, changes)
    assert await book.held() == {"c": "other", "b": "b"}
