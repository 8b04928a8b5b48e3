"""Contacts in the two orders that providers answer in: by id, and by the time of their last change."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import overload

from contactsync.activities.sources.query import Instant
from contactsync.activities.sources.simulator.records import Entry, base_id, base_number

TimeKey = tuple[Instant, str]


@dataclass(frozen=True, slots=True)
class Base:
    """Made-up contacts: number n was made, and last changed, at `first + n * step`."""

    count: int
    first: Instant
    step: Instant
    folders: tuple[str, ...]

    def entry(self, number: int) -> Entry:
        """The contact of this number as it was at the beginning."""
        at = self.first + number * self.step
        folder = self.folders[number % len(self.folders)]
        return Entry(base_id(number), number, created=at, updated=at, folder=folder)

    def find(self, source_id: str) -> Entry | None:
        """The contact of this id as it was at the beginning."""
        number = base_number(source_id)
        return self.entry(number) if number is not None and number < self.count else None

    def first_at(self, instant: Instant) -> int:
        """The first number whose time is `instant` or later; `count`: there is none."""
        if instant <= self.first:
            return 0
        if not self.step:
            return self.count
        return min(self.count, -((self.first - instant) // self.step))

    def after_id(self, source_id: str) -> int:
        """The first number whose id is greater."""
        return bisect_right(_Ids(self.count), source_id)


class _Ids(Sequence[str]):
    """The ids of the base, in order, made when looked at."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [base_id(number) for number in range(self._count)[index]]
        return base_id(index)


class Table:
    """The base, and over it what was edited since."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._entries: dict[str, Entry] = {}
        self._further: list[str] = []  # ids that are not of the base, in order
        self._times: list[TimeKey] = []  # of what was edited
        self._live = base.count

    @property
    def live(self) -> int:
        """How many contacts there are."""
        return self._live

    def get(self, source_id: str) -> Entry | None:
        """What is there under this id, deleted or not."""
        return self._entries.get(source_id) or self._base.find(source_id)

    def set(self, entry: Entry) -> None:
        """Adds or replaces an entry."""
        before = self.get(entry.id)
        edited = self._entries.get(entry.id)
        if edited is not None:
            del self._times[bisect_left(self._times, (edited.updated, edited.id))]
        elif before is None:
            insort(self._further, entry.id)
        self._live += (entry.state == "live") - (before is not None and before.state == "live")
        insort(self._times, (entry.updated, entry.id))
        self._entries[entry.id] = entry

    def by_id(
        self, after: str = "", created_from: Instant | None = None, created_until: Instant | None = None
    ) -> Iterator[Entry]:
        """Live contacts whose id is greater than `after`, made inside this span of time."""
        low = max(self._base.after_id(after) if after else 0, self._base.first_at(created_from or 0))
        high = self._base.count if created_until is None else self._base.first_at(created_until)
        ids = merge(map(base_id, range(low, high)), self._further[bisect_right(self._further, after) :])
        for source_id in ids:
            entry = self._entries.get(source_id) or self._base.entry(int(source_id))
            is_inside = entry.created >= (created_from or 0) and (
                created_until is None or entry.created < created_until
            )
            if entry.state == "live" and is_inside:
                yield entry

    def by_time(self, since: Instant, until: Instant | None = None, after: TimeKey | None = None) -> Iterator[Entry]:
        """Everything that changed inside this span and comes after the key, deletions too; oldest first."""
        key = max((since, ""), after) if after else (since, "")
        edited = self._times[bisect_right(self._times, key) :]
        entries = (self._entries[source_id] for _, source_id in edited)
        for entry in merge(self._untouched(key), entries, key=lambda entry: (entry.updated, entry.id)):
            if until is not None and entry.updated >= until:
                return
            if entry.state != "purged":
                yield entry

    def _untouched(self, key: TimeKey) -> Iterator[Entry]:
        low, high = self._base.first_at(key[0]), self._base.first_at(key[0] + 1)
        start = min(max(self._base.after_id(key[1]) if key[1] else 0, low), high)
        for number in range(start, self._base.count):
            if base_id(number) not in self._entries:
                yield self._base.entry(number)
