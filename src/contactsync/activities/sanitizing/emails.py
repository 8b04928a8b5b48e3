"""E-mail addresses: validated by syntax (nothing is asked of the network), in one spelling."""

import re
from typing import Final

from email_validator import EmailNotValidError, validate_email

_IN_BRACKETS: Final = re.compile(r"[^<>]*<\s*([^<>\s]+)\s*>")
_MAX_CHARS: Final = 320


def clean_email(text: str) -> str | None:
    """The address with its local part in NFC and its domain in lower case and Unicode; None if it is no address.

    `mailto:` and a display name around the address are taken off. Quoted local parts, address literals and
    domains that are reserved or have no dot (`.local`, `localhost`) are no addresses that a mail could reach.
    """
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
