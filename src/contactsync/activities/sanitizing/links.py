"""URIs: kept if their scheme is one that is harmless to click on."""

import re
from typing import Final

_SCHEME: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_HOST: Final = re.compile(r"[\w-]+(?:\.[\w-]+)+(?::[0-9]+)?(?:[/?#].*)?")
_MAX_CHARS: Final = 2048

SCHEMES: Final = frozenset(
    {
        "http",
        "https",
        "mailto",
        "tel",
        "sip",
        "sips",
        "xmpp",
        "im",
        "irc",
        "ircs",
        "ldap",
        "ldaps",
        "ftp",
        "ftps",
        "geo",
    }
    | {"aim", "facetime", "gtalk", "gg", "icq", "matrix", "msn", "msnim", "qq", "sgnl", "skype", "tg", "urn", "ymsgr"}
    | {"threema", "viber", "wechat", "weixin", "whatsapp", "x-apple", "callto"}
)
"""Schemes that are kept. `javascript`, `data`, `file` and whatever else may run or read something are not."""


def has_scheme(text: str) -> bool:
    """Whether the text begins as a URI does."""
    return _SCHEME.match(text) is not None


def clean_uri(text: str) -> str | None:
    """The URI; a bare host (`www.company.example/x`) becomes one of `https`; None if it is not to be kept."""
    if not text or len(text) > _MAX_CHARS or any(character.isspace() for character in text):
        return None
    if _HOST.fullmatch(text):
        return f"https://{text}"
    match = _SCHEME.match(text)
    return text if match and match[1].lower() in SCHEMES and match.end() < len(text) else None
