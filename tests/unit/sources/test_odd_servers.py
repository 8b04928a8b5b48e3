"""CardDAV servers as they are in the wild: what each does differently, and that no contact is lost by it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from tests.dav.cards import card
from tests.dav.odd import BOOK, ROOT, Oddities, OddServer

from contactsync.activities.contacts.contact import DEFAULT_FIELDS
from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sources.carddav import CardDavSource
from contactsync.activities.sources.carddav_settings import CardDavSettings
from contactsync.activities.sources.replica import Replica
from contactsync.activities.sources.source import Changed, Credentials, PageLimits, Removed, Source
from contactsync.activities.sources.transport import open_transport
from contactsync.errors import CredentialsRejected, SourceAddressWrong, SourceMisbehaved, SourceUnavailable

CREDENTIALS = Credentials("someone", "secret")


@asynccontextmanager
async def opened(server: OddServer, replica: Replica, **settings: object) -> AsyncGenerator[Source]:
    """The server as a source."""
    chosen = CardDavSettings.model_validate({"url": ROOT + BOOK, **settings})
    async with open_transport(chosen.endpoint(CREDENTIALS, replica.addresses, replica.meter), server) as transport:
        yield CardDavSource(transport, chosen, DEFAULT_FIELDS, replica)


def filled(count: int, oddities: Oddities | None = None) -> OddServer:
    """A server with so many cards."""
    server = OddServer(oddities)
    for number in range(count):
        server.put(f"c{number}@x y.vcf", card(number))
    return server


def held(replica: Replica) -> dict[str, str]:
    """Full names by the number in the card's file name."""
    return {
        source_id.rpartition("/")[2].removesuffix("@x%20y.vcf"): contact.name.full if contact.name else ""
        for source_id, contact in replica.contacts.items()
    }


def on(server: OddServer) -> dict[str, str]:
    """The same of what the server has."""
    return {
        name.removesuffix("@x y.vcf"): text.partition("FN:")[2].partition("\r\n")[0]
        for name, (text, _) in server.cards.items()
    }


def edit(server: OddServer) -> None:
    """Adds, edits and deletes one card each."""
    server.put("c77@x y.vcf", card(77))
    server.put("c1@x y.vcf", card(1, name="Edited"))
    server.delete("c2@x y.vcf")


def nothing(_: OddServer) -> None:
    """Changes nothing."""


SERVERS = {
    "plain": Oddities(),
    "pages": Oddities(page=2),
    "sticky pages": Oddities(page=2, sticky_page=True),
    "forgets its pages": Oddities(page=2, forgets_page=True),
    "410 for deleted": Oddities(gone=410),
    "initial token always": Oddities(initial_token_always=True),
    "no token": Oddities(no_token=True),
    "refuses the empty token": Oddities(empty_token_status=403),
    "hangs up on the empty token": Oddities(empty_token_status=415),
    "no sync-collection": Oddities(has_sync=False),
    "no sync-collection, a ctag": Oddities(has_sync=False, has_ctag=True),
    "each href three times": Oddities(doubles=True),
    "absolute hrefs": Oddities(absolute="http://backend.internal:8080"),
    "no etags": Oddities(has_etags=False),
    "no multiget": Oddities(multiget_status=405),
    "multiget fails": Oddities(multiget_status=500),
    "one character spoils the answer": Oddities(spoils_xml=True),
    "multiget forgets cards": Oddities(omits={"c0@x y.vcf", "c1@x y.vcf"}),
    "multiget denies cards": Oddities(denies={"c3@x y.vcf"}),
    "multiget gives more than is asked for": Oddities(gives_more=True),
    "vCard 4.0": Oddities(offers_vcard4=True),
}


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("rows", [2, 500])
async def test_p18_every_server_converges(name: str, rows: int) -> None:
    """P18: whatever its ways, after each pass source and replica are equal, through edits and expired tokens."""
    server, replica, limits = filled(7, SERVERS[name]), Replica(), PageLimits(rows=rows)
    async with opened(server, replica) as source:
        for disturb in (nothing, edit, nothing, OddServer.expire_tokens, nothing):
            disturb(server)
            await replica.follow(source, limits)
            assert held(replica) == on(server)
        server.delete("c77@x y.vcf")
        server.expire_tokens()
        server.delete("c4@x y.vcf")
        await replica.follow(source, limits)
        assert held(replica) == on(server)


