"""The provider's clock: this machine's, or one that only a test moves."""

import time
from typing import Final, Protocol

from contactsync.activities.sources.query import Instant

SECOND: Final[Instant] = 1_000_000
DAY: Final[Instant] = 86_400 * SECOND


class Clock(Protocol):
    """Tells the provider's time."""

    def now(self) -> Instant:
        """Microseconds since the epoch."""
        ...


class SystemClock:
    """This machine's time; `skew_seconds` ahead of it, or behind it where that is below zero."""

    def __init__(self, skew_seconds: float = 0.0) -> None:
        self._skew = round(skew_seconds * SECOND)

    def now(self) -> Instant:
        """See `Clock.now`."""
        return time.time_ns() // 1000 + self._skew


class VirtualClock:
    """A clock that stands still until somebody moves it."""

    def __init__(self, now: Instant = 1_800_000_000 * SECOND) -> None:
        self._now = now

    def now(self) -> Instant:
        """See `Clock.now`."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Moves on by so many seconds."""
        self._now += round(seconds * SECOND)
