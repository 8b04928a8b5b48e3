"""Made-up contacts for the demo, tests and measurements: international, reproducible, nobody's.

E-mail addresses lie under `.example` (RFC 2606). Phone numbers are valid and near the example numbers that the
phonenumbers library publishes for each region; nothing here ever dials one.
"""

import hashlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from uuid import UUID

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

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
from contactsync.activities.contacts.made_up_names import LOCALES, Locale

_FREE_DIGITS: Final = 5
"""The last digits of an example number that may be any without leaving the range (a test checks every region)."""

_COMPANIES: Final = ("nordlicht", "bluebird", "fjord", "sakura", "karawane", "quetzal", "baobab", "polder", "taiga")
_DOMAINS_OF_THE_WORLD: Final = ("bücher.example", "почта.example", "例え.example", "παράδειγμα.example")
_DEPARTMENTS: Final = ("R&D", "Vertrieb", "財務部", "Отдел кадров", "Logistique; Transport", "Support, 24/7")
_NOTE: Final = "Met at the fair.\nPrefers e-mail, reference {token}."


def made_up_contacts(count: int, seed: int) -> list[Contact]:
    """`count` contacts, the same for the same seed, each clean: sanitizing it with every field allowed changes nothing.

    E-mail addresses, notes and uids are unique over all seeds; full names and phone numbers within one seed, for
    tens of thousands of contacts.
    """
    return [_contact(_Person.of(index, seed)) for index in range(count)]


def personal_strings(contact: Contact) -> Iterator[str]:
    """The values that tell who the contact is: what may be found in the clear nowhere outside the database's seal."""
    if contact.name and contact.name.full:
        yield contact.name.full
    for email in contact.emails:
        yield email.address
    for phone in contact.phones:
        yield phone.number.removeprefix("+")
    for address in contact.addresses:
        yield address.street
    for note in contact.notes:
        yield from (line for line in note.note.split("\n") if line)


@dataclass(frozen=True, slots=True)
class _Person:
    index: int  # among the contacts of this seed
    nth: int  # among those of this locale
    mix: int  # bits that vary from one to the next
    token: str  # unique over seeds
    locale: Locale

    @classmethod
    def of(cls, index: int, seed: int) -> "_Person":
        mix = ((index + 1) * 2_654_435_761 + seed * 40_503) & 0xFFFF_FFFF
        return cls(index, index // len(LOCALES), mix >> 8, f"s{seed}n{index}", LOCALES[(index + seed) % len(LOCALES)])

    def one_in(self, chance: int, salt: int) -> bool:
        return (self.mix >> salt) % chance == 0


def _contact(person: _Person) -> Contact:
    locale, token = person.locale, person.token
    name = _name(person)
    return Contact(
        uid=str(UUID(bytes=hashlib.sha256(token.encode()).digest()[:16], version=4)),
        name=name,
        nicknames=(Nickname(name=f"{name.components[-1].value} {token}"),) if person.one_in(7, 3) else (),
        organizations=(Organization(name=locale.company, units=_units(person)),) if not person.one_in(4, 5) else (),
        titles=(Title(name=locale.title),) if person.one_in(2, 7) else (),
        emails=_emails(person, name),
        phones=_phones(person),
        addresses=(_address(person),) if person.one_in(3, 2) else (),
        online_services=(OnlineService(service="XMPP", uri=f"xmpp:{token}@chat.example"),) * person.one_in(9, 4),
        links=(Link(uri=f"https://{token}.example/profile"),) if person.one_in(8, 6) else (),
        anniversaries=(Anniversary(kind="birth", date=_birthday(person)),) if person.one_in(3, 1) else (),
        notes=(Note(note=_NOTE.format(token=token)),) if person.one_in(2, 4) else (),
        keywords=("VIP",) if person.one_in(11, 0) else (),
    )


def _name(person: _Person) -> Name:
    locale, nth = person.locale, person.nth
    surname = locale.surnames[nth % len(locale.surnames)]
    nth //= len(locale.surnames)
    given = locale.given[nth % len(locale.given)]
    nth //= len(locale.given)
    parts = [NameComponent(kind="surname", value=surname), NameComponent(kind="given", value=given)]
    if not locale.spaced:
        return Name(full=surname + given, components=tuple(parts))
    full = f"{given} {surname}"
    if nth:  # every pair is taken: a second given name tells people apart
        given2 = locale.given[(nth - 1) % len(locale.given)]
        parts.append(NameComponent(kind="given2", value=given2))
        full = f"{given} {given2} {surname}"
    return Name(full=full, components=tuple(parts))


def _units(person: _Person) -> tuple[str, ...]:
    return (_DEPARTMENTS[person.mix % len(_DEPARTMENTS)],) if person.one_in(2, 9) else ()


def _emails(person: _Person, name: Name) -> tuple[EmailAddress, ...]:
    if person.one_in(16, 8):  # some people are only phoned
        return ()
    company = _COMPANIES[person.mix % len(_COMPANIES)]
    local = f"{_ascii(name.components[0].value)}.{person.token}"
    emails = [EmailAddress(address=f"{local}@{company}.example", contexts=("work",), pref=1)]
    if person.one_in(4, 10):
        emails.append(EmailAddress(address=f"{person.token}@home.example", contexts=("private",)))
    if person.one_in(20, 5):
        domain = _DOMAINS_OF_THE_WORLD[person.mix % len(_DOMAINS_OF_THE_WORLD)]
        given = name.components[1].value.replace("\u200c", "")
        emails.append(EmailAddress(address=f"{given}.{person.token}@{domain}"))
    return tuple(emails)


def _phones(person: _Person) -> tuple[Phone, ...]:
    mobile, fixed = _example_numbers(person.locale.region)
    phones = [Phone(number=mobile + _digits(person.nth), e164=True, features=("mobile",), contexts=("private",))]
    if person.one_in(2, 6):
        extension = str(100 + person.nth % 900) if person.one_in(6, 7) else ""
        number = fixed + _digits(person.nth + 50_000)  # in some plans mobile and fixed lines share their prefix
        phones.append(Phone(number=number, extension=extension, e164=True, contexts=("work",)))
    return tuple(phones)


def _digits(number: int) -> str:
    return f"{number % 10**_FREE_DIGITS:0{_FREE_DIGITS}}"


@lru_cache(maxsize=len(LOCALES))
def _example_numbers(region: str) -> tuple[str, str]:
    """The region's mobile and fixed-line example numbers in E.164 without their last digits."""
    mobile, fixed = (
        phonenumbers.format_number(number, PhoneNumberFormat.E164)[:-_FREE_DIGITS]
        for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE)
        if (number := phonenumbers.example_number_for_type(region, kind))
    )
    return mobile, fixed


def _address(person: _Person) -> Address:
    locale = person.locale
    return Address(
        street=f"{locale.street} {person.token}",
        locality=locale.city,
        postcode=f"{10_000 + person.mix % 90_000}",
        country=locale.country,
        country_code=locale.region,
        contexts=("private",),
    )


def _birthday(person: _Person) -> str:
    month_day = f"{1 + person.mix % 12:02}-{1 + person.mix % 28:02}"
    return f"--{month_day}" if person.one_in(5, 3) else f"{1940 + person.mix % 66}-{month_day}"


@lru_cache(maxsize=1024)
def _ascii(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "".join(letter for letter in letters if letter.isalnum()) or "kontakt"
