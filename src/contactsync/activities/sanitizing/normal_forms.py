"""The one spelling of an e-mail address or a phone number that blind indexes are computed over. Version 1.

Changing a rule here is a new version: every index must be computed again.
"""

from contactsync.activities.contacts.contact import Contact
from contactsync.activities.sanitizing.emails import domain_of, folded_local
from contactsync.activities.sanitizing.phones import clean_phone


def email_normal_form(address: str) -> str | None:
    """Trimmed, local part NFC and case-folded, domain as lower-case A-labels; None if there is no valid domain.

    Dots and `+tags` stay: what they mean is the receiving server's affair.
    """
    local, at, domain = address.strip().rpartition("@")
    known = domain_of(domain) if at and local else None
    return f"{folded_local(local)}@{known.ascii_name}" if known else None


def phone_normal_form(number: str, default_region: str = "") -> str | None:
    """E.164; None if the number is not known to be one. Extensions do not count."""
    clean = clean_phone(number, default_region)
    return clean.number if clean and clean.e164 else None


def forms_of(contact: Contact) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The normal forms under which a clean contact can be found: of its e-mail addresses, and of its phones."""
    emails = (email_normal_form(email.address) for email in contact.emails)
    phones = (phone_normal_form(phone.number) for phone in contact.phones)
    return tuple(form for form in emails if form), tuple(form for form in phones if form)
