"""`contactsync watch`: reports connections past their objective, and audit logs that are not sound."""

import re
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from contactsync.errors import DatabaseError
from contactsync.workers.cli.options import JsonFlag, parse_duration, show_duration
from contactsync.workers.cli.output import READER_GONE, Json, Report, dump_line, note, shown, table
from contactsync.workers.cli.running import run, show

if TYPE_CHECKING:
    from uuid import UUID

    from contactsync.activities.store.freshness import Standing
    from contactsync.codecs.audit.flaws import FlawedLog
    from contactsync.workers.metrics import Board
    from contactsync.workers.settings import Settings
    from contactsync.workers.watching import Late, Look, Watch

LATE = 1
_ADDRESS = re.compile(r"(?:(\[[0-9a-fA-F:.]+\]|[\w.-]+):)?(\d{1,5})", re.ASCII)
_LOOPBACK = "127.0.0.1"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("watch")(watch)


def watch(
    every: Annotated[str, typer.Option(metavar="TIME", help="Time from look to look.")] = "30s",
    once: Annotated[
        bool, typer.Option("--once", help="Look once; exit with 1 when a connection is late or an audit log not sound.")
    ] = False,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve /metrics for Prometheus, and /healthz.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Report connections past their objective, by the database alone, and why; and audit logs that are not sound."""
    seconds = parse_duration(every).total_seconds()
    if once and listen is not None:
        raise typer.BadParameter("give either --once or --listen")
    if once:
        show(look_once(), as_json=as_json)
    else:
        run(_watch(seconds, parse_address(listen) if listen else None, as_json=as_json))


def parse_address(text: str) -> tuple[str, int]:
    """`host:port`, `[::1]:port`, or a port of the loopback address.

    Raises:
        typer.BadParameter: it is none.
    """
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or int(found[2]) > 65535:
        raise typer.BadParameter("give host:port, such as 127.0.0.1:9464", param_hint="--listen")
    return (found[1] or _LOOPBACK).strip("[]"), int(found[2])


async def look_once() -> Report:
    async with _opened() as (watch, _):
        look = await watch.look()
    if not look.temporal:
        note("contactsync: Temporal does not answer; what follows is what the database knows")
    rows = [
        (late["connection"], late["kind"], late["age"], late["objective"], each.reason.sentence())
        for each, late in ((each, _facts(each.standing)) for each in look.late)
    ]
    for each in look.flawed:
        note(f"contactsync: {_flaw(each)}")
    return Report(
        _document(look),
        table(_title(look), ("connection", "kind", "last fresh", "objective", "why"), rows),
        exit_code=0 if look.is_calm else LATE,
    )


@asynccontextmanager
async def _opened() -> "AsyncGenerator[tuple[Watch, Settings]]":
    """A watch on the settings' database: it needs no root key, and opens nothing."""
    from contactsync.codecs.keys.postgres_store import PostgresKeyStore
    from contactsync.postgres import Database
    from contactsync.workers.setting_secrets import with_password
    from contactsync.workers.settings import load_settings
    from contactsync.workers.watching import Watch

    settings = await with_password(load_settings())
    async with AsyncExitStack() as stack:

        async def opened(url: str) -> Database:
            database = await Database.connect(url, max_size=2, statement_cache=settings.statement_cache)
            stack.push_async_callback(database.close)
            return database

        database = await opened(settings.database())
        keys = await opened(settings.keys_database()) if settings.keys_database_url is not None else database
        yield Watch(database, settings, PostgresKeyStore(keys)), settings


async def _watch(every: float, address: tuple[str, int] | None, *, as_json: bool) -> None:
    import asyncio

    from contactsync.workers.metrics import Board
    from contactsync.workers.stopping import stop_requested

    board = Board(every)
    async with _opened() as (watch, _), _shown(board, address):
        stop = asyncio.create_task(stop_requested())
        looking = asyncio.create_task(_look_on(watch, board, _Teller(as_json=as_json)))
        await asyncio.wait([stop, looking], return_when=asyncio.FIRST_COMPLETED)
        if looking.done():
            await looking
        looking.cancel()


async def _look_on(watch: "Watch", board: "Board", teller: "_Teller") -> None:
    import asyncio

    while True:
        await _look(watch, board, teller)
        await asyncio.sleep(board.every_seconds)


@asynccontextmanager
async def _shown(board: "Board", address: tuple[str, int] | None) -> AsyncGenerator[None]:
    if address is None:
        yield
        return
    from contactsync.codecs.server.serve import serving
    from contactsync.workers.metrics import board_app

    host, port = address
    async with serving(board_app(board), host, port, who="the watch") as chosen:
        note(f"contactsync: metrics at http://{f'[{host}]' if ':' in host else host}:{chosen}/metrics")
        yield


async def _look(watch: "Watch", board: "Board", teller: "_Teller") -> None:
    """One look; that the database does not answer is told and counted, and the watch goes on."""
    try:
        look = await watch.look()
    except DatabaseError as error:
        board.put(None)
        teller.failed(error)
    else:
        board.put(look)
        teller.told(look)


class _Teller:
    """Tells of looks: with JSON each of them, for people what has changed since the one before."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._late: dict[UUID, str] | None = None
        self._flawed: dict[UUID, str] = {}
        self._silent: str | None = None

    def told(self, look: "Look") -> None:
        """A look that succeeded."""
        if self._as_json:
            dump_line(_document(look))
            return
        if self._late is None or self._silent is not None:
            _line(look.at, _title(look))
        late = {each.standing.connection_id: _sentence(each) for each in look.late}
        for text in _news(self._late or {}, late):
            _line(look.at, text)
        flawed = {each.tenant_id: _flaw(each) for each in look.flawed}
        for text in _flaw_news(self._flawed, flawed):
            _line(look.at, text)
        self._late, self._flawed, self._silent = late, flawed, None

    def failed(self, error: DatabaseError) -> None:
        """A look that did not."""
        now = datetime.now(UTC)
        if self._as_json:
            dump_line({"at": now, "error": {"code": error.code, "message": str(error)}})
        elif self._silent != error.code:
            _line(now, str(error))
        self._silent = error.code


def _news(before: "Mapping[UUID, str]", after: "Mapping[UUID, str]") -> list[str]:
    gone = [f"fresh again: {connection}" for connection in before if connection not in after]
    return gone + [f"late: {text}" for connection, text in after.items() if before.get(connection) != text]


def _flaw_news(before: "Mapping[UUID, str]", after: "Mapping[UUID, str]") -> list[str]:
    gone = [f"the audit log of {tenant} is sound again" for tenant in before if tenant not in after]
    return [*gone, *(text for tenant, text in after.items() if before.get(tenant) != text)]


def _flaw(log: "FlawedLog") -> str:
    since = f"since {shown(log.since)}: see `contactsync audit verify`"
    return f"the audit log of {log.tenant_id} is not sound ({log.flaw}) {since}"


def _sentence(late: "Late") -> str:
    standing = late.standing
    objective = _facts(standing)["objective"]
    since = f"not fresh since {shown(standing.fresh_at)}, objective {objective}"
    return f"{standing.connection_id} ({standing.kind}), {since}: {late.reason.sentence()}"


def _line(at: datetime, text: str) -> None:
    try:
        sys.stdout.write(f"{shown(at)}  {text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise typer.Exit(READER_GONE) from None


def _title(look: "Look") -> str:
    title = f"{len(look.standings)} connections, {len(look.late)} late"
    if look.keys is not None and (look.keys.held or look.keys.overdue):
        title += f"; {look.keys.held} keys held, {look.keys.overdue} overdue: see `contactsync keys status`"
    if look.flawed:
        title += f"; {len(look.flawed)} audit logs not sound: see `contactsync audit verify`"
    return title


def _document(look: "Look") -> dict[str, Json]:
    return {
        "at": look.at,
        "connections": len(look.standings),
        "temporal": look.temporal,
        "worker": look.worker,
        "held": sum(each.held for each in look.standings),
        "keys": None if look.keys is None else {"held": look.keys.held, "overdue": look.keys.overdue},
        "audit": [{"tenant": each.tenant_id, "flaw": each.flaw, "since": each.since} for each in look.flawed],
        "late": [_late_document(each) for each in look.late],
    }


def _late_document(late: "Late") -> dict[str, Json]:
    return {
        "connection": late.standing.connection_id,
        "tenant": late.standing.tenant_id,
        "kind": late.standing.kind,
        "age_seconds": int(late.standing.age.total_seconds()),
        "objective_seconds": late.standing.objective_seconds,
        "completed_at": late.standing.completed_at,
        "reason": late.reason.cause.value,
        "code": late.reason.code,
        "message": late.reason.sentence(),
    }


def _facts(standing: "Standing") -> dict[str, object]:
    from datetime import timedelta

    return {
        "connection": standing.connection_id,
        "kind": standing.kind,
        "age": f"{show_duration(standing.age)} ago",
        "objective": show_duration(timedelta(seconds=standing.objective_seconds)),
    }
