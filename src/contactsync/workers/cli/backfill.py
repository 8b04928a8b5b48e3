"""`contactsync backfill …`: a full re-read of a connection beside its live sync."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from contactsync.errors import BackfillNotFound, TemporalError
from contactsync.workers.cli.backfill_view import Pace, document_of, look_live, order, report_of
from contactsync.workers.cli.connections import find_connection, sync_of
from contactsync.workers.cli.options import ConnectionArgument, JsonFlag, parse_when
from contactsync.workers.cli.output import CLEAR, Json, Report, card, dump_line, emit, note
from contactsync.workers.cli.running import actor, open_parts, open_syncs, run, show

if TYPE_CHECKING:
    from contactsync.activities.messages import BackfillRef, ConnectionRef
    from contactsync.activities.store.backfill_rows import Backfill, NewBackfill
    from contactsync.activities.store.directory import ConnectionInfo
    from contactsync.workers.backfills import BackfillRun, BackfillRuns
    from contactsync.workers.bootstrap import Parts
    from contactsync.workers.syncs import Syncs

backfills = typer.Typer(help="Read a connection again in full, beside its live sync.", no_args_is_help=True)

NOT_COMPLETED = 1
COMPLETED = "completed"
_CANCELLED = "cancelled"
_LOOK_EVERY_SECONDS = 1.0
_PLANNED_WITHIN_SECONDS = 60.0
_LOOKS_FOR_PLAN_EVERY_SECONDS = 0.2
_NOTHING_UNDER_WAY = "no backfill of this connection is under way; `contactsync backfill start` starts one"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(backfills, name="backfill")


@backfills.command("start")
def start(  # noqa: PLR0917  # typer passes them by name
    connection: ConnectionArgument,
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Only contacts changed since then: a date, a time, or so long ago (30d)."),
    ] = None,
    rate: Annotated[float | None, typer.Option(min=0.001, help="At most so many contacts a second.")] = None,
    window: Annotated[int, typer.Option(min=1, max=64, help="Parts that are read side by side.")] = 4,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what it would do, and change nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Start a backfill, or go on with the one that is under way."""
    when = parse_when(since, datetime.now(UTC)) if since is not None else None
    show(start_backfill(connection, when, rate, window, dry_run=dry_run), as_json=as_json)


