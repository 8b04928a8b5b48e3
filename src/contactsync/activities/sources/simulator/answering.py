"""How the provider answers a question: its pages, and the faults of pages."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from contactsync.activities.sources.query import Instant
from contactsync.activities.sources.simulator.clock import SECOND
from contactsync.activities.sources.simulator.faults import CAPPED, Faults, Refused
from contactsync.activities.sources.simulator.questions import (
    START,
    Position,
    Question,
    Records,
    SortKey,
    hashed,
    sort_key,
)
from contactsync.activities.sources.simulator.records import Entry
from contactsync.activities.sources.simulator.table import Table

_CIRCLE_PAGES = 3


class Refusing(Exception):
    """The question is answered with an error status. Never leaves the simulator."""

    def __init__(self, refused: Refused) -> None:
        super().__init__()
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Answering:
    """Answers one question. `listed` and `indexed` are what the listing and the changes know; `asked` counts requests,
    `life` the times that all tokens were made void."""

    faults: Faults
    listed: Table
    indexed: Table
    seed: int
    now: Instant
    asked: int
    life: int

    def answer(self, question: Question) -> Records:
        """A page.

        Raises:
            Refusing: the token has expired, or the query's cap is reached.
        """
        here = self._begin(question)
        if here.blanks:
            return Records((), self._next(replace(here, blanks=here.blanks - 1)))
        return self._loop(question, here) if self.faults.loop and here.page else self._page(question, here)

    def _begin(self, question: Question) -> Position:
        here = question.position or replace(START, salt=self.asked if question.offset is None else self.seed)
        if question.position is not None:
            has_expired = self.faults.token_life is not None and self.asked - here.issued > self.faults.token_life
            if here.life != self.life or has_expired:
                raise Refusing(self.faults.expiry)
        if question.offset is not None:
            here = replace(here, sent=question.offset, page=question.offset // max(question.limit, 1))
        return here

    def _page(self, question: Question, here: Position) -> Records:
        room = self._room(question, here)
        found = list(islice(self._following(question, here), room + 1))
        page, is_last = found[:room], len(found) <= room
        is_capped = self._is_capped(question, here.sent + len(page))
        is_last = is_last or (is_capped and not self.faults.cap_refuses) or self._ends(question, here.sent + len(page))
        entries = (*self._repeated(here), *page, *self._strays(question))
        position = None if is_last else self._after(question, here, page)
        return Records(entries, position, self._total(question))

    def _total(self, question: Question) -> int | None:
        is_whole = question.folder is None and question.created_from is None and question.created_until is None
        return self.listed.live if question.what == "contacts" and is_whole else None

    def _room(self, question: Question, here: Position) -> int:
        room = max(1, min(question.limit, self.faults.max_page))
        if question.what == "changes" and self.faults.query_cap is not None:
            room = min(room, self.faults.query_cap - here.sent)
            if room <= 0 and self.faults.cap_refuses:
                raise Refusing(CAPPED)
        if question.what == "contacts" and self.faults.listing_ends_after is not None:
            room = min(room, self.faults.listing_ends_after - here.sent)
        return max(room, 0)

    def _is_capped(self, question: Question, sent: int) -> bool:
        return question.what == "changes" and self.faults.query_cap is not None and sent >= self.faults.query_cap

    def _ends(self, question: Question, sent: int) -> bool:
        ends = self.faults.listing_ends_after
        return question.what == "contacts" and ends is not None and sent >= ends

    def _following(self, question: Question, here: Position) -> Iterator[Entry]:
        """What comes after the position, in the order of the answer."""
        counts = question.offset is not None or self.faults.cursors == "offset"
        key = None if counts else here.key
        entries = self._listing(question, key) if question.what == "contacts" else self._changes(question, here, key)
        return islice(iter(entries), here.sent, None) if counts else iter(entries)

    def _listing(self, question: Question, key: SortKey | None) -> Iterable[Entry]:
        if self.faults.listing_is_empty:
            return ()
        if self.faults.listing_order == "time":
            entries = (entry for entry in self.listed.by_time(0, after=key) if entry.state == "live")
        else:
            entries = self.listed.by_id(key[1] if key else "", question.created_from, question.created_until)
        return (entry for entry in entries if question.folder in (None, entry.folder))

    def _changes(self, question: Question, here: Position, key: SortKey | None) -> Iterable[Entry]:
        until = question.until if question.after_id is None else question.since + 1
        first = (question.since, question.after_id) if question.after_id is not None else None
        if self.faults.order == "time_id":
            after = max(key, first) if key and first else key or first
            return self._known(self.indexed.by_time(question.since, until, after))
        key_of = sort_key(self.faults.order, here.salt)
        entries = self._known(self.indexed.by_time(question.since, until, first))
        return sorted((entry for entry in entries if key is None or key_of(entry) > key), key=key_of)

    def _known(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """What the index has by now, and tells."""
        for entry in entries:
            is_told = entry.state == "live" or self.faults.tombstones
            if is_told and not self._is_missed(entry):
                yield entry

    def _is_missed(self, entry: Entry) -> bool:
        settles = self.faults.index_settle_seconds + self.faults.index_lag_seconds
        if not entry.committed or self.now - entry.committed >= settles * SECOND:
            return False
        return hashed(self.seed, entry.id, entry.version) % 1000 < self.faults.index_miss_share * 1000

    def _repeated(self, here: Position) -> Iterator[Entry]:
        for source_id in here.tail:
            entry = self.listed.get(source_id)
            if entry is not None and entry.state == "live":
                yield entry

    def _strays(self, question: Question) -> Iterable[Entry]:
        if question.what == "contacts" or not self.faults.strays:
            return ()
        older = (entry for entry in self.indexed.by_time(0, question.since) if entry.state == "live")
        return islice(older, self.faults.strays)

    def _after(self, question: Question, here: Position, page: list[Entry]) -> Position:
        key = here.key
        if page and question.what == "contacts" and self.faults.listing_order == "id":
            key = (0, page[-1].id)
        elif page and question.what == "contacts":
            key = (page[-1].updated, page[-1].id)
        elif page:
            key = sort_key(self.faults.order, here.salt)(page[-1])
        tail = tuple(entry.id for entry in page[-self.faults.duplicates :]) if self.faults.duplicates else ()
        moved = replace(here, key=key, sent=here.sent + len(page), page=here.page + 1, tail=tail)
        return self._next(replace(moved, blanks=self.faults.empty_pages))

    def _next(self, position: Position) -> Position:
        issued = self.asked if self.faults.token_life is not None else 0
        return replace(position, issued=issued, life=self.life)

    def _loop(self, question: Question, here: Position) -> Records:
        """Pages that never come to an end."""
        if self.faults.loop == "empty":
            return Records((), self._next(replace(here, nonce=self.asked)))
        if self.faults.loop == "stuck":
            return Records(self._page(question, here).entries, here)
        if self.faults.loop == "circle" and here.page < _CIRCLE_PAGES:
            return self._page(question, here)
        if self.faults.loop == "endless":
            return Records(self._invented(question), self._next(replace(here, nonce=self.asked)))
        again = replace(START, salt=here.salt, page=1, nonce=self.asked if self.faults.loop == "repeats" else 0)
        return Records(self._page(replace(question, offset=None), replace(again)).entries, self._next(again))

    def _invented(self, question: Question) -> tuple[Entry, ...]:
        numbers = range(self.asked * 1000, self.asked * 1000 + min(question.limit, 5))
        at = max(question.since, 1)
        return tuple(Entry(f"endless-{number}", number, created=at, updated=at) for number in numbers)
