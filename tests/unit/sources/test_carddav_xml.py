"""WebDAV's XML: the examples of RFC 6352 and RFC 6578, and what is no example of anything."""

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import example, given
from hypothesis import strategies as st

from contactsync.activities.contacts.contact import Field
from contactsync.activities.sources.carddav_cards import ADDRESS_DATA, properties_of
from contactsync.activities.sources.carddav_cursor import Book
from contactsync.activities.sources.carddav_discovery import RESOURCE_TYPE
from contactsync.activities.sources.carddav_listing import Listed, members
from contactsync.activities.sources.carddav_xml import (
    CARD,
    DAV,
    TOO_MANY_MATCHES,
    VALID_SYNC_TOKEN,
    NotMultistatus,
    error_conditions,
    is_dav_error,
    multiget,
    parse_multistatus,
    propfind,
    read_any,
    read_plain,
    sync_collection,
)
from contactsync.errors import SourceMisbehaved

VECTORS = Path(__file__).parents[2] / "vectors" / "carddav"
HOME = Book(path="/home/cyrusdaboo/", url="http://webdav.example.com/home/cyrusdaboo/")


def vector(name: str) -> bytes:
    """An example's body."""
    return (VECTORS / f"{name}.xml").read_bytes()


def listed(name: str, *, removals: bool = True) -> list[tuple[str, str, bool]]:
    """The members that an example lists."""
    found = members(parse_multistatus(vector(name)), HOME.url, HOME, removals=removals)
    return [(item.path, item.etag, item.gone) for item in found]


def test_rfc6578_3_8_initial_listing() -> None:
    """RFC 6578 §3.8: three members with their ETags, and the token that follows."""
    assert parse_multistatus(vector("rfc6578-3.8-response")).sync_token == "http://example.com/ns/sync/1234"
    assert listed("rfc6578-3.8-response") == [
        ("/home/cyrusdaboo/test.doc", '"00001-abcd1"', False),
        ("/home/cyrusdaboo/vcard.vcf", '"00002-abcd1"', False),
        ("/home/cyrusdaboo/calendar.ics", '"00003-abcd1"', False),
    ]


def test_rfc6578_3_9_changes() -> None:
    """RFC 6578 §3.9: two changed members and one removed, told by a 404 of its own."""
    expected = [
        ("/home/cyrusdaboo/file.xml", '"00004-abcd1"', False),
        ("/home/cyrusdaboo/vcard.vcf", '"00002-abcd2"', False),
        ("/home/cyrusdaboo/test.doc", "", True),
    ]
    assert listed("rfc6578-3.9-response") == expected
    assert listed("rfc6578-3.9-response", removals=False) == expected[:2]


@pytest.mark.parametrize(("name", "count"), [("rfc6578-3.10-response", 2), ("rfc6578-3.11-response", 1)])
def test_rfc6578_truncation(name: str, count: int) -> None:
    """RFC 6578 §3.10 and §3.11: the 507 is of the collection, no member, and the listing is cut short."""
    found = parse_multistatus(vector(name))
    assert [reply.status for reply in found.replies].count(507) == 1
    assert len(listed(name)) == count


def test_rfc6578_3_12_limit_refused() -> None:
    """RFC 6578 §3.12: an error body that says why; it is an answer of the protocol."""
    body = vector("rfc6578-3.12-response")
    assert error_conditions(body) == {TOO_MANY_MATCHES}
    assert is_dav_error(body)


def test_rfc6578_3_13_collections_within() -> None:
    """RFC 6578 §3.13: a collection that the server does not enter is no card; a member without ETag is one."""
    paths = {path for path, _, _ in listed("rfc6578-3.13-response")}
    assert "/home/cyrusdaboo/shared/" not in paths
    assert "/home/cyrusdaboo/calendar.ics" in paths


