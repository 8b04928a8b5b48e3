"""Cards for the tests of this folder: written inline, or as programs exported them."""

import re
from pathlib import Path
from typing import Final

from contactsync.activities.contacts.contact import Contact, Field, Fields
from contactsync.activities.contacts.vcard import parse_vcard

VECTORS: Final = Path(__file__).parents[2] / "vectors"
ALL: Final[Fields] = frozenset(Field)
_CARD: Final = re.compile(rb"BEGIN:VCARD.*?END:VCARD\r?\n?", re.DOTALL)


def card(*lines: str, version: str = "3.0") -> str:
    """A card of these lines."""
    return "".join(f"{line}\r\n" for line in ("BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD"))


def read(*lines: str, version: str = "3.0", fields: Fields = ALL) -> Contact:
    """The contact in a card of these lines."""
    return parse_vcard(card(*lines, version=version), fields)


def exported(file: str) -> list[bytes]:
    """The cards in a file of tests/vectors/vcards, as bytes."""
    return _CARD.findall((VECTORS / "vcards" / file).read_bytes())


def read_exported(file: str) -> list[Contact]:
    """The contacts in a file of tests/vectors/vcards."""
    return [parse_vcard(text, ALL) for text in exported(file)]
