"""`contactsync keys rotate`, `rotate-root`, `rewrap` and `destroy-root`: newer keys in the place of older ones."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from contactsync.errors import NoWorker, StillUnderWay
from contactsync.workers.cli.confirming import YesFlag, confirm
from contactsync.workers.cli.keys import keys
from contactsync.workers.cli.options import JsonFlag, TenantArgument, parse_duration, show_duration
from contactsync.workers.cli.output import Json, Report, at, card, note
from contactsync.workers.cli.running import actor, open_parts, open_syncs, show
from contactsync.workers.cli.tenants import find_tenant

if TYPE_CHECKING:
    from uuid import UUID

    from contactsync.activities.root_rotation import RootRewrapped, RootRotation
    from contactsync.activities.rotation_messages import RotationProgress
    from contactsync.workers.bootstrap import Parts
    from contactsync.workers.rotations import Rotations
    from contactsync.workers.syncs import Syncs

_SHORTEST_SETTLE = timedelta(minutes=1)
_LONGEST_SETTLE = timedelta(days=7)
_LOOK_EVERY_SECONDS = 0.5
_FOLLOWED_SECONDS = 60.0
_TOLD_EVERY = 500

_FOR_HOURS = frozenset({"settling", "waiting", "ended"})
"""Phases that nobody sits and waits for."""


def register(_app: typer.Typer) -> None:
    """Add the commands of this module to those of `keys`."""
    keys.command("rotate")(rotate)
    keys.command("rotate-root")(rotate_root)
    keys.command("rewrap")(rewrap)
    keys.command("destroy-root")(destroy_root)


def rotate(  # noqa: PLR0917  # typer passes them by name
    tenant: TenantArgument,
    index: Annotated[bool, typer.Option("--index", help="A new index key too: every contact's place is made anew.")] = (
        False
    ),
    reseal: Annotated[bool, typer.Option("--reseal", help="A new row key too: every row is sealed again.")] = False,
    settle: Annotated[
        str, typer.Option(metavar="TIME", help="How long older row and index keys stay after all rows are moved.")
    ] = "1h",
    status: Annotated[bool, typer.Option("--status", help="Only show how far it is.")] = False,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Replace a tenant's key, and on request its index key and row key; workers do it while syncs go on."""
    length = parse_duration(settle)
    if not _SHORTEST_SETTLE <= length <= _LONGEST_SETTLE:
        raise typer.BadParameter("give a time from 1m to 7d", param_hint="--settle")
    if status:
        show(rotation_status(tenant), as_json=as_json)
    else:
        show(rotate_tenant(tenant, length, index=index, reseal=reseal, yes=yes), as_json=as_json)


def rotate_root(yes: YesFlag = False, as_json: JsonFlag = False) -> None:
    """Add a version of the root key, and wrap every tenant key by it. The older version stays until `destroy-root`."""
    show(new_root(yes=yes), as_json=as_json)


def rewrap(yes: YesFlag = False, as_json: JsonFlag = False) -> None:
    """Wrap every tenant key by the newest root version, where that is not so already."""
    show(rewrap_all(yes=yes), as_json=as_json)