def test_rfc6352_8_7_1_multiget() -> None:
    """RFC 6352 §8.7.1: one card with its text, one that is missing."""
    first, second = parse_multistatus(vector("rfc6352-8.7.1-response")).replies
    assert (first.raw(ADDRESS_DATA) or "").startswith("BEGIN:VCARD\nVERSION:3.0\nNICKNAME:me")
    assert first.text(DAV + "getetag") == '"23ba4d-ff11fb"'
    assert (second.href, second.status) == ("/home/bernard/addressbook/vcf1.vcf", 404)


def test_rfc6352_8_7_2_conversion_refused() -> None:
    """RFC 6352 §8.7.2: a card that cannot be had in vCard 4.0 has a status and no text."""
    (reply,) = parse_multistatus(vector("rfc6352-8.7.2-response")).replies
    assert (reply.status, reply.raw(ADDRESS_DATA)) == (415, None)


def tree(element: Element) -> object:
    """An element as names, attributes, texts and children, whatever its prefixes."""
    return element.tag, sorted(element.items()), (element.text or "").strip(), [tree(child) for child in element]


def test_rfc6352_8_7_1_request() -> None:
    """Our multiget is that of RFC 6352 §8.7.1 but for the order of the properties."""
    ours = multiget(
        ["/home/bernard/addressbook/vcf102.vcf", "/home/bernard/addressbook/vcf1.vcf"],
        ["VERSION", "UID", "NICKNAME", "EMAIL", "FN"],
        None,
    )
    theirs = fromstring(vector("rfc6352-8.7.1-request"))
    data = theirs.find(f"{DAV}prop/{CARD}address-data")
    assert data is not None
    data[:] = sorted(data, key=lambda prop: prop.get("name", ""))
    assert tree(fromstring(ours)) == tree(theirs)


def test_rfc6352_8_7_2_request() -> None:
    """Asking for vCard 4.0 is done as in RFC 6352 §8.7.2."""
    ours = multiget(["/home/bernard/addressbook/vcf3.vcf"], (), "4.0")
    assert tree(fromstring(ours)) == tree(fromstring(vector("rfc6352-8.7.2-request")))


def test_rfc6578_requests() -> None:
    """Our sync-collection has the token, level and limit of RFC 6578 §3.11, and asks for ETag and type."""
    ours = fromstring(sync_collection("", 1))
    theirs = fromstring(vector("rfc6578-3.11-request"))
    assert [tree(child) for child in ours][:3] == [tree(child) for child in theirs][:3]
    assert [child.tag for child in ours[3]] == [DAV + "getetag", RESOURCE_TYPE]


def test_requests_escape_what_servers_say() -> None:
    """Tokens and hrefs come from servers: none can break out of its element."""
    assert fromstring(sync_collection("a&b<c>", None)).findtext(DAV + "sync-token") == "a&b<c>"
    asked = fromstring(multiget(["/a&b<c>.vcf"], ['"/><x'], None))
    assert asked.findtext(DAV + "href") == "/a&b<c>.vcf"
    assert fromstring(propfind([RESOURCE_TYPE])).find(f"{DAV}prop/{RESOURCE_TYPE}") is not None


BILLION = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><d:multistatus xmlns:d="DAV:">&b;</d:multistatus>'
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<multistatus/>",
        b'<x:multistatus xmlns:x="not:DAV"/>',
        vector("rfc6578-3.8-response")[:-40],
        BILLION.encode(),
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><d:multistatus xmlns:d="DAV:"/>',
        b'<?xml version="1.0" encoding="no-such"?><d:multistatus xmlns:d="DAV:"/>',
        b'<d:multistatus xmlns:d="DAV:">\x01</d:multistatus>',
    ],
)
def test_p34_what_is_no_multistatus(body: bytes) -> None:
    """P34: a body that is cut off, foreign, or holds a DTD or entities is refused as a whole."""
    with pytest.raises(NotMultistatus):
        parse_multistatus(body)
    assert NotMultistatus().code == SourceMisbehaved.__name__


