"""A page being filled, within its bounds in rows and bytes."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sources.carddav_cards import Broken, Gone, Outcome
from contactsync.activities.sources.carddav_listing import Listed
from contactsync.activities.sources.source import Change, Changed, PageLimits, Removed, Unchanged, Unreadable

_ROW_BYTES: Final = 64
"""What a row takes beside its contact and its names."""


class PageBuilder:
    """Takes changes until the next one does not fit; that one belongs to the next page."""

    def __init__(self, limits: PageLimits, mask: str) -> None:
        self._limits = limits
        self._mask = mask
        self._bytes = 0
        self._is_closed = False
        self.changes: list[Change] = []
        self.downloaded = 0

    @property
    def room(self) -> int:
        """Rows that may still come."""
        return 0 if self._is_closed else self._limits.rows - len(self.changes)

    def is_likely(self, rows: int) -> bool:
        """Whether so many more would fit if they are as large as those that are in it."""
        count = len(self.changes)
        return not count or self._bytes * (count + rows) <= self._limits.bytes * count

    def close(self) -> None:
        """Nothing more belongs to it."""
        self._is_closed = True

    def add(self, item: Listed, outcome: Outcome | None) -> bool:
        """Adds what became of a listed card (None: not downloaded). False: it does not fit, and the page is closed."""
        change, size = self._change(item, outcome)
        size += len(item.path.encode()) + len(item.etag) + _ROW_BYTES
        if not self.room or (self.changes and self._bytes + size > self._limits.bytes):
            self.close()
            return False
        self.changes.append(change)
        self._bytes += size
        self.downloaded += outcome is not None and not isinstance(outcome, Gone)
        return True

    def etag(self, etag: str) -> str | None:
        """An ETag as it is kept; None where the server gives none."""
        return f"{self._mask}:{etag}" if etag else None

    def _change(self, item: Listed, outcome: Outcome | None) -> tuple[Change, int]:
        if item.gone or isinstance(outcome, Gone):
            return Removed(item.path), 0
        if outcome is None:
            return Unchanged(item.path), 0
        if isinstance(outcome, Broken):
            return Unreadable(item.path, outcome.reason), 0
        if len(outcome.content) > self._limits.bytes:
            return Unreadable(item.path, QuarantineReason.TOO_LARGE), 0
        return Changed(item.path, outcome.content, self.etag(outcome.etag)), len(outcome.content)


class Batch(NamedTuple):
    """A run of a listing, and the cards in it that are to be downloaded."""

    run: Sequence[Listed]
    wanted: Sequence[Listed]


def batches(listed: Sequence[Listed], held: frozenset[str], size: int) -> Iterator[Batch]:
    """Runs of the listing in its order, each with at most `size` cards to download."""
    run: list[Listed] = []
    wanted: list[Listed] = []
    for item in listed:
        if len(wanted) == size:
            yield Batch(run, wanted)
            run, wanted = [], []
        run.append(item)
        if not item.gone and item.path not in held:
            wanted.append(item)
    if run:
        yield Batch(run, wanted)