@backfills.command("status")
def status(
    connection: ConnectionArgument,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every second until it has ended.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show how far the newest backfill is: exact counts, speed, and an estimate of its end."""
    if watch:
        ended_well = run(watch_backfill(connection, as_json=as_json))
        raise typer.Exit(0 if ended_well else NOT_COMPLETED)
    show(backfill_status(connection), as_json=as_json)


@backfills.command("pause")
def pause(connection: ConnectionArgument, as_json: JsonFlag = False) -> None:
    """Stop the backfill after the pages under way, until it is resumed."""
    show(pause_backfill(connection), as_json=as_json)


@backfills.command("resume")
def resume(connection: ConnectionArgument, as_json: JsonFlag = False) -> None:
    """Let the backfill go on, starting its workflow if that is gone."""
    show(resume_backfill(connection), as_json=as_json)


@backfills.command("cancel")
def cancel(connection: ConnectionArgument, as_json: JsonFlag = False) -> None:
    """End the backfill early; what it has written stays, and it sweeps nothing."""
    show(cancel_backfill(connection), as_json=as_json)


async def start_backfill(
    reference: str, since: datetime | None, rate: float | None, window: int, *, dry_run: bool
) -> Report:
    """Start a backfill; live sync of a connection that has none follows once the backfill has its place."""
    from contactsync.activities.store.backfill_rows import NewBackfill

    async with open_parts() as parts:
        connection = await find_connection(parts.directory, reference)
        syncs = await open_syncs(parts)  # Temporal must answer, or nothing is requested
        new = NewBackfill(since=since, rows_per_second=rate, dry_run=dry_run, window=window)
        found = await _request(parts, syncs, connection, new)
        has_worker = await syncs.worker_polls()
        live = False if found.dry_run or not has_worker else await _start_live(parts, syncs, connection, found)
    if not has_worker:
        note("contactsync: no worker takes the work yet; start `contactsync worker`")
    title = "backfill started" if found.is_new else "this backfill is under way already"
    document = {**document_of(found), "is_new": found.is_new, "worker": has_worker, "live_started": live}
    return Report({"backfill": document}, card(title, order(found) | {"live sync": "started" if live else None}))


async def _request(parts: "Parts", syncs: "Syncs", connection: "ConnectionInfo", new: "NewBackfill") -> "Backfill":
    found = await parts.backfills.request(_ref(connection), new, actor=actor())
    try:
        await _runs(syncs).start(_run_of(connection, found))
    except TemporalError as error:
        raise type(error)(f"{error}; the backfill is recorded, and starting it again goes on with it") from None
    return found


async def _start_live(parts: "Parts", syncs: "Syncs", connection: "ConnectionInfo", found: "Backfill") -> bool:
    """Start the live sync of a connection that never had a pass, once the backfill has set where it begins."""
    standing = await parts.freshness.of(connection.connection_id)
    if standing.last is not None or standing.paused is not None:
        return False
    if not await _is_planned(parts, connection, found):
        note("contactsync: the backfill waits for its source; `contactsync sync now` starts the live sync after it")
        return False
    await syncs.start(sync_of(connection))
    return True


async def _is_planned(parts: "Parts", connection: "ConnectionInfo", found: "Backfill") -> bool:
    import asyncio

    try:
        async with asyncio.timeout(_PLANNED_WITHIN_SECONDS):
            while found.parts == 0 and found.is_under_way:
                await asyncio.sleep(_LOOKS_FOR_PLAN_EVERY_SECONDS)
                found = await parts.backfills.get(_ref(connection), found.backfill_id)
    except TimeoutError:
        return False
    return True


async def backfill_status(reference: str) -> Report:
    """How far the newest backfill is."""
    async with open_parts() as parts:
        connection = await find_connection(parts.directory, reference)
        return await _look(parts, await _reach(parts), connection, Pace())


async def watch_backfill(reference: str, *, as_json: bool) -> bool:
    """Show the newest backfill until it has ended; whether it completed."""
    import asyncio

    async with open_parts() as parts:
        connection = await find_connection(parts.directory, reference)
        runs, pace = await _reach(parts), Pace()
        while True:
            report = await _look(parts, runs, connection, pace)
            if as_json:
                dump_line(report.document)
            else:
                sys.stdout.write(CLEAR if sys.stdout.isatty() else "")
                emit(report, as_json=False)
            newest = await parts.backfills.latest(_ref(connection))
            if newest is not None and not newest.is_under_way:
                return newest.state == COMPLETED
            await asyncio.sleep(_LOOK_EVERY_SECONDS)


async def _reach(parts: "Parts") -> "BackfillRuns | None":
    """None, with a note, where Temporal does not answer: the database has all counts."""
    try:
        return _runs(await open_syncs(parts))
    except TemporalError as error:
        note(f"contactsync: {error}; what follows is what the database knows")
        return None


async def pause_backfill(reference: str) -> Report:
    """Pause: the database first, so that it holds even where Temporal does not answer."""
    async with open_parts() as parts:
        connection, found = await _under_way(parts, reference)
        await parts.backfills.set_paused(_backfill_ref(connection, found), paused=True, actor=actor())
        running = await _runs(await open_syncs(parts)).pause(_run_of(connection, found), "operator")
    return _steered(found, "backfill paused", {"paused": True, "running": running})


async def resume_backfill(reference: str) -> Report:
    """Go on."""
    async with open_parts() as parts:
        connection, found = await _under_way(parts, reference)
        runs = _runs(await open_syncs(parts))
        await parts.backfills.set_paused(_backfill_ref(connection, found), paused=False, actor=actor())
        await runs.start(_run_of(connection, found))
        running = await runs.resume(_run_of(connection, found))
    return _steered(found, "backfill resumed", {"paused": False, "running": running})


async def cancel_backfill(reference: str) -> Report:
    """End early: its workflow ends it; where none runs any more, the database is told here."""
    from contactsync.activities.messages import CloseBackfill

    async with open_parts() as parts:
        connection, found = await _under_way(parts, reference)
        running = await _runs(await open_syncs(parts)).cancel(_run_of(connection, found))
        if not running:
            ref = _backfill_ref(connection, found)
            request = CloseBackfill(**ref.model_dump(), epoch=found.epoch, outcome=_CANCELLED)
            await parts.backfills.close(request)
    return _steered(found, "backfill is being cancelled" if running else "backfill cancelled", {"running": running})


async def _under_way(parts: "Parts", reference: str) -> "tuple[ConnectionInfo, Backfill]":
    connection = await find_connection(parts.directory, reference)
    found = await parts.backfills.latest(_ref(connection))
    if found is None or not found.is_under_way:
        raise BackfillNotFound(_NOTHING_UNDER_WAY)
    return connection, found


async def _look(parts: "Parts", runs: "BackfillRuns | None", connection: "ConnectionInfo", pace: "Pace") -> Report:
    """The newest backfill, with what Temporal adds while it is under way.

    Raises:
        BackfillNotFound: there was none.
    """
    newest = await parts.backfills.list(_ref(connection))
    if not newest:
        raise BackfillNotFound("this connection had no backfill; `contactsync backfill start` starts one")
    found, *earlier = newest
    live = await look_live(runs, _run_of(connection, found)) if found.is_under_way else None
    return report_of(found, live, pace.measure(found, datetime.now(UTC)), earlier)


def _steered(found: "Backfill", title: str, changes: dict[str, Json]) -> Report:
    facts = {"connection": found.connection_id, "backfill": found.number, **changes}
    return Report({"backfill": {**document_of(found), **changes}}, card(title, facts))


def _runs(syncs: "Syncs") -> "BackfillRuns":
    from contactsync.workers.backfills import BackfillRuns

    return BackfillRuns(syncs.client, syncs.task_queue)


def _run_of(connection: "ConnectionInfo", found: "Backfill") -> "BackfillRun":
    from contactsync.workers.backfills import BackfillRun

    return BackfillRun(sync_of(connection), found.backfill_id, found.number)


def _ref(connection: "ConnectionInfo") -> "ConnectionRef":
    from contactsync.activities.messages import ConnectionRef

    return ConnectionRef(tenant_id=connection.tenant_id, connection_id=connection.connection_id)


def _backfill_ref(connection: "ConnectionInfo", found: "Backfill") -> "BackfillRef":
    from contactsync.activities.messages import BackfillRef

    return BackfillRef(**_ref(connection).model_dump(), backfill_id=found.backfill_id)
