"""Who may write: passes opened, overtaken and ended; pages twice, late and out of order."""

import asyncio
from itertools import permutations
from uuid import uuid4

import pytest
from tests.integration.store.address_book import Book, gone, upsert

from contactsync.activities.messages import ClosePass, Counts, OpenPass, PassTicket
from contactsync.activities.store.passes import COMPLETED, SUPERSEDED
from contactsync.errors import ConnectionNotFound, StalePass


async def close(book: Book, ticket: PassTicket, outcome: str = "SourceUnavailable") -> str:
    """Close a pass; the outcome it has then."""
    request = ClosePass(**book.ref.model_dump(), pass_id=ticket.pass_id, epoch=ticket.epoch, outcome=outcome)
    return (await book.store.passes.close(request)).outcome


async def test_first_ticket(book: Book) -> None:
    """The first pass has no cursor, no page, and the connection's own interval."""
    ticket = await book.open()
    assert (ticket.epoch, ticket.page, ticket.cursor, ticket.paused) == (1, 0, None, None)
    assert (ticket.interval_seconds, ticket.jitter_seconds) == (900, 60)


async def test_opening_twice_is_opening_once(book: Book) -> None:
    """The same pass id gives the same pass, with the page it has come to."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada")])
    again = await book.open(ticket.pass_id)
    assert (again.pass_id, again.epoch, again.page) == (ticket.pass_id, ticket.epoch, 1)
    assert len(await book.store.passes.history(book.ref)) == 1


async def test_a_new_pass_takes_over_in_mid_listing(book: Book) -> None:
    """What replaces a terminated workflow keeps its cursor and begins to count pages anew; the old pass is over."""
    first = await book.open()
    await book.commit(first, 1, [upsert("ada")], full=True)
    second = await book.open()
    assert (second.epoch, second.page) == (first.epoch + 1, 0)
    assert second.cursor is not None
    for page in (1, 2):  # the page it committed, which is the new pass's next, and the one after
        with pytest.raises(StalePass):
            await book.commit(first, page, [upsert("zombie")])
    await book.commit(second, 1, [upsert("ben")])
    newest, oldest = await book.store.passes.history(book.ref)
    assert (newest.outcome, oldest.outcome) == (None, SUPERSEDED)
    assert set(await book.held()) == {"ada", "ben"}


async def test_an_overtaken_pass_does_not_open_again(book: Book) -> None:
    """The pass id of an overtaken pass is refused, so that its workflow ends."""
    first = await book.open()
    await book.open()
    with pytest.raises(StalePass):
        await book.open(first.pass_id)


async def test_racing_openers_leave_one_pass(book: Book) -> None:
    """Of many that open at once each gets an epoch of its own, and one pass is open."""
    tickets = await asyncio.gather(*(book.open() for _ in range(8)))
    assert sorted(ticket.epoch for ticket in tickets) == list(range(1, 9))
    history = await book.store.passes.history(book.ref)
    assert [record.outcome for record in history] == [None, *[SUPERSEDED] * 7]


async def test_racing_attempts_open_one_pass(book: Book) -> None:
    """Attempts of one opening that run at once get one ticket."""
    pass_id = uuid4()
    tickets = await asyncio.gather(*(book.open(pass_id) for _ in range(8)))
    assert {ticket.epoch for ticket in tickets} == {1}


async def test_a_page_twice_answers_the_same(book: Book) -> None:
    """A page committed a second time gives the first answer, writes nothing and is counted once."""
    ticket = await book.open()
    page = [upsert("ada", "1"), upsert("ben", "1")]
    first = await book.commit(ticket, 1, page)
    before = await book.rows("SELECT * FROM contactsync.contact ORDER BY contact_id")
    assert await book.commit(ticket, 1, page) == first
    assert await book.rows("SELECT * FROM contactsync.contact ORDER BY contact_id") == before
    (record,) = await book.store.passes.history(book.ref)
    assert record.counts == Counts(pages=1, downloaded=1, added=2)


async def test_the_last_page_twice_sweeps_once(book: Book) -> None:
    """The last page of a complete listing, committed twice, sweeps once and counts its deletions once."""
    await book.full_pass([[upsert("ada"), upsert("ben")]], generation=1)
    ticket = await book.open()
    first = await book.commit(ticket, 1, [upsert("ada")], done=True, full=True, generation=2)
    again = await book.commit(ticket, 1, [upsert("ada")], done=True, full=True, generation=2)
    assert first == again
    latest = await book.store.passes.latest(book.ref)
    assert latest is not None
    assert (latest.counts.deleted, latest.outcome) == (1, COMPLETED)


async def test_racing_attempts_of_a_page_write_it_once(book: Book) -> None:
    """Eight attempts of one page at once: one writes, all answer alike, the pass counts it once."""
    ticket = await book.open()
    page = [upsert(f"contact {number}") for number in range(50)]
    answers = await asyncio.gather(*(book.commit(ticket, 1, page) for _ in range(8)))
    assert {answer.counts.added for answer in answers} == {50}
    latest = await book.store.passes.latest(book.ref)
    assert latest is not None
    assert latest.counts == Counts(pages=1, downloaded=1, added=50)


@pytest.mark.parametrize("page", [0, 1, 5, 6])
async def test_a_page_out_of_turn_is_refused(book: Book, page: int) -> None:
    """A page that is neither of the last two committed nor the next is refused and leaves no trace."""
    ticket = await book.open()
    for number in (1, 2, 3):
        await book.commit(ticket, number, [upsert("ada", str(number))])
    with pytest.raises(StalePass):
        await book.commit(ticket, page, [upsert("ada", "out of turn")])
    assert await book.held() == {"ada": "3"}
    assert (await book.store.passes.progress(book.ref)).page == 3


@pytest.mark.parametrize("page", [2, 3])
async def test_a_page_that_is_committed_is_answered_as_it_was(book: Book, page: int) -> None:
    """Each of the last two, whatever it says now; and it leaves no trace."""
    ticket = await book.open()
    answers = {number: await book.commit(ticket, number, [upsert(f"n{number}")] * number) for number in (1, 2, 3)}
    again = await book.commit(ticket, page, [upsert("ada", "again")])
    assert again.model_dump() == answers[page].model_dump()
    assert sorted(await book.held()) == ["n1", "n2", "n3"]
    assert (await book.store.passes.progress(book.ref)).page == 3


async def test_nothing_follows_the_last_page(book: Book) -> None:
    """After the page that said it was the last, the pass takes no more."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada")], done=True)
    with pytest.raises(StalePass):
        await book.commit(ticket, 2, [upsert("ben")])


