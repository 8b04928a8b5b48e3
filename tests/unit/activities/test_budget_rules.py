"""The rules of budgets: who may go, and when the others may."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsync.activities.sources.limits import RequestLimits, seconds_to_midnight
from contactsync.activities.sources.meter import Meter, Window
from contactsync.activities.store.budget_rules import (
    LONGEST_PATIENCE_SECONDS,
    SHORTEST_WAIT_SECONDS,
    HeldWindow,
    Lane,
    Ledger,
    Queue,
    charged,
    learned,
    refreshed,
    wait_seconds,
)

NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
NOBODY = Queue()


def wait(
    ledger: Ledger,
    limits: RequestLimits,
    lane: Lane = Lane.LIVE,
    *,
    account: Queue = NOBODY,
    tenant: Queue = NOBODY,
    pages: int = 8,
) -> float:
    """What one who asks at the ledger's time is told."""
    return wait_seconds(ledger, limits, lane, account=account, tenant=tenant, pages=pages)


def new(limits: RequestLimits, now: datetime = NOW) -> Ledger:
    """An account that was never asked."""
    return refreshed(Ledger(counted_at=now), limits, now)


def later(ledger: Ledger, limits: RequestLimits, seconds: float) -> Ledger:
    """The ledger some time after."""
    return refreshed(ledger, limits, ledger.counted_at + timedelta(seconds=seconds))


def served(limits: RequestLimits, lane: Lane, seconds: float) -> list[float]:
    """When one who always asks again as it is told gets its requests, each of which is one page."""
    ledger, at, times = new(limits), 0.0, list[float]()
    while at <= seconds:
        told = wait(ledger, limits, lane)
        if told == 0.0:
            ledger = charged(ledger, lane, 1)
            times.append(at)
        else:
            ledger, at = later(ledger, limits, told), at + told
    return times


rates = st.floats(0.05, 50)
bursts = st.integers(1, 40)
shares = st.floats(0.1, 1.0)
lanes = st.sampled_from(Lane)


@given(rates, bursts, shares, lanes)
def test_the_rate_is_kept_and_used(rate: float, burst: int, share: float, lane: Lane) -> None:
    """Over any span of time no more than the rate and one burst go; who asks as told loses little of it."""
    limits = RequestLimits(per_second=rate, burst=burst, backfill_share=share)
    span = min(20 / rate, 60.0)
    times = served(limits, lane, span)
    mine, size = (rate, burst) if lane is Lane.LIVE else (rate * share, max(1.0, burst * share))
    for start in range(len(times)):
        for count, at in enumerate(times[start:], 1):
            assert count <= size + mine * (at - times[start]) + 1e-3
    assert len(times) >= min(mine * span, span / SHORTEST_WAIT_SECONDS) * 0.45 - 1


@given(rates, bursts, shares)
def test_a_backfill_leaves_live_its_part(rate: float, burst: int, share: float) -> None:
    """However much a backfill asks, live sync's requests find what the share leaves them."""
    limits = RequestLimits(per_second=rate, burst=burst, backfill_share=min(share, 0.9))
    ledger, at, span = new(limits), 0.0, 40 / rate
    live = 0
    step = 0.05 / rate
    while at < span:
        while wait(ledger, limits, Lane.BACKFILL) == 0.0:
            ledger = charged(ledger, Lane.BACKFILL, 1)
        if wait(ledger, limits, Lane.LIVE) == 0.0:
            ledger, live = charged(ledger, Lane.LIVE, 1), live + 1
        ledger, at = later(ledger, limits, step), at + step
    assert live >= (1 - limits.backfill_share) * rate * span * 0.8 - 2


ledgers = st.builds(
    Ledger,
    counted_at=st.just(NOW),
    tokens=st.floats(-100, 10),
    backfill_tokens=st.floats(-100, 10),
    day=st.just(NOW.date()),
    day_requests=st.integers(0, 200),
    windows=st.lists(
        st.builds(
            HeldWindow,
            name=st.just("interval"),
            remaining=st.integers(0, 3),
            allowed=st.none() | st.integers(1, 10),
            resets_at=st.integers(1, 5000).map(lambda seconds: NOW + timedelta(seconds=seconds)),
        ),
        max_size=2,
    ).map(tuple),
    blocked_until=st.none() | st.integers(1, 5000).map(lambda seconds: NOW + timedelta(seconds=seconds)),
)
limited = st.builds(
    RequestLimits,
    per_second=st.none() | rates,
    burst=bursts,
    daily=st.none() | st.integers(2, 100),
    daily_zone=st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu"]),
    backfill_share=shares,
)


