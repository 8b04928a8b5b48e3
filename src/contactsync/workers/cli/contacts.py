"""`contactsync contacts …`: the only commands that show a person's values, to holders of the keys, audited."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from contactsync.errors import ContactNotFound, PageUnreadable
from contactsync.workers.cli.connections import find_connection
from contactsync.workers.cli.options import JsonFlag, TenantOption
from contactsync.workers.cli.output import Json, Report, card, table
from contactsync.workers.cli.references import whole_id
from contactsync.workers.cli.running import actor, open_parts, show
from contactsync.workers.cli.tenants import find_tenant

if TYPE_CHECKING:
    from contactsync.activities.contacts.contact import Address, Contact
    from contactsync.activities.store.directory import ConnectionInfo
    from contactsync.activities.store.records import HeldContact
    from contactsync.workers.bootstrap import Parts

contacts = typer.Typer(help="Find and open contacts; every opening is in the audit log.", no_args_is_help=True)

LOOKUP = "lookup"
_REASON_AT_MOST = 64


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(contacts, name="contacts")


def _checked_reason(reason: str) -> str:
    """The audit log is kept for ever and must name nobody: a code or a ticket's number goes in, no sentence."""
    fine = reason.replace("-", "").replace("_", "").replace("/", "").replace(".", "")
    if not (fine.isascii() and fine.isalnum()) or len(reason) > _REASON_AT_MOST:
        raise typer.BadParameter("give a code or a ticket's number, such as TICKET-123")
    return reason


ReasonOption = Annotated[
    str,
    typer.Option(
        "--reason", metavar="CODE", callback=_checked_reason, help="Why: a code or a ticket's number for the audit log."
    ),
]


@contacts.command("find")
def find(
    tenant: TenantOption,
    email: Annotated[str | None, typer.Option(help="An e-mail address, in any spelling.")] = None,
    phone: Annotated[str | None, typer.Option(help="A phone number with its country code, +49 …")] = None,
    reason: ReasonOption = LOOKUP,
    as_json: JsonFlag = False,
) -> None:
    """Find a tenant's contacts by e-mail address or phone number, and open them."""
    if (email is None) == (phone is None):
        raise typer.BadParameter("give either --email or --phone")
    show(_find(tenant, email or "", phone or "", reason), as_json=as_json)


@contacts.command("show")
def show_one(
    contact: Annotated[str, typer.Argument(metavar="CONTACT", help="The contact's id.")],
    tenant: TenantOption,
    reason: ReasonOption,
    as_json: JsonFlag = False,
) -> None:
    """Open one contact."""
    show(_show(tenant, contact, reason), as_json=as_json)


@contacts.command("count")
def count(
    tenant: TenantOption,
    connection: Annotated[
        str | None, typer.Option("--connection", metavar="ID", help="Only this connection's.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Count a tenant's contacts; none is opened."""
    show(_count(tenant, connection), as_json=as_json)


async def _find(tenant_reference: str, email: str, phone: str, reason: str) -> Report:
    async with open_parts() as parts:
        tenant = await find_tenant(parts.directory, tenant_reference)
        found = await parts.contacts.find(tenant.tenant_id, email=email, phone=phone, actor=actor(), reason=reason)
    opened = [(held, _contact(held)) for held in found]
    rows = [
        (held.contact_id, _name(each), _lines(e.address for e in each.emails), _lines(p.number for p in each.phones))
        for held, each in opened
    ]
    return Report(
        {"contacts": [_document(held, each) for held, each in opened]},
        table(f"{len(found)} contacts", ("contact", "name", "e-mails", "phones"), rows),
    )


async def _show(tenant_reference: str, reference: str, reason: str) -> Report:
    contact_id = whole_id(reference.strip())
    async with open_parts() as parts:
        tenant = await find_tenant(parts.directory, tenant_reference)
        if contact_id is None:
            raise ContactNotFound
        held = await parts.contacts.get(tenant.tenant_id, contact_id, actor=actor(), reason=reason)
    contact = _contact(held)
    return Report({"contact": _document(held, contact)}, card("contact", _facts(held, contact)))


async def _count(tenant_reference: str, reference: str | None) -> Report:
    async with open_parts() as parts:
        tenant = await find_tenant(parts.directory, tenant_reference)
        found = await parts.directory.list_connections(tenant.tenant_id)
        if reference is not None:
            wanted = (await find_connection(parts.directory, reference)).connection_id
            found = tuple(each for each in found if each.connection_id == wanted)
        counted = [await _counted(parts, each) for each in found]
    total = sum(int(str(each["contacts"])) for each in counted)
    rows = [(each["connection"], each["contacts"], each["quarantined"]) for each in counted]
    return Report(
        {"tenant": tenant.tenant_id, "contacts": total, "connections": counted},
        table(f"{total} contacts", ("connection", "contacts", "quarantined"), rows),
    )


async def _counted(parts: "Parts", connection: "ConnectionInfo") -> dict[str, Json]:
    from contactsync.activities.messages import ConnectionRef

    ref = ConnectionRef(tenant_id=connection.tenant_id, connection_id=connection.connection_id)
    counts = await parts.contacts.counts(ref)
    return {"connection": connection.connection_id, "contacts": counts.live, "quarantined": counts.quarantined}


def _contact(held: "HeldContact") -> "Contact":
    from pydantic import ValidationError

    from contactsync.activities.contacts.contact import Contact

    try:
        return Contact.model_validate_json(held.content)
    except ValidationError:
        raise PageUnreadable("a contact is not written as this version writes it; upgrade contactsync") from None


def _document(held: "HeldContact", contact: "Contact") -> dict[str, Json]:
    return {
        "id": held.contact_id,
        "connection": held.connection_id,
        "source_id": held.source_id,
        "created_at": held.created_at,
        "changed_at": held.changed_at,
        "contact": contact.model_dump(mode="json", exclude_defaults=True),
    }


def _facts(held: "HeldContact", contact: "Contact") -> dict[str, object]:
    return {
        "id": held.contact_id,
        "connection": held.connection_id,
        "kind": contact.kind,
        "name": _name(contact),
        "nicknames": _lines(each.name for each in contact.nicknames),
        "organization": _lines(" / ".join((each.name, *each.units)) for each in contact.organizations),
        "title": _lines(each.name for each in contact.titles),
        "e-mail": _lines(_with_contexts(each.address, each.contexts) for each in contact.emails),
        "phone": _lines(_with_contexts(each.number, (*each.contexts, *each.features)) for each in contact.phones),
        "address": _lines(each.full or _address(each) for each in contact.addresses),
        "online": _lines(each.uri or f"{each.service} {each.user}" for each in contact.online_services),
        "link": _lines(each.uri for each in contact.links),
        "anniversary": _lines(f"{each.kind} {each.date}" for each in contact.anniversaries),
        "note": _lines(each.note for each in contact.notes),
        "keywords": ", ".join(contact.keywords) or None,
        "members": len(contact.members) or None,
        "changed": held.changed_at,
    }


def _name(contact: "Contact") -> str | None:
    if contact.name is None:
        return None
    parts = (each.value for each in contact.name.components if each.kind != "separator")
    return contact.name.full or " ".join(parts) or None


def _address(address: "Address") -> str:
    parts = (address.street, address.postcode, address.locality, address.region, address.country)
    return ", ".join(part for part in parts if part)


def _with_contexts(value: str, contexts: Sequence[str]) -> str:
    return f"{value} ({', '.join(contexts)})" if contexts else value


def _lines(values: Iterable[str]) -> str | None:
    return "\n".join(values) or None
