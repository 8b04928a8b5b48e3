"""The JSON shapes of RFC 9553 that a contact needs, as models: they validate what comes in and spell what goes out."""

from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

Flags = dict[str, bool]
"""RFC 9553 §1.4.1: a set is a map from its members to true."""

NameKind = Literal["title", "given", "given2", "surname", "surname2", "credential", "generation", "separator"]
CardKind = Literal["individual", "group", "org", "location", "device", "application"]


class Shape(BaseModel):
    """Base of the shapes: camel case in JSON, unknown members (vendors', later versions') are ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="ignore",
        hide_input_in_errors=True,
    )


class NameComponentShape(Shape):
    """§2.2.1.2."""

    kind: NameKind | str
    value: str


class NameShape(Shape):
    """§2.2.1."""

    components: list[NameComponentShape] | None = None
    is_ordered: bool | None = None
    default_separator: str | None = None
    full: str | None = None


class NicknameShape(Shape):
    """§2.2.2."""

    name: str


class UnitShape(Shape):
    """§2.2.3."""

    name: str


class OrganizationShape(Shape):
    """§2.2.3."""

    name: str | None = None
    units: list[UnitShape] | None = None


class TitleShape(Shape):
    """§2.2.5."""

    name: str
    kind: str = "title"


class EmailShape(Shape):
    """§2.3.1."""

    address: str
    contexts: Flags | None = None
    pref: int | None = None
    label: str | None = None


class ServiceShape(Shape):
    """§2.3.2."""

    service: str | None = None
    uri: str | None = None
    user: str | None = None


class PhoneShape(Shape):
    """§2.3.3; `number` is a URI or text."""

    number: str
    features: Flags | None = None
    contexts: Flags | None = None
    pref: int | None = None
    label: str | None = None


class AddressComponentShape(Shape):
    """§2.5.1.2."""

    kind: str
    value: str


class AddressShape(Shape):
    """§2.5.1."""

    components: list[AddressComponentShape] | None = None
    is_ordered: bool | None = None
    default_separator: str | None = None
    country_code: str | None = None
    full: str | None = None
    contexts: Flags | None = None


class LinkShape(Shape):
    """§2.6.3."""

    uri: str
    label: str | None = None


class DateShape(Shape):
    """§2.8.1: a PartialDate, or with `utc` a Timestamp."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    utc: str | None = None


class AnniversaryShape(Shape):
    """§2.8.1."""

    kind: str
    date: DateShape


class NoteShape(Shape):
    """§2.8.3."""

    note: str


class CardShape(Shape):
    """§2: the properties that a contact keeps."""

    uid: str | None = None
    kind: CardKind | str = "individual"
    name: NameShape | None = None
    nicknames: dict[str, NicknameShape] | None = None
    organizations: dict[str, OrganizationShape] | None = None
    titles: dict[str, TitleShape] | None = None
    emails: dict[str, EmailShape] | None = None
    phones: dict[str, PhoneShape] | None = None
    addresses: dict[str, AddressShape] | None = None
    online_services: dict[str, ServiceShape] | None = None
    links: dict[str, LinkShape] | None = None
    anniversaries: dict[str, AnniversaryShape] | None = None
    notes: dict[str, NoteShape] | None = None
    keywords: Flags | None = None
    members: Flags | None = None