def destroy_root(
    version: Annotated[int, typer.Argument(metavar="VERSION", help="Which; `keys status` shows what wraps what.")],
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Destroy an older version of the root key for ever; refused while it wraps any tenant key."""
    show(end_root(version, yes=yes), as_json=as_json)


async def rotate_tenant(reference: str, settle: timedelta, *, index: bool, reseal: bool, yes: bool) -> Report:
    """Show the plan, start the tenant's rotation, and watch it until only time is left to pass."""
    from contactsync.activities.rotation_messages import RotateArgs

    async with open_parts() as parts:
        tenant_id = (await find_tenant(parts.directory, reference)).tenant_id
        syncs = await open_syncs(parts)  # Temporal must answer, or nothing is asked
        runs = _rotations(syncs)
        if (await runs.condition(tenant_id)).running:
            note("contactsync: a rotation of this tenant is under way already; this is how far it is")
            return _report(tenant_id, await runs.progress(tenant_id))
        confirm(_plan_lines(tenant_id, settle, index=index, reseal=reseal), yes=yes)
        args = RotateArgs(tenant_id=tenant_id, index=index, reseal=reseal, actor=actor())
        await runs.start(args.model_copy(update={"settle_seconds": settle.total_seconds()}))
        if not await syncs.worker_polls():
            raise NoWorker("no worker takes the rotation yet; start `contactsync worker`, and it begins")
        return _report(tenant_id, await _followed(runs, tenant_id))


async def rotation_status(reference: str) -> Report:
    """How far the tenant's rotation is, or how the last one ended."""
    async with open_parts() as parts:
        tenant_id = (await find_tenant(parts.directory, reference)).tenant_id
        return _report(tenant_id, await _rotations(await open_syncs(parts)).progress(tenant_id))


async def new_root(*, yes: bool) -> Report:
    """Show the plan, and carry it out if somebody agrees."""
    async with open_parts() as parts:
        rotation = await _ready(parts)
        plan = "the root key gets a newer version, and every tenant key is wrapped by it; the older one stays"
        confirm([plan], yes=yes)
        await rotation.rotate(actor())
        return _rewrapped(await rotation.rewrap(actor(), _told))


async def rewrap_all(*, yes: bool) -> Report:
    """Show the plan, and carry it out if somebody agrees."""
    async with open_parts() as parts:
        rotation = await _ready(parts)
        version = await parts.ring.rotation().root_version()
        confirm([f"every tenant key is wrapped by version {version} of the root key, where it is not yet"], yes=yes)
        return _rewrapped(await rotation.rewrap(actor(), _told))


async def end_root(version: int, *, yes: bool) -> Report:
    """Show the plan, and carry it out if somebody agrees."""
    async with open_parts() as parts:
        rotation = await _ready(parts)
        plan = f"version {version} of the root key is destroyed; backups of the key store that need it end with it"
        confirm([plan, "This cannot be undone."], yes=yes)
        await rotation.destroy(version, actor())
    return Report({"destroyed_root_version": version}, card("root key", {"destroyed": f"version {version}"}))


async def _ready(parts: "Parts") -> "RootRotation":
    """With the right root key at hand: a wrong one must not be rotated."""
    from contactsync.activities.root_rotation import RootRotation

    await parts.ring.check()
    return RootRotation(parts.database, parts.ring)


async def _followed(runs: "Rotations", tenant_id: "UUID") -> "RotationProgress | None":
    """Its progress once there is nothing to do but to wait.

    Raises:
        StillUnderWay: that takes longer than anybody sits here.
    """
    import asyncio

    try:
        async with asyncio.timeout(_FOLLOWED_SECONDS):
            while True:
                progress = await runs.progress(tenant_id)
                if progress is not None and progress.phase in _FOR_HOURS:
                    return progress
                await asyncio.sleep(_LOOK_EVERY_SECONDS)
    except TimeoutError:
        raise StillUnderWay("the rotation goes on; `contactsync keys rotate TENANT --status` shows how far") from None


def _rotations(syncs: "Syncs") -> "Rotations":
    from contactsync.workers.rotations import Rotations

    return Rotations(syncs.client, syncs.task_queue)


def _plan_lines(tenant_id: "UUID", settle: timedelta, *, index: bool, reseal: bool) -> list[str]:
    lines = [f"tenant {tenant_id}: a new tenant key wraps its data keys; the older one is destroyed"]
    if index:
        lines.append("a new index key: every contact is found anew; the next complete listings read all bodies once")
    if reseal:
        lines.append("a new row key: every contact, cursor and setting is sealed again")
    if index or reseal:
        lines.append(
            f"the older ones are destroyed {show_duration(settle)} later, once no work that began before is open"
        )
    return lines


def _told(done: "RootRewrapped") -> None:
    if done.keys % _TOLD_EVERY == 0:
        note(f"contactsync: {done.keys} tenant keys looked at, {done.rewrapped} wrapped again")


def _rewrapped(done: "RootRewrapped") -> Report:
    document: dict[str, Json] = {
        "root_version": done.version,
        "tenant_keys": done.keys,
        "rewrapped": done.rewrapped,
    }
    facts = {"root version": done.version, "tenant keys": done.keys, "wrapped again": done.rewrapped}
    return Report(document, card("root key", facts))


def _report(tenant_id: "UUID", progress: "RotationProgress | None") -> Report:
    if progress is None:
        document: dict[str, Json] = {"tenant": tenant_id, "phase": None}
        return Report(document, card("rotation", {"tenant": tenant_id, "phase": "none, or no worker answers"}))
    plan, waits = progress.plan, progress.waits
    ends_at = at(progress.settled_at)
    document = {
        "tenant": tenant_id,
        "phase": progress.phase,
        "version": plan.version if plan else None,
        "index_epoch": plan.index_epoch if plan else None,
        "row_epoch": plan.row_epoch if plan else None,
        "rewrapped_keys": progress.rewrapped,
        "reindexed_rows": progress.reindexed,
        "resealed_rows": progress.resealed,
        "older_keys_end_after": ends_at,
        "waits_for_work": waits.under_way if waits else None,
        "unreadable_rows": waits.unreadable if waits else None,
    }
    facts = {name.replace("_", " "): value for name, value in document.items()}
    return Report(document, card("rotation", facts))
