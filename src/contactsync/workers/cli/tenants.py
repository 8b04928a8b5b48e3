"""`contactsync tenant …`: the platform's customers."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from contactsync.errors import TenantNotFound
from contactsync.workers.cli.options import JsonFlag, TenantArgument, parse_fields, parse_region
from contactsync.workers.cli.output import Json, Report, card, table
from contactsync.workers.cli.references import pick, whole_id
from contactsync.workers.cli.running import actor, open_parts, show

if TYPE_CHECKING:
    from contactsync.activities.store.directory import Directory, Tenant, TenantPolicy

tenants = typer.Typer(help="Add, look at and change tenants.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(tenants, name="tenant")


RegionOption = Annotated[
    str | None,
    typer.Option("--region", metavar="CC", help="Country whose phone numbers need no country code; US if not given."),
]
FieldsOption = Annotated[
    str | None,
    typer.Option(
        "--fields",
        metavar="LIST",
        help="Fields to keep, separated by commas: name, emails, phones, organizations, titles, …",
    ),
]
ShareOption = Annotated[
    float | None,
    typer.Option("--delete-share", min=0, max=1, help="Share of a connection that one pass may delete unasked; 0.2."),
]
CountOption = Annotated[
    int | None, typer.Option("--delete-count", min=0, help="Contacts that one pass may delete unasked; 1000.")
]
FloorOption = Annotated[
    int | None, typer.Option("--delete-floor", min=0, help="So few deletions are never held, whatever the share; 10.")
]


@tenants.command("add")
def add(  # noqa: PLR0917  # typer passes them by name
    label: Annotated[str, typer.Argument(metavar="LABEL", help="What operators call it; no person's name.")],
    region: RegionOption = None,
    fields: FieldsOption = None,
    delete_share: ShareOption = None,
    delete_count: CountOption = None,
    delete_floor: FloorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Add a tenant, with keys of its own."""
    changes = _changes(region, fields, delete_share, delete_count, delete_floor)
    show(_add(label, changes), as_json=as_json)


@tenants.command("set")
def set_policy(  # noqa: PLR0917  # typer passes them by name
    tenant: TenantArgument,
    region: RegionOption = None,
    fields: FieldsOption = None,
    delete_share: ShareOption = None,
    delete_count: CountOption = None,
    delete_floor: FloorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Change a tenant's policy; what is not given stays, and the next passes go by it."""
    changes = _changes(region, fields, delete_share, delete_count, delete_floor)
    if not changes:
        raise typer.BadParameter("give what is to change, such as --delete-share 0.5")
    show(_set(tenant, changes), as_json=as_json)


@tenants.command("list")
def list_all(as_json: JsonFlag = False) -> None:
    """List all tenants, the oldest first."""
    show(_list(), as_json=as_json)


@tenants.command("show")
def show_one(tenant: TenantArgument, as_json: JsonFlag = False) -> None:
    """Show a tenant's policy and connections."""
    show(_show(tenant), as_json=as_json)


async def find_tenant(directory: "Directory", reference: str) -> "Tenant":
    """The tenant that `reference` names: an id, or the start of one.

    Raises:
        TenantNotFound: none, or more than one.
    """
    whole = whole_id(reference)
    if whole is not None:
        return await directory.get_tenant(whole)
    known = {tenant.tenant_id: tenant for tenant in await directory.list_tenants()}
    return known[pick(reference, known, TenantNotFound)]


def _changes(
    region: str | None, fields: str | None, share: float | None, count: int | None, floor: int | None
) -> dict[str, object]:
    """What the options say of a policy."""
    if share is not None and math.isnan(share):  # which is neither below nor above any bound
        raise typer.BadParameter("give a share such as 0.2", param_hint="--delete-share")
    given: dict[str, object] = {
        "default_region": parse_region(region) if region is not None else None,
        "fields": parse_fields(fields) if fields is not None else None,
        "delete_share": share,
        "delete_count": count,
        "delete_floor": floor,
    }
    return {name: value for name, value in given.items() if value is not None}


async def _add(label: str, changes: Mapping[str, object]) -> Report:
    from contactsync.activities.store.directory import DEFAULT_POLICY

    policy = DEFAULT_POLICY.model_copy(update=dict(changes))
    async with open_parts() as parts:
        tenant = await parts.directory.add_tenant(label, policy, actor=actor())
    return _one(tenant, "tenant added", {})


async def _set(reference: str, changes: Mapping[str, object]) -> Report:
    async with open_parts() as parts:
        tenant = await find_tenant(parts.directory, reference)
        policy = tenant.policy.model_copy(update=dict(changes))
        tenant = await parts.directory.set_policy(tenant.tenant_id, policy, actor=actor())
    return _one(tenant, "tenant changed", {})


async def _list() -> Report:
    async with open_parts() as parts:
        found = await parts.directory.list_tenants()
    rows = [
        (each.tenant_id, each.label, each.policy.default_region, each.created_at, each.disabled_at) for each in found
    ]
    return Report(
        {"tenants": [_document(each) for each in found]},
        table(f"{len(found)} tenants", ("tenant", "label", "region", "since", "disabled"), rows),
    )


async def _show(reference: str) -> Report:
    async with open_parts() as parts:
        tenant = await find_tenant(parts.directory, reference)
        connections = await parts.directory.list_connections(tenant.tenant_id)
    ids: list[UUID] = [each.connection_id for each in connections]
    return _one(tenant, "tenant", {"connections": ids})


def _one(tenant: "Tenant", title: str, more: dict[str, list[UUID]]) -> Report:
    facts = {
        "id": tenant.tenant_id,
        "label": tenant.label,
        "region": tenant.policy.default_region,
        "fields": ", ".join(sorted(tenant.policy.fields)),
        "deletes unasked": _guard(tenant.policy),
        "since": tenant.created_at,
        "disabled": tenant.disabled_at,
        **{name: "\n".join(map(str, ids)) or "none" for name, ids in more.items()},
    }
    return Report({"tenant": {**_document(tenant), **more}}, card(title, facts))


def _guard(policy: "TenantPolicy") -> str:
    share = f"{policy.delete_share * 100:g} %, at most {policy.delete_count}"
    return f"{share} a pass; up to {policy.delete_floor} always"


def _document(tenant: "Tenant") -> dict[str, Json]:
    return {
        "id": tenant.tenant_id,
        "label": tenant.label,
        "region": tenant.policy.default_region,
        "fields": sorted(tenant.policy.fields),
        "delete_share": tenant.policy.delete_share,
        "delete_count": tenant.policy.delete_count,
        "delete_floor": tenant.policy.delete_floor,
        "created_at": tenant.created_at,
        "disabled_at": tenant.disabled_at,
    }
