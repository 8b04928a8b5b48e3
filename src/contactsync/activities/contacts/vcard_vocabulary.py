"""The words of vCard for the words of JSContact, for the reader and the writer (RFC 9555 §2.3.20, §2.7.6, §2.7.2)."""

from types import MappingProxyType
from typing import Final, Literal

from contactsync.activities.contacts.contact import Field

Occasion = Literal["birth", "death", "wedding"]

CONTEXTS: Final = MappingProxyType({"HOME": "private", "WORK": "work"})

FEATURES: Final = MappingProxyType(
    {
        "VOICE": "voice",
        "CELL": "mobile",
        "IPHONE": "mobile",
        "FAX": "fax",
        "PAGER": "pager",
        "TEXT": "text",
        "TEXTPHONE": "textphone",
        "VIDEO": "video",
        "MAIN": "main-number",
        "MAIN-NUMBER": "main-number",
    }
)

NAME_PARTS: Final = ("surname", "given", "given2", "title", "credential", "surname2", "generation")
"""The components of N in their order (RFC 6350 §6.2.2, the last two RFC 9554 §2.2)."""

GENERATIONS: Final = frozenset({"jr", "jr.", "sr", "sr.", "ii", "iii", "iv"})
"""Suffixes that tell generations apart: older cards have no component of their own for them."""

MESSENGERS: Final = MappingProxyType(
    {
        "X-AIM": "AIM",
        "X-ICQ": "ICQ",
        "X-JABBER": "Jabber",
        "X-MSN": "MSN",
        "X-YAHOO": "Yahoo",
        "X-SKYPE": "Skype",
        "X-SKYPE-USERNAME": "Skype",
        "X-GOOGLE-TALK": "GoogleTalk",
        "X-GTALK": "GoogleTalk",
        "X-QQ": "QQ",
        "X-TWITTER": "Twitter",
        "X-MS-IMADDRESS": "",
    }
)

DATES: Final = MappingProxyType[str, Occasion](
    {
        "BDAY": "birth",
        "DEATHDATE": "death",
        "ANNIVERSARY": "wedding",
        "X-ANNIVERSARY": "wedding",
        "X-EVOLUTION-ANNIVERSARY": "wedding",
        "X-MS-ANNIVERSARY": "wedding",
    }
)

APPLE_LABELS: Final = MappingProxyType({"HOME": "HOME", "WORK": "WORK", "MOBILE": "CELL", "MAIN": "MAIN"})
"""Apple's built-in labels that say the same as a TYPE."""

FIELD_OF: Final = MappingProxyType(
    {
        "FN": Field.NAME,
        "N": Field.NAME,
        "NICKNAME": Field.NICKNAMES,
        "ORG": Field.ORGANIZATIONS,
        "TITLE": Field.TITLES,
        "ROLE": Field.TITLES,
        "EMAIL": Field.EMAILS,
        "TEL": Field.PHONES,
        "ADR": Field.ADDRESSES,
        "X-ABADR": Field.ADDRESSES,
        "IMPP": Field.ONLINE_SERVICES,
        "SOCIALPROFILE": Field.ONLINE_SERVICES,
        "X-SOCIALPROFILE": Field.ONLINE_SERVICES,
        "URL": Field.LINKS,
        "CONTACT-URI": Field.LINKS,
        "X-ABDATE": Field.ANNIVERSARIES,
        "NOTE": Field.NOTES,
        "CATEGORIES": Field.KEYWORDS,
        "MEMBER": Field.MEMBERS,
        "X-ADDRESSBOOKSERVER-MEMBER": Field.MEMBERS,
        **dict.fromkeys(MESSENGERS, Field.ONLINE_SERVICES),
        **dict.fromkeys(DATES, Field.ANNIVERSARIES),
    }
)
"""The property of a contact that each vCard property fills. What is not here is never looked at (photos, keys …)."""

ALWAYS: Final = frozenset({"UID", "KIND", "X-ADDRESSBOOKSERVER-KIND", "X-ABSHOWAS", "X-ABLABEL"})
