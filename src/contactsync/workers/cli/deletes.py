"""`contactsync deletes …`: deletions that are held until a person decides."""

from typing import TYPE_CHECKING, Annotated

import typer

from contactsync.errors import HoldNotFound, NoWorker, StillUnderWay
from contactsync.workers.cli.connections import find_connection, sync_of
from contactsync.workers.cli.options import ConnectionArgument, JsonFlag
from contactsync.workers.cli.output import Json, Report, card, table
from contactsync.workers.cli.running import actor, open_parts, open_syncs, show

if TYPE_CHECKING:
    from contactsync.activities.messages import DeletesDecided
    from contactsync.activities.store.directory import ConnectionInfo
    from contactsync.activities.store.holds import Hold
    from contactsync.workers.bootstrap import Parts

deletes = typer.Typer(help="Look at deletions that are held, approve or reject them.", no_args_is_help=True)

_DECIDED_WITHIN_SECONDS = 120.0
_CAUSES = {
    "listing": "a complete listing left them out",
    "tombstones": "the source says that they are gone",
    "empty": "a complete listing had nothing in it",
}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(deletes, name="deletes")


@deletes.command("list")
def list_all(
    connection: Annotated[
        str | None, typer.Argument(metavar="[CONNECTION]", help="Only this connection's: its id, or the start of it.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were decided.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List deletions that wait for a decision, the oldest first."""
    show(list_deletes(connection, everything=everything), as_json=as_json)


@deletes.command("approve")
def approve(connection: ConnectionArgument, as_json: JsonFlag = False) -> None:
    """Delete the contacts whose deletion is held; those that were seen again meanwhile stay."""
    show(decide_deletes(connection, approve=True), as_json=as_json)


@deletes.command("reject")
def reject(connection: ConnectionArgument, as_json: JsonFlag = False) -> None:
    """Keep the contacts whose deletion is held, until another complete listing leaves them out."""
    show(decide_deletes(connection, approve=False), as_json=as_json)


async def list_deletes(reference: str | None, *, everything: bool) -> Report:
    """What is held, of one connection or of all."""
    async with open_parts() as parts:
        only = await find_connection(parts.directory, reference) if reference is not None else None
        found = await parts.holds.list(only.tenant_id if only else None, open_only=not everything)
    kept = [each for each in found if only is None or each.connection_id == only.connection_id]
    waiting = sum(each.contacts for each in kept if each.decision is None)
    rows = [
        (each.connection_id, f"{each.contacts} of {each.live}", _CAUSES[each.cause], each.opened_at, each.decision)
        for each in kept
    ]
    return Report(
        {"deletes": [_document(each) for each in kept], "waiting": waiting},
        table(f"{waiting} deletions wait", ("connection", "contacts", "why", "since", "decision"), rows),
    )


async def decide_deletes(reference: str, *, approve: bool) -> Report:
    """Have the connection's workflow carry the decision out, starting it if need be."""
    async with open_parts() as parts:
        connection = await find_connection(parts.directory, reference)
        hold = await _open_hold(parts, connection)
        decided = await _decided(parts, connection, hold, approve=approve)
    document: dict[str, Json] = {
        "connection": connection.connection_id,
        "tenant": connection.tenant_id,
        "hold": hold.hold_id,
        "outcome": decided.outcome,
        "contacts": decided.contacts,
    }
    facts = {"connection": connection.connection_id, "deleted" if approve else "kept": decided.contacts}
    return Report(document, card(f"deletions {decided.outcome}", facts))


async def _open_hold(parts: "Parts", connection: "ConnectionInfo") -> "Hold":
    from contactsync.activities.messages import ConnectionRef

    ref = ConnectionRef(tenant_id=connection.tenant_id, connection_id=connection.connection_id)
    hold = await parts.holds.open_hold(ref)
    if hold is None:
        raise HoldNotFound("no deletions of this connection are held; `contactsync deletes list` shows those that are")
    return hold


async def _decided(parts: "Parts", connection: "ConnectionInfo", hold: "Hold", *, approve: bool) -> "DeletesDecided":
    """What the workflow did.

    Raises:
        NoWorker: nobody would carry it out; nothing was decided.
        StillUnderWay: it takes long; it goes on without being watched.
        HoldNotFound: another decision was faster, or all of them were seen again.
    """
    import asyncio

    from contactsync.activities.messages import DeleteDecision

    syncs = await open_syncs(parts)
    if not await syncs.worker_polls():
        raise NoWorker("no worker would carry the decision out, and nothing was decided; start `contactsync worker`")
    decision = DeleteDecision(hold_id=hold.hold_id, actor=actor())
    try:
        async with asyncio.timeout(_DECIDED_WITHIN_SECONDS):
            return await syncs.decide(sync_of(connection), decision, approve=approve)
    except TimeoutError:
        raise StillUnderWay("the decision is still being carried out; `contactsync deletes list` shows it") from None


def _document(hold: "Hold") -> dict[str, Json]:
    return {
        "id": hold.hold_id,
        "tenant": hold.tenant_id,
        "connection": hold.connection_id,
        "contacts": hold.contacts,
        "live": hold.live,
        "cause": hold.cause,
        "opened_at": hold.opened_at,
        "decided_at": hold.decided_at,
        "decision": hold.decision,
    }