@pytest.mark.parametrize("status", [403, 409, 410, 412, 400])
async def test_p18_valid_sync_token_on_any_status(status: int) -> None:
    """P18: an expired token is told by its XML element, whatever the status, and starts a complete listing."""
    server, replica = filled(4, Oddities(bad_token_status=status)), Replica()
    async with opened(server, replica) as source:
        await replica.follow(source)
        server.delete("c0@x y.vcf")
        server.expire_tokens()
        second = await replica.follow(source)
    assert held(replica) == on(server)
    assert (second.full, second.restarts, second.downloaded) == (True, 1, 0)


async def test_p18_full_listing_without_error_for_a_bad_token() -> None:
    """P18: a server that answers an expired token by listing everything hides deletions, and they are found."""
    server, replica = filled(6, Oddities(lists_all_for_bad_token=True)), Replica()
    async with opened(server, replica) as source:
        await replica.follow(source)
        server.delete("c0@x y.vcf")
        server.put("c1@x y.vcf", card(1, name="Edited"))
        server.expire_tokens()
        second = await replica.follow(source)
    assert held(replica) == on(server)
    assert (second.full, second.restarts) == (True, 1)
    assert second.downloaded == 1


async def test_p18_initial_token_every_time_ends_in_listings() -> None:
    """P18: where every answer is a replay, ETags are compared from the third pass on, and no sync is asked for."""
    server, replica = filled(5, Oddities(initial_token_always=True)), Replica()
    async with opened(server, replica) as source:
        for _ in range(3):
            await replica.follow(source)
        server.seen.clear()
        edit(server)
        await replica.follow(source)
    assert held(replica) == on(server)
    assert not [seen for seen in server.seen if "sync-collection" in seen.body]
    assert server.fetched == 2


async def test_p18_limit_is_sent_only_when_set() -> None:
    """P18: no request holds a limit unless the settings ask for one."""
    for settings, expected in (({}, 0), ({"sync_limit": 100}, 1)):
        server, replica = filled(3), Replica()
        async with opened(server, replica, **settings) as source:
            await replica.follow(source)
        assert sum("<d:limit>" in seen.body for seen in server.seen) == expected


@pytest.mark.parametrize("status", [404, 410])
async def test_p18_deletions_are_told_by_404_and_410(status: int) -> None:
    """P18: a card that is told gone, by 404 or 410, is gone without being asked for."""
    server, replica = filled(4, Oddities(gone=status)), Replica()
    async with opened(server, replica) as source:
        await replica.follow(source)
        server.seen.clear()
        server.delete("c0@x y.vcf")
        second = await replica.follow(source)
    assert held(replica) == on(server)
    assert [type(change) for change in second.changes] == [Removed]
    assert server.fetched == 0


async def test_p18_deletions_held_back_by_507_arrive() -> None:
    """P18: 507 on the collection means more pages, also in a list of changes, and deletions on later pages count."""
    server, replica = filled(9, Oddities(page=2)), Replica()
    async with opened(server, replica) as source:
        await replica.follow(source)
        for number in range(6):
            server.delete(f"c{number}@x y.vcf")
        second = await replica.follow(source)
    assert held(replica) == on(server)
    assert second.full is False


async def test_p34_listing_cut_short_is_not_a_listing() -> None:
    """P34: a complete listing that says it is cut short is an error, and deletes nobody."""
    server, replica = filled(5, Oddities(has_sync=False)), Replica()
    async with opened(server, replica) as source:
        await replica.follow(source)
        server.odd.cut_listing = True
        with pytest.raises(SourceMisbehaved):
            await source.fetch(replica.cursor, PageLimits())
    assert len(replica.contacts) == 5


