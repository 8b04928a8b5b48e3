"""How the look-ups of contacts that are gone are found: what that reads."""

from typing import Final

import pytest
from tests.integration.store.address_book import Book, upsert
from tests.integration.store.plans import explained

from contactsync.postgres import load_queries

SWEEPING: Final = load_queries("contactsync.activities.store", "sql/sweeping.sql")
HOLDS: Final = load_queries("contactsync.activities.store", "sql/holds.sql")
CONTACTS: Final = 300
GENERATION: Final = 5


@pytest.mark.parametrize("statement", ["sweep", "delete_held"])
async def test_gone_contacts_and_their_look_ups_are_read_once(book: Book, statement: str) -> None:
    """In a tenant that statistics do not know: the contacts once, and of the look-ups theirs, not each for each."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert(f"n{number}") for number in range(CONTACTS)])
    arguments = (*book.ref.model_dump().values(), GENERATION, None, 1)
    async with book.store.database.transaction(book.ref.tenant_id) as connection:
        if statement == "delete_held":
            await connection.execute(SWEEPING["hold_unlisted"], *arguments)
            nodes = await explained(connection, HOLDS[statement], *arguments[:2])
        else:
            nodes = await explained(connection, SWEEPING[statement], *arguments)
    assert not {node.get("Node Type") for node in nodes} & {"Nested Loop", "Hash Join", "Merge Join"}
    scans = [node for node in nodes if "Scan" in node.get("Node Type", "")]
    assert {node.get("Relation Name", "").rpartition("_")[0] for node in scans} >= {"contact", "contact_lookup"}
    assert {node.get("Actual Loops") for node in scans} <= {0, 1}
