"""HTML to text, for values that a person typed into a web form or a CRM filled from a web page."""

import html
import re
from typing import Final

import nh3

_TAG: Final = re.compile(r"<[a-zA-Z/!?][^<>]*>")
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_ADDRESS: Final = re.compile(r"<([A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+)>")
_LONE_BRACKET: Final = re.compile(r"<(?![a-zA-Z/!?][^<>]*>)")
_LINE_BREAK: Final = re.compile(r"<(?:br|/p|/div|/li|/tr|/h[1-6])(?![a-zA-Z0-9])[^<>]*>", re.IGNORECASE)
_SPECIAL: Final = re.compile(r"[<>&]")
_CLEANER: Final = nh3.Cleaner(tags=set())


def has_markup(text: str) -> bool:
    """Whether something in the text is a whole tag, comment or entity; a lone `<` or `&` is none."""
    return _TAG.search(text) is not None or _ENTITY.search(text) is not None


def without_markup(text: str) -> str:
    """Tags, comments, scripts and styles gone, entities resolved once; an address in angle brackets is no tag.

    What was escaped twice is markup again in the result: ask `has_markup`.
    """
    text = _LONE_BRACKET.sub("&lt;", _LINE_BREAK.sub("\n", _ADDRESS.sub(r"&lt;\1&gt;", text)))
    return html.unescape(_CLEANER.clean(text))


def without_brackets(text: str) -> str:
    """The last resort for text that is still markup however often it is resolved."""
    return _SPECIAL.sub(" ", text)