@pytest.mark.parametrize("has_sync", [True, False])
async def test_p10_address_book_gone_within_a_207_deletes_nobody(has_sync: bool) -> None:
    """P10: xandikos says 404 of a vanished address book inside a 207: that is no empty listing."""
    server, replica = filled(5, Oddities(has_sync=has_sync)), Replica()
    async with opened(server, replica) as source:
        await replica.follow(source)
        server.odd.book_is_gone = True
        with pytest.raises(SourceAddressWrong):
            await source.fetch(None, PageLimits())
    assert len(replica.contacts) == 5


async def test_p12_downloads_in_chunks() -> None:
    """P12: many changed cards are asked for in requests of at most the number set, never all in one."""
    server, replica = filled(120), Replica()
    async with opened(server, replica, multiget=25) as source:
        await replica.follow(source)
    sizes = [seen.body.count("<d:href>") for seen in server.seen if "addressbook-multiget" in seen.body]
    assert sizes == [25, 25, 25, 25, 20]


async def test_what_came_before_an_error_is_kept() -> None:
    """A server that goes down amid a page costs what was asked for then, and no card that came before it."""
    server, replica = filled(60), Replica()
    async with opened(server, replica, multiget=10) as source:
        server.odd.multigets = 3
        first = await source.fetch(None, PageLimits())
        assert (len(first.changes), first.done, first.full) == (30, False, True)
        with pytest.raises(SourceUnavailable):
            await source.fetch(first.cursor, PageLimits())
        server.odd.multigets = None
        second = await source.fetch(first.cursor, PageLimits())
    assert (len(second.changes), second.done, second.restarted) == (30, True, False)
    assert len({change.source_id for change in (*first.changes, *second.changes)}) == 60


