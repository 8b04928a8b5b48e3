"""Plain text from whatever a source holds: markup and forbidden characters gone, whichever hides the other."""

from collections.abc import Callable
from typing import Final

from contactsync.activities.sanitizing.markup import has_markup, without_brackets, without_markup
from contactsync.activities.sanitizing.text import clean_line, clean_lines, is_clean_line

_MAX_ROUNDS: Final = 8


def is_plain_line(text: str) -> bool:
    """Whether the text is certainly plain already, and one line: cheap, and no for some text that is."""
    return is_clean_line(text) and not has_markup(text)


def plain_line(text: str) -> str:
    """One line of plain text. Doing it twice changes nothing."""
    return text if is_plain_line(text) else _plain(text, clean_line)


def plain_lines(text: str) -> str:
    """Plain text with its line breaks. Doing it twice changes nothing."""
    return text if is_plain_line(text) else _plain(text, clean_lines)


def _plain(text: str, clean: Callable[[str], str]) -> str:
    text = clean(text)
    for _ in range(_MAX_ROUNDS):
        if not has_markup(text):
            return text
        resolved = clean(without_markup(text))  # a zero width space may have hidden a tag
        if resolved == text:
            return text
        text = resolved
    return clean(without_brackets(text))
