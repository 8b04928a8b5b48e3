"""A page being filled, within its bounds in rows, bytes and time."""

import time
from collections.abc import Callable
from typing import Final

from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sources.carddav_cards import Broken, Gone, Outcome
from contactsync.activities.sources.carddav_listing import Listed
from contactsync.activities.sources.source import Change, Changed, PageLimits, Removed, Unchanged, Unreadable

_ROW_BYTES: Final = 48
"""What a row takes in a page's body beside its contact and its names, or a little more."""

_SECONDS: Final = 5.0
"""After so much work on a page no more is asked for: a worker that dies loses it."""


class PageBuilder:
    """Takes changes until the next one does not fit; that one belongs to the next page. `timer` gives seconds."""

    def __init__(self, limits: PageLimits, mask: str, timer: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._mask = mask
        self._timer = timer
        self._until = timer() + _SECONDS
        self._bytes = 0
        self._is_closed = False
        self.changes: list[Change] = []
        self.downloaded = 0

    @property
    def room(self) -> int:
        """Rows that may still be asked for."""
        return self.room_after(0)

    def room_after(self, pending: int) -> int:
        """`room`, once `pending` more rows are in it."""
        count = len(self.changes) + pending
        is_late = count > 0 and self._timer() >= self._until
        return 0 if self._is_closed or is_late else max(self._limits.rows - count, 0)

    def likely(self, pending: int) -> int:
        """Rows that probably still fit, once `pending` more are in it: if they are as large as those that are."""
        count, room = len(self.changes), self.room_after(pending)
        fitting = self._limits.bytes * count // self._bytes - count - pending if count else room
        return max(min(room, fitting), 0)

    def close(self) -> None:
        """Nothing more belongs to it."""
        self._is_closed = True

    def add(self, item: Listed, outcome: Outcome | None) -> bool:
        """Adds what became of a listed card (None: not downloaded). False: it does not fit, and the page is closed."""
        change, size = self._change(item, outcome)
        size += len(item.path.encode()) + len(item.etag) + _ROW_BYTES
        if self._is_full or (self.changes and self._bytes + size > self._limits.bytes):
            self.close()
            return False
        self.changes.append(change)
        self._bytes += size
        self.downloaded += outcome is not None and not isinstance(outcome, Gone)
        return True

    @property
    def _is_full(self) -> bool:
        return self._is_closed or len(self.changes) >= self._limits.rows

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
