"""A contact as a source has it, made clean: normalised, validated, minimised, bounded.

The same contact and policy always give the same result, and sanitizing a clean contact changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from contactsync.activities.contacts.contact import (
    Address,
    Anniversary,
    Contact,
    EmailAddress,
    Field,
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
from contactsync.activities.contacts.limits import (
    MAX_CONTACT_BYTES,
    MAX_LINE_CHARS,
    MAX_MEMBERS,
    MAX_NOTE_CHARS,
    MAX_READ_CHARS,
    MAX_VALUES,
)
from contactsync.activities.contacts.quarantine import QuarantineReason, UnreadableContact
from contactsync.activities.sanitizing.emails import clean_email
from contactsync.activities.sanitizing.findings import Finding
from contactsync.activities.sanitizing.fold import first, fold, merged_emails, merged_phones
from contactsync.activities.sanitizing.links import clean_uri, has_scheme
from contactsync.activities.sanitizing.normal_forms import email_normal_form
from contactsync.activities.sanitizing.phones import stored_phone
from contactsync.activities.sanitizing.plain import plain_line, plain_lines
from contactsync.activities.sanitizing.policy import Policy
from contactsync.activities.sanitizing.text import clean_line, shorten

CONTEXTS: Final = frozenset({"private", "work", "billing", "delivery"})
"""RFC 9553 §1.5.1 and §2.5.1."""

FEATURES: Final = frozenset({"mobile", "voice", "text", "video", "main-number", "textphone", "fax", "pager"})
"""RFC 9553 §2.3.3."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Sanitized:
    """A clean contact, and how many of its values met which finding."""

    contact: Contact
    findings: Mapping[Finding, int]


def sanitize(contact: Contact, policy: Policy) -> Contact:
    """The clean contact, with `uid`, `kind` and the policy's fields only.

    Raises:
        UnreadableContact: `too_many_values`, `too_large`, or `empty` when nothing is left that the policy keeps.
    """
    return sanitize_with_findings(contact, policy).contact


def sanitize_with_findings(contact: Contact, policy: Policy) -> Sanitized:
    """As `sanitize`, and what was dropped, folded or shortened on the way.

    Raises:
        UnreadableContact: as `sanitize`.
    """
    cleaning = _Cleaning(contact, policy)
    clean = cleaning.contact()
    if len(clean.model_dump_json().encode()) > MAX_CONTACT_BYTES:
        raise UnreadableContact(QuarantineReason.TOO_LARGE)
    return Sanitized(clean, cleaning.findings)


