"""Read one vCard: 2.1, 3.0 or 4.0, as the programs in use write it (RFC 6350, RFC 2426, RFC 9554, RFC 9555 §2)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from contactsync.activities.contacts.contact import (
    Address,
    Anniversary,
    Contact,
    EmailAddress,
    Fields,
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
from contactsync.activities.contacts.dates import normal_date, without_year
from contactsync.activities.contacts.limits import MAX_CONTACT_BYTES
from contactsync.activities.contacts.quarantine import QuarantineReason, UnreadableContact
from contactsync.activities.contacts.vcard_lines import Line, lines_of
from contactsync.activities.contacts.vcard_vocabulary import (
    ALWAYS,
    APPLE_LABELS,
    CONTEXTS,
    DATES,
    FEATURES,
    FIELD_OF,
    GENERATIONS,
    MESSENGERS,
    NAME_PARTS,
)

_Kind = Literal["individual", "group", "org", "location", "device", "application"]
_KINDS: Final = MappingProxyType[str, _Kind](
    {"group": "group", "org": "org", "location": "location", "device": "device", "application": "application"}
)
_PREFERRED: Final = 1
_ADDRESS_PARTS: Final = 7


def parse_vcard(text: bytes | str, fields: Fields) -> Contact:
    """The contact in the text of exactly one vCard, with `uid`, `kind` and the properties in `fields` only.

    Values are as the source wrote them: not normalised, not validated. Lines that are broken or not asked for are
    passed over. Bytes may be in UTF-8, UTF-16, or as their CHARSET parameters say.

    Raises:
        UnreadableContact: there is not exactly one whole card (`unreadable`), or it is too large (`too_large`).
    """
    lines = list(lines_of(text, lambda name: name in ALWAYS or FIELD_OF.get(name) in fields))
    if sum(len(line.value.encode("utf-8", "replace")) for line in lines) > MAX_CONTACT_BYTES:
        raise UnreadableContact(QuarantineReason.TOO_LARGE)
    draft = _Draft(labels={line.group: _label(line.text()) for line in lines if line.name == "X-ABLABEL"})
    for line in lines:
        reader = _READERS.get(line.name)
        if reader and draft.is_first_of_its_alternatives(line):
            reader(line, draft)
    return draft.contact()


@dataclass(slots=True)
class _Draft:
    labels: Mapping[str, str]
    uid: str = ""
    kind: _Kind = "individual"
    full: str = ""
    components: tuple[NameComponent, ...] = ()
    nicknames: list[Nickname] = field(default_factory=list[Nickname])
    organizations: list[Organization] = field(default_factory=list[Organization])
    titles: list[Title] = field(default_factory=list[Title])
    emails: list[EmailAddress] = field(default_factory=list[EmailAddress])
    phones: list[Phone] = field(default_factory=list[Phone])
    addresses: dict[int, Address] = field(default_factory=dict[int, Address])
    address_groups: dict[str, int] = field(default_factory=dict[str, int])
    country_codes: dict[str, str] = field(default_factory=dict[str, str])
    online_services: list[OnlineService] = field(default_factory=list[OnlineService])
    links: list[Link] = field(default_factory=list[Link])
    anniversaries: list[Anniversary] = field(default_factory=list[Anniversary])
    notes: list[Note] = field(default_factory=list[Note])
    keywords: list[str] = field(default_factory=list[str])
    members: list[str] = field(default_factory=list[str])
    alternatives: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def is_first_of_its_alternatives(self, line: Line) -> bool:
        """Lines of one ALTID say the same in other languages or scripts: the first stands for all (RFC 6350 §5.4)."""
        alternative = line.params.get("ALTID")
        if not alternative:
            return True
        key = (line.name, alternative[0])
        known = key in self.alternatives
        self.alternatives.add(key)
        return not known

    def label(self, line: Line) -> str:
        """The label of the line's group; Apple's built-in ones that say the same as a TYPE are no labels."""
        text = self.labels.get(line.group, "") if line.group else ""
        return "" if text.upper() in APPLE_LABELS else text

    def types(self, line: Line) -> list[str]:
        """The line's TYPE values, and the one its built-in label stands for."""
        type_ = APPLE_LABELS.get(self.labels.get(line.group, "").upper()) if line.group else None
        return [*line.types, type_] if type_ else line.types

    def contact(self) -> Contact:
        """The contact, once every line was read."""
        named = self.full or self.components
        return Contact(
            uid=self.uid,
            kind=self.kind,
            name=Name(full=self.full, components=self.components) if named else None,
            nicknames=tuple(self.nicknames),
            organizations=tuple(self.organizations),
            titles=tuple(self.titles),
            emails=tuple(self.emails),
            phones=tuple(self.phones),
            addresses=tuple(self._addresses()),
            online_services=tuple(self.online_services),
            links=tuple(self.links),
            anniversaries=tuple(self.anniversaries),
            notes=tuple(self.notes),
            keywords=tuple(self.keywords),
            members=tuple(self.members),
        )

    def _addresses(self) -> list[Address]:
        for group, code in self.country_codes.items():
            at = self.address_groups.get(group)
            if at is not None and not self.addresses[at].country_code:
                self.addresses[at] = self.addresses[at].model_copy(update={"country_code": code})
        return list(self.addresses.values())


