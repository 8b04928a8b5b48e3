"""`contactsync status`: how fresh every connection is, and what one is doing."""

import sys
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from contactsync.errors import TemporalError
from contactsync.workers.cli.budget_view import budget_document, budget_of, budget_text
from contactsync.workers.cli.connections import find_connection, sync_of
from contactsync.workers.cli.options import JsonFlag, show_duration
from contactsync.workers.cli.output import CLEAR, Json, Report, at, card, dump_line, emit, note, table
from contactsync.workers.cli.running import open_parts, open_syncs, run, show
from contactsync.workers.cli.syncing import counts_document

if TYPE_CHECKING:
    from contactsync.activities.messages import ConnectionRef, Progress
    from contactsync.activities.store.directory import ConnectionInfo
    from contactsync.activities.store.freshness import Standing
    from contactsync.activities.store.passes import PassRecord
    from contactsync.workers.bootstrap import Parts
    from contactsync.workers.conditions import Trouble
    from contactsync.workers.syncs import Syncs

STALE = 1
_LOOK_EVERY_SECONDS = 1.0


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("status")(status)


def status(
    connection: Annotated[
        str | None, typer.Argument(metavar="[CONNECTION]", help="One connection's id, or the start of it.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every second until Ctrl-C.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 when a connection is stale.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show how fresh connections are: a pass has to complete within the objective."""
    if watch:
        run(_watch(connection, as_json=as_json))
    else:
        show(status_of(connection, check=check), as_json=as_json)


@dataclass(frozen=True, slots=True)
class Live:
    """What Temporal knows of a sync; `reachable` is False where it does not answer."""

    reachable: bool
    progress: "Progress | None" = None
    trouble: "Trouble | None" = None


def _ref(standing: "Standing") -> "ConnectionRef":
    from contactsync.activities.messages import ConnectionRef

    return ConnectionRef(tenant_id=standing.tenant_id, connection_id=standing.connection_id)


async def status_of(reference: str | None, *, check: bool) -> Report:
    async with open_parts() as parts:
        if reference is None:
            return await _all(parts, check=check)
        return await _one(parts, await _reach(parts), reference, check=check)


async def _watch(reference: str | None, *, as_json: bool) -> None:
    import asyncio

    async with open_parts() as parts:
        syncs = await _reach(parts) if reference is not None else None
        while True:
            report = await (
                _all(parts, check=False) if reference is None else _one(parts, syncs, reference, check=False)
            )
            if as_json:
                dump_line(report.document)
            else:
                sys.stdout.write(CLEAR)
                emit(report, as_json=False)
            await asyncio.sleep(_LOOK_EVERY_SECONDS)


async def _reach(parts: "Parts") -> "Syncs | None":
    """The live syncs; None, with a note, where Temporal does not answer: the database's view is worth having."""
    try:
        return await open_syncs(parts)
    except TemporalError as error:
        note(f"contactsync: {error}; what follows is what the database knows")
        return None


async def _all(parts: "Parts", *, check: bool) -> Report:
    found = await parts.freshness.look()
    rows = [(each.connection_id, each.tenant_id, each.state, _last(each), _freshness(each)) for each in found]
    stale = sum(each.late for each in found)
    title = f"{len(found)} connections, {stale} stale"
    return Report(
        {"connections": [_document(each) for each in found], "stale": stale},
        table(title, ("connection", "tenant", "state", "last pass", "freshness"), rows),
        exit_code=STALE if check and stale else 0,
    )


async def _one(parts: "Parts", syncs: "Syncs | None", reference: str, *, check: bool) -> Report:
    connection = await find_connection(parts.directory, reference)
    seen = await parts.freshness.of(connection.connection_id)
    live = await _live(syncs, connection)
    ref = _ref(seen)
    held, budget = await parts.contacts.counts(ref), await budget_of(parts, ref)
    backfill = await parts.backfills.latest(ref)
    facts = {
        "id": seen.connection_id,
        "tenant": seen.tenant_id,
        "state": live.progress.state if live.progress else seen.state,
        "paused": seen.paused,
        "contacts": held.live,
        "quarantined": held.quarantined,
        "deletions held": f"{seen.held}; `contactsync deletes list` shows them" if seen.held else None,
        "last pass": _last(seen),
        "freshness": _freshness(seen),
        "next pass": _next(live),
        "waits until": _waits(live),
        "budget": budget_text(budget),
        "backfill": backfill.state if backfill and backfill.is_under_way else None,
        "keeps failing": f"{live.trouble.message} (attempt {live.trouble.attempts})" if live.trouble else None,
        "temporal": None if live.reachable else "does not answer",
    }
    counted: dict[str, Json] = {
        "contacts": held.live,
        "quarantined": held.quarantined,
        "budget": budget_document(budget),
        "backfill": backfill.state if backfill else None,
    }
    return Report(
        {"connection": {**_document(seen), **counted, "live": _live_document(live)}},
        card("status", facts),
        exit_code=STALE if check and seen.late else 0,
    )


async def _live(syncs: "Syncs | None", connection: "ConnectionInfo") -> Live:
    if syncs is None:
        return Live(reachable=False)
    try:
        sync = sync_of(connection)
        return Live(reachable=True, progress=await syncs.progress(sync), trouble=await syncs.trouble(sync))
    except TemporalError:
        return Live(reachable=False)


def _document(seen: "Standing") -> dict[str, Json]:
    return {
        "id": seen.connection_id,
        "tenant": seen.tenant_id,
        "kind": seen.kind,
        "state": seen.state,
        "paused": seen.paused,
        "fresh": not seen.late,
        "age_seconds": int(seen.age.total_seconds()),
        "interval_seconds": seen.interval_seconds,
        "objective_seconds": seen.objective_seconds,
        "completed_at": seen.completed_at,
        "deletes_held": seen.held,
        "last_pass": _pass_document(seen.last),
    }


def _pass_document(last: "PassRecord | None") -> dict[str, Json] | None:
    if last is None:
        return None
    return {
        "id": last.pass_id,
        "outcome": last.outcome,
        "started_at": last.started_at,
        "ended_at": last.ended_at,
        "counts": counts_document(last.counts),
    }


def _live_document(live: Live) -> dict[str, Json]:
    progress, trouble = live.progress, live.trouble
    return {
        "temporal": live.reachable,
        "state": progress.state if progress else None,
        "page": progress.page if progress else None,
        "counts": counts_document(progress.counts) if progress else None,
        "next_pass_at": at(progress.next_due) if progress else None,
        "waiting_until": at(progress.waiting_until) if progress else None,
        "failing": {"code": trouble.code, "message": trouble.message, "attempts": trouble.attempts}
        if trouble
        else None,
    }


def _next(live: Live) -> datetime | None:
    return at(live.progress.next_due) if live.progress and live.progress.state == "waiting" else None


def _waits(live: Live) -> datetime | None:
    """Until when the pass under way leaves the source alone: its budget, or the source, asks for patience."""
    return at(live.progress.waiting_until) if live.progress else None


def _last(seen: "Standing") -> str:
    if seen.last is None:
        return "none yet"
    counts = ", ".join(f"{count} {name}" for name, count in seen.last.counts.model_dump().items() if count)
    return f"{seen.last.outcome or 'under way'}: {counts or 'nothing'}"


def _freshness(seen: "Standing") -> str:
    length = show_duration(seen.age)
    if seen.completed_at is None:
        return f"{'stale' if seen.late else 'new'}, never completed, added {length} ago"
    return f"{'stale' if seen.late else 'fresh'}, completed {length} ago"
