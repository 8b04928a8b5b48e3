"""The vCard writer: what it writes is read again as it was, by this project's reader and by another."""

import importlib
from collections.abc import Callable
from typing import Final, Protocol, cast

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.unit.contacts.cards import ALL
from tests.unit.contacts.held import held
from tests.unit.contacts.people import wild, wild_contacts

from contactsync.activities.contacts.contact import Contact, EmailAddress, Field, Name, NameComponent, Note, Phone
from contactsync.activities.contacts.made_up import made_up_contacts
from contactsync.activities.contacts.quarantine import UnreadableContact
from contactsync.activities.contacts.vcard import parse_vcard
from contactsync.activities.contacts.vcard_styles import Style
from contactsync.activities.contacts.vcard_writer import to_vcard
from contactsync.activities.sanitizing.policy import Policy
from contactsync.activities.sanitizing.sanitize import sanitize

EVERYTHING: Final = Policy(fields=frozenset(Field))


class _Value(Protocol):
    value: str


class _Card(Protocol):
    fn: _Value
    email_list: list[_Value]


read_by_another = cast("Callable[..., _Card]", importlib.import_module("vobject").readOne)  # it has no types


def _name_of(parts: dict[str, str]) -> Name:
    kinds = ("surname", "given", "given2", "title", "credential", "generation")
    components = [{"kind": kind, "value": parts[kind]} for kind in kinds if kind in parts]
    return Name.model_validate({"full": parts.get("full", ""), "components": components})


names = st.fixed_dictionaries(
    {},
    optional={
        "full": wild,
        "surname": wild,
        "given": wild,
        "given2": wild,
        "title": wild,
        "credential": st.sampled_from(["M.D.", "Ph.D.; x", "A,B"]),
        "generation": st.sampled_from(["Jr.", "III"]),
    },
).map(_name_of)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(wild_contacts, names, st.sampled_from(Style))
def test_what_is_written_is_read_again(contact: Contact, name: Name, style: Style) -> None:
    """Any clean contact comes back from any style as it was, but for what the style cannot say."""
    try:
        clean = sanitize(contact.model_copy(update={"name": name}), EVERYTHING)
    except UnreadableContact:
        assume(False)
        return
    expected = held(clean, style)
    assume(expected.model_dump(exclude={"uid", "kind"}, exclude_defaults=True))
    expected = sanitize(expected, EVERYTHING)  # values that differed in what is left out are one now
    text = to_vcard(clean, style)
    assert (
        sanitize(parse_vcard(text, ALL), EVERYTHING)
        == sanitize(parse_vcard(text.encode(), ALL), EVERYTHING)
        == expected
    )


@pytest.mark.parametrize("style", Style)
def test_made_up_contacts_survive_every_style(style: Style) -> None:
    """The demo's people are the same after a journey through a vCard of any producer."""
    for contact in made_up_contacts(400, seed=7):
        assert held(contact, style) == sanitize(parse_vcard(to_vcard(contact, style), ALL), EVERYTHING)


@pytest.mark.parametrize("style", Style)
def test_another_reader_understands_them(style: Style) -> None:
    """A reader that others wrote finds the same name and addresses."""
    for contact in made_up_contacts(60, seed=8):
        card = read_by_another(to_vcard(contact, style), allowQP=True)
        assert contact.name is not None
        assert card.fn.value == contact.name.full
        addresses = [email.value for email in getattr(card, "email_list", [])]
        assert addresses == [email.address for email in contact.emails]


@pytest.mark.parametrize("style", Style)
@settings(max_examples=60)
@given(text=wild)
def test_no_value_can_end_its_line(style: Style, text: str) -> None:
    """A value with line breaks of any kind adds no property and ends no card."""
    evil = "EMAIL:evil@b.example"
    attack = f"{text}\r\n{evil}\r{evil}\n{evil}\rEND:VCARD\r{text}"
    contact = Contact(
        uid=attack,
        name=Name(full=attack, components=(NameComponent(kind="given", value=attack),)),
        emails=(EmailAddress(address="a@b.example", label=attack),),
        notes=(Note(note=attack),),
        members=(attack,),
    )
    read = parse_vcard(to_vcard(contact, style), ALL)
    assert [email.address for email in read.emails] == ["a@b.example"]


@pytest.mark.parametrize("style", Style)
def test_lines_are_short_and_end_with_crlf(style: Style) -> None:
    """RFC 6350 §3.2: at most 75 octets a line, CRLF, no character cut in two (quoted-printable breaks softly)."""
    contact = Contact(
        name=Name(full="é漢🙂" * 60), notes=(Note(note="x" * 300),), emails=(EmailAddress(address="a@b.example"),)
    )
    raw = to_vcard(contact, style).encode()
    assert raw.endswith(b"END:VCARD\r\n")
    lines = raw.split(b"\r\n")
    assert all(b"\n" not in line and b"\r" not in line for line in lines)
    if style is not Style.OUTLOOK:
        assert max(len(line) for line in lines) <= 75
    for line in lines:
        line.decode()


def test_the_styles_differ_as_the_programs_do() -> None:
    """A line or two of each, as its program writes them."""
    contact = Contact(
        kind="group",
        name=Name(full="Jürgen"),
        emails=(EmailAddress(address="a@b.example", contexts=("work",), pref=1, label="Büro"),),
        phones=(Phone(number="+4930123456", extension="12", e164=True, features=("mobile",)),),
        members=("urn:uuid:1",),
    )
    written = {style: to_vcard(contact, style).split("\r\n") for style in Style}
    assert "TEL;VALUE=uri;TYPE=CELL:tel:+4930123456;ext=12" in written[Style.RFC4]
    assert "KIND:group" in written[Style.RFC4]
    assert "item1.EMAIL;TYPE=WORK,PREF:a@b.example" in written[Style.RFC3]
    assert "TEL;TYPE=CELL:+4930123456 ext. 12" in written[Style.RFC3]
    assert "item1.EMAIL;type=INTERNET;type=WORK;type=pref:a@b.example" in written[Style.APPLE]
    assert "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1" in written[Style.APPLE]
    assert "item1.EMAIL;TYPE=INTERNET;TYPE=WORK;TYPE=PREF:a@b.example" in written[Style.GOOGLE]
    assert "EMAIL;INTERNET;WORK;PREF:a@b.example" in written[Style.OUTLOOK]
    assert "FN;CHARSET=utf-8;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen" in written[Style.OUTLOOK]
    assert "PRODID:-//Nextcloud Contacts v6.0.0" in written[Style.NEXTCLOUD]
