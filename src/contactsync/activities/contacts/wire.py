"""A contact as it stands in pages and in the store, in shapes that are read and written in a few microseconds.

Member for member the contact of `contact.py`, whose JSON these read and write byte for byte (a test checks both), but
nothing more is checked than types. Who wants a contact to work with reads a `Contact`.
"""

from typing import Final, Literal

from msgspec import Struct
from msgspec.json import Decoder, Encoder


class _Shape(Struct, frozen=True, omit_defaults=True, gc=False):
    """Base of the shapes: members that are not known are passed over, members at their default not written."""


class WireNameComponent(_Shape, frozen=True):
    """`contact.NameComponent`."""

    kind: Literal["title", "given", "given2", "surname", "surname2", "credential", "generation", "separator"]
    value: str


class WireName(_Shape, frozen=True):
    """`contact.Name`."""

    full: str = ""
    components: tuple[WireNameComponent, ...] = ()


class WireNickname(_Shape, frozen=True):
    """`contact.Nickname`."""

    name: str


class WireOrganization(_Shape, frozen=True):
    """`contact.Organization`."""

    name: str = ""
    units: tuple[str, ...] = ()


class WireTitle(_Shape, frozen=True):
    """`contact.Title`."""

    name: str
    kind: Literal["title", "role"] = "title"


class WireEmail(_Shape, frozen=True):
    """`contact.EmailAddress`."""

    address: str
    contexts: tuple[str, ...] = ()
    pref: int | None = None
    label: str = ""


class WirePhone(_Shape, frozen=True):
    """`contact.Phone`."""

    number: str
    extension: str = ""
    e164: bool = False
    features: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    pref: int | None = None
    label: str = ""


class WireAddress(_Shape, frozen=True):
    """`contact.Address`."""

    street: str = ""
    locality: str = ""
    region: str = ""
    postcode: str = ""
    country: str = ""
    country_code: str = ""
    full: str = ""
    contexts: tuple[str, ...] = ()


class WireOnlineService(_Shape, frozen=True):
    """`contact.OnlineService`."""

    service: str = ""
    uri: str = ""
    user: str = ""


class WireLink(_Shape, frozen=True):
    """`contact.Link`."""

    uri: str
    label: str = ""


class WireAnniversary(_Shape, frozen=True):
    """`contact.Anniversary`."""

    kind: Literal["birth", "death", "wedding"]
    date: str


class WireNote(_Shape, frozen=True):
    """`contact.Note`."""

    note: str


class WireContact(_Shape, frozen=True):
    """`contact.Contact`."""

    uid: str = ""
    kind: Literal["individual", "group", "org", "location", "device", "application"] = "individual"
    name: WireName | None = None
    nicknames: tuple[WireNickname, ...] = ()
    organizations: tuple[WireOrganization, ...] = ()
    titles: tuple[WireTitle, ...] = ()
    emails: tuple[WireEmail, ...] = ()
    phones: tuple[WirePhone, ...] = ()
    addresses: tuple[WireAddress, ...] = ()
    online_services: tuple[WireOnlineService, ...] = ()
    links: tuple[WireLink, ...] = ()
    anniversaries: tuple[WireAnniversary, ...] = ()
    notes: tuple[WireNote, ...] = ()
    keywords: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


_decoder: Final = Decoder(WireContact)
_encoder: Final = Encoder()


def read_wire(content: bytes) -> WireContact:
    """The contact of its JSON in UTF-8.

    Raises:
        msgspec.MsgspecError, UnicodeDecodeError: it is none.
    """
    return _decoder.decode(content)


def written_wire(contact: WireContact) -> bytes:
    """Its JSON in UTF-8, as `contact.written` writes it."""
    return _encoder.encode(contact)
