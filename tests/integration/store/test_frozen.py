"""A process that stands still inside a transaction does not hold up the others for ever."""

from collections.abc import Awaitable, Callable
from operator import attrgetter

import pytest
from tests.integration.store.address_book import Book, gone, upsert

from contactsync import postgres
from contactsync.activities.messages import PassTicket
from contactsync.activities.store.passes import lock_progress
from contactsync.errors import DatabaseUnavailable
from contactsync.postgres import Row, Transaction, grant


async def _stand_still_while_another_commits(book: Book, ticket: PassTicket) -> None:
    async with book.store.database.transaction(book.ref.tenant_id) as frozen:
        await lock_progress(frozen, book.ref)
        await frozen.execute("UPDATE contactsync.progress SET page = 7")
        await book.commit(ticket, 1, [upsert("ada")])


async def _stop_in_the_middle_of_a_statement(
    book: Book, ticket: PassTicket, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "TRANSACTION_SECONDS", seconds)
    async with book.store.database.transaction(book.ref.tenant_id) as frozen:
        monkeypatch.undo()
        await lock_progress(frozen, book.ref)
        await frozen.execute("UPDATE contactsync.progress SET page = 7")
        await _send_half_a_statement(frozen)
        await book.commit(ticket, 1, [upsert("ada")])


async def _send_half_a_statement(frozen: Transaction) -> None:
    """Parsed and described, but neither bound nor synced: PostgreSQL waits for the rest of it."""
    prepare: Callable[..., Awaitable[object]] = attrgetter("_con._protocol.prepare")(frozen)
    await prepare("half", "SELECT 1", 5.0, state=None, ignore_custom_codec=False, record_class=Row)


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


async def test_a_process_that_stops_in_the_middle_of_a_statement_lets_go_too(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its session is not idle for PostgreSQL, so the transaction itself may last only so long."""
    ticket = await book.open()
    with pytest.raises(DatabaseUnavailable):
        await _stop_in_the_middle_of_a_statement(book, ticket, 1.0, monkeypatch)
    await book.commit(ticket, 2, [gone("ada")], done=True)
    assert await book.held() == {}


async def test_who_is_granted_more_time_has_it(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep outlasts the time of an ordinary transaction, but not the time it was granted."""
    monkeypatch.setattr(postgres, "TRANSACTION_SECONDS", 0.5)
    await _work_for(1.0, book, granted=3.0)
    with pytest.raises(DatabaseUnavailable):
        await _work_for(30.0, book, granted=1.0)


async def _work_for(seconds: float, book: Book, *, granted: float) -> None:
    async with book.store.database.transaction(book.ref.tenant_id) as sweeping:
        await grant(sweeping, granted)
        await sweeping.execute("SELECT pg_sleep($1)", seconds)
