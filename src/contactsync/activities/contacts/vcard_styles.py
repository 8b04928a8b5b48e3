"""How the programs in use write vCards. The properties are alike; what differs stands here."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal


class Style(StrEnum):
    """A producer's way of writing a vCard."""

    RFC4 = "rfc4"  # RFC 6350 with RFC 9554
    RFC3 = "rfc3"  # RFC 2426
    APPLE = "apple"
    GOOGLE = "google"
    OUTLOOK = "outlook"  # vCard 2.1 as Outlook exports it
    NEXTCLOUD = "nextcloud"


@dataclass(frozen=True, slots=True)
class StyleRules:
    """What one style does. `labels`: by `itemN.X-ABLabel`; `type_key`: the spelling of TYPE, empty for bare ones."""

    version: Literal["2.1", "3.0", "4.0"]
    type_key: str = "TYPE"
    lists_types: bool = False
    labels: bool = False
    product: str = ""
    email_types: tuple[str, ...] = ()
    escapes_colon: bool = False
    compact_dates: bool = False
    group_kind: str = "KIND"
    group_member: str = "MEMBER"
    wedding: str = "ANNIVERSARY"


RULES: Final = MappingProxyType(
    {
        Style.RFC4: StyleRules(version="4.0", lists_types=True, labels=True, compact_dates=True),
        Style.RFC3: StyleRules(version="3.0", lists_types=True, labels=True, wedding="X-ANNIVERSARY"),
        Style.APPLE: StyleRules(
            version="3.0",
            type_key="type",
            labels=True,
            product="-//Apple Inc.//macOS 15.0//EN",
            email_types=("INTERNET",),
            group_kind="X-ADDRESSBOOKSERVER-KIND",
            group_member="X-ADDRESSBOOKSERVER-MEMBER",
            wedding="X-ABDATE",
        ),
        Style.GOOGLE: StyleRules(
            version="3.0", labels=True, email_types=("INTERNET",), escapes_colon=True, wedding="X-ABDATE"
        ),
        Style.OUTLOOK: StyleRules(
            version="2.1", type_key="", email_types=("INTERNET",), compact_dates=True, wedding="X-MS-ANNIVERSARY"
        ),
        Style.NEXTCLOUD: StyleRules(
            version="3.0", lists_types=True, labels=True, product="-//Nextcloud Contacts v6.0.0", wedding="ANNIVERSARY"
        ),
    }
)
