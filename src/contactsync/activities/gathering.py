"""Several pages of a source become one of the engine's: an activity costs Temporal the same, whatever it carries.

What is gathered means what its pages mean one after the other, as if each had been committed before the next was read.
docs/sync.md says when a page is full.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

from contactsync.activities.sources.source import Change, Changed, FetchedPage, Moved, PageLimits, Unchanged

_ROW_BYTES: Final = 48
"""What a record takes in a page's body beside its texts, or a little more."""

_MARGIN: Final = 1.1
"""The next page of the source may be a little larger than those before it."""


@dataclass(frozen=True, slots=True)
class Gathering:
    """How far a fetch gathers. `listed`: contacts in all, for each of those that may have to be worked on; `seconds`
    by `timer`: of so much work no more than a page of the source is added, since a worker that dies loses it."""

    listed: int = 4
    seconds: float = 5.0
    timer: Callable[[], float] = time.monotonic


GATHERING: Final = Gathering()


class Weight(NamedTuple):
    """Contacts that somebody has to work on, contacts in all, and bytes in a page's body, roughly."""

    worked: int = 0
    listed: int = 0
    size: int = 0

    @classmethod
    def of(cls, changes: Sequence[Change]) -> "Weight":
        """What these changes weigh."""
        worked = [change for change in changes if not isinstance(change, Unchanged)]
        names = "".join([change.source_id for change in changes])
        texts = sum([_text_bytes(change) for change in worked if isinstance(change, Changed)])
        size = _ROW_BYTES * len(changes) + len(names.encode(errors="surrogatepass")) + texts
        return cls(len(worked), len(changes), size)

    def plus(self, other: "Weight") -> "Weight":
        """Both together."""
        return Weight(self.worked + other.worked, self.listed + other.listed, self.size + other.size)

    def at_least(self, other: "Weight") -> "Weight":
        """The greater one, in each respect."""
        return Weight(*map(max, self, other))

    def fits(self, limits: PageLimits, listed: int) -> bool:
        """Whether a page of so many contacts in all, for each that is worked on, may weigh that."""
        return self.worked <= limits.rows and self.listed <= limits.rows * listed and self.size <= limits.bytes


class Gathered:
    """Pages of one pass that were read one after the other.

    `named`: of these contacts something else is said than that they are unchanged, so that how they are held tells
    nothing of them any more.
    """

    def __init__(self, limits: PageLimits, gathering: Gathering) -> None:
        self._limits = limits
        self._gathering = gathering
        self._began = self._last = gathering.timer()
        self._longest = 0.0
        self._pages: list[FetchedPage] = []
        self._weight = self._largest = Weight()
        self.named: set[str] = set()

    def begin(self, page: FetchedPage) -> None:
        """Take in the first page, whatever it weighs."""
        self._add(page, Weight.of(page.changes))

    def _add(self, page: FetchedPage, weight: Weight) -> None:
        now = self._gathering.timer()
        self._longest, self._last = max(self._longest, now - self._last), now
        self._pages.append(page)
        self._weight, self._largest = self._weight.plus(weight), self._largest.at_least(weight)
        self.named.update(change.source_id for change in page.changes if not isinstance(change, Unchanged))
        self.named.update(change.to for change in page.changes if isinstance(change, Moved))

    def has_room(self) -> bool:
        """Whether another page is worth asking for: one like the largest so far would fit, in bytes and in time."""
        elapsed = self._gathering.timer() - self._began
        if self._pages[-1].done or elapsed + self._longest >= self._gathering.seconds:
            return False
        another = self._largest._replace(size=round(self._largest.size * _MARGIN))
        return self._weight.plus(another).fits(self._limits, self._gathering.listed)

    def expects(self, records: int, size: int) -> bool:
        """Whether there will be room for another page once one is in that is not read yet, of which this is known.

        It takes care rather than risk a request for nothing: of a first page it thinks the worst, and as little time
        must have passed as two more pages like the slowest may take.
        """
        now = self._gathering.timer()
        longest = max(self._longest, now - self._last)
        if now - self._began + 2 * longest >= self._gathering.seconds:
            return False
        likely = self._largest if self._pages else Weight(records, records, size)
        another = likely.at_least(Weight(0, records))
        both = another.plus(another)._replace(size=round(2 * another.size * _MARGIN))
        return self._weight.plus(both).fits(self._limits, self._gathering.listed)

    def is_alike(self, page: FetchedPage) -> bool:
        """Whether the next page belongs to the same listing, or to none as these do."""
        return not page.restarted and page.full == self._pages[0].full

    def takes(self, page: FetchedPage) -> bool:
        """Take in the next page if it fits; if not, the next fetch reads it again."""
        weight = Weight.of(page.changes)
        if not self._weight.plus(weight).fits(self._limits, self._gathering.listed):
            return False
        self._add(page, weight)
        return True

    def first(self, count: int) -> FetchedPage:
        """So many of them as one page."""
        pages = self._pages[:count]
        first, last = pages[0], pages[-1]
        totals = [page.total for page in pages if page.total is not None]
        return FetchedPage(
            changes=tuple(chain.from_iterable(page.changes for page in pages)),
            cursor=last.cursor,
            done=last.done,
            full=first.full,
            restarted=first.restarted,
            downloaded=sum(page.downloaded for page in pages),
            total=totals[-1] if totals else None,
        )


class Onward:
    """Whether a fetch goes on to one more page of its source than were `gathered`. The `leave` of the account's budget
    is taken once for each: when the source would ask for it `ahead` of its turn, or else `in_turn`."""

    def __init__(self, gathered: Gathered, leave: Callable[[], Awaitable[bool]]) -> None:
        self.gathered = gathered
        self._leave = leave
        self._is_given = False

    async def ahead(self, records: int, size: int) -> bool:
        """See `Workbench.wants_more`."""
        self._is_given = self.gathered.expects(records, size) and await self._leave()
        return self._is_given

    async def in_turn(self) -> bool:
        """Whether the next page may be fetched now."""
        is_given, self._is_given = self._is_given, False
        return is_given or await self._leave()


def _text_bytes(change: Changed) -> int:
    return len(change.content) + len(change.etag or "")
