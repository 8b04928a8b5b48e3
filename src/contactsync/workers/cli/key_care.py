"""`contactsync keys status`, `verify` and `destroy-expired`: how the keys stand, and the end of those that are over."""

from typing import TYPE_CHECKING, Annotated

import typer

from contactsync.errors import KeysError
from contactsync.workers.cli.confirming import YesFlag, confirm
from contactsync.workers.cli.key_view import ended_report, plan_lines, proved_report, status_report
from contactsync.workers.cli.keys import keys
from contactsync.workers.cli.options import JsonFlag
from contactsync.workers.cli.output import Report, note
from contactsync.workers.cli.running import actor, open_parts, show
from contactsync.workers.cli.tenants import find_tenant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from contactsync.activities.key_life import KeyLife
    from contactsync.activities.key_messages import JudgedKeys
    from contactsync.codecs.keys.proof import KeyProof
    from contactsync.codecs.keys.store import StoredTenantKey
    from contactsync.workers.bootstrap import Parts

_OnlyTenant = Annotated[
    str | None, typer.Argument(metavar="[TENANT]", help="Only this tenant's: its id, or the start of it.")
]


def register(_app: typer.Typer) -> None:
    """Add the commands of this module to those of `keys`."""
    keys.command("status")(status)
    keys.command("verify")(verify)
    keys.command("destroy-expired")(destroy_expired)


def status(tenant: _OnlyTenant = None, as_json: JsonFlag = False) -> None:
    """Show how keys stand: versions, counts, what ends next, and what is held back from its end."""
    show(key_status(tenant), as_json=as_json)


def verify(tenant: _OnlyTenant = None, as_json: JsonFlag = False) -> None:
    """Open every key and a sealed row of each tenant; exit with 7 and the ids of those that do not open."""
    show(verify_keys(tenant), as_json=as_json)


def destroy_expired(yes: YesFlag = False, as_json: JsonFlag = False) -> None:
    """Destroy payload keys whose date has come and that no open execution needs; workers do it every hour."""
    show(end_keys(yes=yes), as_json=as_json)


async def key_status(reference: str | None) -> Report:
    """How the keys of one tenant, or of all, stand."""
    from contactsync.codecs.keys.ring import now_utc

    async with open_parts() as parts:
        store, only = parts.ring.store, await _named(parts, reference)
        counts = await store.counts(now_utc(), only)
        versions = await store.tenant_keys(only)
        held = [key for key in await store.held() if only in {None, key.tenant_id}]
        newest, roots = await _roots(parts.ring.proof(), versions)
    return status_report(newest, roots, versions, counts, held)


async def _named(parts: "Parts", reference: str | None) -> "UUID | None":
    return (await find_tenant(parts.directory, reference)).tenant_id if reference is not None else None


async def _roots(
    proof: "KeyProof", versions: "Sequence[StoredTenantKey]"
) -> "tuple[int | None, dict[bytes, int | None]]":
    """The root version that wraps, and the one that wraps each tenant key; without numbers where the root is away."""
    try:
        return await proof.newest_root(), {key.kid: await proof.root_of(key) for key in versions}
    except KeysError as error:
        note(f"contactsync: {error}")
        return None, {}


async def verify_keys(reference: str | None) -> Report:
    """Whether the keys of one tenant, or of all, open, and a row of each."""
    from contactsync.activities.store.samples import open_samples

    async with open_parts() as parts:
        only = await _named(parts, reference)
        tenants = sorted({key.tenant_id for key in await parts.ring.store.tenant_keys(only)})
        proof = parts.ring.proof()
        proved = [await proof.prove(tenant_id) for tenant_id in tenants]
        samples = {
            each.tenant_id: await open_samples(parts.database, parts.ring, each.tenant_id)
            for each in proved
            if each.opened
        }
    return proved_report(proved, samples)


async def end_keys(*, yes: bool) -> Report:
    """Show what would be destroyed and what is held, and do it if somebody agrees."""
    from contactsync.activities.key_messages import SettleKeys
    from contactsync.workers.bootstrap import temporal_client

    async with open_parts() as parts:
        life = parts.key_life(await temporal_client(parts.settings, parts.ring))
        judged = await _judged(life)
        destroyed = 0
        if any(batch.destroy or batch.hold for batch in judged):
            confirm(plan_lines(judged), yes=yes)
        for batch in judged:
            request = SettleKeys(destroy=batch.destroy, hold=batch.hold)
            destroyed += (await life.settle(request, actor=actor())).destroyed
    return ended_report(destroyed, sum(batch.held for batch in judged))


async def _judged(life: "KeyLife") -> "list[JudgedKeys]":
    batches = [await life.judge()]
    while batches[-1].next is not None:
        batches.append(await life.judge(batches[-1].next))
    return batches
