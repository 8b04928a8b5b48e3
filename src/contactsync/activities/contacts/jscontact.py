"""A contact as a JSContact Card (RFC 9553), and back.

A Card says more than a contact keeps: localizations, phonetics, media, keys and vendors' properties are passed over.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeVar, get_args

from pydantic import JsonValue, ValidationError

from contactsync.activities.contacts import jscontact_card as shapes
from contactsync.activities.contacts.contact import (
    Address,
    Anniversary,
    Contact,
    EmailAddress,
    Link,
    Name,
    NameComponent,
    Nickname,
    Note,
    OnlineService,
    Organization,
    Phone,
    Title,
)
from contactsync.activities.contacts.dates import normal_date
from contactsync.activities.contacts.quarantine import QuarantineReason, UnreadableContact
from contactsync.activities.contacts.vcard_vocabulary import Occasion

_E164: Final = re.compile(r"tel:(\+[1-9][0-9]{1,14})(?:;ext=([0-9]{1,11}))?")
_PLACES: Final = MappingProxyType(
    {"locality": "locality", "region": "region", "postcode": "postcode", "country": "country"}
)
_NUMBERED_STREET: Final = frozenset({"number", "name"})
_NAME_KINDS: Final = frozenset[str](get_args(shapes.NameKind))
_CARD_KINDS: Final = frozenset[str](get_args(shapes.CardKind))
_OCCASIONS: Final = frozenset[str](get_args(Occasion))

Value = TypeVar("Value")


def to_card(contact: Contact) -> dict[str, JsonValue]:
    """The contact as JSON values of a Card. Without a uid the Card lacks the one that RFC 9553 asks for.

    Numbers in E.164 become `tel:` URIs, others stay text (§2.3.3).
    """
    shape = shapes.CardShape(
        uid=contact.uid or None,
        kind=contact.kind,
        name=_name_shape(contact.name) if contact.name else None,
        nicknames=_map("k", [shapes.NicknameShape(name=nickname.name) for nickname in contact.nicknames]),
        organizations=_map("o", [_organization_shape(organization) for organization in contact.organizations]),
        titles=_map("t", [shapes.TitleShape(name=title.name, kind=title.kind) for title in contact.titles]),
        emails=_map("e", [_email_shape(email) for email in contact.emails]),
        phones=_map("p", [_phone_shape(phone) for phone in contact.phones]),
        addresses=_map("a", [_address_shape(address) for address in contact.addresses]),
        online_services=_map("s", [_service_shape(service) for service in contact.online_services]),
        links=_map("l", [shapes.LinkShape(uri=link.uri, label=link.label or None) for link in contact.links]),
        anniversaries=_map("b", [_anniversary_shape(anniversary) for anniversary in contact.anniversaries]),
        notes=_map("n", [shapes.NoteShape(note=note.note) for note in contact.notes]),
        keywords=_flags(contact.keywords),
        members=_flags(contact.members),
    )
    return {"@type": "Card", "version": "1.0", **shape.model_dump(mode="json", by_alias=True, exclude_none=True)}


def from_card(card: Mapping[str, object]) -> Contact:
    """The contact in a Card's JSON values; properties and kinds it has no place for are passed over.

    Raises:
        UnreadableContact: the values are not a Card's (`invalid`).
    """
    try:
        shape = shapes.CardShape.model_validate(card)
    except ValidationError:
        raise UnreadableContact(QuarantineReason.INVALID) from None
    return Contact.model_validate(
        {
            "uid": shape.uid or "",
            "kind": shape.kind if shape.kind in _CARD_KINDS else "individual",
            "name": _name(shape.name) if shape.name else None,
            "nicknames": [Nickname(name=nickname.name) for nickname in _values(shape.nicknames)],
            "organizations": [_organization(organization) for organization in _values(shape.organizations)],
            "titles": [
                Title(name=title.name, kind="role" if title.kind == "role" else "title")
                for title in _values(shape.titles)
            ],
            "emails": [_email(email) for email in _values(shape.emails)],
            "phones": [_phone(phone) for phone in _values(shape.phones)],
            "addresses": [_address(address) for address in _values(shape.addresses)],
            "online_services": [_service(service) for service in _values(shape.online_services)],
            "links": [Link(uri=link.uri, label=link.label or "") for link in _values(shape.links)],
            "anniversaries": [date for item in _values(shape.anniversaries) if (date := _anniversary(item))],
            "notes": [Note(note=note.note) for note in _values(shape.notes)],
            "keywords": _set(shape.keywords),
            "members": _set(shape.members),
        }
    )


def _map(prefix: str, values: Sequence[Value]) -> dict[str, Value] | None:
    return {f"{prefix}{number}": value for number, value in enumerate(values, 1)} or None


def _values(values: Mapping[str, Value] | None) -> Iterable[Value]:
    return values.values() if values else ()


def _flags(words: Iterable[str]) -> shapes.Flags | None:
    return dict.fromkeys(words, True) or None


def _set(flags: shapes.Flags | None) -> tuple[str, ...]:
    return tuple(word for word, is_member in (flags or {}).items() if is_member)


def _name_shape(name: Name) -> shapes.NameShape:
    components = [shapes.NameComponentShape(kind=part.kind, value=part.value) for part in name.components]
    separated = any(part.kind == "separator" for part in name.components)
    return shapes.NameShape(components=components or None, is_ordered=separated or None, full=name.full or None)


def _name(shape: shapes.NameShape) -> Name:
    components = [part.model_dump() for part in shape.components or () if part.kind in _NAME_KINDS]
    return Name(full=shape.full or "", components=tuple(NameComponent.model_validate(part) for part in components))


def _organization_shape(organization: Organization) -> shapes.OrganizationShape:
    units = [shapes.UnitShape(name=unit) for unit in organization.units]
    return shapes.OrganizationShape(name=organization.name or None, units=units or None)


def _organization(shape: shapes.OrganizationShape) -> Organization:
    return Organization(name=shape.name or "", units=tuple(unit.name for unit in shape.units or ()))


def _email_shape(email: EmailAddress) -> shapes.EmailShape:
    return shapes.EmailShape(
        address=email.address, contexts=_flags(email.contexts), pref=email.pref, label=email.label or None
    )


def _email(shape: shapes.EmailShape) -> EmailAddress:
    return EmailAddress(address=shape.address, contexts=_set(shape.contexts), pref=shape.pref, label=shape.label or "")


def _phone_shape(phone: Phone) -> shapes.PhoneShape:
    extension = f";ext={phone.extension}" if phone.extension else ""
    return shapes.PhoneShape(
        number=f"tel:{phone.number}{extension}" if phone.e164 else f"{phone.number}{extension}",
        features=_flags(phone.features),
        contexts=_flags(phone.contexts),
        pref=phone.pref,
        label=phone.label or None,
    )


def _phone(shape: shapes.PhoneShape) -> Phone:
    match = _E164.fullmatch(shape.number)
    return Phone(
        number=match[1] if match else shape.number.removeprefix("tel:"),
        extension=match[2] or "" if match else "",
        e164=match is not None,
        features=_set(shape.features),
        contexts=_set(shape.contexts),
        pref=shape.pref,
        label=shape.label or "",
    )


def _address_shape(address: Address) -> shapes.AddressShape:
    parts = (
        ("name", address.street),
        ("locality", address.locality),
        ("region", address.region),
        ("postcode", address.postcode),
        ("country", address.country),
    )
    components = [shapes.AddressComponentShape(kind=kind, value=value) for kind, value in parts if value]
    return shapes.AddressShape(
        components=components or None,
        country_code=address.country_code or None,
        full=address.full or None,
        contexts=_flags(address.contexts),
    )


def _address(shape: shapes.AddressShape) -> Address:
    places = {part.kind: part.value for part in shape.components or () if part.kind in _PLACES}
    return Address(
        street=_street(shape),
        country_code=shape.country_code or "",
        full=shape.full or "",
        contexts=_set(shape.contexts),
        **places,
    )


def _street(shape: shapes.AddressShape) -> str:
    """What is no place: by its own separators, else number and name by a space, the rest by a comma."""
    text, previous, separator = "", "", ""
    for part in shape.components or ():
        if part.kind == "separator":
            separator = part.value
        elif part.kind not in _PLACES:
            joint = separator or (" " if frozenset((previous, part.kind)) == _NUMBERED_STREET else ", ")
            text = f"{text}{joint}{part.value.strip()}" if text else part.value.strip()
        if part.kind != "separator":
            previous, separator = part.kind, ""
    return text


def _service_shape(service: OnlineService) -> shapes.ServiceShape:
    return shapes.ServiceShape(service=service.service or None, uri=service.uri or None, user=service.user or None)


def _service(shape: shapes.ServiceShape) -> OnlineService:
    return OnlineService(service=shape.service or "", uri=shape.uri or "", user=shape.user or "")


def _anniversary_shape(anniversary: Anniversary) -> shapes.AnniversaryShape:
    if anniversary.date.startswith("--"):
        month, day = anniversary.date[2:].split("-")
        date = shapes.DateShape(month=int(month), day=int(day))
    else:
        numbers = [int(part) for part in anniversary.date.split("-")]
        date = shapes.DateShape(**dict(zip(("year", "month", "day"), numbers, strict=False)))
    return shapes.AnniversaryShape(kind=anniversary.kind, date=date)


def _anniversary(shape: shapes.AnniversaryShape) -> Anniversary | None:
    date = normal_date(_date_text(shape.date))
    if date is None or shape.kind not in _OCCASIONS:
        return None
    return Anniversary.model_validate({"kind": shape.kind, "date": date})


def _date_text(date: shapes.DateShape) -> str:
    if date.utc:
        return date.utc
    if date.year is None:
        return f"--{date.month or 0:02}-{date.day or 0:02}"
    return "-".join(f"{part:0{2 if at else 4}}" for at, part in enumerate((date.year, date.month, date.day)) if part)
