"""The short way for contacts that are clean but for spaces and the spelling of addresses and numbers: by far most.

Whatever may have to be changed otherwise, dropped, folded or set aside goes the long way, `sanitize`: here is only told
what `sanitize` would answer too, and a test holds the two against each other.
"""

from collections.abc import Collection, Hashable, Sequence
from itertools import chain, compress, permutations, product
from string import ascii_uppercase
from types import MappingProxyType
from typing import Final

from msgspec import MsgspecError, Struct
from msgspec.structs import astuple, replace

from contactsync.activities.contacts.contact import Field
from contactsync.activities.contacts.dates import normal_date
from contactsync.activities.contacts.limits import MAX_CONTACT_BYTES, MAX_VALUES
from contactsync.activities.contacts.wire import (
    WireContact,
    WireEmail,
    WirePhone,
    read_wire,
    written_wire,
)
from contactsync.activities.sanitizing.emails import parsed_email, plain_email
from contactsync.activities.sanitizing.links import clean_uri
from contactsync.activities.sanitizing.normal_forms import email_normal_form, phone_normal_form
from contactsync.activities.sanitizing.phone_plans import plain_e164
from contactsync.activities.sanitizing.phones import stored_phone
from contactsync.activities.sanitizing.policy import Policy
from contactsync.activities.sanitizing.quick_texts import are_clean, squeezed
from contactsync.activities.sanitizing.sanitize import CONTEXTS, FEATURES

_SURELY_FITS: Final = MAX_CONTACT_BYTES // 2
"""The bound holds for JSON with all defaults; those of a hundred values take less than the other half."""

_ATTRIBUTES: Final = MappingProxyType(
    {field: field.value for field in Field} | {Field.ONLINE_SERVICES: "online_services"}
)


def _orders(words: Collection[str]) -> frozenset[tuple[str, ...]]:
    """Up to three of the words, none twice, in any order: more is rare."""
    return frozenset(chain.from_iterable(permutations(words, count) for count in range(4)))


_CONTEXTS: Final = _orders(CONTEXTS)
_FEATURES: Final = _orders(FEATURES)
_PREFS: Final = frozenset({None, *range(1, 101)})
_COUNTRY_CODES: Final = frozenset({"", *(one + other for one, other in product(ascii_uppercase, repeat=2))})


class _UnsureError(Exception):
    """Only the long way knows."""


class Cleaned(Struct, frozen=True):
    """A clean contact: its canonical JSON, and the normal forms under which it can be found."""

    content: bytes
    emails: tuple[str, ...]
    phones: tuple[str, ...]


class ShortWay:
    """Cleans contacts under one policy."""

    def __init__(self, policy: Policy) -> None:
        self._region = policy.default_region
        kept = {"uid", "kind", *(_ATTRIBUTES[field] for field in policy.fields)}
        self._unwanted = tuple(name not in kept for name in WireContact.__struct_fields__)

    def cleaned(self, content: bytes) -> Cleaned | None:
        """What `sanitize` makes of the contact of this JSON; None: only `sanitize` can tell."""
        try:
            return self._cleaned(_with_clean_texts(content))
        except (_UnsureError, MsgspecError, UnicodeDecodeError):
            return None

    def _cleaned(self, raw: WireContact) -> Cleaned:
        if not (self._is_wanted(raw) and _is_complete(raw) and _is_valid(raw)):
            raise _UnsureError
        emails, email_forms = _emails(raw.emails)
        phones, phone_forms = self._phones(raw.phones)
        content = written_wire(replace(raw, emails=emails, phones=phones))
        if len(content) > _SURELY_FITS:
            raise _UnsureError
        return Cleaned(content, email_forms, phone_forms)

    def _is_wanted(self, raw: WireContact) -> bool:
        """Whether it says something beside `uid` and `kind`, all of it is to be kept, and nothing is said twice."""
        members = astuple(raw)
        for values in members[3:]:
            if len(values) > 1 and not _are_distinct(values):
                return False
        return any(members[2:]) and not any(compress(members, self._unwanted))

    def _phones(self, raw: Sequence[WirePhone]) -> tuple[tuple[WirePhone, ...], tuple[str, ...]]:
        phones: list[WirePhone] = []
        numbers: list[str] = []
        forms: list[str] = []
        for phone in raw:
            if phone.features not in _FEATURES or phone.contexts not in _CONTEXTS or phone.pref not in _PREFS:
                raise _UnsureError
            plain = None if phone.extension else plain_e164(phone.number, self._region)
            number, extension, e164, form = (plain, "", True, plain) if plain else self._stored(phone)
            phones.append(WirePhone(number, extension, e164, phone.features, phone.contexts, phone.pref, phone.label))
            numbers.append(number)
            if form:
                forms.append(form)
        if not _are_distinct(numbers):  # with two extensions they may be two: that is rare
            raise _UnsureError
        return tuple(phones), tuple(forms)

    def _stored(self, phone: WirePhone) -> tuple[str, str, bool, str | None]:
        """Number, extension and whether it is in E.164, as `stored_phone` answers, and its normal form."""
        clean = stored_phone(phone.number, phone.extension, self._region)
        if clean is None:
            raise _UnsureError
        number, extension, e164 = clean
        return number, extension, e164, phone_normal_form(number)


