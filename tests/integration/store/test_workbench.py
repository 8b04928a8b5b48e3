"""What the store lends a source."""

from uuid import uuid4

import pytest
from tests.integration.store.address_book import Book, gone, upsert

from contactsync.activities.sources.source import Workbench
from contactsync.activities.store.workbench import StoreWorkbench
from contactsync.errors import CursorExpired


def as_source_sees(workbench: StoreWorkbench) -> Workbench:
    """The type checker's proof that it is one."""
    return workbench


async def test_unchanged_names_those_with_an_equal_etag(book: Book) -> None:
    """Only live contacts of this connection whose etag is the one held need no download."""
    ticket = await book.open()
    page = [upsert("ada", etag="1"), upsert("ben", etag="1"), upsert("cid"), upsert("dan", etag="1")]
    await book.commit(ticket, 1, page)
    await book.commit(ticket, 2, [gone("dan")])
    etags = {"ada": "1", "ben": "2", "cid": "1", "dan": "1", "eve": "1"}
    assert await as_source_sees(book.workbench()).unchanged(etags) == {"ada"}
    other = await book.store.new_book(book.ref.tenant_id)
    assert await other.workbench().unchanged(etags) == frozenset()
    assert await book.workbench().unchanged({}) == frozenset()


async def test_unchanged_works_through_long_listings(book: Book) -> None:
    """A listing longer than one query's share is answered whole."""
    page = [upsert(f"contact {number}", etag=str(number)) for number in range(4_100)]
    await book.commit(await book.open(), 1, page)
    etags = {f"contact {number}": str(number if number % 2 else -1) for number in range(4_100)}
    assert len(await book.workbench().unchanged(etags)) == 2_050


async def test_p23_an_etag_is_never_kept_as_it_is(book: Book) -> None:
    """P23: an etag that is the hash of the card stands nowhere, and equal etags of two contacts do not look equal."""
    etag = "0f343b0931126a20f133d67c2b018a3b"
    await book.commit(await book.open(), 1, [upsert("ada", etag=etag), upsert("ben", etag=etag)])
    rows = await book.rows("SELECT c::text, etag_mac FROM contactsync.contact c")
    assert etag not in str(rows)
    assert etag.encode().hex() not in str(rows)
    assert len({row["etag_mac"] for row in rows}) == 2


async def test_p23_no_plain_digest_of_content_is_kept(book: Book) -> None:
    """P23: equal contacts have different digests, in one connection and across tenants, so none is of content alone."""
    other = await book.store.new_book()
    await book.commit(await book.open(), 1, [upsert("ada", "same"), upsert("ben", "same")])
    await other.commit(await other.open(), 1, [upsert("ada", "same")])
    query = "SELECT content_mac, source_index FROM contactsync.contact"
    rows = [*await book.rows(query), *await other.rows(query)]
    assert len({row["content_mac"] for row in rows}) == 3
    assert len({row["source_index"] for row in rows}) == 3


async def test_a_stash_is_kept_until_its_pass_ends(book: Book) -> None:
    """Parts of a listing come back, sealed in between, over take-overs, until a pass reaches its end."""
    handle = await book.workbench().stash([b"part planted", b"", b"part 2"])
    rows = await book.rows("SELECT s::text FROM contactsync.stash s")
    assert b"planted".hex() not in str(rows)
    await book.commit(await book.open(), 1, [])
    ticket = await book.open()
    assert [await book.workbench().stashed(handle, index) for index in range(3)] == [b"part planted", b"", b"part 2"]
    await book.commit(ticket, 1, [], done=True)
    with pytest.raises(CursorExpired):
        await book.workbench().stashed(handle, 0)


async def test_a_stash_that_is_not_there_has_expired(book: Book) -> None:
    """Unknown handles, parts past the end, and another connection's listings are expired."""
    handle = await book.workbench().stash([b"part"])
    other = await book.store.new_book(book.ref.tenant_id)
    for workbench, asked, index in (
        (book.workbench(), uuid4(), 0),
        (book.workbench(), handle, 1),
        (other.workbench(), handle, 0),
    ):
        with pytest.raises(CursorExpired):
            await workbench.stashed(asked, index)


async def test_stashes_of_failed_attempts_do_not_pile_up(book: Book) -> None:
    """Attempts that keep a listing and then fail leave a bounded number behind, the newest."""
    handles = [await book.workbench().stash([b"part"]) for _ in range(12)]
    (row,) = await book.rows("SELECT count(*) FROM contactsync.stash")
    assert row["count"] == 8
    assert await book.workbench().stashed(handles[-1], 0) == b"part"
