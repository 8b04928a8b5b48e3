"""Compares what the database holds with what the address books should hold, contact by contact."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from contactsync.activities.contacts.contact import Contact
from contactsync.activities.sanitizing.normal_forms import email_normal_form

Essence = tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""Full name, e-mails, phones, organizations: what every vCard style carries unharmed."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How many contacts are missing, too many, or different."""

    equal: int
    missing: int
    surplus: int
    different: int

    @property
    def none(self) -> bool:
        """Whether both sides are equal."""
        return not (self.missing or self.surplus or self.different)


def essence(contact: Contact) -> Essence:
    """What must be equal on both sides."""
    emails = sorted({email_normal_form(email.address) or email.address for email in contact.emails})
    phones = sorted({phone.number for phone in contact.phones})
    organizations = tuple(organization.name for organization in contact.organizations)
    return (contact.name.full if contact.name else "", tuple(emails), tuple(phones), organizations)


def compare(expected: Mapping[str, Contact], held: Mapping[str, Contact]) -> Difference:
    """`expected` and `held` by source id."""
    both = expected.keys() & held.keys()
    different = sum(essence(expected[key]) != essence(held[key]) for key in both)
    return Difference(
        equal=len(both) - different,
        missing=len(expected.keys() - held.keys()),
        surplus=len(held.keys() - expected.keys()),
        different=different,
    )


async def held_contacts(rows: AsyncIterator[tuple[str, bytes]]) -> dict[str, Contact]:
    """Opened rows (source id, canonical JSON) as contacts by file name."""
    return {
        source_id.rpartition("/")[2]: Contact.model_validate(json.loads(content)) async for source_id, content in rows
    }
