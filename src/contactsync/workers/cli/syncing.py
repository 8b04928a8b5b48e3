"""`contactsync sync …` and `contactsync status`: ask for a pass, and see how fresh everything is."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from contactsync.workers.cli.connections import find_connection, sync_of
from contactsync.workers.cli.options import ConnectionArgument, JsonFlag, parse_duration
from contactsync.workers.cli.output import Json, Report, card
from contactsync.workers.cli.running import open_parts, open_syncs, show

if TYPE_CHECKING:
    from contactsync.activities.messages import Counts, PassResult, Progress
    from contactsync.activities.store.directory import ConnectionInfo
    from contactsync.workers.cli.following import Watcher

sync = typer.Typer(help="Ask for a pass.", no_args_is_help=True)

_ACCEPT_SECONDS = 20.0


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(sync, name="sync")


@sync.callback()
def _group() -> None:
    """Ask for a pass."""


@sync.command("now")
def now(
    connection: ConnectionArgument,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the pass and print what it did.")] = False,
    timeout: Annotated[str, typer.Option(metavar="TIME", help="How long to wait; the pass goes on after it.")] = "60s",
    as_json: JsonFlag = False,
) -> None:
    """Ask for a pass that starts now, starting the connection's sync if need be."""
    seconds = parse_duration(timeout).total_seconds()
    show(_wait(connection, seconds) if wait else _ask(connection), as_json=as_json)


async def _ask(reference: str) -> Report:
    from contactsync.workers.cli.following import request_pass

    async with open_parts() as parts:
        connection = await find_connection(parts.directory, reference)
        await request_pass(await open_syncs(parts), sync_of(connection), _ACCEPT_SECONDS)
    ids = {"connection": connection.connection_id, "tenant": connection.tenant_id}
    return Report({**ids, "requested": True}, card("pass requested", ids))


async def _wait(reference: str, seconds: float) -> Report:
    from contactsync.workers.cli.following import follow, request_pass

    async with open_parts() as parts:
        connection = await find_connection(parts.directory, reference)
        syncs = await open_syncs(parts)
        with progress_line() as watcher:
            handle = await request_pass(syncs, sync_of(connection), seconds)
            result = await follow(syncs, sync_of(connection), handle, seconds, watcher)
    return _pass_report(connection, result)


@contextmanager
def progress_line() -> "Generator[Watcher]":
    """One line on stderr that says how far the pass is, where stderr is a terminal."""
    from rich.console import Console

    console = Console(file=sys.stderr, markup=False, highlight=False)
    with console.status("waiting for a worker") as line:
        yield lambda progress: line.update(_progress_text(progress))


def _progress_text(progress: "Progress") -> str:
    if progress.state != "syncing":
        return progress.state
    counts = ", ".join(f"{count} {name}" for name, count in progress.counts.model_dump().items() if count)
    return f"syncing: {counts or 'first page'}"


def _pass_report(connection: "ConnectionInfo", result: "PassResult") -> Report:
    seconds = round(result.ended_at - result.started_at, 3)
    document: dict[str, Json] = {
        "connection": connection.connection_id,
        "tenant": connection.tenant_id,
        "pass": result.pass_id,
        "outcome": result.outcome,
        "seconds": seconds,
        "counts": counts_document(result.counts),
    }
    facts = {"connection": connection.connection_id, "seconds": seconds, **result.counts.model_dump()}
    return Report(document, card(f"pass {result.outcome}", facts))


def counts_document(counts: "Counts") -> dict[str, Json]:
    """Counts as JSON."""
    return dict(counts.model_dump())
