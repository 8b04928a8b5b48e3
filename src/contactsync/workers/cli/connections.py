"""`contactsync connection …`: a tenant's links to its sources."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from contactsync.errors import ConnectionNotFound, TemporalError
from contactsync.workers.cli.options import (
    ConnectionArgument,
    JsonFlag,
    TenantOption,
    parse_duration,
    parse_settings,
    show_duration,
)
from contactsync.workers.cli.output import Json, Report, card, table
from contactsync.workers.cli.references import pick, whole_id
from contactsync.workers.cli.running import actor, open_parts, open_syncs, show
from contactsync.workers.cli.settings_files import read_settings
from contactsync.workers.cli.tenants import find_tenant

if TYPE_CHECKING:
    from contactsync.activities.sources.source import SourceInfo
    from contactsync.activities.store.directory import Connection, ConnectionInfo, Directory, NewConnection
    from contactsync.workers.bootstrap import Parts
    from contactsync.workers.cli.sources import Checked
    from contactsync.workers.syncs import Sync, Syncs

connections = typer.Typer(help="Add, look at, pause and resume connections.", no_args_is_help=True)

_JITTER_SHARE = 15
_JITTER_AT_MOST_SECONDS = 60


class PauseReason(StrEnum):
    """Why a connection is paused: a code, since Temporal shows reasons in clear."""

    OPERATOR = "operator"
    MAINTENANCE = "maintenance"
    CREDENTIALS = "credentials"
    PRIVACY = "privacy"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(connections, name="connection")


@connections.command("add")
def add(  # noqa: PLR0917  # typer passes them by name
    tenant: TenantOption,
    kind: Annotated[str, typer.Option(help="Kind of source: carddav, rest, or memory for trying out.")],
    url: Annotated[str | None, typer.Option(help="The source's address.")] = None,
    username: Annotated[str | None, typer.Option(help="Whom to sign in as; it is kept sealed.")] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="Where the password or token is: env:NAME, file:/PATH, vault:PATH#FIELD, aws-sm:NAME#FIELD.",
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of this kind of source; repeat it."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="A TOML file with the settings, as a rest source needs them.")
    ] = None,
    interval: Annotated[
        str, typer.Option(metavar="TIME", help="Time from pass to pass, such as 90s, 15m, 2h.")
    ] = "15m",
    objective: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Time within which a pass has to complete; twice the interval if not given."),
    ] = None,
    page_rows: Annotated[
        int | None,
        typer.Option(min=1, max=4000, help="Contacts a page has at most; the workers' setting if not given."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Ask the source first; what fails is not kept.")
    ] = True,
    start: Annotated[bool, typer.Option("--start/--no-start", help="Start syncing at once.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Add a connection, check its source and start its sync."""
    settings = (read_settings(file) if file is not None else {}) | parse_settings(setting or [])
    settings |= {name: value for name, value in (("url", url), ("username", username)) if value is not None}
    times = _Times(_seconds(interval), _seconds(objective) if objective is not None else None)
    show(_add(tenant, _new(kind, settings, secret, times, page_rows), check=check, start=start), as_json=as_json)


