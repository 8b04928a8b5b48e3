"""How fast a backfill is, and when it will be through."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import typer

from contactsync.activities.messages import BackfillProgress, Counts
from contactsync.activities.store.backfill_rows import Backfill
from contactsync.workers.cli.backfill_view import Live, Measured, Pace, report_of
from contactsync.workers.cli.options import parse_when
from contactsync.workers.cli.output import console
from contactsync.workers.conditions import Condition, Trouble

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _backfill(
    contacts: int = 0, *, total: int | None = None, parts: int = 0, parts_done: int = 0, state: str = "running"
) -> Backfill:
    ended = state not in {"running", "paused", "requested"}
    return Backfill(
        backfill_id=UUID(int=3),
        tenant_id=UUID(int=1),
        connection_id=UUID(int=2),
        number=1,
        state=state,
        epoch=1,
        since=None,
        rows_per_second=None,
        dry_run=False,
        window=4,
        counts=Counts(added=contacts, deleted=7),
        parts=parts,
        parts_done=parts_done,
        total=total,
        requested_at=BEGIN,
        started_at=None if state == "requested" else BEGIN,
        ended_at=BEGIN + timedelta(seconds=50) if ended else None,
        paused=state == "paused",
    )


def _after(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("found", "per_second", "left"),
    [
        (_backfill(1000, total=5000), 10.0, 400.0),
        (_backfill(5000, total=1000), 50.0, 0.0),  # the source's total is older than its contacts
        (_backfill(1000, parts=4, parts_done=1), 10.0, 300.0),
        (_backfill(1000, parts=4), 10.0, None),
        (_backfill(0, total=5000), 0.0, None),
        (_backfill(1000, total=5000, state="paused"), 10.0, None),
        (_backfill(1000, total=5000, state="completed"), 20.0, None),
        (_backfill(state="requested"), None, None),
    ],
)
def test_speed_and_estimate(found: Backfill, per_second: float | None, left: float | None) -> None:
    """By the source's total, else by the parts; nothing is guessed where nothing is known or nothing moves."""
    measured = Pace().measure(found, _after(100))
    assert measured.per_second == per_second
    assert (measured.left.total_seconds() if measured.left is not None else None) == left


def test_who_watches_sees_the_speed_of_the_last_minute() -> None:
    """A long wait before somebody watched, or more than a minute ago, does not slow the estimate."""
    pace = Pace()
    for second in range(0, 120, 10):
        pace.measure(_backfill(100 + second * 5, total=2000), _after(3600 + second))
    assert pace.measure(_backfill(700, total=2000), _after(3720)) == Measured(700, 5.0, timedelta(seconds=260))


def _drawn(live: Live | None) -> str:
    report = report_of(_backfill(1000, total=5000, parts=4, parts_done=1), live, Pace().measure(_backfill(), BEGIN))
    shown = console()
    with shown.capture() as captured:
        shown.print(report.picture())
    return captured.get()


def test_what_people_read() -> None:
    """Parts, contacts and counts; what keeps it is told as a sentence."""
    text = _drawn(None)
    for part in ("1 of 4 done", "1000 added, 7 deleted", "running"):
        assert part in text
    assert "does not answer" in _drawn(Live())
    assert "backfill resume" in _drawn(Live(condition=Condition(running=False)))
    trouble = Trouble("SourceUnavailable", "the source does not answer", 4)
    assert "the source does not answer (attempt 4)" in _drawn(Live(condition=Condition(running=True, trouble=trouble)))
    paused = BackfillProgress(state="paused", paused="CredentialsRejected")
    assert "running (CredentialsRejected)" in _drawn(Live(paused, Condition(running=True)))


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-02-01", datetime(2026, 2, 1, tzinfo=UTC)),
        ("2026-02-01T10:00:00+02:00", datetime(2026, 2, 1, 8, tzinfo=UTC)),
        ("2026-02-01T10:00:00Z", datetime(2026, 2, 1, 10, tzinfo=UTC)),
        (" 30d ", BEGIN - timedelta(days=30)),
    ],
)
def test_times_in_the_past_are_read(text: str, when: datetime) -> None:
    """A date, a time with or without a zone, or a length of time."""
    assert parse_when(text, BEGIN) == when


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-03-02", "99999999d", "-3d"])
def test_what_is_no_time_in_the_past_is_refused(text: str) -> None:
    """Nothing is guessed, and the future is none."""
    with pytest.raises(typer.BadParameter):
        parse_when(text, BEGIN)
