"""Pages that wait for their turn: committed after the page before, or not at all."""

import asyncio

import pytest
from tests.integration.store.address_book import Book, upsert

from contactsync.activities.messages import Counts, PageHead, PageResult, PassTicket
from contactsync.activities.store import turns
from contactsync.activities.store.cursors import Cursor, digest_cursor, seal_cursor
from contactsync.activities.store.passes import lock_progress
from contactsync.errors import ConnectionNotFound, StalePass


async def _in_turn(book: Book, ticket: PassTicket, page: int, *, done: bool = False) -> PageResult:
    head = await book.head(ticket, page, done=done)
    return await book.store.contacts.commit_in_turn(head, [upsert(f"of {page}")])


async def test_a_page_waits_for_the_one_before(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is committed after that one, though it came first."""
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 60.0)
    ticket = await book.open()
    second = asyncio.create_task(_in_turn(book, ticket, 2, done=True))
    await _has_looked(second)
    first = await book.commit(ticket, 1, [upsert("of 1")])
    assert (first.done, (await second).done) == (False, True)
    pages = await book.rows("SELECT observed FROM contactsync.contact ORDER BY observed")
    assert len(pages) == 2
    assert await book.held() == {"of 1": "of 1", "of 2": "of 2"}


async def _has_looked(waiting: "asyncio.Task[PageResult]") -> None:
    """Let it come to where it waits; whenever it looks, the page before is not there."""
    for _ in range(100):
        await asyncio.sleep(0)
    assert not waiting.done()


async def test_a_page_whose_turn_does_not_come_is_early(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written, and the page may come again."""
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.0)
    ticket = await book.open()
    early = await _in_turn(book, ticket, 2)
    assert early == PageResult(counts=Counts(), done=False, early=True)
    assert await book.held() == {}
    await book.commit(ticket, 1, [upsert("of 1")])
    assert (await _in_turn(book, ticket, 2)).counts.added == 1


async def test_a_page_that_waits_holds_no_lock(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks who holds the connection and is told at once that it is not its turn, whoever that is."""
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.0)
    ticket = await book.open()
    async with book.store.database.transaction(book.ref.tenant_id) as connection:
        await lock_progress(connection, book.ref)
        assert (await _in_turn(book, ticket, 2)).early


async def test_the_page_before_is_answered_again_when_the_next_one_is_committed(book: Book) -> None:
    """Its worker died before anybody heard of its commit, and meanwhile the page that had waited was committed."""
    ticket = await book.open()
    answers = [await book.commit(ticket, 1, [upsert("of 1")]), await _in_turn(book, ticket, 2)]
    answers.append(await _in_turn(book, ticket, 3, done=True))
    assert await book.commit(ticket, 2, [upsert("of 2")]) == answers[1]
    assert await _in_turn(book, ticket, 2) == answers[1]
    assert await _in_turn(book, ticket, 3, done=True) == answers[2]
    with pytest.raises(StalePass):
        await book.commit(ticket, 1, [upsert("of 1")])
    assert await book.held() == {"of 1": "of 1", "of 2": "of 2", "of 3": "of 3"}


async def test_the_answer_of_a_page_of_another_pass_is_not_given(book: Book) -> None:
    """A new pass begins without any answer."""
    earlier = await book.open()
    await book.commit(earlier, 1, [upsert("of 1")])
    ticket = await book.open()
    with pytest.raises(StalePass):
        await book.commit(ticket, 0, [upsert("of 0")])
    await book.commit(ticket, 1, [upsert("of 1")])
    with pytest.raises(StalePass):
        await book.commit(ticket, 0, [upsert("of 0")])


async def test_a_page_whose_pass_is_overtaken_or_over_is_refused_at_once(book: Book) -> None:
    """It does not wait for what cannot come."""
    overtaken = await book.open()
    ticket = await book.open()
    with pytest.raises(StalePass):
        await _in_turn(book, overtaken, 2)
    await book.commit(ticket, 1, [upsert("of 1")], done=True)
    with pytest.raises(StalePass):
        await _in_turn(book, ticket, 3)
    assert await book.held() == {"of 1": "of 1"}


async def test_a_page_of_a_connection_that_is_gone_is_refused_at_once(book: Book) -> None:
    """It does not wait either."""
    head = await book.head(await book.open(), 2)
    other = await book.store.new_book()
    gone = head.model_copy(update={"tenant_id": other.ref.tenant_id})
    with pytest.raises(ConnectionNotFound):
        await book.store.contacts.commit_in_turn(gone, [])


async def _after(book: Book, head: PageHead, before: bytes) -> PageHead:
    """The same, fetched with that cursor."""
    sealer = await book.store.ring.tenant_sealer(book.ref.tenant_id)
    return head.model_copy(update={"after": digest_cursor(sealer, book.ref.connection_id, before)})


async def test_no_page_is_committed_over_a_gap_that_a_reset_would_leave(book: Book) -> None:
    """A workflow that was reset fetches page 2 again, with more in it than page 2 had that was committed: page 3, which
    follows it, is refused; the one that follows what was committed is taken."""
    ticket = await book.open()
    first, second, again = [await book.head(ticket, page) for page in (1, 2, 2)]
    again = again.model_copy(update={"cursor": await _cursor(book, "further")})
    commit = book.store.contacts.commit
    await commit(first, [upsert("of 1")])
    answer = await commit(await _after(book, second, first.cursor), [upsert("of 2")])
    assert await commit(await _after(book, again, first.cursor), [upsert("of 2"), upsert("more")]) == answer
    third = await book.head(ticket, 3, done=True)
    for waits in (commit, book.store.contacts.commit_in_turn):
        with pytest.raises(StalePass):
            await waits(await _after(book, third, again.cursor), [upsert("of 3")])
    assert await book.held() == {"of 1": "of 1", "of 2": "of 2"}
    assert (await commit(await _after(book, third, second.cursor), [upsert("of 3")])).done


async def test_no_page_of_a_part_is_committed_over_a_gap(book: Book) -> None:
    """The same in a backfill."""
    filling = await book.backfill(parts=[b"part"])
    first, second = await filling.head(1), await filling.head(2, done=True)
    first = first.model_copy(update={"cursor": await _cursor(book, "1")})
    commit = book.store.backfills.commit
    await commit(first, [upsert("of 1")])
    with pytest.raises(StalePass):
        await commit(await _after(book, second, await _cursor(book, "further")), [upsert("of 2")])
    assert (await commit(await _after(book, second, first.cursor), [upsert("of 2")])).done


async def _cursor(book: Book, source: str) -> bytes:
    sealer = await book.store.ring.tenant_sealer(book.ref.tenant_id)
    return seal_cursor(sealer, book.ref.connection_id, Cursor(generation=1, full=False, source=source.encode()))
