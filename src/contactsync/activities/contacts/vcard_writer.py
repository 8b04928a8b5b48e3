"""Write a contact as a vCard, the way a given program would (RFC 6350, RFC 2426, vCard 2.1, RFC 9554, RFC 9555 §3)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from contactsync.activities.contacts.contact import (
    Address,
    Anniversary,
    Contact,
    EmailAddress,
    Name,
    OnlineService,
    Phone,
)
from contactsync.activities.contacts.names import display_name
from contactsync.activities.contacts.vcard_styles import RULES, Style, StyleRules
from contactsync.activities.contacts.vcard_vocabulary import NAME_PARTS

_LINE_OCTETS: Final = 75
_CONTEXT_TYPES: Final = {"private": "HOME", "work": "WORK"}
_FEATURE_TYPES: Final = {"mobile": "CELL", "main-number": "MAIN"}
_PARAMETER_ESCAPES: Final = {"^": "^^", "\n": "^n", '"': "^'"}
_UNSAFE_PARAMETER: Final = re.compile(r"[^!\w.+@-]")


def to_vcard(contact: Contact, style: Style) -> str:
    """The contact as one vCard with CRLF line ends, folded at 75 octets where the style folds.

    What a style cannot say is left out: contexts other than private and work and separators of names in all styles;
    before 4.0 preferences other than the first, dates without a day, the full text of addresses, and second surnames
    and generations as such (they join the surnames and suffixes); in 2.1 also labels, country codes and partial dates.
    """
    return _Writer(contact, RULES[style]).card()


class _Writer:
    def __init__(self, contact: Contact, rules: StyleRules) -> None:
        self._contact = contact
        self._rules = rules
        self._modern = rules.version == "4.0"
        self._items = 0

    def card(self) -> str:
        lines = ["BEGIN:VCARD", f"VERSION:{self._rules.version}", *self._lines(), "END:VCARD"]
        return "".join(f"{self._fold(line)}\r\n" for line in lines)

    def _lines(self) -> Iterator[str]:
        if self._rules.product:
            yield f"PRODID:{self._rules.product}"
        if self._contact.uid:
            yield self._text("UID", self._contact.uid)
        yield from self._who()
        yield from self._where()
        yield from self._what()

    def _who(self) -> Iterator[str]:
        contact = self._contact
        yield from self._kind()
        yield from self._name(contact.name)
        for nickname in contact.nicknames:
            yield self._listed("NICKNAME", nickname.name)
        for organization in contact.organizations:
            yield self._structured("ORG", [[organization.name], *([unit] for unit in organization.units)])
        for title in contact.titles:
            yield self._text("ROLE" if title.kind == "role" else "TITLE", title.name)

    def _where(self) -> Iterator[str]:
        contact = self._contact
        for email in contact.emails:
            yield from self._email(email)
        for phone in contact.phones:
            yield from self._phone(phone)
        for address in contact.addresses:
            yield from self._address(address)
        for service in contact.online_services:
            yield self._online_service(service)
        for link in contact.links:
            yield from self._labelled(self._uri("URL", link.uri), link.label)

    def _what(self) -> Iterator[str]:
        contact = self._contact
        for anniversary in contact.anniversaries:
            yield from self._anniversary(anniversary)
        for note in contact.notes:
            yield self._text("NOTE", note.note)
        for keyword in contact.keywords:
            yield self._listed("CATEGORIES", keyword)
        for member in contact.members:
            yield self._uri(self._rules.group_member, member)

    def _kind(self) -> Iterator[str]:
        kind = self._contact.kind
        if kind == "group":
            yield f"{self._rules.group_kind}:group"
        elif kind == "org" and not self._modern:
            yield "X-ABShowAs:COMPANY"
        elif kind != "individual":
            yield f"KIND:{kind}"

    def _name(self, name: Name | None) -> Iterator[str]:
        parts = [[part.value for part in name.components if part.kind == kind] for kind in NAME_PARTS] if name else []
        if any(parts):
            surname2, generation = parts[5], parts[6]
            parts[0] += surname2  # RFC 9554 §2.2: also where older readers look for them
            parts[4] += generation
            yield self._structured("N", parts if self._modern else parts[:5])
        elif not self._modern:  # mandatory before 4.0
            yield "N:;;;;"
        yield self._text("FN", display_name(self._contact))

    def _email(self, email: EmailAddress) -> Iterator[str]:
        types = [*self._rules.email_types, *_types(email.contexts)]
        yield from self._labelled(self._text("EMAIL", email.address, self._typed(types, email.pref)), email.label)

    def _phone(self, phone: Phone) -> Iterator[str]:
        types = [*(_FEATURE_TYPES.get(feature, feature.upper()) for feature in phone.features), *_types(phone.contexts)]
        parameters = self._typed(types, phone.pref)
        if self._modern and phone.e164:
            extension = f";ext={phone.extension}" if phone.extension else ""
            line = self._uri("TEL", f"tel:{phone.number}{extension}", f";VALUE=uri{parameters}")
        else:
            extension = f" ext. {phone.extension}" if phone.extension else ""
            line = self._text("TEL", phone.number + extension, parameters)
        yield from self._labelled(line, phone.label)

    def _address(self, address: Address) -> Iterator[str]:
        self._items += 1
        group = f"item{self._items}." if address.country_code and self._rules.labels and not self._modern else ""
        parameters = self._typed(_types(address.contexts), None)
        if self._modern and address.country_code:
            parameters += f";CC={_parameter(address.country_code)}"
        if self._modern and address.full:
            parameters += f";LABEL={_parameter(address.full)}"
        parts = ["", "", address.street, address.locality, address.region, address.postcode, address.country]
        yield self._structured(f"{group}ADR", [[part] for part in parts], parameters)
        if group:
            yield self._text(f"{group}X-ABADR", address.country_code.lower())

    def _online_service(self, service: OnlineService) -> str:
        if not service.uri:
            name = f"X-SOCIALPROFILE{f';X-SERVICE-TYPE={_parameter(service.service)}' if service.service else ''}"
            return self._text(name, "", f";X-USER={_parameter(service.user)}")
        parameters = f";X-SERVICE-TYPE={_parameter(service.service)}" if service.service else ""
        parameters += f";X-USER={_parameter(service.user)}" if service.user else ""
        return self._uri("IMPP", service.uri, parameters)

    def _anniversary(self, anniversary: Anniversary) -> Iterator[str]:
        date, rules, parameters = anniversary.date, self._rules, ""
        if not self._modern and len(date) < len("1980-03-22"):
            if rules.version == "2.1" or not date.startswith("--"):
                return
            date, parameters = f"1604{date[1:]}", ";X-APPLE-OMIT-YEAR=1604"  # Apple's way; 1604 is a leap year
        if rules.compact_dates:
            date = _compact(date)
        name = {"birth": "BDAY", "death": "DEATHDATE", "wedding": rules.wedding}[anniversary.kind]
        line = self._text(name, date, parameters)
        yield from self._labelled(line, "_$!<Anniversary>!$_" if name == "X-ABDATE" else "")

    def _labelled(self, line: str, label: str) -> Iterator[str]:
        if not label or not self._rules.labels:
            yield line
            return
        self._items += 1
        yield f"item{self._items}.{line}"
        yield self._text(f"item{self._items}.X-ABLabel", label)

    def _typed(self, types: Sequence[str], pref: int | None) -> str:
        key, words = self._rules.type_key, list(types)
        if pref == 1 and not self._modern:
            words.append("PREF")
        suffix = f";PREF={pref}" if pref is not None and self._modern else ""
        if not words:
            return suffix
        if not key:
            return "".join(f";{word}" for word in words)
        if self._rules.lists_types:
            joined = ",".join(words)
            return f';{key}="{joined}"{suffix}' if self._modern and len(words) > 1 else f";{key}={joined}{suffix}"
        return "".join(f";{key}={word if word != 'PREF' or key == 'TYPE' else 'pref'}" for word in words) + suffix

    def _text(self, name: str, value: str, parameters: str = "") -> str:
        return self._line(name, parameters, self._escape(value))

    def _listed(self, name: str, value: str) -> str:
        escaped = self._escape(value)
        return self._line(name, "", escaped.replace(",", "\\,") if self._rules.version == "2.1" else escaped)

    def _uri(self, name: str, value: str, parameters: str = "") -> str:
        value = value.replace("\\", "\\\\").replace("\r", "").replace("\n", "")
        return self._line(name, parameters, value.replace(":", "\\:") if self._rules.escapes_colon else value)

    def _structured(self, name: str, parts: Iterable[Sequence[str]], parameters: str = "") -> str:
        joint = " " if self._rules.version == "2.1" else ","
        return self._line(name, parameters, ";".join(joint.join(self._escape(item) for item in part) for part in parts))

    def _escape(self, text: str) -> str:
        text = _one_kind_of_break(text).replace("\\", "\\\\").replace(";", "\\;")
        if self._rules.version == "2.1":
            return text
        text = text.replace(",", "\\,").replace("\n", "\\n")
        return text.replace(":", "\\:") if self._rules.escapes_colon else text

    def _line(self, name: str, parameters: str, value: str) -> str:
        if self._rules.version != "2.1" or (value.isascii() and "\n" not in value):
            return f"{name}{parameters}:{value}"
        encoded = _quoted_printable(value, len(name) + len(parameters))
        return f"{name}{parameters};CHARSET=utf-8;ENCODING=QUOTED-PRINTABLE:{encoded}"

    def _fold(self, line: str) -> str:
        if self._rules.version == "2.1" or (len(line) <= _LINE_OCTETS and line.isascii()):
            return line
        return "\r\n ".join(_cut(line))


def _types(contexts: Iterable[str]) -> list[str]:
    return [_CONTEXT_TYPES[context] for context in contexts if context in _CONTEXT_TYPES]


def _parameter(value: str) -> str:
    """RFC 6868: quoted where needed, with what may not stand in quotes escaped."""
    escaped = "".join(_PARAMETER_ESCAPES.get(character, character) for character in _one_kind_of_break(value))
    return f'"{escaped}"' if _UNSAFE_PARAMETER.search(escaped) else escaped


def _one_kind_of_break(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _compact(date: str) -> str:
    """The basic format of ISO 8601; `1980-03` has none (RFC 6350 §4.3.1)."""
    if date.startswith("--"):
        return f"--{date[2:].replace('-', '')}"
    return date.replace("-", "") if len(date) == len("1980-03-22") else date


def _cut(line: str) -> Iterator[str]:
    """Pieces of at most 75 octets, the leading space of all but the first counted, never cut inside a character."""
    start = octets = 0
    for at, character in enumerate(line):
        width = len(character.encode())
        if octets + width > _LINE_OCTETS:
            yield line[start:at]
            start, octets = at, 1
        octets += width
    yield line[start:]


def _quoted_printable(value: str, used: int) -> str:
    """RFC 2045 §6.7 with soft line breaks; the first line has `used` characters already, and the parameters."""
    pieces: list[str] = []
    column = used + len(";CHARSET=utf-8;ENCODING=QUOTED-PRINTABLE:")
    for octet in value.replace("\n", "\r\n").encode():
        plain = 33 <= octet <= 126 and octet != ord("=")
        piece = chr(octet) if plain else f"={octet:02X}"
        if column + len(piece) > _LINE_OCTETS:
            pieces.append("=\r\n")
            column = 0
        pieces.append(piece)
        column += len(piece)
    return "".join(pieces)
