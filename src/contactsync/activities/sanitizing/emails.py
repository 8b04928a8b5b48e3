"""E-mail addresses: validated by syntax (nothing is asked of the network), in one spelling."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from unicodedata import is_normalized, normalize

from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES, EMAIL_MAX_LENGTH

_IN_BRACKETS: Final = re.compile(r"[^<>]*<\s*([^<>\s]+)\s*>")
_MAX_CHARS: Final = 320
_PLAIN_LOCAL: Final = re.compile(r"[\w'+-]+(?:\.[\w'+-]+)*")
_MAILBOXES: Final = frozenset(CASE_INSENSITIVE_MAILBOX_NAMES)


@dataclass(frozen=True, slots=True)
class Domain:
    """A valid domain: lower case and Unicode, as A-labels, and the bytes of its longest spelling."""

    name: str
    ascii_name: str
    longest: int


def clean_email(text: str) -> str | None:
    """The address with its local part in NFC and its domain in lower case and Unicode; None if it is no address.

    `mailto:` and a display name around the address are taken off. Quoted local parts, address literals and
    domains that are reserved or have no dot (`.local`, `localhost`) are no addresses that a mail could reach.
    """
    plain = plain_email(text)
    return plain[0] if plain else parsed_email(text)


def parsed_email(text: str) -> str | None:
    """What `clean_email` answers, by the email-validator library alone."""
    address = text.strip()
    if match := _IN_BRACKETS.fullmatch(address):
        address = match[1]
    if address[:7].lower() == "mailto:":
        address = address[7:].partition("?")[0]
    if not address or len(address) > _MAX_CHARS:
        return None
    try:
        return validate_email(address, check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def plain_email(text: str) -> tuple[str, str] | None:
    """The clean address and its normal form, for letters and digits at a valid domain; None says nothing."""
    local, _, domain = text.partition("@")
    if not _PLAIN_LOCAL.fullmatch(local) or not is_normalized("NFC", local):
        return None
    folded, known = folded_local(local), domain_of(domain)
    if folded in _MAILBOXES or known is None or len(local.encode()) + 1 + known.longest > EMAIL_MAX_LENGTH:
        return None
    return f"{local}@{known.name}", f"{folded}@{known.ascii_name}"


def folded_local(local: str) -> str:
    """A local part in the case and composition in which local parts are compared."""
    return local.lower() if local.isascii() else normalize("NFC", normalize("NFC", local).casefold())


def domain_of(domain: str) -> Domain | None:
    """The domain as the email-validator library reads it behind an `@`; None if it is not valid."""
    try:
        return valid_domain(domain)
    except EmailNotValidError:
        return None


@lru_cache(maxsize=4096)
def valid_domain(domain: str) -> Domain:
    """As `domain_of`; only domains are remembered, and nothing that a person wrote in their place.

    Raises:
        EmailNotValidError: it is no domain.
    """
    valid = validate_email(f"a@{domain}", check_deliverability=False)
    spellings = (domain, valid.domain, valid.ascii_domain)
    return Domain(valid.domain, valid.ascii_domain, max(len(spelling.encode()) for spelling in spellings))