class _Cleaning:
    def __init__(self, contact: Contact, policy: Policy) -> None:
        self.findings: Counter[Finding] = Counter()
        self._contact = contact
        self._policy = policy

    def contact(self) -> Contact:
        raw = self._contact
        kept = {
            "name": self._name() if Field.NAME in self._policy.fields else None,
            "nicknames": self._each(Field.NICKNAMES, raw.nicknames, self._nickname, lambda value: value.name),
            "organizations": self._each(Field.ORGANIZATIONS, raw.organizations, self._organization),
            "titles": self._each(Field.TITLES, raw.titles, self._title),
            "emails": self._each(Field.EMAILS, raw.emails, self._email, _email_key, merged_emails),
            "phones": self._each(Field.PHONES, raw.phones, self._phone, _phone_key, merged_phones),
            "addresses": self._each(Field.ADDRESSES, raw.addresses, self._address),
            "online_services": self._each(Field.ONLINE_SERVICES, raw.online_services, self._online_service),
            "links": self._each(Field.LINKS, raw.links, self._link, lambda value: value.uri),
            "anniversaries": self._each(Field.ANNIVERSARIES, raw.anniversaries, self._anniversary),
            "notes": self._each(Field.NOTES, raw.notes, self._note),
            "keywords": self._each(Field.KEYWORDS, raw.keywords, self._line),
            "members": self._each(Field.MEMBERS, raw.members, self._identifier),
        }
        if not any(kept.values()):
            raise UnreadableContact(QuarantineReason.EMPTY)
        return Contact.model_validate({"uid": self._identifier(raw.uid), "kind": raw.kind, **kept})

    def _each(
        self,
        field: Field,
        values: tuple[Value, ...],
        clean: Callable[[Value], Value | None],
        key: Callable[[Value], object] = lambda value: value,
        merge: Callable[[Value, Value], Value] = first,
    ) -> tuple[Value, ...]:
        if not values or field not in self._policy.fields:
            return ()
        if len(values) > (MAX_MEMBERS if field is Field.MEMBERS else MAX_VALUES):
            raise UnreadableContact(QuarantineReason.TOO_MANY_VALUES)
        cleaned = [result for value in values if (result := clean(value))]
        folded = fold(cleaned, key, merge) if len(cleaned) > 1 else cleaned
        self._count(Finding.DUPLICATE_FOLDED, len(cleaned) - len(folded))
        return tuple(folded)

    def _count(self, finding: Finding, times: int = 1) -> None:
        if times:
            self.findings[finding] += times

    def _shorten(self, text: str, characters: int) -> str:
        shorter = shorten(text, characters)
        self._count(Finding.TEXT_SHORTENED, len(shorter) != len(text))
        return shorter

    def _cut(self, text: str) -> str:
        """What is longer than any reader reads is not worked on either."""
        self._count(Finding.TEXT_SHORTENED, len(text) > MAX_READ_CHARS)
        return text[:MAX_READ_CHARS]

    def _line(self, text: str) -> str:
        return self._shorten(plain_line(self._cut(text)), MAX_LINE_CHARS) if text else ""

    def _lines(self, text: str, characters: int) -> str:
        return self._shorten(plain_lines(self._cut(text)), characters) if text else ""

    def _identifier(self, text: str) -> str:
        return self._shorten(clean_line(self._cut(text)), MAX_LINE_CHARS) if text else ""

    def _name(self) -> Name | None:
        name = self._contact.name
        if name is None:
            return None
        if len(name.components) > MAX_VALUES:
            raise UnreadableContact(QuarantineReason.TOO_MANY_VALUES)
        parts = [NameComponent(kind=part.kind, value=self._component(part)) for part in name.components]
        full, components = self._line(name.full), tuple(part for part in parts if part.value)
        return Name(full=full, components=components) if full or components else None

    def _component(self, component: NameComponent) -> str:
        value, raw = self._line(component.value), component.value
        if component.kind != "separator" or not raw:
            return value
        return f"{' ' * raw[0].isspace()}{value}{' ' * raw[-1].isspace()}" if value else " "

    def _nickname(self, nickname: Nickname) -> Nickname | None:
        name = self._line(nickname.name)
        return Nickname(name=name) if name else None

    def _organization(self, organization: Organization) -> Organization | None:
        if len(organization.units) > MAX_VALUES:
            raise UnreadableContact(QuarantineReason.TOO_MANY_VALUES)
        name = self._line(organization.name)
        units = tuple(clean for unit in organization.units if (clean := self._line(unit)))
        return Organization(name=name, units=units) if name or units else None

    def _title(self, title: Title) -> Title | None:
        name = self._line(title.name)
        return Title(name=name, kind=title.kind) if name else None

    def _email(self, email: EmailAddress) -> EmailAddress | None:
        address = clean_email(clean_line(email.address[:MAX_READ_CHARS]))
        if address is None:
            return self._count(Finding.EMAIL_DROPPED)
        return EmailAddress(
            address=address,
            contexts=_known(email.contexts, CONTEXTS),
            pref=_preference(email.pref),
            label=self._line(email.label),
        )

    def _phone(self, phone: Phone) -> Phone | None:
        number = stored_phone(self._line(phone.number), phone.extension, self._policy.default_region)
        if number is None:
            return self._count(Finding.PHONE_DROPPED)
        self._count(Finding.PHONE_AS_TEXT, not number.e164)
        return Phone(
            number=number.number,
            extension=number.extension,
            e164=number.e164,
            features=_known(phone.features, FEATURES),
            contexts=_known(phone.contexts, CONTEXTS),
            pref=_preference(phone.pref),
            label=self._line(phone.label),
        )

    def _address(self, address: Address) -> Address | None:
        clean = Address(
            street=self._line(address.street.replace("\n", ", ")),
            locality=self._line(address.locality),
            region=self._line(address.region),
            postcode=self._line(address.postcode),
            country=self._line(address.country),
            country_code=country_code(address.country_code),
            full=self._lines(address.full, MAX_LINE_CHARS),
            contexts=_known(address.contexts, CONTEXTS),
        )
        written = (
            clean.street,
            clean.locality,
            clean.region,
            clean.postcode,
            clean.country,
            clean.country_code,
            clean.full,
        )
        return clean if any(written) else None

    def _online_service(self, service: OnlineService) -> OnlineService | None:
        text = clean_line(service.uri[:MAX_READ_CHARS])
        uri, user = self._uri(text) if has_scheme(text) else None, self._line(service.user)
        if text and not has_scheme(text):  # some sources put the bare account name there
            user = user or self._line(text)
        return OnlineService(service=self._line(service.service), uri=uri or "", user=user) if uri or user else None

    def _link(self, link: Link) -> Link | None:
        uri = self._uri(clean_line(link.uri[:MAX_READ_CHARS]))
        return Link(uri=uri, label=self._line(link.label)) if uri else None

    def _uri(self, text: str) -> str | None:
        uri = clean_uri(text)
        self._count(Finding.URI_DROPPED, uri is None)
        return uri

    def _anniversary(self, anniversary: Anniversary) -> Anniversary | None:
        date = normal_date(anniversary.date)
        return Anniversary(kind=anniversary.kind, date=date) if date else self._count(Finding.DATE_DROPPED)

    def _note(self, note: Note) -> Note | None:
        text = self._lines(note.note, MAX_NOTE_CHARS)
        return Note(note=text) if text else None


def _email_key(email: EmailAddress) -> object:
    return email_normal_form(email.address) or email.address


def _phone_key(phone: Phone) -> object:
    return phone.number, phone.extension


def _known(words: Iterable[str], known: frozenset[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in words if word in known))


def _preference(pref: int | None) -> int | None:
    return None if pref is None else min(max(pref, 1), 100)


def country_code(code: str) -> str:
    """The code in capitals, or nothing if it is none (ISO 3166-1 alpha-2)."""
    code = code.strip()
    return code.upper() if len(code) == 2 and code.isascii() and code.isalpha() else ""