@given(ledgers, limited, lanes)
def test_the_seconds_told_are_true(ledger: Ledger, limits: RequestLimits, lane: Lane) -> None:
    """Who is alone and comes back when it was told may go; a moment before it may not."""
    ledger = refreshed(ledger, limits, NOW)
    told = wait(ledger, limits, lane)
    assert told == 0.0 or told >= SHORTEST_WAIT_SECONDS
    if told > 0.0:
        assert wait(later(ledger, limits, told + 0.001), limits, lane) == 0.0
    if told > SHORTEST_WAIT_SECONDS:
        assert wait(later(ledger, limits, told - 0.1), limits, lane) > 0.0


@given(st.integers(1, 50), st.integers(0, 400), lanes)
def test_a_queue_is_spread_over_time(places: int, ahead: int, lane: Lane) -> None:
    """Those who wait for a place are told times in their order, no more of them a second than there are places."""
    full = [Queue(held=places, backfill=0, ahead=each, due=0) for each in range(ahead + 1)]
    told = [wait(new(RequestLimits()), RequestLimits(), lane, tenant=queue, pages=places) for queue in full]
    assert told == sorted(told)
    crowd = [each for each in told if SHORTEST_WAIT_SECONDS < each < 300]
    assert all(later_ - earlier <= 2.0 for earlier, later_ in pairwise(crowd))
    assert max((sum(start <= each < start + 1 for each in crowd) for start in range(301)), default=0) <= places + 1


@pytest.mark.parametrize(
    ("held", "backfill", "lane", "goes"),
    [
        (3, 3, Lane.LIVE, True),
        (3, 3, Lane.BACKFILL, False),
        (2, 2, Lane.BACKFILL, True),
        (4, 0, Lane.LIVE, False),
        (3, 0, Lane.BACKFILL, True),
    ],
)
def test_a_backfill_never_has_every_place(held: int, backfill: int, lane: Lane, goes: bool) -> None:
    """Of four places a backfill has three at most; the fourth is there for live sync."""
    limits = RequestLimits(concurrent=4)
    account = Queue(held=held, backfill=backfill)
    assert (wait(new(limits), limits, lane, account=account) == 0.0) is goes
    assert (wait(new(RequestLimits()), RequestLimits(), lane, tenant=account, pages=4) == 0.0) is goes


def test_one_place_serves_both_lanes() -> None:
    """Where there is one place only, a backfill may have it when nobody else does."""
    limits = RequestLimits(concurrent=1, backfill_share=0.1)
    assert wait(new(limits), limits, Lane.BACKFILL) == 0.0
    assert wait(new(limits), limits, Lane.BACKFILL, account=Queue(ahead=1, due=1)) > 0.0


def test_p33_the_day_ends_at_the_account_s_midnight() -> None:
    """P33: a spent daily quota waits until midnight in the account's zone, through a night of 23 hours too."""
    limits = RequestLimits(daily=10, daily_zone="Europe/Berlin")
    spent = charged(new(limits), Lane.LIVE, 10)
    assert wait(spent, limits) == 11 * 3600  # it is 13:00 in Berlin
    assert wait(later(spent, limits, 11 * 3600), limits) == 0.0
    short_night = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # 01:30; at 02:00 the clocks go to 03:00
    assert seconds_to_midnight(short_night, "Europe/Berlin") == 21.5 * 3600


def test_a_backfill_leaves_a_part_of_the_day() -> None:
    """A backfill stops when its share of the day is spent, whoever spent it; live sync goes on to the last request."""
    limits = RequestLimits(daily=100)
    spent = charged(new(limits), Lane.LIVE, 75)
    assert wait(spent, limits, Lane.BACKFILL) == 12 * 3600
    assert wait(spent, limits, Lane.LIVE) == 0.0
    assert wait(charged(spent, Lane.LIVE, 25), limits, Lane.LIVE) == 12 * 3600


def heard(*windows: Window, limits: RequestLimits | None = None) -> Ledger:
    """An account after an answer that says this."""
    meter = Meter()
    meter.hear(windows)
    limits = limits or RequestLimits()
    return learned(new(limits), meter, limits)


def test_p33_a_daily_limit_without_a_time_ends_at_midnight() -> None:
    """P33: where the provider only says that nothing of the day is left, nobody goes before the account's midnight."""
    limits = RequestLimits(daily_zone="America/New_York")  # 08:00 there
    assert wait(heard(Window("daily", 0, 250_000), limits=limits), limits) == 16 * 3600
    assert wait(heard(Window("rolling", 0, 5000)), RequestLimits()) == 900
    assert wait(heard(Window("interval", 0, 100)), RequestLimits()) == 60


