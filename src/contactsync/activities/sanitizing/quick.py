"""The short way for contacts that are clean but for the spelling of e-mail addresses and phone numbers: by far most.

A contact's texts are looked at all at once. Whatever may have to be changed, dropped, folded or set aside goes the long
way, `sanitize`: here is only told what `sanitize` would answer too, and a test holds the two against each other.
"""

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from msgspec import MsgspecError
from msgspec.structs import replace

from contactsync.activities.contacts.contact import Field
from contactsync.activities.contacts.dates import normal_date
from contactsync.activities.contacts.limits import MAX_CONTACT_BYTES, MAX_LINE_CHARS, MAX_NOTE_CHARS, MAX_VALUES
from contactsync.activities.contacts.wire import WireAddress, WireContact, WireEmail, WirePhone, read_wire, written_wire
from contactsync.activities.sanitizing.emails import clean_email
from contactsync.activities.sanitizing.links import clean_uri
from contactsync.activities.sanitizing.normal_forms import email_normal_form, phone_normal_form
from contactsync.activities.sanitizing.phones import stored_phone
from contactsync.activities.sanitizing.plain import is_plain_line
from contactsync.activities.sanitizing.policy import Policy
from contactsync.activities.sanitizing.sanitize import CONTEXTS, FEATURES, country_code

_SURELY_FITS: Final = MAX_CONTACT_BYTES // 2
"""The bound holds for JSON with all defaults; those of a hundred values take less than the other half."""

_ATTRIBUTES: Final = MappingProxyType(
    {field: field.value for field in Field} | {Field.ONLINE_SERVICES: "online_services"}
)


class _UnsureError(Exception):
    """Only the long way knows."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A clean contact: its canonical JSON, and the normal forms under which it can be found."""

    content: bytes
    emails: tuple[str, ...]
    phones: tuple[str, ...]


class ShortWay:
    """Cleans contacts under one policy."""

    def __init__(self, policy: Policy) -> None:
        self._region = policy.default_region
        self._unwanted = tuple(name for field, name in _ATTRIBUTES.items() if field not in policy.fields)

    def cleaned(self, content: bytes) -> Cleaned | None:
        """What `sanitize` makes of the contact of this JSON; None: only `sanitize` can tell."""
        try:
            return self._cleaned(read_wire(content))
        except (_UnsureError, MsgspecError, UnicodeDecodeError):
            return None

    def _cleaned(self, raw: WireContact) -> Cleaned:
        for name in self._unwanted:
            _sure(not getattr(raw, name))
        _check_texts(raw)
        _check_values(raw)
        emails, email_forms = _emails(raw.emails)
        phones, phone_forms = self._phones(raw.phones)
        contact = raw if emails == raw.emails and phones == raw.phones else replace(raw, emails=emails, phones=phones)
        _check_distinct(contact, email_forms)
        content = written_wire(contact)
        _sure(len(content) <= _SURELY_FITS)
        return Cleaned(content, email_forms, phone_forms)

    def _phones(self, raw: Sequence[WirePhone]) -> tuple[tuple[WirePhone, ...], tuple[str, ...]]:
        phones: list[WirePhone] = []
        forms: list[str] = []
        for phone in raw:
            clean = stored_phone(phone.number, phone.extension, self._region)
            if clean is None:
                raise _UnsureError
            _check_words(phone.features, FEATURES)
            _check_use(phone)
            number, extension, e164 = clean
            phones.append(WirePhone(number, extension, e164, phone.features, phone.contexts, phone.pref, phone.label))
            form = number if e164 and number == phone.number else phone_normal_form(number)
            if form:
                forms.append(form)
        return tuple(phones), tuple(forms)


def _sure(condition: bool) -> None:  # reads as the sentence it is
    if not condition:
        raise _UnsureError


