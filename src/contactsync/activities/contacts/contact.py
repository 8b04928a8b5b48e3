"""The canonical contact, named after JSContact (RFC 9553).

Where RFC 9553 has a map from ids to objects, a contact here has a tuple: sources have no stable ids for an e-mail
or a phone, and order is kept. `jscontact.py` turns one into the other.
"""

from enum import StrEnum
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter


class Frozen(BaseModel):
    """A value: never changed once made; unknown members are ignored, and errors do not print their input."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Field(StrEnum):
    """The properties a tenant's allow-list may name (RFC 9553 property names)."""

    NAME = "name"
    NICKNAMES = "nicknames"
    ORGANIZATIONS = "organizations"
    TITLES = "titles"
    EMAILS = "emails"
    PHONES = "phones"
    ADDRESSES = "addresses"
    ONLINE_SERVICES = "onlineServices"
    LINKS = "links"
    ANNIVERSARIES = "anniversaries"
    NOTES = "notes"
    KEYWORDS = "keywords"
    MEMBERS = "members"


Fields = frozenset[Field]

DEFAULT_FIELDS: Fields = frozenset({Field.NAME, Field.EMAILS, Field.PHONES, Field.ORGANIZATIONS, Field.TITLES})
"""What a tenant gets that says nothing: enough to reach a person, and no more."""


class NameComponent(Frozen):
    """RFC 9553 §2.2.1: a part of a name, in the order in which it is written."""

    kind: Literal["title", "given", "given2", "surname", "surname2", "credential", "generation", "separator"]
    value: str


class Name(Frozen):
    """RFC 9553 §2.2.1."""

    full: str = ""
    components: tuple[NameComponent, ...] = ()


class Nickname(Frozen):
    """RFC 9553 §2.2.2."""

    name: str


class Organization(Frozen):
    """RFC 9553 §2.2.3; `units` from the larger to the smaller."""

    name: str = ""
    units: tuple[str, ...] = ()


class Title(Frozen):
    """RFC 9553 §2.2.5."""

    name: str
    kind: Literal["title", "role"] = "title"


class EmailAddress(Frozen):
    """RFC 9553 §2.3.1; `contexts` as in §1.5.1 (`private`, `work`), `pref` 1 (most wanted) to 100."""

    address: str
    contexts: tuple[str, ...] = ()
    pref: int | None = None
    label: str = ""


class Phone(Frozen):
    """RFC 9553 §2.3.3; `number` is in E.164 where `e164` says so (only sanitizing sets it), else text with digits.

    `features` such as `mobile`, `voice`, `fax`; `extension` in digits, known once clean.
    """

    number: str
    extension: str = ""
    e164: bool = False
    features: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    pref: int | None = None
    label: str = ""


class Address(Frozen):
    """RFC 9553 §2.5.1, its components flattened to the usual ones."""

    street: str = ""
    locality: str = ""
    region: str = ""
    postcode: str = ""
    country: str = ""
    country_code: str = ""
    full: str = ""
    contexts: tuple[str, ...] = ()


class OnlineService(Frozen):
    """RFC 9553 §2.3.2."""

    service: str = ""
    uri: str = ""
    user: str = ""


class Link(Frozen):
    """RFC 9553 §2.6.3."""

    uri: str
    label: str = ""


class Anniversary(Frozen):
    """RFC 9553 §2.8.1; `date` as ISO 8601, or the part of it that is known (`--04-15`, `1985`)."""

    kind: Literal["birth", "death", "wedding"]
    date: str


class Note(Frozen):
    """RFC 9553 §2.8.3."""

    note: str


class Contact(Frozen):
    """RFC 9553 §2 Card; `uid` and `kind` are always kept, the other properties as the tenant's allow-list says."""

    uid: str = ""
    kind: Literal["individual", "group", "org", "location", "device", "application"] = "individual"
    name: Name | None = None
    nicknames: tuple[Nickname, ...] = ()
    organizations: tuple[Organization, ...] = ()
    titles: tuple[Title, ...] = ()
    emails: tuple[EmailAddress, ...] = ()
    phones: tuple[Phone, ...] = ()
    addresses: tuple[Address, ...] = ()
    online_services: tuple[OnlineService, ...] = ()
    links: tuple[Link, ...] = ()
    anniversaries: tuple[Anniversary, ...] = ()
    notes: tuple[Note, ...] = ()
    keywords: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


_contact: Final = TypeAdapter(Contact)


def written(contact: Contact) -> bytes:
    """The contact's canonical JSON in UTF-8: properties in the order above, none that is at its default."""
    return _contact.dump_json(contact, exclude_defaults=True)


def read(content: bytes) -> Contact:
    """The contact of its JSON.

    Raises:
        pydantic.ValidationError: it is none.
    """
    return _contact.validate_json(content)
