"""Why a connection is late: the first reason that holds."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contactsync.activities.messages import Counts
from contactsync.activities.store.freshness import Standing
from contactsync.activities.store.passes import PassRecord
from contactsync.workers.conditions import Condition, Trouble
from contactsync.workers.watching import Cause, Reason, reason_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _standing(outcome: str | None = "completed", *, paused: str | None = None, held: int = 0) -> Standing:
    """A late connection whose newest pass ended so; None: it is under way."""
    last = PassRecord(UUID(int=3), 1, Counts(), NOW, None if outcome is None else NOW, outcome)
    past = NOW - timedelta(days=1)
    return Standing(
        tenant_id=UUID(int=1),
        connection_id=UUID(int=2),
        kind="rest",
        paused=paused,
        interval_seconds=900,
        objective_seconds=1800,
        created_at=past,
        completed_at=past,
        last=last,
        held=held,
        at=NOW,
    )


def _failing(code: str) -> Condition:
    return Condition(running=True, trouble=Trouble(code, "a sentence", 5))


RUNNING = Condition(running=True)
HALTED = Condition(running=True, halted=True, trouble=Trouble("SourceUnavailable", "a sentence", 3))


@pytest.mark.parametrize(
    ("standing", "condition", "worker", "reason"),
    [
        (_standing(paused="operator"), None, False, Reason(Cause.PAUSED, "operator")),
        (_standing(paused="SourceLoops"), RUNNING, True, Reason(Cause.PAUSED, "SourceLoops")),
        (_standing(), None, False, Reason(Cause.NO_TEMPORAL)),
        (_standing(), Condition(running=False), False, Reason(Cause.NO_WORKFLOW)),
        (_standing(), HALTED, True, Reason(Cause.HALTED)),
        (_standing(), _failing("SourceUnavailable"), False, Reason(Cause.NO_WORKER)),
        (_standing(), _failing("SourceUnavailable"), True, Reason(Cause.FAILING, "SourceUnavailable")),
        (_standing(), _failing("SourceThrottled"), True, Reason(Cause.THROTTLED)),
        (_standing("SourceMisbehaved"), RUNNING, True, Reason(Cause.FAILING, "SourceMisbehaved")),
        (_standing("superseded"), RUNNING, True, Reason(Cause.IDLE)),
        (_standing(held=3), RUNNING, True, Reason(Cause.HELD)),
        (_standing(None), RUNNING, True, Reason(Cause.SLOW)),
        (_standing(), RUNNING, True, Reason(Cause.IDLE)),
    ],
)
def test_the_first_reason_that_holds(
    standing: Standing, condition: Condition | None, worker: bool, reason: Reason
) -> None:
    """What must change first is told first: a pause, Temporal, the workflow, the workers, then what they meet."""
    assert reason_of(standing, condition, worker=worker) == reason


def test_a_text_that_is_no_code_is_not_repeated() -> None:
    """The type of a failure becomes a label: only codes of the closed list do."""
    assert reason_of(_standing(), _failing("zoe@quill.example"), worker=True) == Reason(Cause.FAILING, "InternalError")


@pytest.mark.parametrize("cause", Cause)
def test_every_reason_says_what_to_do(cause: Cause) -> None:
    """Each cause has a sentence; a pause says its code, a failure what fails."""
    assert Reason(cause).sentence()
    assert "(privacy)" in Reason(Cause.PAUSED, "privacy").sentence()
    assert "does not answer" in Reason(Cause.FAILING, "SourceUnavailable").sentence()