def _emails(raw: Sequence[WireEmail]) -> tuple[tuple[WireEmail, ...], tuple[str, ...]]:
    emails: list[WireEmail] = []
    forms: list[str] = []
    for email in raw:
        address = clean_email(email.address)
        form = email_normal_form(address) if address else None
        if address is None or form is None:
            raise _UnsureError
        _check_use(email)
        emails.append(
            email if address == email.address else WireEmail(address, email.contexts, email.pref, email.label)
        )
        forms.append(form)
    return tuple(emails), tuple(forms)


def _check_texts(contact: WireContact) -> None:
    """All texts at once: in one line with single spaces between them, none may be empty, unclean or too long."""
    lines, notes = _lines(contact), [note.note.replace("\n", " ") for note in contact.notes]
    _sure(0 < len(lines) + len(notes) <= MAX_VALUES)
    if contact.uid:
        lines.append(contact.uid)
    text = " ".join(lines + notes)
    _sure(text != "" and is_plain_line(text))
    if len(text) > MAX_LINE_CHARS:
        _sure(max(map(len, lines), default=0) <= MAX_LINE_CHARS and max(map(len, notes), default=0) <= MAX_NOTE_CHARS)


def _lines(contact: WireContact) -> list[str]:
    """At least one text of every value; of the optional ones those that are given."""
    lines = [*contact.keywords, *contact.members]
    if name := contact.name:
        lines += _part(name.full, [component.value for component in name.components])
    lines += [nickname.name for nickname in contact.nicknames]
    for organization in contact.organizations:
        lines += _part(organization.name, organization.units)
    lines += [title.name for title in contact.titles]
    for email in contact.emails:
        lines += (email.address, email.label) if email.label else (email.address,)
    for phone in contact.phones:
        lines += (phone.number, phone.label) if phone.label else (phone.number,)
    for address in contact.addresses:
        lines += _given(_texts_of(address))
    for service in contact.online_services:
        lines += _given((service.uri, service.user))
        lines += (service.service,) if service.service else ()
    for link in contact.links:
        lines += (link.uri, link.label) if link.label else (link.uri,)
    lines += [anniversary.date for anniversary in contact.anniversaries]
    return lines


def _texts_of(address: WireAddress) -> tuple[str, ...]:
    place = (address.street, address.locality, address.region, address.postcode, address.country, address.country_code)
    return (*place, address.full.replace("\n", " "))


def _part(whole: str, parts: Sequence[str]) -> Sequence[str]:
    _sure(bool(whole or parts))
    return [whole, *parts] if whole else parts


def _given(texts: Iterable[str]) -> Sequence[str]:
    given = [text for text in texts if text]
    _sure(bool(given))
    return given


def _check_values(contact: WireContact) -> None:
    """What is no free text: words of closed lists, URIs, country codes, dates."""
    for address in contact.addresses:
        _check_words(address.contexts, CONTEXTS)
        _sure(address.country_code == country_code(address.country_code))
    for service in contact.online_services:
        _sure(not service.uri or service.uri == clean_uri(service.uri))
    for link in contact.links:
        _sure(link.uri == clean_uri(link.uri))
    for anniversary in contact.anniversaries:
        _sure(anniversary.date == normal_date(anniversary.date))


def _check_use(value: WireEmail | WirePhone) -> None:
    _check_words(value.contexts, CONTEXTS)
    _sure(value.pref is None or 1 <= value.pref <= 100)


def _check_words(words: Sequence[str], known: frozenset[str]) -> None:
    for word in words:
        _sure(word in known)
    _distinct(words)


def _check_distinct(contact: WireContact, email_forms: Sequence[str]) -> None:
    """Nothing is there twice. Values are told apart by what `sanitize` folds them by."""
    _distinct(email_forms)
    _distinct([(phone.number, phone.extension) for phone in contact.phones])
    _distinct([link.uri for link in contact.links])
    for values in (
        contact.nicknames,
        contact.organizations,
        contact.titles,
        contact.addresses,
        contact.online_services,
        contact.anniversaries,
        contact.notes,
        contact.keywords,
        contact.members,
    ):
        _distinct(values)


def _distinct(values: Collection[Hashable]) -> None:
    if len(values) > 1:
        _sure(len(set(values)) == len(values))
