"""Characters: what is forbidden, what stays, and that doing it twice changes nothing."""

import sys
import unicodedata
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.contacts.people import LONE_SURROGATES, NAUGHTY

from contactsync.activities.sanitizing.text import clean_line, clean_lines, is_clean_line, shorten

# ruff: noqa: RUF001 - letters of other scripts look like Latin ones, and are meant

VISIBLE_FORMAT_CHARACTERS: Final = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
"""Signs of category Cf that are drawn (Arabic, Syriac, Kaithi number signs)."""
JOINERS: Final = frozenset("\u200c\u200d")


def is_forbidden(character: str) -> bool:
    """Controls, surrogates, noncharacters, and format characters that are not drawn."""
    category = unicodedata.category(character)
    if category == "Cf":
        return character not in VISIBLE_FORMAT_CHARACTERS | JOINERS
    return category in {"Cc", "Cs"} or (ord(character) & 0xFFFE) == 0xFFFE or 0xFDD0 <= ord(character) <= 0xFDEF


def test_every_control_format_surrogate_and_noncharacter_is_removed() -> None:
    """Of all 1,114,112 code points, none that is invisible or reorders text survives beside letters."""
    survivors = [
        f"U+{point:04X}"
        for point in range(sys.maxunicode + 1)
        if is_forbidden(chr(point)) and chr(point) in clean_line(f"a{chr(point)}b")
    ]
    assert survivors == []


def test_every_code_point_of_text_that_looks_clean_is_left_as_it_is() -> None:
    """Of all code points, none passes the cheap look that cleaning would change; nearly all letters pass it."""
    seen = [chr(point) for point in range(sys.maxunicode + 1) if is_clean_line(f"a{chr(point)}b")]
    assert [f"U+{ord(letter):04X}" for letter in seen if clean_line(f"a{letter}b") != f"a{letter}b"] == []
    assert len(seen) > 100_000


def test_letters_marks_and_symbols_all_survive() -> None:
    """Nothing that is drawn is taken away: each such code point is still there, in its NFC form."""
    kept = [chr(point) for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point))[0] in "LNPS"]
    blank = {"\u2800", "\u3164", "\uffa0", "\u115f", "\u1160", "\ufffc"}
    lost = [
        f"U+{ord(character):04X}"
        for character in kept
        if character not in blank and unicodedata.normalize("NFC", character) not in clean_line(f"a {character}")
    ]
    assert lost == []


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("  Ada \t Lovelace\u00a0\u3000", "Ada Lovelace"),
        ("Ada\r\nLovelace", "Ada Lovelace"),
        ("e\N{COMBINING ACUTE ACCENT}", "é"),
        ("pay\u200bpal", "paypal"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("nul\0", "nul"),
        ("a\ud800b", "ab"),
        ("\u3164", ""),
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("क्\u200dष", "क्\u200dष"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("ab\u200dcd\u200c", "abcd"),
        ("渡\U000e0100辺", "渡\U000e0100辺"),
        ("1\u2028 2\u2029 3", "1 2 3"),
    ],
)
def test_one_line(raw: str, clean: str) -> None:
    """A line loses what cannot be seen, keeps the joiners and selectors that scripts need, and is one line."""
    assert clean == clean_line(raw)


def test_several_lines_keep_their_breaks_and_at_most_one_empty_line() -> None:
    """Notes keep paragraphs, in one form of line break."""
    assert clean_lines(" a \r\n b\x85c\r\r\r\n\n\u2028d \t e ") == "a\nb\nc\n\nd e"


def test_a_cut_leaves_no_dangling_space_or_joiner() -> None:
    """Text shortened at a space or inside a joined sequence ends with a character that is seen."""
    assert shorten("ab cd", 3) == "ab"
    assert shorten("👩\u200d👩", 2) == "👩"
    assert shorten("short", 5) == "short"


@settings(max_examples=400)
@given(st.one_of(st.text(st.characters()), st.sampled_from(NAUGHTY), st.sampled_from(LONE_SURROGATES)))
@example("a\u3000\u200d漢")
@example("e\u200d\u0301")
@example("\u2126\u200cא")
def test_any_text_comes_out_clean_and_stays_so(text: str) -> None:
    """Whatever comes in, what goes out is NFC, holds nothing forbidden, and is its own clean form."""
    for clean in (clean_line, clean_lines):
        once = clean(text)
        assert not [character for character in once.replace("\n", "") if is_forbidden(character)]
        assert once == unicodedata.normalize("NFC", once) == clean(once)
        once.encode()
    assert "\n" not in clean_line(text)