def _label(text: str) -> str:
    return text.removeprefix("_$!<").removesuffix(">!$_").strip()


def _uid(line: Line, draft: _Draft) -> None:
    draft.uid = draft.uid or line.text().strip()


def _kind(line: Line, draft: _Draft) -> None:
    draft.kind = _KINDS.get(line.value.strip().lower(), draft.kind)


def _show_as(line: Line, draft: _Draft) -> None:
    if line.value.strip().upper() == "COMPANY" and draft.kind == "individual":
        draft.kind = "org"


def _full_name(line: Line, draft: _Draft) -> None:
    draft.full = draft.full or line.text()


def _name(line: Line, draft: _Draft) -> None:
    if draft.components or "PHONETIC" in line.params:
        return
    parts = [[item for item in part if item.strip()] for part in line.components()]
    parts += [[]] * (len(NAME_PARTS) - len(parts))
    surnames2, generations = parts[5], parts[6]
    # RFC 9554 §2.2: older readers find the second surname and the generation in the first and fifth component too
    parts[0] = [item for item in parts[0] if item not in surnames2]
    credentials = [item for item in parts[4] if item not in generations]
    if not generations:
        parts[6] = [item for item in credentials if item.strip().lower() in GENERATIONS]
        credentials = [item for item in credentials if item.strip().lower() not in GENERATIONS]
    parts[4] = credentials
    draft.components = tuple(
        NameComponent(kind=kind, value=item) for kind, part in zip(NAME_PARTS, parts, strict=False) for item in part
    )


def _nickname(line: Line, draft: _Draft) -> None:
    draft.nicknames += [Nickname(name=name) for name in line.parts(",") if name.strip()]


def _organization(line: Line, draft: _Draft) -> None:
    name, *units = line.parts()
    kept = tuple(unit for unit in units if unit.strip())
    if name.strip() or kept:
        draft.organizations.append(Organization(name=name, units=kept))


def _title(line: Line, draft: _Draft) -> None:
    if name := line.text():
        draft.titles.append(Title(name=name, kind="role" if line.name == "ROLE" else "title"))


def _email(line: Line, draft: _Draft) -> None:
    if address := line.text().strip():
        types = draft.types(line)
        draft.emails.append(
            EmailAddress(address=address, contexts=_contexts(types), pref=_pref(line, types), label=draft.label(line))
        )


def _phone(line: Line, draft: _Draft) -> None:
    if number := line.text().strip():
        types = draft.types(line)
        features = tuple(dict.fromkeys(FEATURES[type_] for type_ in types if type_ in FEATURES))
        draft.phones.append(
            Phone(
                number=number[4:] if number[:4].lower() == "tel:" else number,
                features=features,
                contexts=_contexts(types),
                pref=_pref(line, types),
                label=draft.label(line),
            )
        )