async def test_every_order_of_pages_with_repeats_ends_alike(book: Book) -> None:
    """Whatever order pages are tried in, twice each, until all are in: rows and counts are those of 1, 2, 3."""
    pages = {
        1: [upsert("ada", "1"), upsert("ben", "1"), upsert("cid", "1")],
        2: [upsert("ada", "2"), gone("ben")],
        3: [upsert("ben", "3"), gone("cid")],
    }
    for order in sorted(set(permutations((1, 1, 2, 2, 3, 3)))):
        fresh = await book.store.new_book(book.ref.tenant_id)
        ticket = await fresh.open()
        committed = 0
        for page in (*order, 1, 2, 3):
            try:
                await fresh.commit(ticket, page, pages[page], done=page == 3)
            except StalePass:
                assert page not in {committed - 1, committed, committed + 1}
            else:
                assert page in {committed - 1, committed, committed + 1}
                committed = max(committed, page)
        latest = await fresh.store.passes.latest(fresh.ref)
        assert latest is not None
        assert await fresh.held() == {"ada": "2", "ben": "3"}
        assert latest.counts == Counts(pages=3, downloaded=3, added=4, updated=1, deleted=2)
        assert latest.outcome == COMPLETED


async def test_a_zombie_that_waits_for_the_lock_is_fenced(book: Book) -> None:
    """A commit that was under way when the next pass opened finds itself overtaken, whoever gets the lock first."""
    for _ in range(10):
        ticket = await book.open()
        outcomes = await asyncio.gather(
            book.commit(ticket, 1, [upsert("ada", str(ticket.epoch))]), book.open(), return_exceptions=True
        )
        committed, opened = outcomes
        assert isinstance(opened, PassTicket)
        assert isinstance(committed, StalePass) or not isinstance(committed, BaseException)
        with pytest.raises(StalePass):
            await book.commit(ticket, 2, [upsert("ada", "zombie")])
    assert "zombie" not in (await book.held()).values()


async def test_closing_ends_a_pass(book: Book) -> None:
    """A pass that failed is ended with its code, takes no more pages, and the next one goes on from its cursor."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada")])
    assert await close(book, ticket) == "SourceUnavailable"
    with pytest.raises(StalePass):
        await book.commit(ticket, 2, [upsert("ben")])
    assert await book.cursor() == "1/1"


async def test_closing_twice_keeps_the_first_outcome(book: Book) -> None:
    """A pass that has ended stays as it ended."""
    ticket = await book.open()
    await book.commit(ticket, 1, [], done=True)
    assert await close(book, ticket) == COMPLETED
    failed = await book.open()
    assert await close(book, failed, "CredentialsRejected") == "CredentialsRejected"
    assert await close(book, failed, "SourceUnavailable") == "CredentialsRejected"


async def test_closing_an_overtaken_pass_leaves_the_new_one_open(book: Book) -> None:
    """A zombie's close finds its pass superseded and does not end the one that runs."""
    first = await book.open()
    second = await book.open()
    assert await close(book, first) == SUPERSEDED
    await book.commit(second, 1, [upsert("ada")])


async def test_closing_what_never_was_is_stale(book: Book) -> None:
    """A pass id that was never opened cannot be closed."""
    ticket = await book.open()
    with pytest.raises(StalePass):
        await close(book, ticket.model_copy(update={"pass_id": uuid4()}))


async def test_progress_tells_where_a_connection_stands(book: Book) -> None:
    """Progress shows page, listing and generation, and when a pass last reached the source's present."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada")], full=True, generation=4)
    during = await book.store.passes.progress(book.ref)
    assert (during.open, during.page, during.listing, during.generation) == (True, 1, True, 4)
    assert during.completed_at is None
    await book.commit(ticket, 2, [], done=True, full=True, generation=4)
    after = await book.store.passes.progress(book.ref)
    assert (after.open, after.listing) == (False, False)
    assert after.completed_at is not None


async def test_unknown_connection(book: Book) -> None:
    """A connection that is not there is not found, by any way in."""
    ref = book.ref.model_copy(update={"connection_id": uuid4()})
    with pytest.raises(ConnectionNotFound):
        await book.store.passes.open(OpenPass(**ref.model_dump(), pass_id=uuid4()))
    with pytest.raises(ConnectionNotFound):
        await book.store.passes.progress(ref)
