"""Whether a fetch may go now, and else when: plain rules without a database. `budgets.py` keeps what they need."""

import math
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Final

from pydantic import BaseModel, ConfigDict

from contactsync.activities.sources.limits import RequestLimits, seconds_to_midnight, zone_of
from contactsync.activities.sources.meter import Meter, Window

PAGE_SECONDS: Final = 1.0
"""What a fetch takes, roughly: how those who wait for a free place are spread over time."""

SHORTEST_WAIT_SECONDS: Final = 0.5
LONGEST_QUEUE_SECONDS: Final = 300.0
LONGEST_WAIT_SECONDS: Final = 25 * 3600.0
"""A day, and the hour by which the longest of a year is longer."""

FIRST_PATIENCE_SECONDS: Final = 60.0
LONGEST_PATIENCE_SECONDS: Final = 3600.0
"""How long to leave a source alone that asks for patience and does not say for how long: doubled each time."""

_UNSAID_RESET_SECONDS: Final = {"interval": 60.0, "rolling": 900.0}


class Lane(Enum):
    """Live sync goes first; a backfill may use a share only."""

    LIVE = "live"
    BACKFILL = "backfill"


class HeldWindow(BaseModel):
    """A limit as the provider told it, until it starts anew."""

    model_config = ConfigDict(frozen=True)

    name: str
    remaining: int
    allowed: int | None
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is left of an account's budget. `tokens` are requests that may be sent (None: never counted; below 0:
    debt); `day_requests` were sent on `day`, in the account's zone; `refusals` in a row without a word of how long."""

    counted_at: datetime
    tokens: float | None = None
    backfill_tokens: float | None = None
    day: date | None = None
    day_requests: int = 0
    windows: tuple[HeldWindow, ...] = ()
    blocked_until: datetime | None = None
    refusals: int = 0


@dataclass(frozen=True, slots=True)
class Queue:
    """Who else is there: fetches under way (`held`, of them `backfill`), and those who wait in front of the one who
    asks (`ahead`, of them `due`: they come at once, and what is free is theirs)."""

    held: int = 0
    backfill: int = 0
    ahead: int = 0
    due: int = 0


