"""A CardDAV server in memory that can be given the oddities of servers in the wild, one by one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

import httpx
from defusedxml.ElementTree import fromstring

ROOT: Final = "https://dav.example"
BOOK: Final = "/book/"
DAV: Final = "{DAV:}"
BAD_TOKEN: Final = '<d:error xmlns:d="DAV:"><d:valid-sync-token/></d:error>'
TOO_MANY: Final = '<d:error xmlns:d="DAV:"><d:number-of-matches-within-limits/></d:error>'


@dataclass(slots=True)
class Oddities:
    """How this server departs from the RFCs, and which of the ways they allow it takes."""

    has_sync: bool = True
    has_ctag: bool = False
    offers_vcard4: bool = False
    page: int = 0  # 507 after so many, unasked
    sticky_page: bool = False  # … with the token it was asked with
    forgets_page: bool = False  # … and then refuses the token
    gone: int = 404
    bad_token_status: int = 403
    bad_token_body: str = BAD_TOKEN
    lists_all_for_bad_token: bool = False
    initial_token_always: bool = False
    empty_token_status: int = 0
    no_token: bool = False
    cut_listing: bool = False  # 507 in a PROPFIND
    book_is_gone: bool = False  # a 404 within a 207
    doubles: bool = False
    absolute: str = ""  # an origin to spell hrefs with
    has_etags: bool = True
    multiget_status: int = 0
    multigets: int | None = None  # so many are answered, and then the server is down
    card_seconds: float = 0.0  # what a card takes in a multiget, by `now`
    omits: set[str] = field(default_factory=set[str])
    denies: set[str] = field(default_factory=set[str])  # 404 in multiget, though it is there
    gives_more: bool = False  # a card that was not asked for
    spoils_xml: bool = False
    get_status: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    body: str
    headers: httpx.Headers


class OddServer(httpx.AsyncBaseTransport):
    """One address book at `ROOT` + `BOOK`, spoken to without a network."""

    def __init__(self, oddities: Oddities | None = None) -> None:
        self.odd = oddities or Oddities()
        self.seen: list[Seen] = []
        self.cards: dict[str, tuple[str, str]] = {}
        self.now = 0.0
        self._log: list[str] = []
        self._oldest = 0

    def put(self, name: str, card: str) -> None:
        """Adds or replaces a card."""
        self._log.append(name)
        self.cards[name] = (card, f'"{len(self._log)}"')

    def delete(self, name: str) -> None:
        """Deletes a card."""
        self._log.append(name)
        del self.cards[name]

    def expire_tokens(self) -> None:
        """Honours no token given out so far."""
        self._log.append("")
        self._oldest = len(self._log)

    @property
    def fetched(self) -> int:
        """Cards that were asked for, in multigets and one by one."""
        hrefs = sum(seen.body.count("<d:href>") for seen in self.seen if "addressbook-multiget" in seen.body)
        return hrefs + sum(seen.method == "GET" for seen in self.seen)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answers one request."""
        body = (await request.aread()).decode()
        seen = Seen(request.method, request.url.path, body, request.headers)
        self.seen.append(seen)
        status, text = self._answer(seen)
        etag = self._etag_header(seen)
        return httpx.Response(status, text=text, headers=etag, request=request)

    def _etag_header(self, seen: Seen) -> dict[str, str]:
        name = unquote(seen.path).removeprefix(BOOK)
        return {"etag": self.cards[name][1]} if seen.method == "GET" and name in self.cards else {}

    def _answer(self, seen: Seen) -> tuple[int, str]:
        if seen.method == "GET":
            return self._get(unquote(seen.path).removeprefix(BOOK))
        if seen.method == "PROPFIND" and seen.headers["depth"] == "0":
            return 207, _multistatus([self._self()])
        if seen.method == "PROPFIND":
            return self._propfind()
        if "sync-collection" in seen.body:
            return self._sync(fromstring(seen.body))
        return self._multiget(fromstring(seen.body))

    def _self(self) -> str:
        reports = "<d:report><d:sync-collection/></d:report>" if self.odd.has_sync else ""
        ctag = f"<s:getctag>{len(self._log)}</s:getctag>" if self.odd.has_ctag else ""
        four = '<c:address-data-type content-type="text/vcard" version="4.0"/>' if self.odd.offers_vcard4 else ""
        props = (
            f"<d:resourcetype><d:collection/><c:addressbook/></d:resourcetype>{ctag}"
            f"<d:supported-report-set><d:supported-report>{reports}</d:supported-report></d:supported-report-set>"
            f"<c:supported-address-data>{four}</c:supported-address-data><d:sync-token>{self._token()}</d:sync-token>"
        )
        return _found(BOOK, props)

    def _token(self) -> str:
        return "token:0" if self.odd.initial_token_always else f"token:{len(self._log)}"

    def _href(self, name: str) -> str:
        return self.odd.absolute + BOOK + name.replace(" ", "%20")

    def _member(self, name: str) -> str:
        etag = f"<d:getetag>{escape(self.cards[name][1])}</d:getetag>" if self.odd.has_etags else ""
        return _found(self._href(name), etag + "<d:resourcetype/>")

    def _members(self, names: Sequence[str]) -> list[str]:
        there = [name for name in names if name in self.cards]
        gone = [_status(self._href(name), self.odd.gone) for name in names if name not in self.cards]
        replies = [*gone, *map(self._member, there)]
        if not self.odd.doubles:
            return replies
        again = [self._member(name).replace(BOOK, "HTTPS://DAV.EXAMPLE" + BOOK).replace("@", "%40") for name in there]
        return [*again, *replies, *again]

    def _propfind(self) -> tuple[int, str]:
        if self.odd.book_is_gone:
            return 207, _multistatus([_status(BOOK, 404)])
        cut = [_status(BOOK, 507)] if self.odd.cut_listing else []
        return 207, _multistatus([self._self(), *self._members(sorted(self.cards)), *cut])

    def _sync(self, asked: Element) -> tuple[int, str]:
        token = asked.findtext(DAV + "sync-token") or ""
        if not token and self.odd.empty_token_status:
            return self.odd.empty_token_status, BAD_TOKEN
        since, start = self._position(token)
        if since is None:
            if not self.odd.lists_all_for_bad_token:
                return self.odd.bad_token_status, self.odd.bad_token_body
            since = 0
        if self.odd.initial_token_always:
            since = 0
        if self.odd.book_is_gone:
            return 207, _multistatus([_status(BOOK, 404)], token="token:9")
        return 207, self._changes(token, since, start)

    def _position(self, token: str) -> tuple[int | None, int]:
        """The change that a token stands for, and how many names of its listing were given already."""
        if not token:
            return 0, 0
        _, since, *more = token.split(":")
        if more and self.odd.forgets_page:
            return None, 0
        return (int(since) if int(since) >= self._oldest else None), int(more[0]) if more else 0

    def _changes(self, token: str, since: int, start: int) -> str:
        names = sorted({name for name in self._log[since:] if name})
        if not token or since == 0:
            names = [name for name in names if name in self.cards]
        page = names[start : start + self.odd.page] if self.odd.page else names
        if len(names) > start + len(page):
            following = token or "token:0" if self.odd.sticky_page else f"token:{since}:{start + len(page)}"
            return _multistatus([*self._members(page), _status(BOOK, 507)], token=following)
        return _multistatus(self._members(page), token="" if self.odd.no_token else self._token())

    def _multiget(self, asked: Element) -> tuple[int, str]:
        if self.odd.multigets is not None:
            self.odd.multigets -= 1
            if self.odd.multigets < 0:
                return 503, "<html>down</html>"
        if self.odd.multiget_status:
            return self.odd.multiget_status, "<html>no</html>"
        hrefs = [element.text or "" for element in asked.iter(DAV + "href")]
        self.now += self.odd.card_seconds * len(hrefs)
        replies = [reply for href in hrefs if (reply := self._card(href))]
        if self.odd.gives_more:
            replies.append(self._card(BOOK + min(self.cards)).replace(BOOK, "/elsewhere/"))
        return 207, _multistatus(replies) + ("\x01" if self.odd.spoils_xml else "")

    def _card(self, href: str) -> str:
        name = unquote(urlsplit(href).path).removeprefix(BOOK)
        if name in self.odd.omits:
            return ""
        if name not in self.cards or name in self.odd.denies:
            return _status(href, 404)
        card, etag = self.cards[name]
        tag = f"<d:getetag>{escape(etag)}</d:getetag>" if self.odd.has_etags else ""
        return _found(href, f"{tag}<c:address-data>{escape(card)}</c:address-data>")

    def _get(self, name: str) -> tuple[int, str]:
        if name in self.odd.get_status:
            return self.odd.get_status[name], "<html>no</html>"
        return (200, self.cards[name][0]) if name in self.cards else (self.odd.gone, "")


def _multistatus(replies: Sequence[str], token: str = "") -> str:
    end = f"<d:sync-token>{token}</d:sync-token>" if token else ""
    space = 'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav" xmlns:s="http://calendarserver.org/ns/"'
    return f"<d:multistatus {space}>{''.join(replies)}{end}</d:multistatus>"


def _found(href: str, props: str) -> str:
    propstat = f"<d:propstat><d:prop>{props}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>"
    return f"<d:response><d:href>{escape(href)}</d:href>{propstat}</d:response>"


def _status(href: str, status: int) -> str:
    return f"<d:response><d:href>{escape(href)}</d:href><d:status>HTTP/1.1 {status} Words</d:status></d:response>"
