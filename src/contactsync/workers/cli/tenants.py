"""`contactsync tenant …`: the platform's customers."""

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

tenants = typer.Typer(help="Add and look at tenants.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(tenants, name="tenant")


@tenants.command("add")
def add(
    label: Annotated[str, typer.Argument(metavar="LABEL", help="What operators call it; no person's name.")],
    region: Annotated[
        str | None,
        typer.Option(metavar="CC", help="Country whose phone numbers need no country code; US if not given."),
    ] = None,
    fields: Annotated[
        str | None,
        typer.Option(
            metavar="LIST", help="Fields to keep, separated by commas: name, emails, phones, organizations, titles, …"
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Add a tenant, with keys of its own."""
    show(_add(label, _policy(region, fields)), as_json=as_json)


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


def _policy(region: str | None, fields: str | None) -> "TenantPolicy":
    from contactsync.activities.store.directory import DEFAULT_POLICY

    changes: dict[str, object] = {}
    if region is not None:
        changes["default_region"] = parse_region(region)
    if fields is not None:
        changes["fields"] = parse_fields(fields)
    return DEFAULT_POLICY.model_copy(update=changes)


async def _add(label: str, policy: "TenantPolicy") -> Report:
    async with open_parts() as parts:
        tenant = await parts.directory.add_tenant(label, policy, actor=actor())
    return _one(tenant, "tenant added", {})


async def _list() -> Report:
    async with open_parts() as parts:
        found = await parts.directory.list_tenants()
    rows = [(each.tenant_id, each.label, each.policy.default_region, each.created_at) for each in found]
    return Report(
        {"tenants": [_document(each) for each in found]},
        table(f"{len(found)} tenants", ("tenant", "label", "region", "since"), rows),
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
        "since": tenant.created_at,
        **{name: "\n".join(map(str, ids)) or "none" for name, ids in more.items()},
    }
    return Report({"tenant": {**_document(tenant), **more}}, card(title, facts))


def _document(tenant: "Tenant") -> dict[str, Json]:
    return {
        "id": tenant.tenant_id,
        "label": tenant.label,
        "region": tenant.policy.default_region,
        "fields": sorted(tenant.policy.fields),
        "created_at": tenant.created_at,
    }
