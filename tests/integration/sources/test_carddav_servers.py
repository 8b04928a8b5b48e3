"""What is special to one CardDAV server or to CardDAV: discovery, several address books, tokens, limits."""

from collections.abc import AsyncIterator

import pytest
from tests.dav.cards import card, file_name
from tests.dav.cyrus import Cyrus
from tests.dav.server import PASSWORD, Hand
from tests.integration.sources.conftest import Servers, cyrus_world, radicale_world, xandikos_world
from tests.integration.sources.worlds import DavWorld

from contactsync.activities.contacts.contact import DEFAULT_FIELDS
from contactsync.activities.sources.carddav_cards import properties_of
from contactsync.activities.sources.carddav_cursor import Cursor
from contactsync.activities.sources.carddav_xml import multiget
from contactsync.activities.sources.registry import open_source
from contactsync.activities.sources.replica import Replica
from contactsync.activities.sources.source import Credentials, PageLimits
from contactsync.errors import SourceAddressWrong, SourceUnavailable

WORLDS = {"radicale": radicale_world, "xandikos": xandikos_world, "cyrus": cyrus_world}


@pytest.fixture(params=WORLDS)
async def account(request: pytest.FixtureRequest, servers: Servers) -> AsyncIterator[DavWorld]:
    """A fresh account on each CardDAV server."""
    async with WORLDS[request.param](servers) as opened:
        yield opened


@pytest.fixture
async def radicale_account(servers: Servers) -> AsyncIterator[DavWorld]:
    """A fresh account on Radicale."""
    async with radicale_world(servers) as opened:
        yield opened


@pytest.fixture
async def cyrus_account(servers: Servers) -> AsyncIterator[DavWorld]:
    """A fresh account on Cyrus."""
    async with cyrus_world(servers) as opened:
        yield opened


def home_of(account: DavWorld) -> str:
    """The home in which the account's address books are."""
    return account.hand.book.rstrip("/").rpartition("/")[0] + "/"


async def second_book(account: DavWorld) -> Hand:
    """Another address book of the account."""
    hand = Hand(account.hand.client, account.hand.book.rstrip("/") + "-second/")
    await hand.make()
    return hand


async def test_discovery_from_server_home_and_book(account: DavWorld) -> None:
    """The address of the server, of the account and of one address book all lead to its cards."""
    await account.put(file_name(1), card(1))
    for path in ("/", home_of(account), account.hand.book):
        fresh = Replica()
        async with account.open_at(path, fresh) as source:
            await fresh.follow(source)
        assert account.hand.path(file_name(1)) in fresh.contacts


async def test_a_given_path_is_not_widened(account: DavWorld, replica: Replica) -> None:
    """An address book's address that is wrong by a letter is an error, not the account's other address books."""
    async with account.open_at(account.hand.book.rstrip("/") + "x/", replica) as source:
        with pytest.raises(SourceAddressWrong):
            await source.fetch(None, PageLimits())


async def test_several_address_books(account: DavWorld, replica: Replica) -> None:
    """All address books of an account are walked, each by its own token, across the edges of pages."""
    second = await second_book(account)
    for number in range(4):
        await account.put(file_name(number), card(number))
        await second.put(file_name(number), card(10 + number))
    expected = {hand.path(file_name(number)) for hand in (account.hand, second) for number in range(4)}
    only = [account.hand.book, second.book]
    async with account.open_at(home_of(account), replica, address_books=only) as source:
        first = await replica.follow(source, PageLimits(rows=3))
        assert set(replica.contacts) == expected
        assert max(len(page.changes) for page in first.pages) == 3
        await second.delete(file_name(0))
        await account.put(file_name(1), card(1, name="Edited"))
        later = await replica.follow(source)
        assert (later.full, later.downloaded) == (False, 1)
    assert set(replica.contacts) == expected - {second.path(file_name(0))}


async def test_new_address_book_is_found(account: DavWorld, replica: Replica) -> None:
    """An address book that is made later is read in the next pass, without listing the others again."""
    await account.put(file_name(1), card(1))
    async with account.open_at(home_of(account), replica) as source:
        await replica.follow(source)
        second = await second_book(account)
        await second.put(file_name(2), card(2))
        later = await replica.follow(source)
    assert {account.hand.path(file_name(1)), second.path(file_name(2))} <= set(replica.contacts)
    assert (later.full, later.downloaded) == (False, 1)


async def test_vanished_address_book_deletes_nothing(account: DavWorld, replica: Replica) -> None:
    """An address book that is gone stops the connection; only a setting makes its contacts go too."""
    second = await second_book(account)
    only = [account.hand.book, second.book]
    await account.put(file_name(1), card(1))
    await second.put(file_name(2), card(2))
    async with account.open_at(home_of(account), replica, address_books=only) as source:
        await replica.follow(source)
        await second.unmake()
        with pytest.raises(SourceAddressWrong, match="nothing was deleted"):
            await source.fetch(replica.cursor, PageLimits())
        assert len(replica.contacts) == 2
    async with account.open_at(home_of(account), replica, address_books=only, missing_address_book="remove") as source:
        await replica.follow(source)
    assert set(replica.contacts) == {account.hand.path(file_name(1))}