ANSWERS = [path.read_bytes() for path in sorted(VECTORS.glob("*.xml"))]
HEADS = [
    b"",
    b"\n",
    b"\xef\xbb\xbf",
    b"<?xml version='1.0' encoding='utf-8'?>\n",
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>',
    b'<?xml version="1.0" ?>',
    b'<?xml version="1.0" encoding="iso-8859-1"?>',
    b'<?xml version="1.0" encoding="cp037"?>',
    b"<!-- c -->",
    b'<!DOCTYPE x [<!ENTITY a "b">]>',
    b'<?xml version="1.0"?><!DOCTYPE x>',
    b" <?xml version='1.0'?>",
]
PARTS = [
    b"<a>",
    b"</a>",
    b"<d:b xmlns:d='DAV:'>",
    b"</d:b>",
    b"\xc3\xa4",
    b"\xe4",
    b"&amp;",
    b"&a;",
    b"<![CDATA[<!DOCTYPE x>]]>",
]


def any_tree(body: bytes) -> object:
    """What `read_any` makes of a body."""
    try:
        return tree(read_any(body))
    except (ParseError, ValueError, LookupError):
        return None


def plain_tree(body: bytes) -> object:
    """What `read_plain` makes of a body; where that leaves it to `read_any`, what that makes of it."""
    try:
        root = read_plain(body)
    except ParseError:
        return None
    return any_tree(body) if root is None else tree(root)


@given(
    st.sampled_from(HEADS), st.lists(st.sampled_from(PARTS), max_size=8), st.sampled_from(ANSWERS), st.integers(0, 2000)
)
@example(b"", [], BILLION.encode(), 10_000)
@example(HEADS[3], [b"<a>", b"&a;", b"</a>"], b"", 0)
def test_plain_documents_are_what_any_are(head: bytes, parts: list[bytes], answer: bytes, end: int) -> None:
    """The short way reads what the long one reads, refuses what it refuses, and never sees a DTD."""
    for body in (head + b"".join(parts), head + b"<a>" + b"".join(parts) + b"</a>", head + answer[:end], answer):
        assert plain_tree(body) == any_tree(body)


def test_what_servers_answer_is_plain() -> None:
    """Answers as servers write them go the short way; one with anything before its root does not."""
    assert all(read_plain(head + b'<d:multistatus xmlns:d="DAV:"/>') is not None for head in (b"", *HEADS[3:6]))
    assert all(read_plain(head + b'<d:multistatus xmlns:d="DAV:"/>') is None for head in (HEADS[2], *HEADS[6:]))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'<d:error xmlns:d="DAV:"><d:valid-sync-token/></d:error>', {VALID_SYNC_TOKEN}),
        (b'<error xmlns="DAV:"><valid-sync-token/></error>', {VALID_SYNC_TOKEN}),
        (b"<error><valid-sync-token/></error>", set[str]()),
        (b'<d:error xmlns:d="urn:x"><d:valid-sync-token/></d:error>', set[str]()),
        (b"<html>valid-sync-token</html>", set[str]()),
        (b"", set[str]()),
    ],
)
def test_error_conditions_are_told_by_namespace(body: bytes, expected: set[str]) -> None:
    """A condition counts with its namespace, whatever the prefix, and nowhere else."""
    assert error_conditions(body) == expected


def test_gone_and_there_at_once() -> None:
    """A card that an answer calls both gone and there counts as there, whichever comes first."""
    href = "<d:href>/home/cyrusdaboo/a.vcf</d:href>"
    gone = f"<d:response>{href}<d:status>HTTP/1.1 404 x</d:status></d:response>"
    etag = "<d:propstat><d:prop><d:getetag>1</d:getetag></d:prop></d:propstat>"
    there = f"<d:response>{href}{etag}</d:response>"
    for replies in (gone + there, there + gone):
        found = parse_multistatus(f'<d:multistatus xmlns:d="DAV:">{replies}</d:multistatus>'.encode())
        assert members(found, HOME.url, HOME, removals=True) == [
            Listed("/home/cyrusdaboo/a.vcf", "/home/cyrusdaboo/a.vcf", "1")
        ]


def test_every_field_has_properties() -> None:
    """For each field of the allow-list there is something to ask a server for."""
    nothing = properties_of(frozenset())
    assert all(properties_of(frozenset({name})) - nothing for name in Field)
