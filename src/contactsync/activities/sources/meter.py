"""What a fetch asked of its source, for the account's budget: its requests, and what the answers said of limits."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Window:
    """What an answer said of one limit.

    `kind`: `interval` starts anew soon, `daily` at the account's midnight, `rolling` counts the last 24 hours.
    `remaining` and `allowed` are requests; `resets_in`: seconds until it starts anew, where the answer says so;
    `length`: seconds, where it says so.
    """

    kind: Literal["interval", "daily", "rolling"]
    remaining: int
    allowed: int | None = None
    resets_in: float | None = None
    length: float | None = None

    @property
    def name(self) -> str:
        """Tells two limits of one account apart; numbers and words of ours only."""
        return self.kind if self.length is None else f"{self.kind}/{self.length:g}"


@dataclass(slots=True)
class Meter:
    """Counts requests; the transport feeds it. `clock` gives seconds that never go back.

    `paid`: of the requests, so many were charged to the account while the fetch went on. `refused_for` is above 0 when
    the source asked for patience; `said_how_long`: the number is the source's own.
    """

    requests: int = 0
    paid: int = 0
    refused_for: float = 0.0
    said_how_long: bool = False
    clock: Callable[[], float] = time.monotonic
    _heard: dict[str, tuple[Window, float, int]] = field(default_factory=dict[str, tuple[Window, float, int]])

    def count(self) -> None:
        """A request is about to be sent."""
        self.requests += 1

    def hear(self, windows: Iterable[Window]) -> None:
        """An answer said this of its limits; what a later answer says of the same limit replaces it."""
        now = self.clock()
        for window in windows:
            self._heard[window.name] = (window, now, self.requests)

    def refused(self, seconds: float, *, said_how_long: bool) -> None:
        """The source asked to come again later. A source that sees it in a body says so here, as the transport does."""
        if said_how_long or not self.said_how_long:
            self.refused_for = max(self.refused_for, seconds) if said_how_long == self.said_how_long else seconds
            self.said_how_long = said_how_long

    def windows(self) -> tuple[Window, ...]:
        """What the newest answers said, as it stands now."""
        now = self.clock()
        return tuple(_aged(window, now - at, self.requests - sent) for window, at, sent in self._heard.values())


def _aged(window: Window, seconds: float, requests: int) -> Window:
    """The limit so many seconds and requests after an answer told it."""
    remaining = max(0, window.remaining - requests)
    if window.resets_in is None:
        return replace(window, remaining=remaining)
    return replace(window, remaining=remaining, resets_in=max(0.0, window.resets_in - seconds))
