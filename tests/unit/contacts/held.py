"""What a vCard style can hold of a clean contact: the most that may come back."""

from contactsync.activities.contacts.contact import (
    Address,
    Contact,
    EmailAddress,
    Link,
    Name,
    NameComponent,
    Phone,
)
from contactsync.activities.contacts.names import display_name
from contactsync.activities.contacts.vcard_styles import RULES, Style
from contactsync.activities.contacts.vcard_vocabulary import NAME_PARTS

CONTEXTS = ("private", "work")


def held(contact: Contact, style: Style) -> Contact:
    """The contact without what `to_vcard` documents as left out in this style."""
    version, labels = RULES[style].version, RULES[style].labels
    modern = version == "4.0"

    def contexts(some: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(context for context in some if context in CONTEXTS)

    def email(value: EmailAddress) -> EmailAddress:
        pref = value.pref if modern or value.pref == 1 else None
        label = value.label if labels else ""
        return value.model_copy(update={"contexts": contexts(value.contexts), "pref": pref, "label": label})

    def phone(value: Phone) -> Phone:
        pref = value.pref if modern or value.pref == 1 else None
        label = value.label if labels else ""
        return value.model_copy(update={"contexts": contexts(value.contexts), "pref": pref, "label": label})

    def address(value: Address) -> Address:
        parts = (value.street, value.locality, value.region, value.postcode, value.country)
        code = value.country_code if modern or (labels and any(parts)) else ""
        full = value.full if modern else ""
        return value.model_copy(update={"contexts": contexts(value.contexts), "country_code": code, "full": full})

    def is_held(value: Address) -> bool:
        parts = (value.street, value.locality, value.region, value.postcode, value.country, value.full)
        return any(parts)

    return contact.model_copy(
        update={
            "name": _name(contact, style),
            "emails": tuple(email(value) for value in contact.emails),
            "phones": tuple(phone(value) for value in contact.phones),
            "addresses": tuple(address(value) for value in contact.addresses if is_held(address(value))),
            "links": tuple(Link(uri=link.uri, label=link.label if labels else "") for link in contact.links),
            "anniversaries": tuple(
                day
                for day in contact.anniversaries
                if modern or len(day.date) == 10 or (version == "3.0" and day.date.startswith("--"))
            ),
        }
    )


def _name(contact: Contact, style: Style) -> Name | None:
    full = display_name(contact)
    parts = contact.name.components if contact.name else ()
    ordered: list[NameComponent] = [part for kind in NAME_PARTS for part in parts if part.kind == kind]
    suffixes = [part.value for part in ordered if part.kind in {"credential", "generation"}]
    if RULES[style].version == "2.1" and len(suffixes) > 1:  # one component, and no list in it
        ordered = [part for part in ordered if part.value not in suffixes]
        ordered.append(NameComponent(kind="credential", value=" ".join(suffixes)))
    return Name(full=full, components=tuple(ordered)) if full or ordered else None
