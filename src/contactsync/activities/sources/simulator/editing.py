"""What the provider's own users do: edits, at a time, some of which show late."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from heapq import heappop, heappush
from typing import Final

from contactsync.activities.sources.query import Instant
from contactsync.activities.sources.simulator.clock import SECOND, Clock
from contactsync.activities.sources.simulator.faults import Faults
from contactsync.activities.sources.simulator.records import Entry, base_id
from contactsync.activities.sources.simulator.table import Base, Table

_LISTED: Final = 0
_INDEXED: Final = 1


class Editing:
    """Three tables: what was written (the truth), what the listing shows of it, what the index of changes knows.

    Every edit takes `at`, its time as the record will say it (now, if not given; it may lie in the past, as with a
    transaction that commits late), and shows after `shows_after` seconds (`Faults.commit_delay_seconds`, if not given).
    """

    def __init__(self, base: Base, clock: Clock, resolution: Instant) -> None:
        self.faults = Faults()
        self.clock = clock
        self._resolution = resolution
        self._written = Table(base)
        self._shown = (Table(base), Table(base))
        self._waiting: list[tuple[Instant, int, int, Entry]] = []
        self._edits = 0
        self._next_number = base.count

    def add(self, count: int = 1, *, at: Instant | None = None, folder: str = "") -> list[str]:
        """Adds made-up contacts; gives their ids."""
        numbers = range(self._next_number, self._next_number + count)
        self._next_number += count
        for number in numbers:
            self._write(Entry(base_id(number), number, created=0, updated=0, version=0, folder=folder), at=at)
        return [base_id(number) for number in numbers]

    def put(
        self,
        source_id: str,
        values: Mapping[str, object] | None = None,
        *,
        raw: bytes | None = None,
        at: Instant | None = None,
        shows_after: float | None = None,
    ) -> None:
        """Adds or replaces a contact. `values` replace members of its made-up JSON; `raw` all of it, however broken."""
        held = self._written.get(source_id) or self._new(source_id)
        entry = replace(held, values=dict(values or {}), raw=raw, state="live", merged_into=None)
        self._write(entry, at=at, shows_after=shows_after)

    def edit(self, *source_ids: str, at: Instant | None = None, shows_after: float | None = None) -> None:
        """Gives contacts a new version, all at one instant."""
        at = self.clock.now() if at is None else at
        for source_id in source_ids:
            self._write(self._live(source_id), at=at, shows_after=shows_after)

    def delete(
        self, *source_ids: str, purge: bool = False, at: Instant | None = None, shows_after: float | None = None
    ) -> None:
        """Deletes contacts; with `purge` nothing tells of it."""
        for source_id in source_ids:
            entry = replace(self._live(source_id), state="purged" if purge else "deleted")
            self._write(entry, at=at, shows_after=shows_after)

    def restore(self, source_id: str, *, at: Instant | None = None) -> None:
        """Brings a deleted contact back under its id."""
        entry = self._written.get(source_id)
        if entry is None or entry.state == "live":
            raise KeyError(source_id)
        self._write(replace(entry, state="live", merged_into=None), at=at)

    def merge(self, loser: str, winner: str, *, at: Instant | None = None) -> None:
        """Merges one contact into another; `Faults.merges` says who tells of it."""
        kept, gone = self._live(winner), self._live(loser)
        self._link(gone, kept.id, at)
        if self.faults.merges != "tombstone":
            kept = replace(kept, merged_ids=(*kept.merged_ids, gone.id, *gone.merged_ids))
        self._write(kept, at=at)

    def rename(self, source_id: str, new_id: str, *, at: Instant | None = None) -> None:
        """Gives a contact another id; `Faults.merges` says which of the two tells of it."""
        entry = self._live(source_id)
        self._link(entry, new_id, at)
        known = () if self.faults.merges == "tombstone" else (*entry.merged_ids, entry.id)
        self._write(replace(entry, id=new_id, merged_ids=known), at=at)

    def move(self, source_id: str, folder: str, new_id: str | None = None, *, at: Instant | None = None) -> None:
        """Moves a contact to another folder. With `new_id` it has another id there, and nothing links the two."""
        entry = self._live(source_id)
        if new_id is not None:
            self._write(replace(entry, state="deleted"), at=at)
        self._write(replace(entry, id=new_id or source_id, folder=folder), at=at)

    @property
    def numbers(self) -> int:
        """How many contacts there ever were."""
        return self._next_number

    def live(self, after: str = "") -> Iterator[tuple[str, int]]:
        """(id, version) of every contact after that id, by id, whether anything shows it yet or not."""
        for entry in self._written.by_id(after):
            yield entry.id, entry.version

    def get(self, source_id: str) -> Entry | None:
        """The contact as it was last written."""
        return self._written.get(source_id)

    def show(self) -> tuple[Table, Table]:
        """What listing and index know by now."""
        while self._waiting and self._waiting[0][0] <= self.clock.now():
            _, _, table, entry = heappop(self._waiting)
            self._shown[table].set(entry)
        return self._shown

    def _live(self, source_id: str) -> Entry:
        entry = self._written.get(source_id)
        if entry is None or entry.state != "live":
            raise KeyError(source_id)
        return entry

    def _new(self, source_id: str) -> Entry:
        number = self._next_number
        self._next_number += 1
        return Entry(source_id, number, created=0, updated=0, version=0)

    def _link(self, gone: Entry, to: str, at: Instant | None) -> None:
        """Takes an entry away that goes on under another id."""
        if self.faults.merges == "ids":
            self._write(replace(gone, state="purged"), at=at)
        else:
            self._write(replace(gone, state="deleted", merged_into=to), at=at)

    def _write(self, entry: Entry, *, at: Instant | None = None, shows_after: float | None = None) -> None:
        now = self.clock.now()
        time = (now if at is None else at) // self._resolution * self._resolution
        delay = self.faults.commit_delay_seconds if shows_after is None else shows_after
        committed = now + round(delay * SECOND)
        written = replace(
            entry, updated=time, version=entry.version + 1, created=entry.created or time, committed=committed
        )
        self._written.set(written)
        self._edits += 1
        lag = round(self.faults.index_lag_seconds * SECOND)
        heappush(self._waiting, (committed, self._edits, _LISTED, written))
        heappush(self._waiting, (committed + lag, self._edits, _INDEXED, written))
        self.show()