def _address(line: Line, draft: _Draft) -> None:
    parts = [", ".join(item.strip() for item in part if item.strip()) for part in line.components()]
    parts += [""] * (_ADDRESS_PARTS - len(parts))
    box, extended, street, locality, region, postcode, country = parts[:_ADDRESS_PARTS]
    address = Address(
        street=", ".join(part for part in (box, extended, street) if part),
        locality=locality,
        region=region,
        postcode=postcode,
        country=country,
        country_code=line.param("CC"),
        full=line.param("LABEL").replace("\\n", "\n"),
        contexts=_contexts(draft.types(line)),
    )
    if address.full or any(parts):
        draft.address_groups.setdefault(line.group, len(draft.addresses))
        draft.addresses[len(draft.addresses)] = address


def _country_code(line: Line, draft: _Draft) -> None:
    if line.group and len(code := line.value.strip()) == 2:  # ISO 3166-1 alpha-2; Apple also writes whole addresses
        draft.country_codes[line.group] = code.upper()


def _online_service(line: Line, draft: _Draft) -> None:
    value = line.text().strip()
    service = line.param("SERVICE-TYPE") or line.param("X-SERVICE-TYPE")
    if not service and line.name == "X-SOCIALPROFILE":
        service = next((type_.lower() for type_ in line.types if type_ not in {*CONTEXTS, "PREF"}), "")
    user = line.param("USERNAME") or line.param("X-USER")
    if line.name in MESSENGERS:
        service, user, value = MESSENGERS[line.name], value, ""
    if value or user:
        draft.online_services.append(OnlineService(service=service, uri=value, user=user))


def _link(line: Line, draft: _Draft) -> None:
    if uri := line.text().strip():
        draft.links.append(Link(uri=uri, label=draft.label(line)))


def _date(line: Line, draft: _Draft) -> None:
    occasion = DATES.get(line.name)
    if line.name == "X-ABDATE" and draft.labels.get(line.group, "").upper() == "ANNIVERSARY":
        occasion = "wedding"
    text = line.text()
    omitted = line.param("X-APPLE-OMIT-YEAR")
    date = normal_date(without_year(text) if omitted and text.startswith(omitted) else text)
    if date and occasion:
        draft.anniversaries.append(Anniversary(kind=occasion, date=date))


def _note(line: Line, draft: _Draft) -> None:
    if (note := line.text()).strip():
        draft.notes.append(Note(note=note))


def _keywords(line: Line, draft: _Draft) -> None:
    draft.keywords += [word for word in line.parts(",") if word.strip()]


def _member(line: Line, draft: _Draft) -> None:
    if member := line.text().strip():
        draft.members.append(member)


def _contexts(types: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(CONTEXTS[type_] for type_ in types if type_ in CONTEXTS))


def _pref(line: Line, types: list[str]) -> int | None:
    text = line.param("PREF")
    if text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= 100:  # RFC 6350 §5.3
        return int(text)
    return _PREFERRED if "PREF" in types else None


_READERS: Final[Mapping[str, Callable[[Line, _Draft], None]]] = MappingProxyType(
    {
        "UID": _uid,
        "KIND": _kind,
        "X-ADDRESSBOOKSERVER-KIND": _kind,
        "X-ABSHOWAS": _show_as,
        "FN": _full_name,
        "N": _name,
        "NICKNAME": _nickname,
        "ORG": _organization,
        "TITLE": _title,
        "ROLE": _title,
        "EMAIL": _email,
        "TEL": _phone,
        "ADR": _address,
        "X-ABADR": _country_code,
        "IMPP": _online_service,
        "SOCIALPROFILE": _online_service,
        "X-SOCIALPROFILE": _online_service,
        "URL": _link,
        "CONTACT-URI": _link,
        "X-ABDATE": _date,
        "NOTE": _note,
        "CATEGORIES": _keywords,
        "MEMBER": _member,
        "X-ADDRESSBOOKSERVER-MEMBER": _member,
        **dict.fromkeys(MESSENGERS, _online_service),
        **dict.fromkeys(DATES, _date),
    }
)
