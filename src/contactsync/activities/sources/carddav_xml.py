"""WebDAV's XML, in and out: request bodies, and multistatus answers as plain values.

Documents with a DTD or entities are refused, names are compared with their namespace, and prefixes mean nothing.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final
from urllib.parse import urljoin
from xml.etree.ElementTree import Element, ParseError, XMLParser
from xml.sax.saxutils import escape, quoteattr

from defusedxml.ElementTree import fromstring

from contactsync.errors import SourceMisbehaved

DAV: Final = "{DAV:}"
CARD: Final = "{urn:ietf:params:xml:ns:carddav}"
CALENDARSERVER: Final = "{http://calendarserver.org/ns/}"

XML_HEADERS: Final = {"content-type": "application/xml; charset=utf-8"}

_OPEN: Final = 'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav" xmlns:s="http://calendarserver.org/ns/"'
_PREFIXES: Final = {DAV: "d", CARD: "c", CALENDARSERVER: "s"}

_PROPSTAT: Final = DAV + "propstat"
_PROP: Final = DAV + "prop"
_RESPONSE: Final = DAV + "response"
_HREF: Final = DAV + "href"
_STATUS: Final = DAV + "status"

_PLAIN: Final = re.compile(
    rb"""(?:<\?xml version=["']1\.0["'](?: encoding=["'](?i:utf-8)["'])?(?: standalone=["']\w+["'])? ?\?>)?"""
    rb"""\s*<[A-Za-z]"""
)
"""The head of a document in UTF-8 whose root comes first: a DTD stands before the root, so that this has none."""

VALID_SYNC_TOKEN: Final = DAV + "valid-sync-token"
TOO_MANY_MATCHES: Final = DAV + "number-of-matches-within-limits"


class NotMultistatus(SourceMisbehaved):
    """the source's answer is not the XML that its protocol says"""

    @property
    def code(self) -> str:
        """Outside this source it is what it derives from."""
        return SourceMisbehaved.__name__


@dataclass(frozen=True, slots=True)
class Reply:
    """One `DAV:response` (RFC 4918 §14.24). `status` is its own, `found` its properties with status 200."""

    href: str = field(repr=False)
    status: int | None = None
    found: Mapping[str, Element] = field(default_factory=dict[str, Element], repr=False)
    refused: Mapping[str, int] = field(default_factory=dict[str, int], repr=False)

    def text(self, name: str) -> str:
        """A property's text; empty where it is missing."""
        element = self.found.get(name)
        return "" if element is None else (element.text or "").strip()

    def raw(self, name: str) -> str | None:
        """A property's text as it stands; None where it is missing."""
        element = self.found.get(name)
        return None if element is None else (element.text or "")

    def has(self, name: str, child: str) -> bool:
        """Whether a property holds a child of that name."""
        element = self.found.get(name)
        return element is not None and element.find(child) is not None

    def href_in(self, name: str) -> str:
        """The first `DAV:href` within a property; empty where there is none."""
        hrefs = self.hrefs_in(name)
        return hrefs[0] if hrefs else ""

    def hrefs_in(self, name: str) -> list[str]:
        """Each `DAV:href` within a property."""
        element = self.found.get(name)
        if element is None:
            return []
        return [text for href in element.iter(DAV + "href") if (text := (href.text or "").strip())]


@dataclass(frozen=True, slots=True)
class Multistatus:
    """A `DAV:multistatus`. `sync_token` is its own child (RFC 6578 §6.4); None where there is none."""

    replies: Sequence[Reply]
    sync_token: str | None = field(default=None, repr=False)


def parse_multistatus(body: bytes) -> Multistatus:
    """Reads a 207 answer.

    Raises:
        NotMultistatus: it is cut off, no XML, holds a DTD, or is something else.
    """
    root = _root(body)
    if root is None or root.tag != DAV + "multistatus":
        raise NotMultistatus
    token = root.find(DAV + "sync-token")
    return Multistatus(
        replies=[_reply(element) for element in root.iter(_RESPONSE)],
        sync_token=None if token is None else (token.text or "").strip() or None,
    )


