"""A process that stands still inside a transaction does not hold up the others for ever."""

import pytest
from tests.integration.store.address_book import Book, gone, upsert

from contactsync import postgres
from contactsync.activities.messages import PassTicket
from contactsync.activities.store.passes import lock_progress
from contactsync.errors import DatabaseUnavailable


async def _stand_still_while_another_commits(book: Book, ticket: PassTicket) -> None:
    async with book.store.database.transaction(book.ref.tenant_id) as frozen:
        await lock_progress(frozen, book.ref)
        await frozen.execute("UPDATE contactsync.progress SET page = 7")
        await book.commit(ticket, 1, [upsert("ada")])


async def test_a_transaction_that_stands_still_ends_and_lets_go_of_its_lock(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends it: whoever waits for the lock goes on, and nothing of it is ever written."""
    ticket = await book.open()
    monkeypatch.setattr(postgres, "FROZEN_SECONDS", 1.0)
    with pytest.raises(DatabaseUnavailable):
        await _stand_still_while_another_commits(book, ticket)
    await book.commit(ticket, 2, [gone("ada")], done=True)
    assert await book.held() == {}
