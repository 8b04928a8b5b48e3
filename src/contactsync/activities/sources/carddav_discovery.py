"""Finding a user's address books (RFC 6764 §6, RFC 6352 §7.1): from a server, an account or an address book.

DNS SRV records are not looked up: a connection always has a URL.
"""

from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import urljoin, urlsplit

from contactsync.activities.sources.carddav_cursor import BOOK_GONE, Book, Place
from contactsync.activities.sources.carddav_paths import at, path_of, raw_path
from contactsync.activities.sources.carddav_settings import CardDavSettings
from contactsync.activities.sources.carddav_xml import (
    CALENDARSERVER,
    CARD,
    DAV,
    XML_HEADERS,
    NotMultistatus,
    Reply,
    absolute,
    is_dav_error,
    parse_multistatus,
    propfind,
)
from contactsync.activities.sources.transport import Answer, BodyTooLarge, Transport, refusal
from contactsync.errors import CredentialsRejected, SourceAddressWrong, SourceMisbehaved

WELL_KNOWN: Final = "/.well-known/carddav"
ADDRESS_BOOK: Final = CARD + "addressbook"
RESOURCE_TYPE: Final = DAV + "resourcetype"
HOME_SET: Final = CARD + "addressbook-home-set"
PRINCIPAL: Final = DAV + "current-user-principal"
REPORTS: Final = DAV + "supported-report-set"
DATA_TYPES: Final = CARD + "supported-address-data"
CTAG: Final = CALENDARSERVER + "getctag"

_WHO: Final = (RESOURCE_TYPE, PRINCIPAL, HOME_SET)
_WHAT: Final = (RESOURCE_TYPE, REPORTS, DATA_TYPES)
_NOTHING_HERE: Final = frozenset({400, 403, 404, 405, 406, 409, 410, 412, 415, 422, 501})
_MAX_BYTES: Final = 8 * 1024 * 1024


class Discovery:
    """Looks for address books. It reads no card."""

    def __init__(self, transport: Transport, settings: CardDavSettings) -> None:
        self._transport = transport
        self._settings = settings

    async def places(self) -> tuple[Place, ...]:
        """Where the account's address books are.

        Raises:
            SourceAddressWrong: neither the URL nor, where it names a host only, its well-known address leads to one.
            CredentialsRejected, SourceUnavailable, SourceThrottled, SourceMisbehaved.
        """
        for url in self._candidates():
            if places := [place async for place in self._explore(url)]:
                return tuple(places)
        raise SourceAddressWrong

    def _candidates(self) -> list[str]:
        """A path that was given is the only one asked: another would lead to more than was meant."""
        url = self._settings.url
        return [urljoin(url, WELL_KNOWN), url] if urlsplit(url).path == "/" else [url]

    async def _explore(self, url: str) -> AsyncGenerator[Place]:
        here = await self._ask(url)
        if here is None:
            return
        base, reply = here
        if reply.has(RESOURCE_TYPE, ADDRESS_BOOK):
            yield Place(url=base, depth=0)
            return
        homes = _urls(base, reply, HOME_SET) or await self._homes_of_principal(base, reply)
        for home in homes:
            yield Place(url=home, depth=1)
        if not homes and await self.books((Place(url=base, depth=1),)):
            yield Place(url=base, depth=1)

    async def _homes_of_principal(self, base: str, reply: Reply) -> list[str]:
        if reply.has(PRINCIPAL, DAV + "unauthenticated"):
            raise CredentialsRejected
        principal = reply.href_in(PRINCIPAL)
        if not principal:
            return []
        there = await self._ask(absolute(base, principal))
        return _urls(there[0], there[1], HOME_SET) if there else []

    async def _ask(self, url: str) -> tuple[str, Reply] | None:
        """What `url` says of itself, and the URL that said it; None where nothing of WebDAV is."""
        answer = await self._propfind(url, 0, _WHO)
        if answer is None:
            return None
        try:
            replies = parse_multistatus(answer.body).replies
        except NotMultistatus:
            return None
        return (answer.url, replies[0]) if replies else None

    async def _propfind(self, url: str, depth: int, names: tuple[str, ...]) -> Answer | None:
        headers = {**XML_HEADERS, "depth": str(depth)}
        try:
            answer = await self._transport.request(
                "PROPFIND", url, headers=headers, body=propfind(names), accept=_NOTHING_HERE, max_bytes=_MAX_BYTES
            )
        except BodyTooLarge:
            raise SourceMisbehaved("the source's list of address books is too long to be one") from None
        if answer.status == 403 and not is_dav_error(answer.body) and not await self._is_signed_in(url):
            raise refusal(answer)
        return answer if answer.status == 207 else None

    async def _is_signed_in(self, forbidden: str) -> bool:
        """Whether the server knows who we are: then what is forbidden is the address, not the credentials."""
        root = urljoin(forbidden, "/")
        if forbidden == root:
            return False
        here = await self._ask(root)
        return here is not None and here[1].href_in(PRINCIPAL) != ""

    async def books(self, places: tuple[Place, ...], *, ctags: bool = False) -> list[Book]:
        """The address books at these places, by path, without those that the settings leave out.

        Ctags (`ctags`: some will be needed) are asked for only where changes are not listed by token: a server such as
        Radicale reads every card to tell one.
        """
        if ctags or self._settings.sync != "auto":
            return await self._books(places, (*_WHAT, CTAG))
        found = await self._books(places, _WHAT)
        return found if all(book.sync for book in found) else await self._books(places, (*_WHAT, CTAG))

    async def _books(self, places: tuple[Place, ...], names: tuple[str, ...]) -> list[Book]:
        found: dict[str, Book] = {}
        for place in places:
            answer = await self._propfind(place.url, place.depth, names)
            if answer is None:
                raise SourceAddressWrong(BOOK_GONE)
            for reply in parse_multistatus(answer.body).replies:
                if reply.has(RESOURCE_TYPE, ADDRESS_BOOK):
                    book = _book(answer.url, reply)
                    found.setdefault(book.path.rstrip("/"), book)
        return sorted(filter(self._is_wanted, found.values()), key=lambda book: book.path)

    def _is_wanted(self, book: Book) -> bool:
        wanted = self._settings.address_books
        path = book.path.strip("/")
        return not wanted or any(name.strip("/") in (path, path.rpartition("/")[2]) for name in wanted)


def _urls(base: str, reply: Reply, name: str) -> list[str]:
    return list(dict.fromkeys(absolute(base, href) for href in reply.hrefs_in(name)))


def _book(base: str, reply: Reply) -> Book:
    return Book(
        path=path_of(base, reply.href),
        url=at(base, raw_path(base, reply.href)),
        sync=_lists_sync(reply),
        vcard4=_offers_vcard4(reply),
        offered_ctag=reply.text(CTAG),
    )


def _lists_sync(reply: Reply) -> bool:
    reports = reply.found.get(REPORTS)
    return reports is not None and next(reports.iter(DAV + "sync-collection"), None) is not None


def _offers_vcard4(reply: Reply) -> bool:
    offered = reply.found.get(DATA_TYPES)
    types = () if offered is None else offered.iter(CARD + "address-data-type")
    return any(kind.get("content-type") == "text/vcard" and kind.get("version") == "4.0" for kind in types)