def wait_seconds(
    ledger: Ledger, limits: RequestLimits, lane: Lane, *, account: Queue, tenant: Queue, pages: int
) -> float:
    """Seconds until it is worth asking again; 0.0: go. `pages`: fetches of the tenant at the same time."""
    share = limits.backfill_share if lane is Lane.BACKFILL else 1.0
    waits = [
        _blocked(ledger, account, limits),
        _day(ledger, account, limits, share),
        *(_window(window, ledger.counted_at, account, share) for window in ledger.windows),
        _tokens(ledger, account, limits, lane),
        _place(account, limits.concurrent, share, lane),
        _place(tenant, pages, share, lane),
    ]
    longest = max(waits)
    return min(max(longest, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS) if longest > 0 else 0.0


def refreshed(ledger: Ledger, limits: RequestLimits, now: datetime) -> Ledger:
    """The ledger as it stands at `now`: tokens grew, a new day may have begun, what was said may be over."""
    passed = max(0.0, (now - ledger.counted_at).total_seconds())
    rate, share = limits.per_second, limits.backfill_share
    today = now.astimezone(zone_of(limits.daily_zone)).date() if limits.daily else None
    return replace(
        ledger,
        counted_at=now,
        tokens=_grown(ledger.tokens, rate, passed, limits.burst) if rate else None,
        backfill_tokens=_grown(ledger.backfill_tokens, rate * share, passed, limits.burst * share) if rate else None,
        day=today,
        day_requests=ledger.day_requests if today == ledger.day else 0,
        windows=tuple(window for window in ledger.windows if window.resets_at > now),
        blocked_until=ledger.blocked_until if ledger.blocked_until and ledger.blocked_until > now else None,
    )


def charged(ledger: Ledger, lane: Lane, requests: int) -> Ledger:
    """The ledger after `requests` (below 0: some that were set aside were not needed)."""
    tokens, backfill = ledger.tokens, ledger.backfill_tokens
    return replace(
        ledger,
        tokens=None if tokens is None else tokens - requests,
        backfill_tokens=backfill if backfill is None or lane is Lane.LIVE else backfill - requests,
        day_requests=max(0, ledger.day_requests + requests),
        windows=tuple(
            window.model_copy(update={"remaining": max(0, window.remaining - max(0, requests))})
            for window in ledger.windows
        ),
    )


def learned(ledger: Ledger, meter: Meter, limits: RequestLimits) -> Ledger:
    """The ledger after what the answers said; it has been charged already."""
    now = ledger.counted_at
    held = {window.name: window for window in ledger.windows}
    for window in meter.windows():
        held[window.name] = _held(window, limits, now)
    return _refused(replace(ledger, windows=tuple(held.values())), meter)


def _refused(ledger: Ledger, meter: Meter) -> Ledger:
    if meter.refused_for <= 0:
        return replace(ledger, refusals=0)
    if meter.said_how_long:
        return _blocked_for(replace(ledger, refusals=0), min(meter.refused_for, LONGEST_WAIT_SECONDS))
    if ledger.blocked_until is not None:
        return ledger  # refused side by side with the one that is counted already
    exhausted = [window.resets_at for window in ledger.windows if window.remaining == 0]
    if exhausted:
        return _blocked_for(ledger, (max(exhausted) - ledger.counted_at).total_seconds())
    patience = min(FIRST_PATIENCE_SECONDS * 2.0 ** min(ledger.refusals, 10), LONGEST_PATIENCE_SECONDS)
    return _blocked_for(replace(ledger, refusals=ledger.refusals + 1), patience)


def _blocked_for(ledger: Ledger, seconds: float) -> Ledger:
    until = ledger.counted_at + timedelta(seconds=seconds)
    return replace(ledger, blocked_until=max(until, ledger.blocked_until or until))


def _held(window: Window, limits: RequestLimits, now: datetime) -> HeldWindow:
    if window.resets_in is not None:
        seconds = window.resets_in
    elif window.kind == "daily":
        seconds = seconds_to_midnight(now, limits.daily_zone)
    else:
        seconds = _UNSAID_RESET_SECONDS[window.kind]
    resets_at = now + timedelta(seconds=min(seconds, LONGEST_WAIT_SECONDS))
    return HeldWindow(name=window.name, remaining=window.remaining, allowed=window.allowed, resets_at=resets_at)


def _grown(tokens: float | None, rate: float, seconds: float, burst: float) -> float:
    most = max(1.0, burst)
    return most if tokens is None else min(most, tokens + rate * seconds)


def _blocked(ledger: Ledger, account: Queue, limits: RequestLimits) -> float:
    if ledger.blocked_until is None:
        return 0.0
    return (ledger.blocked_until - ledger.counted_at).total_seconds() + _spread(account, limits)


def _day(ledger: Ledger, account: Queue, limits: RequestLimits, share: float) -> float:
    if limits.daily is None or ledger.day_requests < max(1, math.floor(limits.daily * share)):
        return 0.0
    return seconds_to_midnight(ledger.counted_at, limits.daily_zone) + _spread(account, limits)


def _window(window: HeldWindow, now: datetime, account: Queue, share: float) -> float:
    """What others have under way was not in the provider's number yet."""
    allowed = window.allowed or 1
    kept_for_live = min(math.ceil(allowed * (1.0 - share)), allowed - 1)
    if window.remaining - account.held - account.due > kept_for_live:
        return 0.0
    return (window.resets_at - now).total_seconds()


def _tokens(ledger: Ledger, account: Queue, limits: RequestLimits, lane: Lane) -> float:
    if limits.per_second is None:
        return 0.0
    wait = _until(ledger.tokens, limits.per_second, account)
    if lane is Lane.BACKFILL:
        wait = max(wait, _until(ledger.backfill_tokens, limits.per_second * limits.backfill_share, account))
    return wait


def _until(tokens: float | None, rate: float, account: Queue) -> float:
    held = tokens or 0.0
    return 0.0 if held >= 1 + account.due else (1 + account.ahead - held) / rate


def _place(queue: Queue, places: int | None, share: float, lane: Lane) -> float:
    if places is None:
        return 0.0
    mine = max(1, math.floor(places * share))
    is_full = queue.held + queue.due >= places
    if lane is Lane.BACKFILL:
        is_full = is_full or queue.backfill >= mine
    return min((1 + queue.ahead) * PAGE_SECONDS / mine, LONGEST_QUEUE_SECONDS) if is_full else 0.0


def _spread(account: Queue, limits: RequestLimits) -> float:
    """So that those who wait for one moment do not all come in it."""
    pace = 1.0 / limits.per_second if limits.per_second else PAGE_SECONDS / (limits.concurrent or 4)
    return min(account.ahead * pace, LONGEST_QUEUE_SECONDS)