def _with_clean_texts(content: bytes) -> WireContact:
    raw = read_wire(content)
    if are_clean(content, raw):
        return raw
    content = squeezed(content)
    raw = read_wire(content)
    if not are_clean(content, raw):
        raise _UnsureError
    return raw


def _are_distinct(values: Collection[Hashable]) -> bool:
    """Whether none is there twice, and they are no more than may be."""
    return len(values) < 2 or len(set(values)) == len(values) <= MAX_VALUES


def _is_complete(raw: WireContact) -> bool:
    """Whether a name and every organization says something, and in no more parts than may be."""
    for organization in raw.organizations:
        if not _has_parts(organization.name, organization.units):
            return False
    return raw.name is None or _has_parts(raw.name.full, raw.name.components)


def _has_parts(whole: str, parts: Sequence[object]) -> bool:
    return bool(whole or parts) and len(parts) <= MAX_VALUES


def _is_valid(raw: WireContact) -> bool:
    """Whether every postal address, URI and date is as it should be."""
    for address in raw.addresses:
        if address.contexts not in _CONTEXTS or address.country_code not in _COUNTRY_CODES:
            return False
        if not any(astuple(address)[:-1]):  # it says nothing but its contexts
            return False
    return not (raw.online_services or raw.links or raw.anniversaries) or _are_valid_references(raw)


def _are_valid_references(raw: WireContact) -> bool:
    services = [
        service.uri == clean_uri(service.uri) if service.uri else service.user for service in raw.online_services
    ]
    links = [link.uri == clean_uri(link.uri) for link in raw.links]
    dates = [anniversary.date == normal_date(anniversary.date) for anniversary in raw.anniversaries]
    return all(services) and all(links) and all(dates) and _are_distinct([link.uri for link in raw.links])


def _emails(raw: Sequence[WireEmail]) -> tuple[tuple[WireEmail, ...], tuple[str, ...]]:
    emails: list[WireEmail] = []
    forms: list[str] = []
    for email in raw:
        if email.contexts not in _CONTEXTS or email.pref not in _PREFS:
            raise _UnsureError
        address, form = plain_email(email.address) or _parsed(email.address)
        emails.append(
            email if address == email.address else WireEmail(address, email.contexts, email.pref, email.label)
        )
        forms.append(form)
    if not _are_distinct(forms):
        raise _UnsureError
    return tuple(emails), tuple(forms)


def _parsed(text: str) -> tuple[str, str]:
    """As `plain_email`, by the library."""
    address = parsed_email(text)
    form = email_normal_form(address) if address else None
    if address is None or form is None:
        raise _UnsureError
    return address, form
