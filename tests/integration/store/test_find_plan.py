"""How a contact is found by an address: what that reads."""

from typing import Final

from tests.integration.store.address_book import Book, upsert
from tests.integration.store.plans import explained

from contactsync.postgres import load_queries

FIND: Final = load_queries("contactsync.activities.store", "sql/contacts.sql")["find"]
CONTACTS: Final = 300


async def test_look_ups_of_a_tenant_that_statistics_do_not_know_are_read_once(book: Book) -> None:
    """Whatever the planner believes of a new tenant: not once for each of its contacts."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert(f"n{number}") for number in range(CONTACTS)])
    arguments = (book.ref.tenant_id, "email", [1], [bytes(16)])
    async with book.store.database.transaction(book.ref.tenant_id) as connection:
        nodes = await explained(connection, FIND, *arguments)
    scans = [node for node in nodes if node.get("Relation Name", "").startswith("contact_lookup")]
    assert scans
    assert {node.get("Actual Loops") for node in scans} <= {0, 1}
