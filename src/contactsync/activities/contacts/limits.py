"""The bounds of one contact. Reader, sanitizing and pages rely on the same ones."""

from typing import Final

MAX_CONTACT_BYTES: Final = 256 * 1024
"""UTF-8 bytes that one contact's kept values may take together; a contact past it is quarantined."""

MAX_CARD_BYTES: Final = 16 * 1024 * 1024
"""Bytes of a source's whole text of one contact (photos included) that are read at all."""

MAX_READ_CHARS: Final = 64 * 1024
"""Characters of one value that are read; sanitizing shortens further and counts that it did."""

MAX_LINE_CHARS: Final = 512
"""Characters of a one-line text such as a name, an organization or a title."""

MAX_NOTE_CHARS: Final = 16 * 1024
"""Characters of a note."""

MAX_VALUES: Final = 100
"""Values of one property: e-mails, phones, addresses …"""

MAX_MEMBERS: Final = 5000
"""Members of a group."""