async def test_only_address_book_vanished(account: DavWorld, replica: Replica) -> None:
    """When the only address book is gone, that is an error even where its contacts may be removed."""
    second = await second_book(account)
    await second.put(file_name(1), card(1))
    async with account.open_at(second.book, replica, missing_address_book="remove") as source:
        await replica.follow(source)
        await second.unmake()
        with pytest.raises(SourceAddressWrong):
            await source.fetch(replica.cursor, PageLimits())
    assert len(replica.contacts) == 1


async def test_daily_complete_listing(account: DavWorld, replica: Replica) -> None:
    """Once a day everything is listed and compared, whatever the tokens say, and nothing is downloaded for it."""
    for number in range(5):
        await account.put(file_name(number), card(number))
    async with account.open(replica) as source:
        await replica.follow(source)
        known = Cursor.model_validate_json(replica.cursor or b"")
        replica.cursor = known.model_copy(update={"listed_at": known.listed_at - 24 * 3600 - 1}).dump()
        second = await replica.follow(source)
        third = await replica.follow(source)
    assert (second.full, second.restarts, second.downloaded) == (True, 1, 0)
    assert third.full is False


async def test_p18_limit_is_never_sent_unasked(servers: Servers, replica: Replica) -> None:
    """P18: xandikos answers `limit` with the final token and loses the rest, so all arrive only since none is sent."""
    async with xandikos_world(servers) as account:
        for number in range(7):
            await account.put(file_name(number), card(number))
        async with account.open(replica) as source:
            await replica.follow(source)
        assert len(replica.contacts) == 7
        trapped = Replica()
        async with account.open_at(account.path, trapped, sync_limit=3) as source:
            await trapped.follow(source)
            await trapped.follow(source)
        assert len(trapped.contacts) == 3  # the trap is real: whoever asks for a limit there loses cards


async def test_p18_cyrus_pages_with_507(cyrus_account: DavWorld, replica: Replica) -> None:
    """P18: where a limit is asked for and the server pages with 507, every page is fetched, in full and in changes."""
    for number in range(11):
        await cyrus_account.put(file_name(number), card(number))
    async with cyrus_account.open_at("/", replica, sync_limit=3) as source:
        await replica.follow(source)
        assert len(replica.contacts) == 11
        for number in range(8):
            await cyrus_account.put(file_name(number), card(number, name="Edited"))
        second = await replica.follow(source, PageLimits(rows=2))
    assert second.full is False
    assert sum(contact.name is not None and contact.name.full == "Edited" for contact in replica.contacts.values()) == 8


async def test_cyrus_stale_token(cyrus_account: DavWorld, replica: Replica) -> None:
    """A token that Cyrus has expired starts a complete listing, which finds the deletions it no longer tells."""
    for number in range(4):
        await cyrus_account.put(file_name(number), card(number))
    async with cyrus_account.open(replica) as source:
        await replica.follow(source)
        await cyrus_account.delete(file_name(0))
        assert isinstance(cyrus_account.server, Cyrus)
        await cyrus_account.server.expire()
        second = await replica.follow(source)
    assert (second.full, second.restarts, second.downloaded) == (True, 1, 0)
    assert len(replica.contacts) == 3


async def test_radicale_first_listing_tells_old_deletions(radicale_account: DavWorld, replica: Replica) -> None:
    """Cards that Radicale calls deleted in a first listing are nobody's, and are not in the page."""
    for number in range(3):
        await radicale_account.put(file_name(number), card(number))
    async with radicale_account.open(Replica()) as source:
        await source.fetch(None, PageLimits())  # from here on Radicale remembers deletions
    await radicale_account.delete(file_name(0))
    async with radicale_account.open(replica) as source:
        first = await replica.follow(source)
    assert len(first.changes) == 2
    assert len(replica.contacts) == 2


async def test_certificate_that_is_not_trusted(servers: Servers, replica: Replica) -> None:
    """A server whose certificate nobody vouches for gets no password, and the error says what is wrong."""
    server = await servers.xandikos()
    settings = {"url": server.root}
    async with open_source("carddav", settings, Credentials("alice", PASSWORD), DEFAULT_FIELDS, replica) as source:
        with pytest.raises(SourceUnavailable, match="certificate"):
            await source.check()


async def test_cyrus_sends_no_more_than_asked(cyrus_account: DavWorld) -> None:
    """Where a server can give parts of cards, a note that the allow-list leaves out does not even leave the server."""
    await cyrus_account.put(file_name(1), card(1, "NOTE:likes tea", "item1.TEL:+43662123", "item1.X-ABLabel:desk"))
    body = multiget([cyrus_account.hand.path(file_name(1))], properties_of(DEFAULT_FIELDS), None)
    answer = await cyrus_account.hand.client.request(
        "REPORT", cyrus_account.hand.book, content=body, headers={"content-type": "application/xml"}
    )
    assert "likes tea" not in answer.text
    assert all(kept in answer.text for kept in ("Person 1", "+43662123", "desk"))
