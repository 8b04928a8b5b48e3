"""Whether all texts of a contact are clean, seen at its JSON as a whole: in a few looks instead of a few for each.

Between two quotation marks of JSON without backslashes stands a text as it is, or what separates texts, which is clean.
So a look at the whole is a look at each text; what it finds between them only sends a clean contact the long way.
"""

import re
from typing import Final
from unicodedata import is_normalized

from contactsync.activities.contacts.limits import MAX_LINE_CHARS, MAX_NOTE_CHARS, MAX_READ_CHARS
from contactsync.activities.contacts.wire import WireContact
from contactsync.activities.sanitizing.markup import has_markup
from contactsync.activities.sanitizing.plain import is_plain_line

_ASCII: Final = bytes(range(0x20, 0x7F))
_BACKSLASH, _LESS_THAN, _AMPERSAND = b"\\<&"  # numbers: bytes are asked for a number in a twentieth of the time
_NEEDLESS_SPACE: Final = re.compile(rb' (?:[ "]|(?<=" ))')
_EMPTY: Final = re.compile(b'""')
_BLANK_OR_JOINING: Final = re.compile("[\u1100-\u11ff\u3164\uffa0]")
"""Letters that are blank, and those that become one with their neighbours (a test tries every letter)."""

_LINE: Final = re.compile(
    rb'("(?:value|name|full|address|number|label|street|locality|region|postcode|country)":")([^"]*)'
)
"""The members whose texts are cleaned as lines before anything else is done with them."""


def are_clean(json: bytes, raw: WireContact) -> bool:
    """Whether `sanitize` would certainly leave every text of `raw`, which was read from `json`, as it is."""
    texts = _without_escapes(json, raw) if _BACKSLASH in json else json
    if texts is None or _NEEDLESS_SPACE.search(texts) or _EMPTY.search(texts):
        return False
    return (are_plain(texts) or is_plain_line(texts.decode())) and _are_short(texts, raw)


def squeezed(json: bytes) -> bytes:
    """The JSON with single spaces between the words of its lines and none around them: `sanitize` answers the same.

    As it is where there is more to look at than spaces.
    """
    if _BACKSLASH in json or b'"separator"' in json or len(json) > MAX_READ_CHARS:
        return json
    return _LINE.sub(_with_single_spaces, json)


def _with_single_spaces(line: re.Match[bytes]) -> bytes:
    return line[1] + b" ".join(word for word in line[2].split(b" ") if word)


def _without_escapes(json: bytes, raw: WireContact) -> bytes | None:
    """The JSON with something clean in place of quotation marks, and of line breaks where they may stay; None where it
    has other escapes."""
    if b"\\\\" in json or json.count(b"\\n") != _line_breaks(raw):
        return None
    texts = json.replace(b'\\"', b"'").replace(b"\\n", b" ")
    return None if _BACKSLASH in texts else texts


def _line_breaks(raw: WireContact) -> int:
    """Those in texts that may have several lines."""
    return sum(note.note.count("\n") for note in raw.notes) + sum(where.full.count("\n") for where in raw.addresses)


def are_plain(texts: bytes) -> bool:
    """Whether they are certainly plain, being of ASCII and of letters that are clean whatever stands around them."""
    letters = texts.translate(None, _ASCII).decode()
    if letters and not (letters.isalpha() and is_normalized("NFC", letters) and not _BLANK_OR_JOINING.search(letters)):
        return False
    return not ((_LESS_THAN in texts or _AMPERSAND in texts) and has_markup(texts.decode()))


def _are_short(texts: bytes, raw: WireContact) -> bool:
    """Whether only notes are longer than a line may be, and those not too long."""
    if len(texts) <= MAX_LINE_CHARS:
        return True
    long = sum(len(text) > MAX_LINE_CHARS for text in texts.decode().split('"'))
    return long == sum(MAX_LINE_CHARS < len(note.note) <= MAX_NOTE_CHARS for note in raw.notes)