async def test_cards_that_do_not_fit_are_not_asked_for_ahead() -> None:
    """What the size of a page leaves no room for is asked for with the next page, once."""
    server, replica = filled(60), Replica()
    async with opened(server, replica, multiget=10) as source:
        whole = await source.fetch(None, PageLimits())
        size = sum(len(each.content) + len(each.source_id) + 80 for each in whole.changes if isinstance(each, Changed))
        server.seen.clear()
        page = await source.fetch(None, PageLimits(bytes=size // 2))
    assert 20 <= len(page.changes) < 40
    assert server.fetched < len(page.changes) + 10


async def test_unchanged_etags_are_not_downloaded() -> None:
    """In a complete listing only cards whose ETag is new are asked for."""
    server, replica = filled(30, Oddities(has_sync=False)), Replica()
    async with opened(server, replica) as source:
        await replica.follow(source)
        server.seen.clear()
        edit(server)
        await replica.follow(source)
    assert server.fetched == 2


async def test_tokens_spare_everything_else() -> None:
    """Where changes are listed by token, no pass asks for ctags or for the token itself: telling them may cost as much
    as listing all cards."""
    server, replica = filled(3, Oddities(has_ctag=True)), Replica()
    async with opened(server, replica) as source:
        await replica.follow(source)
        assert not [seen for seen in server.seen if "getctag" in seen.body or "<d:sync-token/>" in seen.body]
        server.seen.clear()
        await replica.follow(source)
        assert [seen.method for seen in server.seen] == ["PROPFIND", "REPORT"]
        server.put("c0@x y.vcf", card(0, name="Changed"))
        await replica.follow(source)
    assert held(replica)["c0"] == "Changed"


async def test_the_token_of_the_properties_goes_on() -> None:
    """Where the empty token is refused, ETags are listed once, and the token that the properties named goes on."""
    server, replica = filled(3, Oddities(empty_token_status=403)), Replica()
    async with opened(server, replica) as source:
        await replica.follow(source)
        server.seen.clear()
        server.delete("c0@x y.vcf")
        await replica.follow(source)
    assert [seen.method for seen in server.seen] == ["PROPFIND", "REPORT"]
    assert held(replica).keys() == {"c1", "c2"}


async def test_ctag_spares_the_listing() -> None:
    """Where there are no sync tokens, a ctag that has not changed spares the listing."""
    server, replica = filled(3, Oddities(has_sync=False, has_ctag=True)), Replica()
    async with opened(server, replica) as source:
        await replica.follow(source)
        assert "getctag" in server.seen[2].body  # this server names it unasked too, others do not
        server.seen.clear()
        second = await replica.follow(source)
    assert [seen.headers["depth"] for seen in server.seen] == ["0"]
    assert "getctag" in server.seen[0].body
    assert second.changes == []


async def test_one_card_that_fails_is_set_aside() -> None:
    """A card that the server itself cannot give is set aside; the others arrive."""
    broken = "c2@x y.vcf"
    server, replica = filled(4, Oddities(omits={broken}, get_status={broken: 500})), Replica()
    async with opened(server, replica) as source:
        await replica.follow(source)
    assert set(held(replica)) == {"c0", "c1", "c3"}
    assert list(replica.unreadable.values()) == [QuarantineReason.UNREADABLE]


async def test_server_that_fails_on_every_card_is_unavailable() -> None:
    """When every card fails, it is the server: nothing is set aside, and it is tried again."""
    names = {f"c{number}@x y.vcf": 500 for number in range(4)}
    server, replica = filled(4, Oddities(multiget_status=500, get_status=names)), Replica()
    async with opened(server, replica) as source:
        with pytest.raises(SourceUnavailable):
            await source.fetch(None, PageLimits())


async def test_door_that_shuts_during_a_pass() -> None:
    """A 403 that is no answer of the protocol means the credentials, and no card is set aside for it."""
    server, replica = filled(4, Oddities(multiget_status=403)), Replica()
    async with opened(server, replica) as source:
        with pytest.raises(CredentialsRejected):
            await source.fetch(None, PageLimits())


@pytest.mark.parametrize(("offered", "asked"), [(True, True), (False, False)])
async def test_version_4_is_asked_for_only_where_offered(offered: bool, asked: bool) -> None:
    """vCard 4.0 is asked for only where supported-address-data has it (RFC 6352 §6.2.2)."""
    server, replica = filled(1, Oddities(offers_vcard4=offered)), Replica()
    async with opened(server, replica) as source:
        await replica.follow(source)
    (multiget,) = [seen.body for seen in server.seen if "addressbook-multiget" in seen.body]
    assert ('version="4.0"' in multiget) is asked


async def test_only_allowed_properties_are_asked_for() -> None:
    """The server is asked for the properties that the allow-list keeps, and for no notes, photos or birthdays."""
    server, replica = filled(1), Replica()
    async with opened(server, replica) as source:
        await replica.follow(source)
    (multiget,) = [seen.body for seen in server.seen if "addressbook-multiget" in seen.body]
    assert all(f'<c:prop name="{name}"/>' in multiget for name in ("VERSION", "UID", "FN", "EMAIL", "TEL", "ORG"))
    assert not any(f'name="{name}"' in multiget for name in ("NOTE", "PHOTO", "BDAY", "ADR"))


async def test_whole_cards_may_be_asked_for() -> None:
    """A server that mangles cards in parts is asked for whole ones, by a setting."""
    server, replica = filled(1), Replica()
    async with opened(server, replica, whole_cards=True) as source:
        await replica.follow(source)
    (multiget,) = [seen.body for seen in server.seen if "addressbook-multiget" in seen.body]
    assert "<c:prop" not in multiget
    assert held(replica) == on(server)


async def test_depth_headers() -> None:
    """sync-collection goes with `Depth: 0` (RFC 6578 §3.2), multiget without one (RFC 6352 §8.7)."""
    server, replica = filled(1), Replica()
    async with opened(server, replica) as source:
        await replica.follow(source)
    reports = {("multiget" in seen.body): seen.headers.get("depth") for seen in server.seen if seen.method == "REPORT"}
    assert reports == {False: "0", True: None}
