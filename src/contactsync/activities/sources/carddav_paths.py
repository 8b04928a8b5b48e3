"""Hrefs: how one card keeps one identity however the server spells its address.

Servers answer with absolute or relative addresses, encode `@` or not, and write hex digits in either case. A card's
identity is the path alone, each segment decoded and encoded again in one way; host and scheme fall away, since
reverse proxies get them wrong and providers move accounts between hosts.
"""

import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes, urlsplit, urlunsplit

from contactsync.activities.sources.carddav_xml import absolute
from contactsync.errors import SourceMisbehaved

_SAFE: Final = "!$&'()*+,;=:@"  # what RFC 3986 §3.3 lets stand in a segment, so that ids stay readable

_PLAIN: Final = re.compile(r"(?:/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9_~!$&'()*+,=:@.-]*)+/?")
"""Paths that are what they will be: no host, nothing to resolve, encoded nowhere. Nearly all that servers name."""


def path_of(base: str, href: str) -> str:
    """The canonical path of `href`, as found in the answer to `base`."""
    return canonical(raw_path(base, href))


def raw_path(base: str, href: str) -> str:
    """The path of `href` as the server spells it, for asking the server again."""
    return href if _PLAIN.fullmatch(href) else resolved(base, href)


def resolved(base: str, href: str) -> str:
    """`raw_path`, whatever the href looks like."""
    try:
        return urlsplit(absolute(base, href)).path or "/"
    except ValueError:
        raise SourceMisbehaved("the source's answer holds an address that is none") from None


def canonical(path: str) -> str:
    """One spelling for a path; an encoded slash stays encoded, since it is no separator."""
    return path if _PLAIN.fullmatch(path) else respelled(path)


def respelled(path: str) -> str:
    """`canonical`, whatever the path looks like."""
    return "/".join(quote(unquote_to_bytes(segment), safe=_SAFE) for segment in path.split("/"))


def same_collection(one: str, other: str) -> bool:
    """Whether two canonical paths are one collection; a final slash makes no difference."""
    return one.rstrip("/") == other.rstrip("/")


def at(base: str, path: str) -> str:
    """`path` on the host of `base`, ready to be requested."""
    parts = urlsplit(base)
    return urlunsplit((parts.scheme, parts.netloc, quote(path, safe="/%" + _SAFE), "", ""))
