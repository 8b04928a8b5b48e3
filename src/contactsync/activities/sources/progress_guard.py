"""Notices that a source's pages lead nowhere: a cursor that does not move, pages that repeat, a chain without end.

What was seen of a pass travels in its sealed cursor, in constant space: Brent's algorithm for cycles keeps one page of
the past and compares each new one with it (R. P. Brent, "An improved Monte Carlo factorization algorithm", 1980, §3).
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from contactsync.activities.messages import Message
from contactsync.activities.sources.source import FetchedPage
from contactsync.errors import SourceLoops

_DIGEST_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a pass may look like. `pages`: in all; `empty`: pages in a row that say nothing; `listings`: complete
    listings begun in it; `repeats`: times that one page of contacts may come again, since a window may be read again.
    """

    pages: int = 100_000
    empty: int = 1_000
    listings: int = 4
    repeats: int = 8


BOUNDS: Final = Bounds()


class Trail(Message):
    """What is remembered of a pass's pages. `cursor` and `contacts` are digests of the page compared with; after
    `ahead` pages, which then doubles, another takes its place."""

    pages: int = 0
    empty: int = 0
    listings: int = 0
    ahead: int = 1
    steps: int = 0
    repeats: int = 0
    cursor: str = ""
    contacts: str = ""

    def followed_by(self, asked: bytes | None, page: FetchedPage, bounds: Bounds = BOUNDS) -> "Trail":
        """The trail with a page more, which came when `asked` was the cursor; empty again at the end of a pass.

        Raises:
            SourceLoops: the pages lead nowhere.
        """
        if page.done:
            return Trail()
        if page.cursor == asked:
            raise SourceLoops("the source's cursor does not advance; nothing is deleted because of it")
        trail = _counted(self, page)
        _require_within(trail, bounds)
        return _compared(trail, page, bounds)


def _counted(trail: Trail, page: FetchedPage) -> Trail:
    counts = {
        "pages": trail.pages + 1,
        "empty": 0 if page.changes else trail.empty + 1,
        "listings": trail.listings + page.restarted,
    }
    return trail.model_copy(update=counts)


def _require_within(trail: Trail, bounds: Bounds) -> None:
    if trail.empty > bounds.empty:
        raise SourceLoops("the source sends empty pages without end; nothing is deleted because of it")
    if trail.listings > bounds.listings:
        raise SourceLoops("the source takes back each listing before its end; nothing is deleted because of it")
    if trail.pages > bounds.pages:
        raise SourceLoops


def _compared(trail: Trail, page: FetchedPage, bounds: Bounds) -> Trail:
    cursor, contacts = _digest(page.cursor), _digest(_names(page)) if page.changes else ""
    if cursor == trail.cursor:
        raise SourceLoops("the source's cursors go in a circle; nothing is deleted because of it")
    repeats = trail.repeats + (contacts != "" and contacts == trail.contacts)
    if repeats >= bounds.repeats:
        raise SourceLoops("the source sends the same page again and again; nothing is deleted because of it")
    if trail.steps + 1 < trail.ahead and trail.cursor:
        return trail.model_copy(update={"steps": trail.steps + 1, "repeats": repeats})
    kept = {"cursor": cursor, "contacts": contacts, "ahead": trail.ahead * 2, "steps": 0, "repeats": 0}
    return trail.model_copy(update=kept)


def _names(page: FetchedPage) -> bytes:
    """The contacts that a page names, in whatever order it does."""
    return repr(sorted([change.source_id for change in page.changes])).encode()


def _digest(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()
