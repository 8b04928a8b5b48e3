"""How fast one subject may open and seal: a token bucket each.

Who is over their rate *waits*: the `temporal` command sends one request after the other and would show ciphertext for
the rest after one that is refused, and Temporal Web does not ask again after a 4xx. Only whoever sends many at the same
time, so that waiting would take too long, is refused (429).
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MAX_WAIT_SECONDS: Final = 10.0
SUBJECTS: Final = 4_096


@dataclass(frozen=True, slots=True)
class Rate:
    """Payloads a second in the long run, and payloads at once."""

    per_second: float = 200.0
    burst: float = 5_000.0


DEFAULT_RATE: Final = Rate()


class Buckets:
    """Every subject's bucket; those not seen for longest are forgotten, that is, full again."""

    def __init__(self, rate: Rate = DEFAULT_RATE, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """How many subjects are remembered."""
        return len(self._levels)

    def take(self, subject: str, payloads: int) -> float | None:
        """Take this many (a request takes one at least); answers how many seconds to wait first, or None: too many.

        A bucket may go below zero by one request, so that a large one is never refused for ever; the next waits.
        """
        now = self._monotonic()
        level = self._level(subject, now)
        wait = max(0.0, -level / self._rate.per_second)
        if wait > MAX_WAIT_SECONDS:
            return None
        self._levels[subject] = level - max(payloads, 1), now
        self._levels.move_to_end(subject)
        while len(self._levels) > SUBJECTS:
            self._levels.popitem(last=False)
        return wait

    def _level(self, subject: str, now: float) -> float:
        level, at = self._levels.get(subject, (self._rate.burst, now))
        return min(self._rate.burst, level + (now - at) * self._rate.per_second)
