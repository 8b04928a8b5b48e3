"""`contactsync tenant offboard` and `tenant certificate`: the end of a tenant."""

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from contactsync.errors import NoWorker, OffboardingNotFound, StillUnderWay
from contactsync.workers.cli.confirming import YesFlag, confirm
from contactsync.workers.cli.offboarding_view import certificate_report, status_report
from contactsync.workers.cli.options import JsonFlag, TenantArgument, parse_duration, show_duration
from contactsync.workers.cli.output import Report, note
from contactsync.workers.cli.running import actor, open_parts, open_syncs, run, show
from contactsync.workers.cli.tenants import find_tenant, tenants

if TYPE_CHECKING:
    from uuid import UUID

    from contactsync.workers.bootstrap import Parts
    from contactsync.workers.offboards import Offboards
    from contactsync.workers.syncs import Syncs

_LONGEST_QUARANTINE = timedelta(days=365)
_DONE_WITHIN_SECONDS = 120.0
_CANCELLED = "cancelled"


def register(app: typer.Typer) -> None:  # noqa: ARG001  # they join the group of tenants, which is there already
    """Add the commands of this module."""
    tenants.command("offboard")(offboard)
    tenants.command("certificate")(certificate)


def offboard(  # noqa: PLR0917  # typer passes them by name
    tenant: TenantArgument,
    quarantine: Annotated[
        str, typer.Option(metavar="TIME", help="Time in which it can be cancelled, such as 7d.")
    ] = "7d",
    approve: Annotated[bool, typer.Option("--approve", help="End the quarantine: destroy the keys now.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Undo it, while the quarantine lasts.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Only show how far it is.")] = False,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """End a tenant: stop its syncs, wait, destroy its keys, delete its rows, and certify it."""
    length = parse_duration(quarantine)
    if approve + cancel + status > 1:
        raise typer.BadParameter("give one of --approve, --cancel and --status")
    if length > _LONGEST_QUARANTINE:
        raise typer.BadParameter("give a time of a year at most", param_hint="--quarantine")
    if status:
        show(status_of(tenant), as_json=as_json)
    elif cancel:
        show(cancel_offboarding(tenant), as_json=as_json)
    elif approve:
        show(approve_offboarding(tenant, yes=yes), as_json=as_json)
    else:
        show(start_offboarding(tenant, length, yes=yes), as_json=as_json)


def certificate(
    tenant: TenantArgument,
    signed: Annotated[bool, typer.Option("--note", help="Print the signed note itself, to hand out.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show the certificate of a tenant that was offboarded, after checking its signature."""
    if signed and not as_json:
        sys.stdout.write(run(signed_note(tenant)))
    else:
        show(certificate_of_tenant(tenant), as_json=as_json)


async def start_offboarding(reference: str, quarantine: timedelta, *, yes: bool) -> Report:
    """Show the plan, and start the tenant's workflow, or go on with the one that was ended before its time."""
    async with open_parts() as parts:
        tenant_id = (await find_tenant(parts.directory, reference)).tenant_id
        syncs = await open_syncs(parts)  # Temporal must answer, or nothing is asked
        if not await _is_over(parts, tenant_id):
            confirm(await _plan(parts, tenant_id, quarantine), yes=yes)
            await _offboards(syncs).start(tenant_id, quarantine, actor())
            if not await syncs.worker_polls():
                note("contactsync: no worker takes the work yet; start `contactsync worker`")
        return await status_report(parts, _offboards(syncs), tenant_id)


async def approve_offboarding(reference: str, *, yes: bool) -> Report:
    """End the quarantine, and wait a while for the end."""
    async with open_parts() as parts:
        tenant_id = (await find_tenant(parts.directory, reference)).tenant_id
        syncs = await _working(parts)
        confirm([f"tenant {tenant_id}: all its keys are destroyed now. This cannot be undone."], yes=yes)
        runs = _offboards(syncs)
        await runs.approve(tenant_id, actor())
        await _finished(runs, tenant_id)
        return await status_report(parts, runs, tenant_id)


async def cancel_offboarding(reference: str) -> Report:
    """Undo it, and start the tenant's syncs again."""
    async with open_parts() as parts:
        tenant_id = (await find_tenant(parts.directory, reference)).tenant_id
        syncs = await _working(parts)
        await _cancel(parts, _offboards(syncs), tenant_id)
        await _start_syncs(parts, syncs, tenant_id)
        return await status_report(parts, _offboards(syncs), tenant_id)


async def status_of(reference: str) -> Report:
    """How far it is."""
    async with open_parts() as parts:
        tenant_id = (await find_tenant(parts.directory, reference)).tenant_id
        return await status_report(parts, _offboards(await open_syncs(parts)), tenant_id)


async def certificate_of_tenant(reference: str) -> Report:
    """The certificate, its signature checked against this installation's key."""
    async with open_parts() as parts:
        return await certificate_report(parts, await _note_of(parts, reference))


async def signed_note(reference: str) -> str:
    """The signed note, after the same check."""
    async with open_parts() as parts:
        text = await _note_of(parts, reference)
        await certificate_report(parts, text)
    return text


async def _note_of(parts: "Parts", reference: str) -> str:
    text = await parts.offboardings.certificate((await find_tenant(parts.directory, reference)).tenant_id)
    if text is None:
        raise OffboardingNotFound("this tenant has no certificate yet; `contactsync tenant offboard --status` says why")
    return text


async def _is_over(parts: "Parts", tenant_id: "UUID") -> bool:
    """Whether it is certified, and no backup that was restored has brought a key back."""
    if await parts.offboardings.certificate(tenant_id) is None:
        return False
    return all(key.wrapped is None for key in await parts.ring.store.tenant_keys(tenant_id))


async def _cancel(parts: "Parts", runs: "Offboards", tenant_id: "UUID") -> None:
    """Have the workflow undo it; where there is none any more, undo it here.

    Raises:
        OffboardingNotFound: there is nothing to undo.
        TenantDisabled: it is too late.
    """
    if (await runs.condition(tenant_id)).running:
        result = await runs.cancel(tenant_id, actor())
        if result.outcome != _CANCELLED:
            note("contactsync: it was decided before, and could not be cancelled any more")
        return
    if await parts.offboardings.find(tenant_id) is None:
        raise OffboardingNotFound
    await parts.offboardings.enable(tenant_id, actor())


async def _start_syncs(parts: "Parts", syncs: "Syncs", tenant_id: "UUID") -> None:
    from contactsync.workers.cli.connections import sync_of

    for connection in await parts.directory.list_connections(tenant_id):
        if connection.paused is None:
            await syncs.start(sync_of(connection))


async def _finished(runs: "Offboards", tenant_id: "UUID") -> None:
    """Wait until it is over.

    Raises:
        StillUnderWay: it takes long; it goes on without being watched.
    """
    import asyncio

    try:
        async with asyncio.timeout(_DONE_WITHIN_SECONDS):
            await runs.result(tenant_id)
    except TimeoutError:
        raise StillUnderWay(
            "the offboarding goes on without being watched; `contactsync tenant offboard --status` shows it"
        ) from None


async def _working(parts: "Parts") -> "Syncs":
    syncs = await open_syncs(parts)
    if not await syncs.worker_polls():
        raise NoWorker("no worker would carry it out, and nothing was decided; start `contactsync worker`")
    return syncs


async def _plan(parts: "Parts", tenant_id: "UUID", quarantine: timedelta) -> list[str]:
    connections = await parts.directory.list_connections(tenant_id)
    return [
        f"tenant {tenant_id}:",
        f"  now: nothing new begins, the workflows of {len(connections)} connections are terminated",
        f"  for {show_duration(quarantine)}: a quarantine; --cancel undoes it, --approve ends it",
        "  then, and for ever: all its keys are destroyed, its rows and its workflow executions deleted",
        "  what stays: its audit log, and a signed certificate",
    ]


def _offboards(syncs: "Syncs") -> "Offboards":
    from contactsync.workers.offboards import Offboards

    return Offboards(syncs.client, syncs.task_queue)
