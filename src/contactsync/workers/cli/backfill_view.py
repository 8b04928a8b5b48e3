"""How far a backfill is, for people and programs: counts, speed, an estimate, and what keeps it."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from contactsync.errors import TemporalError
from contactsync.workers.cli.options import show_duration
from contactsync.workers.cli.output import Json, Report, at, card
from contactsync.workers.cli.syncing import counts_document

if TYPE_CHECKING:
    from contactsync.activities.messages import BackfillProgress
    from contactsync.activities.store.backfill_rows import Backfill
    from contactsync.workers.backfills import BackfillRun, BackfillRuns
    from contactsync.workers.conditions import Condition

_PACE_SECONDS = 60.0
"""While somebody watches, speed is that of the last minute: a pause an hour ago says nothing about the end."""
_PACE_AT_LEAST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Measured:
    """`contacts` listed so far (of `total`, where the source says), contacts a second, and the time that is left."""

    contacts: int
    per_second: float | None
    left: timedelta | None


@dataclass(slots=True)
class Pace:
    """Measures a backfill from look to look."""

    _looks: deque[tuple[datetime, int]] = field(default_factory=deque[tuple[datetime, int]])

    def measure(self, found: "Backfill", now: datetime) -> Measured:
        """What can be said of its speed at this time."""
        contacts = listed(found)
        self._looks.append((now, contacts))
        while (now - self._looks[0][0]).total_seconds() > _PACE_SECONDS:
            self._looks.popleft()
        per_second = self._recent() if found.is_under_way else None
        if per_second is None:
            per_second = _overall(found, now)
        return Measured(contacts, per_second, _left(found, contacts, per_second, now))

    def _recent(self) -> float | None:
        (before, had), (now, has) = self._looks[0], self._looks[-1]
        seconds = (now - before).total_seconds()
        return (has - had) / seconds if seconds >= _PACE_AT_LEAST_SECONDS else None


def listed(found: "Backfill") -> int:
    """The contacts that its pages held: written, unchanged, or set aside."""
    counts = found.counts
    return counts.added + counts.updated + counts.unchanged + counts.quarantined


def _overall(found: "Backfill", now: datetime) -> float | None:
    if found.started_at is None:
        return None
    seconds = ((found.ended_at or now) - found.started_at).total_seconds()
    return listed(found) / seconds if seconds > 0 else None


def _left(found: "Backfill", contacts: int, per_second: float | None, now: datetime) -> timedelta | None:
    """By the source's total; without one by the parts that are done, which are about as long as each other."""
    if not found.is_under_way or found.paused or not per_second:
        return None
    if found.total is not None:
        return timedelta(seconds=max(found.total - contacts, 0) / per_second)
    if found.parts_done and found.started_at is not None:
        return (now - found.started_at) / found.parts_done * (found.parts - found.parts_done)
    return None


@dataclass(frozen=True, slots=True)
class Live:
    """What Temporal knows of a backfill; `condition` is None where it does not answer."""

    progress: "BackfillProgress | None" = None
    condition: "Condition | None" = None

    @property
    def hindrance(self) -> str | None:
        """What keeps it from going on, as a sentence."""
        if self.condition is None:
            return None
        if not self.condition.running:
            return "its workflow does not run; `contactsync backfill resume` starts it"
        trouble = self.condition.trouble
        return f"{trouble.message} (attempt {trouble.attempts})" if trouble else None


async def look_live(runs: "BackfillRuns | None", run: "BackfillRun") -> Live:
    """Ask Temporal."""
    if runs is None:
        return Live()
    try:
        return Live(await runs.progress(run), await runs.condition(run))
    except TemporalError:
        return Live()


def order(found: "Backfill") -> dict[str, object]:
    """What was asked for, for people."""
    return {
        "connection": found.connection_id,
        "backfill": f"{found.number}, {found.backfill_id}",
        "since": found.since,
        "dry run": True if found.dry_run else None,
        "at most": f"{found.rows_per_second:g} contacts a second" if found.rows_per_second else None,
    }


def document_of(found: "Backfill") -> dict[str, Json]:
    """A backfill as JSON."""
    return {
        "id": found.backfill_id,
        "number": found.number,
        "tenant": found.tenant_id,
        "connection": found.connection_id,
        "state": found.state,
        "since": found.since,
        "contacts_per_second_at_most": found.rows_per_second,
        "dry_run": found.dry_run,
        "window": found.window,
        "parts": found.parts,
        "parts_done": found.parts_done,
        "contacts": listed(found),
        "total": found.total,
        "counts": counts_document(found.counts),
        "requested_at": found.requested_at,
        "started_at": found.started_at,
        "ended_at": found.ended_at,
    }


def report_of(found: "Backfill", live: Live | None, measured: Measured, earlier: Sequence["Backfill"] = ()) -> Report:
    """The newest backfill; `live` is None where it has ended."""
    document: dict[str, Json] = {
        **document_of(found),
        "contacts_per_second": round(measured.per_second, 3) if measured.per_second is not None else None,
        "seconds_left": round(measured.left.total_seconds()) if measured.left is not None else None,
        "live": _live_document(live) if live else None,
    }
    facts = {**order(found), **_standing(found, live), **_measured(found, measured), **_hindrance(live)}
    return Report({"backfill": document, "earlier": [document_of(each) for each in earlier]}, card("backfill", facts))


def _live_document(live: Live) -> Mapping[str, Json]:
    progress, condition = live.progress, live.condition
    trouble = condition.trouble if condition else None
    return {
        "temporal": condition is not None,
        "running": condition.running if condition else None,
        "state": progress.state if progress else None,
        "paused": progress.paused if progress else None,
        "waiting_until": at(progress.waiting_until) if progress else None,
        "failing": {"code": trouble.code, "message": trouble.message, "attempts": trouble.attempts}
        if trouble
        else None,
    }


def _standing(found: "Backfill", live: Live | None) -> dict[str, object]:
    progress = live.progress if live else None
    paused = progress.paused if progress else None
    return {
        "state": f"{found.state} ({paused})" if paused else found.state,
        "requested": found.requested_at,
        "ended": found.ended_at,
        "parts": f"{found.parts_done} of {found.parts} done" if found.parts else "not planned yet",
        "pages": found.counts.pages,
    }


def _measured(found: "Backfill", measured: Measured) -> dict[str, object]:
    counts = {name: count for name, count in found.counts.model_dump().items() if name not in {"pages", "downloaded"}}
    return {
        "contacts": _of_total(measured.contacts, found.total),
        "counts": ", ".join(f"{count} {name}" for name, count in counts.items() if count) or None,
        "speed": f"{measured.per_second:.1f} contacts a second" if measured.per_second is not None else None,
        "left": f"about {show_duration(measured.left)}" if measured.left is not None else None,
    }


def _of_total(contacts: int, total: int | None) -> str:
    if not total:
        return str(contacts)
    return f"{contacts} of {total} ({min(contacts / total, 1):.1%})"


def _hindrance(live: Live | None) -> dict[str, object]:
    if live is None:
        return {}
    return {
        "waits until": at(live.progress.waiting_until) if live.progress else None,
        "keeps failing": live.hindrance,
        "temporal": "does not answer" if live.condition is None else None,
    }