def error_conditions(body: bytes) -> frozenset[str]:
    """The conditions in a `DAV:error` body (RFC 4918 §16); empty where the body is anything else."""
    root = _root(body) if body.strip() else None
    if root is None:
        return frozenset()
    errors = [root] if root.tag == DAV + "error" else list(root.iter(DAV + "error"))
    return frozenset(child.tag for error in errors for child in error)


def is_dav_error(body: bytes) -> bool:
    """Whether the body is a `DAV:error`: then a 403 is the protocol's answer and not a closed door."""
    root = _root(body) if body.strip() else None
    return root is not None and root.tag == DAV + "error"


def _root(body: bytes) -> Element | None:
    try:
        plain = read_plain(body)
        return read_any(body) if plain is None else plain
    except (ParseError, ValueError, LookupError):  # not XML; a DTD (defusedxml's are ValueErrors); an unknown encoding
        return None


def read_plain(body: bytes) -> Element | None:
    """The root of a document that can hold no DTD, in half the time of `read_any`; None where that must be asked.

    Raises:
        ParseError: it is none.
    """
    if not _PLAIN.match(body):
        return None
    parser = XMLParser()  # noqa: S314  # what is dangerous needs a DTD
    parser.feed(body)
    return parser.close()


def read_any(body: bytes) -> Element:
    """The root of a document of which nothing is known.

    Raises:
        ParseError, ValueError, LookupError: it is none, holds a DTD or is in an encoding that nobody knows.
    """
    return fromstring(body, forbid_dtd=True)


def _reply(element: Element) -> Reply:
    found: dict[str, Element] = {}
    refused: dict[str, int] = {}
    for propstat in element:  # iterfind takes twice as long
        if propstat.tag == _PROPSTAT:
            status = _status(propstat) or 200
            for prop in chain.from_iterable(part for part in propstat if part.tag == _PROP):
                if 200 <= status < 300:
                    found[prop.tag] = prop
                else:
                    refused[prop.tag] = status
    href = element.find(_HREF)
    return Reply("" if href is None else (href.text or "").strip(), _status(element), found, refused)


def _status(element: Element) -> int | None:
    """The number in `HTTP/1.1 404 Not Found`; the words after it differ from server to server."""
    status = element.find(_STATUS)
    if status is None:
        return None
    parts = (status.text or "").split()
    number = parts[1] if len(parts) > 1 else ""
    return int(number) if len(number) == 3 and number.isascii() and number.isdigit() else 500


def absolute(base: str, href: str) -> str:
    """An href of an answer, resolved against the URL that was asked.

    Raises:
        SourceMisbehaved: it is no reference.
    """
    try:
        return urljoin(base, href)
    except ValueError:
        raise SourceMisbehaved("the source's answer holds an address that is none") from None


def propfind(names: Iterable[str]) -> bytes:
    """RFC 4918 §9.1."""
    return _document("d:propfind", _props(names))


def sync_collection(token: str, limit: int | None) -> bytes:
    """RFC 6578 §3.2; an empty token asks for everything."""
    bound = f"<d:limit><d:nresults>{limit}</d:nresults></d:limit>" if limit else ""
    asked = _props((DAV + "getetag", DAV + "resourcetype"))
    head = f"<d:sync-token>{escape(token)}</d:sync-token><d:sync-level>1</d:sync-level>"
    return _document("d:sync-collection", head + bound + asked)


def multiget(hrefs: Sequence[str], properties: Collection[str], version: str | None) -> bytes:
    """RFC 6352 §8.7: these cards; of each only `properties` (§10.4.2), or all of it where that is empty."""
    wanted = "".join(f"<c:prop name={quoteattr(name)}/>" for name in sorted(properties))
    form = f' content-type="text/vcard" version={quoteattr(version)}' if version else ""
    data = f"<d:prop><d:getetag/><c:address-data{form}>{wanted}</c:address-data></d:prop>"
    return _document("c:addressbook-multiget", data + "".join(f"<d:href>{escape(href)}</d:href>" for href in hrefs))


def _props(names: Iterable[str]) -> str:
    return "<d:prop>" + "".join(f"<{_short(name)}/>" for name in names) + "</d:prop>"


def _short(name: str) -> str:
    namespace, brace, local = name.rpartition("}")
    return f"{_PREFIXES[namespace + brace]}:{local}"


def _document(root: str, inner: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?><{root} {_OPEN}>{inner}</{root}>'.encode()
