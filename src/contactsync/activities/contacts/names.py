"""How a name is written when only its components are known."""

import unicodedata
from typing import Final

from contactsync.activities.contacts.contact import Contact, Name

_ORDER: Final = ("title", "given", "given2", "surname", "surname2", "generation", "credential")
_FAMILY_FIRST: Final = ("title", "surname", "surname2", "given", "given2", "generation", "credential")
_FAMILY_FIRST_SCRIPTS: Final = ("CJK", "HANGUL", "HIRAGANA", "KATAKANA")


def full_name(name: Name) -> str:
    """The full name, or one made of the components: family first and unspaced where the script does so."""
    if name.full or not name.components:
        return name.full
    if any(component.kind == "separator" for component in name.components):
        return "".join(component.value for component in name.components).strip()
    east_asian = all(_is_east_asian(component.value) for component in name.components)
    order = _FAMILY_FIRST if east_asian else _ORDER
    parts = sorted(name.components, key=lambda component: order.index(component.kind))
    return ("" if east_asian else " ").join(part.value for part in parts)


def display_name(contact: Contact) -> str:
    """What to call the contact: its name, else its organization, e-mail, phone; may be empty."""
    if contact.name and (full := full_name(contact.name)):
        return full
    candidates = (
        *(organization.name for organization in contact.organizations),
        *(email.address for email in contact.emails),
        *(phone.number for phone in contact.phones),
    )
    return next((text for text in candidates if text), "")


def _is_east_asian(text: str) -> bool:
    return bool(text) and unicodedata.name(text[0], "").startswith(_FAMILY_FIRST_SCRIPTS)
