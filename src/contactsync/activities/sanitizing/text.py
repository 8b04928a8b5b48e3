"""Text that is safe to store, compare and show: NFC, nothing invisible, nothing that reorders what is around it."""

import re
import unicodedata
from typing import Final

_FORBIDDEN_RANGES: Final = (
    (0x0000, 0x0008),  # controls; those that are white space become a space or a line break before
    (0x000E, 0x001B),
    (0x007F, 0x0084),
    (0x0086, 0x009F),
    (0x00AD, 0x00AD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark (bidi)
    (0x180B, 0x180F),  # Mongolian selectors and vowel separator
    (0x200B, 0x200B),  # zero width space
    (0x200E, 0x200F),  # left-to-right and right-to-left mark
    (0x202A, 0x202E),  # bidi embeddings and overrides
    (0x2060, 0x206F),  # word joiner, invisible operators, bidi isolates, deprecated format characters
    (0xD800, 0xDFFF),  # lone surrogates
    (0xFDD0, 0xFDEF),  # noncharacters
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFF0, 0xFFFC),  # interlinear annotation, object replacement, unassigned specials
    (0xFFFE, 0xFFFF),  # noncharacters
    (0x13430, 0x1343F),  # hieroglyph format controls
    (0x1BCA0, 0x1BCA3),  # shorthand format controls
    (0x1D173, 0x1D17A),  # musical format controls
    (0xE0000, 0xE00FF),  # tags
    *((plane << 16 | 0xFFFE, plane << 16 | 0xFFFF) for plane in range(1, 17)),  # noncharacters
)

_FORBIDDEN: Final = re.compile("[" + "".join(f"{chr(low)}-{chr(high)}" for low, high in _FORBIDDEN_RANGES) + "]")
_BLANK: Final = re.compile("[\u1680\u2800\u3000\u3164\uffa0]")
"""What is blank to the eye, by name a space or a letter (Hangul filler, Braille blank): it counts as a space."""

_JOINED: Final = "\u0590-\u1dff\u2070-\U0010ffff"
_STRAY_JOINER: Final = re.compile(f"(?<![{_JOINED}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINED}])")
"""Zero width joiners mean something inside Arabic, Indic and emoji sequences (RFC 5892 appendix A), and only there."""

_PRINTABLE_BUT_CHANGED: Final = re.compile("[\u034f\u180b-\u180d\u180f\u2800\u3164\uffa0\ufffc]")
"""What `str.isprintable` lets through though it is forbidden or blank (a test tries every code point)."""

_BREAK: Final = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_SPACES: Final = re.compile(r"\s+")
_SPACES_IN_LINE: Final = re.compile(r"[^\S\n]+")
_BREAKS: Final = re.compile(r" ?\n(?: ?\n)* ?")


def is_clean_line(text: str) -> bool:
    """Whether `clean_line` would certainly leave the text as it is: cheap, and no for some text that is clean."""
    if "  " in text or text[:1] == " " or text[-1:] == " ":
        return False
    return text.isprintable() if text.isascii() else _is_visible(text)


def _is_visible(text: str) -> bool:
    """Whether `_visible` would certainly leave the text as it is."""
    drawn = text.replace("\u200c", "").replace("\u200d", "")
    if not drawn.isprintable() or _PRINTABLE_BUT_CHANGED.search(text) or not unicodedata.is_normalized("NFC", text):
        return False
    return len(drawn) == len(text) or not _STRAY_JOINER.search(text)


def clean_line(text: str) -> str:
    """One line: forbidden characters gone, NFC, every run of white space a single space, none at the ends."""
    return _SPACES.sub(" ", _visible(text)).strip()


def clean_lines(text: str) -> str:
    """Several lines: as `clean_line`, but line breaks stay (as `\\n`, at most one empty line in a row)."""
    text = _SPACES_IN_LINE.sub(" ", _BREAK.sub("\n", _visible(text)))
    return _BREAKS.sub(lambda match: "\n\n" if match[0].count("\n") > 1 else "\n", text).strip()


def shorten(text: str, characters: int) -> str:
    """At most so many characters; the cut leaves no joiner and no white space at its end."""
    return text if len(text) <= characters else text[:characters].rstrip("\u200c\u200d \n")


def _visible(text: str) -> str:
    while True:
        clean = unicodedata.normalize("NFC", _BLANK.sub(" ", _FORBIDDEN.sub("", text)))
        if "\u200c" in clean or "\u200d" in clean:
            clean = _STRAY_JOINER.sub("", clean)
        if clean == text:
            return clean
        text = clean
