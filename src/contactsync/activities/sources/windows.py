"""Makes a whole `Source` of one that can only be asked for a listing and for changes in a window of time.

A pass takes its mark before the first page, in the source's clock and minus the source's lag, and then asks for what
changed since the mark before it; lower bounds are inclusive, and what is read twice is harmless. docs/sync.md tells
the rules; they are in `window_marks.py` and `window_rules.py`, and nothing of them is in a source.
"""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, NamedTuple

from contactsync.activities.sources.ahead import Ahead
from contactsync.activities.sources.query import Instant, QueryPage, QuerySource, Window
from contactsync.activities.sources.source import (
    Capabilities,
    Change,
    Changed,
    FetchedPage,
    PageLimits,
    SourceInfo,
    Unchanged,
    Unreadable,
    Workbench,
)
from contactsync.activities.sources.window_etags import told_once
from contactsync.activities.sources.window_marks import (
    SECOND,
    Asked,
    baseline_of,
    begin_changes,
    begin_listing,
    begin_part,
    begin_since,
)
from contactsync.activities.sources.window_offsets import ask_anchored
from contactsync.activities.sources.window_pages import cut, stash_rest, take_rest
from contactsync.activities.sources.window_rules import Setting, advance, begun_again, resumed
from contactsync.activities.sources.window_state import State, Walk, read_state
from contactsync.errors import CursorExpired, SourceMisbehaved

_BEGINNINGS: Final = 3
_BODIES: Final = (Changed, Unchanged, Unreadable)


def windowed(query: QuerySource, workbench: Workbench, clock: Callable[[], float] = time.time) -> "WindowedSource":
    """The source that `query` answers for; close it (`aclosing`). `clock` gives epoch seconds."""
    return WindowedSource(query, workbench, clock)


class _Question(NamedTuple):
    """A page that is asked for: where the pass stands before it, and what bounds it."""

    state: State
    limits: PageLimits


class _Asking:
    """Asks for pages. Who asks ahead keeps this and not the source, or both would keep each other, and the pages that
    were read with them, until the garbage collector comes by."""

    def __init__(self, query: QuerySource, clock: Callable[[], float]) -> None:
        self._query = query
        self._clock = clock

    async def ask(self, question: _Question) -> Asked:
        """The answer to a question, and when it was asked and answered."""
        walk = question.state.walk
        assert walk is not None  # noqa: S101 - a page is asked for inside a walk
        before = self.now()
        answer, unread = await ask_anchored(partial(self._page, walk, question.limits), walk)
        return Asked(answer, before, self.now(), unread)

    async def _page(self, walk: Walk, limits: PageLimits, token: bytes | None) -> QueryPage:
        if walk.part:
            return await self._query.list_page(token, walk.part.name, limits)
        return await self._query.changes_page(walk.spans[0].window(), token, limits)

    def now(self) -> Instant:
        """The present, in our clock."""
        return round(self._clock() * SECOND)


class WindowedSource:
    """See `windowed`. While a page is looked up and read the next one is asked for, if the workbench wants it."""

    def __init__(self, query: QuerySource, workbench: Workbench, clock: Callable[[], float]) -> None:
        self._query = query
        self._workbench = workbench
        asking = _Asking(query, clock)
        self._now = asking.now
        self._ahead = Ahead(asking.ask)

    async def aclose(self) -> None:
        """Give up what was asked for and not fetched."""
        await self._ahead.aclose()

    @property
    def capabilities(self) -> Capabilities:
        """See `Source.capabilities`."""
        return self._query.capabilities

    async def check(self) -> SourceInfo:
        """See `Source.check`."""
        return await self._query.check()

    async def baseline(self) -> bytes | None:
        """A mark at the source's present; None where changes cannot be asked for. See `Source.baseline`."""
        if not self.capabilities.changes:
            return None
        now = self._now()
        asked = await self._timed(self._query.changes_page(Window(now), None, PageLimits(rows=1)))
        return baseline_of(asked, self.capabilities).dump()

    async def partitions(self, since: float | None, /) -> tuple[bytes | None, ...]:
        """The parts of the listing, or what changed since then. See `Source.partitions`."""
        if since is not None and self.capabilities.changes:
            return (begin_since(round(since * SECOND), self._now()).dump(),)
        return tuple(begin_part(part).dump() for part in self._parts())

    async def fetch(self, cursor: bytes | None, limits: PageLimits) -> FetchedPage:
        """One page; see `Source.fetch`."""
        known = read_state(cursor)
        if known is not None and known.rest is not None:
            try:
                return await self._rest(known)
            except CursorExpired:
                known = known.model_copy(update={"rest": None})
        return await self._next_page(known, limits)

    async def _rest(self, state: State) -> FetchedPage:
        assert state.rest is not None  # noqa: S101 - the caller's test
        changes, following = await take_rest(self._workbench, state, state.rest)
        full = state.walk is not None and state.walk.full
        return _page(changes, following, full=full, restarted=False)

    async def _next_page(self, known: State | None, limits: PageLimits) -> FetchedPage:
        state = self._where(known)
        restarted = known is None or (known.walk is None and _lists(state))
        for _ in range(_BEGINNINGS):
            try:
                asked = await self._ahead.answer(_Question(state, limits))
                return await self._answered(state, asked, limits, restarted=restarted)
            except CursorExpired:
                onward = resumed(state)
                restarted = restarted or onward is None
                state = onward or begun_again(state, self._parts()[0])
        raise SourceMisbehaved("the source takes back each listing that it begins")

    def _where(self, known: State | None) -> State:
        if known is None:
            return self._listing(None)
        if known.walk is not None:
            return known
        return (
            begin_changes(known, self._now(), self.capabilities) if self.capabilities.changes else self._listing(known)
        )

    def _listing(self, known: State | None) -> State:
        return begin_listing(known, self._parts()[0])

    def _parts(self) -> tuple[bytes | None, ...]:
        return self._query.list_parts() or (None,)

    async def _timed(self, answering: Awaitable[QueryPage]) -> Asked:
        before = self._now()
        answer = await answering
        return Asked(answer, before, self._now(), answer.records)

    async def _answered(self, state: State, asked: Asked, limits: PageLimits, *, restarted: bool) -> FetchedPage:
        following = advance(state, asked, Setting(self.capabilities, self._now(), self._parts))
        if following.walk and await self._workbench.wants_more(len(asked.unread), asked.answer.size):
            self._ahead.begin(_Question(following, limits))
        told = await told_once(self._workbench, [record.change for record in asked.unread])
        pages = cut(told, limits)
        if len(pages) > 1:
            rest = await stash_rest(self._workbench, pages[1:], following)
            following = state.model_copy(update={"rest": rest})
        full = state.walk is not None and state.walk.full
        return _page(pages[0], following, full=full, restarted=restarted, total=asked.answer.total)


def _page(
    changes: list[Change], following: State, *, full: bool, restarted: bool, total: int | None = None
) -> FetchedPage:
    return FetchedPage(
        changes=tuple(changes),
        cursor=following.dump(),
        done=following.walk is None,
        full=full,
        restarted=restarted,
        downloaded=sum([isinstance(change, _BODIES) for change in changes]),
        total=total,
    )


def _lists(state: State) -> bool:
    return state.walk is not None and state.walk.part is not None