def test_what_is_left_is_shared() -> None:
    """Of what the provider says is left, a backfill leaves live sync its part; fetches under way count."""
    ledger = heard(Window("interval", 26, 100, resets_in=10.0))
    assert wait(ledger, RequestLimits(), Lane.BACKFILL) == 0.0
    assert wait(ledger, RequestLimits(), Lane.BACKFILL, account=Queue(held=1)) == pytest.approx(10.0, abs=0.1)  # pyright: ignore[reportUnknownMemberType]
    assert wait(ledger, RequestLimits(), Lane.LIVE, account=Queue(held=25)) == 0.0
    assert wait(ledger, RequestLimits(), Lane.LIVE, account=Queue(held=26)) > 9.0
    assert wait(charged(ledger, Lane.LIVE, 26), RequestLimits(), Lane.LIVE) > 9.0


def refused(ledger: Ledger, seconds: float = 60.0, *, said: bool = False) -> Ledger:
    """The account after a refusal."""
    meter = Meter()
    meter.refused(seconds, said_how_long=said)
    return learned(ledger, meter, RequestLimits())


def blocked(ledger: Ledger) -> float:
    """For how long the account is left alone."""
    return (ledger.blocked_until - ledger.counted_at).total_seconds() if ledger.blocked_until else 0.0


def test_p33_patience_doubles_without_a_word() -> None:
    """P33: refused again and again without a word of how long, the account is left alone longer, up to an hour."""
    ledger, told = new(RequestLimits()), list[float]()
    for _ in range(8):
        ledger = refused(ledger)
        told.append(blocked(ledger))
        ledger = later(ledger, RequestLimits(), told[-1])
    assert told == [60, 120, 240, 480, 960, 1920, LONGEST_PATIENCE_SECONDS, LONGEST_PATIENCE_SECONDS]
    assert blocked(refused(learned(ledger, Meter(), RequestLimits()))) == 60


def test_refused_side_by_side_is_one_refusal() -> None:
    """Twenty fetches that are refused at the same moment do not make the account wait for an hour."""
    ledger = new(RequestLimits())
    for _ in range(20):
        ledger = refused(ledger)
    assert (blocked(ledger), ledger.refusals) == (60, 1)


def test_the_source_s_own_word_counts() -> None:
    """What the source says replaces our guess, is never shortened by another answer, and is bounded by a day."""
    assert blocked(refused(new(RequestLimits()), 7.0, said=True)) == 7
    assert blocked(refused(refused(new(RequestLimits()), 90.0, said=True), 7.0, said=True)) == 90
    assert blocked(refused(new(RequestLimits()), 1e12, said=True)) == 25 * 3600


def test_a_meter_prefers_what_the_source_says() -> None:
    """Of several refusals in one fetch the source's own longest word stands; a guess does not replace it."""
    meter = Meter()
    meter.refused(60.0, said_how_long=False)
    meter.refused(5.0, said_how_long=True)
    meter.refused(9.0, said_how_long=True)
    meter.refused(60.0, said_how_long=False)
    assert (meter.refused_for, meter.said_how_long) == (9.0, True)


def test_what_was_heard_ages() -> None:
    """Between an answer and the end of its fetch time goes by, and the limit starts anew that much sooner."""
    time = [100.0]
    meter = Meter(clock=lambda: time[0])
    meter.hear([Window("interval", 5, 10, resets_in=30.0), Window("daily", 7)])
    meter.hear([Window("interval", 4, 10, resets_in=30.0)])
    time[0] = 120.0
    assert meter.windows() == (Window("interval", 4, 10, resets_in=10.0), Window("daily", 7))


def test_what_was_sent_since_counts() -> None:
    """An answer that says nothing of a limit used it all the same."""
    meter = Meter(requests=3)
    meter.hear([Window("daily", 2)])
    meter.count()
    assert meter.windows() == (Window("daily", 1),)
    meter.requests += 5
    assert meter.windows() == (Window("daily", 0),)


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_second": 0.0},
        {"per_second": -1.0},
        {"per_second": float("nan")},
        {"burst": 0},
        {"concurrent": 0},
        {"daily": 0},
        {"backfill_share": 0.0},
        {"backfill_share": 1.1},
        {"daily_zone": "Atlantis/Capital"},
        {"daily_zone": "../../etc/passwd"},
        {"daily_zone": ""},
    ],
)
def test_limits_that_would_let_nobody_go_are_refused(wrong: dict[str, float | str]) -> None:
    """A limit of nothing, a share of more than all, and a zone that is none are refused where they are made."""
    with pytest.raises(ValueError, match=r"above 0|time zone"):
        RequestLimits(**wrong)  # pyright: ignore[reportArgumentType]  # wrong on purpose