@connections.command("list")
def list_all(
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="ID", help="Only this tenant's.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List connections, the oldest first."""
    show(_list(tenant), as_json=as_json)


@connections.command("show")
def show_one(connection: ConnectionArgument, as_json: JsonFlag = False) -> None:
    """Show a connection; of its sealed settings only their names and the server's address."""
    show(_show(connection), as_json=as_json)


@connections.command("pause")
def pause(
    connection: ConnectionArgument,
    reason: Annotated[PauseReason, typer.Option(help="Why.")] = PauseReason.OPERATOR,
    as_json: JsonFlag = False,
) -> None:
    """Stop a connection's sync after the pages under way, until it is resumed."""
    show(_pause(connection, reason), as_json=as_json)


@connections.command("resume")
def resume(connection: ConnectionArgument, as_json: JsonFlag = False) -> None:
    """Let a paused connection go on, with a pass at once."""
    show(_resume(connection), as_json=as_json)


async def find_connection(directory: "Directory", reference: str) -> "ConnectionInfo":
    """The connection that `reference` names: an id, or the start of one.

    Raises:
        ConnectionNotFound: none, or more than one.
    """
    whole = whole_id(reference)
    if whole is not None:
        return await directory.find_connection(whole)
    known = {each.connection_id: each for each in await directory.list_connections()}
    return known[pick(reference, known, ConnectionNotFound)]


def sync_of(connection: "ConnectionInfo") -> "Sync":
    """The connection as its workflow knows it."""
    from contactsync.workers.syncs import Sync

    return Sync(connection.tenant_id, connection.connection_id, connection.kind)


@dataclass(frozen=True, slots=True)
class _Times:
    interval_seconds: int
    objective_seconds: int | None


def _seconds(text: str) -> int:
    return int(parse_duration(text).total_seconds())


def _new(
    kind: str, settings: dict[str, object], secret: str | None, times: _Times, page_rows: int | None
) -> "NewConnection":
    from contactsync.activities.sources.registry import validate_settings
    from contactsync.activities.sources.secrets import check_reference
    from contactsync.activities.store.directory import NewConnection

    if secret is not None:
        check_reference(secret)
    return NewConnection(
        kind=kind,
        settings=validate_settings(kind, settings),
        secret_ref=secret,
        interval_seconds=times.interval_seconds,
        jitter_seconds=min(_JITTER_AT_MOST_SECONDS, times.interval_seconds // _JITTER_SHARE),
        page_rows=page_rows,
        objective_seconds=times.objective_seconds,
    )


async def _add(tenant_reference: str, new: "NewConnection", *, check: bool, start: bool) -> Report:
    """Everything that can fail comes before the connection is stored."""
    from contactsync.workers.cli.sources import check_source

    async with open_parts() as parts:
        tenant = await find_tenant(parts.directory, tenant_reference)
        checked = await check_source(new, tenant.policy.fields, parts.addresses, parts.secrets) if check else None
        syncs = await open_syncs(parts) if start else None
        connection = await parts.directory.add_connection(tenant.tenant_id, new, actor=actor())
        if checked is not None:
            await _adopt(parts, connection, checked)
        if syncs is not None:
            await _start(syncs, connection)
    return _added(connection, checked.info if checked else None, started=start)


async def _adopt(parts: "Parts", connection: "Connection", checked: "Checked") -> None:
    """The provider may have ended the secret's refresh token: the first pass goes on with what the check was given."""
    from contactsync.activities.messages import ConnectionRef
    from contactsync.activities.store.oauth_tokens import StoredTokens

    ref = ConnectionRef(tenant_id=connection.tenant_id, connection_id=connection.connection_id)
    if checked.held.access:
        await StoredTokens(parts.database, parts.ring, ref).adopt(checked.held)


async def _start(syncs: "Syncs", connection: "Connection") -> None:
    async with _saying(f"the connection is kept, and `contactsync sync now {connection.connection_id}` starts it"):
        await syncs.start(sync_of(connection))


@asynccontextmanager
async def _saying(consequence: str) -> AsyncGenerator[None]:
    """Add to what Temporal refused what that means for the connection."""
    try:
        yield
    except TemporalError as error:
        raise type(error)(f"{error}; {consequence}") from None


async def _list(tenant_reference: str | None) -> Report:
    async with open_parts() as parts:
        tenant = await find_tenant(parts.directory, tenant_reference) if tenant_reference is not None else None
        found = await parts.directory.list_connections(tenant.tenant_id if tenant else None)
    rows = [(each.connection_id, each.tenant_id, each.kind, _every(each), each.paused or "no") for each in found]
    return Report(
        {"connections": [document(each) for each in found]},
        table(f"{len(found)} connections", ("connection", "tenant", "kind", "every", "paused"), rows),
    )


async def _show(reference: str) -> Report:
    async with open_parts() as parts:
        info = await find_connection(parts.directory, reference)
        connection = await parts.directory.get_connection(info.connection_id, info.tenant_id)
    more: dict[str, Json] = {"server": _server(connection), "settings": sorted(connection.settings)}
    facts = {**_facts(connection), "server": more["server"], "settings": ", ".join(sorted(connection.settings))}
    return Report({"connection": {**document(connection), **more}}, card("connection", facts))


async def _pause(reference: str, reason: PauseReason) -> Report:
    async with open_parts() as parts:
        connection = await find_connection(parts.directory, reference)
        # the database first: no pass begins any more, even if Temporal cannot be reached
        await parts.directory.set_paused(connection.tenant_id, connection.connection_id, reason.value, actor=actor())
        async with _saying("the pause is recorded, so that no pass begins; the one under way goes on"):
            told = await (await open_syncs(parts)).pause(sync_of(connection), reason.value)
    return _steered(connection, "connection paused", {"paused": reason.value, "running": told})


async def _resume(reference: str) -> Report:
    async with open_parts() as parts:
        connection = await find_connection(parts.directory, reference)
        await parts.directory.working_tenant(connection.tenant_id)
        await parts.directory.set_paused(connection.tenant_id, connection.connection_id, None, actor=actor())
        async with _saying("resume it again once Temporal answers"):
            syncs = await open_syncs(parts)
            await syncs.start(sync_of(connection))
            told = await syncs.resume(sync_of(connection))
    return _steered(connection, "connection resumed", {"paused": None, "running": told})


def _added(connection: "Connection", info: "SourceInfo | None", *, started: bool) -> Report:
    found: dict[str, Json] | None = None
    if info is not None:
        found = {"address_books": info.address_books, "incremental": info.incremental, "notes": list(info.notes)}
    facts = {
        **_facts(connection),
        "address books": info.address_books if info else None,
        "incremental": info.incremental if info else None,
        "notes": "\n".join(info.notes) or None if info else None,
        "syncing": started,
    }
    return Report(
        {"connection": document(connection), "source": found, "started": started}, card("connection added", facts)
    )


def _steered(connection: "ConnectionInfo", title: str, changes: dict[str, Json]) -> Report:
    return Report(
        {"connection": {**document(connection), **changes}}, card(title, {"id": connection.connection_id, **changes})
    )


def document(connection: "ConnectionInfo") -> dict[str, Json]:
    """A connection as JSON, without its settings."""
    return {
        "id": connection.connection_id,
        "tenant": connection.tenant_id,
        "kind": connection.kind,
        "secret": connection.secret_ref,
        "interval_seconds": connection.interval_seconds,
        "objective_seconds": connection.objective_seconds,
        "page_rows": connection.page_rows,
        "paused": connection.paused,
        "created_at": connection.created_at,
    }


def _facts(connection: "ConnectionInfo") -> dict[str, object]:
    return {
        "id": connection.connection_id,
        "tenant": connection.tenant_id,
        "kind": connection.kind,
        "secret": connection.secret_ref,
        "every": _every(connection),
        "objective": _objective(connection),
        "page rows": connection.page_rows,
        "paused": connection.paused,
        "since": connection.created_at,
    }


def _every(connection: "ConnectionInfo") -> str | None:
    return show_duration(timedelta(seconds=connection.interval_seconds))


def _objective(connection: "ConnectionInfo") -> str | None:
    seconds = connection.objective_seconds
    return show_duration(timedelta(seconds=seconds)) if seconds is not None else None


def _server(connection: "Connection") -> str | None:
    """Scheme and host of the source's address; its path may hold a person's name."""
    url = connection.settings.get("url")
    parts = urlsplit(url) if isinstance(url, str) else None
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}" if parts else None
