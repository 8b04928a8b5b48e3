"""Read one vCard: 2.1, 3.0 or 4.0, as the programs in use write it (RFC 6350, RFC 2426, RFC 9554, RFC 9555 §2)."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from contactsync.activities.contacts.contact import Contact, Fields, read
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
from contactsync.activities.contacts.wire import (
    WireAddress,
    WireAnniversary,
    WireContact,
    WireEmail,
    WireLink,
    WireName,
    WireNameComponent,
    WireNickname,
    WireNote,
    WireOnlineService,
    WireOrganization,
    WirePhone,
    WireTitle,
    written_wire,
)

_Kind = Literal["individual", "group", "org", "location", "device", "application"]
_KINDS: Final = MappingProxyType[str, _Kind](
    {"group": "group", "org": "org", "location": "location", "device": "device", "application": "application"}
)
_PREFERRED: Final = 1
_ADDRESS_PARTS: Final = 7
SURELY_SMALL: Final = MAX_CONTACT_BYTES // 12
"""Characters, or bytes, of a card whose values need not be measured: read byte by byte in a wrong character set, a
character becomes four of three bytes each at most."""


def parse_vcard(text: bytes | str, fields: Fields) -> Contact:
    """The contact of `read_vcard`, to work with."""
    return read(read_vcard(text, fields))


def read_vcard(text: bytes | str, fields: Fields) -> bytes:
    """The contact in the text of exactly one vCard, with `uid`, `kind` and the properties in `fields` only, as JSON.

    Values are as the source wrote them: not normalised, not validated. Lines that are broken or not asked for are
    passed over. Bytes may be in UTF-8, UTF-16, or as their CHARSET parameters say.

    Raises:
        UnreadableContact: there is not exactly one whole card (`unreadable`), or it is too large (`too_large`).
    """
    lines = lines_of(text, _wanted(fields))
    if len(text) > SURELY_SMALL and sum(map(_size_of, lines)) > MAX_CONTACT_BYTES:
        raise UnreadableContact(QuarantineReason.TOO_LARGE)
    draft = _Draft({line.group: _label(line.text()) for line in lines if line.name == "X-ABLABEL"})
    for line in lines:
        reader = _READERS.get(line.name)
        if reader and ("ALTID" not in line.params or draft.is_first_of_its_alternatives(line)):
            reader(line, draft)
    return written_wire(draft.contact())


def _size_of(line: Line) -> int:
    return len(line.value.encode("utf-8", "replace"))


@lru_cache(maxsize=64)
def _wanted(fields: Fields) -> frozenset[str]:
    """The names of the vCard properties that are read."""
    return ALWAYS | {name for name, field in FIELD_OF.items() if field in fields}


class _Draft(Struct):
    labels: Mapping[str, str]
    uid: str = ""
    kind: _Kind = "individual"
    full: str = ""
    components: tuple[WireNameComponent, ...] = ()
    nicknames: list[WireNickname] = []
    organizations: list[WireOrganization] = []
    titles: list[WireTitle] = []
    emails: list[WireEmail] = []
    phones: list[WirePhone] = []
    addresses: list[WireAddress] = []
    address_groups: dict[str, int] = {}
    country_codes: dict[str, str] = {}
    online_services: list[WireOnlineService] = []
    links: list[WireLink] = []
    anniversaries: list[WireAnniversary] = []
    notes: list[WireNote] = []
    keywords: list[str] = []
    members: list[str] = []
    alternatives: set[tuple[str, str]] = set()

    def is_first_of_its_alternatives(self, line: Line) -> bool:
        """Lines of one ALTID say the same in other languages or scripts: the first stands for all (RFC 6350 §5.4)."""
        key = (line.name, line.param("ALTID"))
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

    def contact(self) -> WireContact:
        """The contact, once every line was read."""
        named = self.full or self.components
        return WireContact(
            uid=self.uid,
            kind=self.kind,
            name=WireName(full=self.full, components=self.components) if named else None,
            nicknames=tuple(self.nicknames),
            organizations=tuple(self.organizations),
            titles=tuple(self.titles),
            emails=tuple(self.emails),
            phones=tuple(self.phones),
            addresses=self._addresses(),
            online_services=tuple(self.online_services),
            links=tuple(self.links),
            anniversaries=tuple(self.anniversaries),
            notes=tuple(self.notes),
            keywords=tuple(self.keywords),
            members=tuple(self.members),
        )

    def _addresses(self) -> tuple[WireAddress, ...]:
        for group, code in self.country_codes.items():
            at = self.address_groups.get(group)
            if at is not None and not self.addresses[at].country_code:
                self.addresses[at] = replace(self.addresses[at], country_code=code)
        return tuple(self.addresses)


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
    if (components := plain_components(line.value)) is None:
        components = any_components(line)
    draft.components = components


def plain_components(value: str) -> tuple[WireNameComponent, ...] | None:
    """`any_components` of a name without lists and escapes that has nothing behind its prefixes; None of any other."""
    parts = value.split(";")
    if "," in value or "\\" in value or any(parts[4:]):
        return None
    return tuple(WireNameComponent(kind, part) for kind, part in zip(NAME_PARTS, parts, strict=False) if part.strip())


def any_components(line: Line) -> tuple[WireNameComponent, ...]:
    """The components of a name."""
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
    return tuple(
        WireNameComponent(kind=kind, value=item) for kind, part in zip(NAME_PARTS, parts, strict=False) for item in part
    )


def _nickname(line: Line, draft: _Draft) -> None:
    draft.nicknames += [WireNickname(name=name) for name in line.parts(",") if name.strip()]


def _organization(line: Line, draft: _Draft) -> None:
    name, *units = line.parts()
    kept = tuple(unit for unit in units if unit.strip())
    if name.strip() or kept:
        draft.organizations.append(WireOrganization(name=name, units=kept))


def _title(line: Line, draft: _Draft) -> None:
    if name := line.text():
        draft.titles.append(WireTitle(name=name, kind="role" if line.name == "ROLE" else "title"))


def _email(line: Line, draft: _Draft) -> None:
    if address := line.text().strip():
        types = draft.types(line)
        draft.emails.append(
            WireEmail(address=address, contexts=_contexts(types), pref=_pref(line, types), label=draft.label(line))
        )


def _phone(line: Line, draft: _Draft) -> None:
    if number := line.text().strip():
        types = draft.types(line)
        draft.phones.append(
            WirePhone(
                number=number[4:] if number[:4].lower() == "tel:" else number,
                features=_each_once([FEATURES[type_] for type_ in types if type_ in FEATURES]),
                contexts=_contexts(types),
                pref=_pref(line, types),
                label=draft.label(line),
            )
        )


def _address(line: Line, draft: _Draft) -> None:
    parts = [", ".join(item.strip() for item in part if item.strip()) for part in line.components()]
    parts += [""] * (_ADDRESS_PARTS - len(parts))
    box, extended, street, locality, region, postcode, country = parts[:_ADDRESS_PARTS]
    address = WireAddress(
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
        draft.addresses.append(address)


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
        draft.online_services.append(WireOnlineService(service=service, uri=value, user=user))


def _link(line: Line, draft: _Draft) -> None:
    if uri := line.text().strip():
        draft.links.append(WireLink(uri=uri, label=draft.label(line)))


def _date(line: Line, draft: _Draft) -> None:
    occasion = DATES.get(line.name)
    if line.name == "X-ABDATE" and draft.labels.get(line.group, "").upper() == "ANNIVERSARY":
        occasion = "wedding"
    text = line.text()
    omitted = line.param("X-APPLE-OMIT-YEAR")
    date = normal_date(without_year(text) if omitted and text.startswith(omitted) else text)
    if date and occasion:
        draft.anniversaries.append(WireAnniversary(kind=occasion, date=date))


def _note(line: Line, draft: _Draft) -> None:
    if (note := line.text()).strip():
        draft.notes.append(WireNote(note=note))


def _keywords(line: Line, draft: _Draft) -> None:
    draft.keywords += [word for word in line.parts(",") if word.strip()]


def _member(line: Line, draft: _Draft) -> None:
    if member := line.text().strip():
        draft.members.append(member)


def _contexts(types: list[str]) -> tuple[str, ...]:
    return _each_once([CONTEXTS[type_] for type_ in types if type_ in CONTEXTS])


def _each_once(words: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words)) if len(words) > 1 else tuple(words)


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
