"""The short way of cleaning a contact: whatever it answers, the long way answers too."""

import json
from collections.abc import Iterator
from typing import Final

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import NODEFAULT
from msgspec.json import encode
from msgspec.structs import fields
from phonenumbers import PhoneNumberFormat
from pydantic import BaseModel, JsonValue
from pydantic_core import PydanticUndefined
from tests.unit.contacts.people import NAUGHTY, wild_contacts

from contactsync.activities.cleaning import long_way
from contactsync.activities.contacts import contact as models
from contactsync.activities.contacts import wire
from contactsync.activities.contacts.contact import (
    DEFAULT_FIELDS,
    Address,
    Anniversary,
    Contact,
    EmailAddress,
    Field,
    Link,
    Name,
    NameComponent,
    Note,
    OnlineService,
    Organization,
    Phone,
    written,
)
from contactsync.activities.contacts.limits import MAX_LINE_CHARS, MAX_NOTE_CHARS, MAX_READ_CHARS, MAX_VALUES
from contactsync.activities.contacts.made_up import made_up_contacts
from contactsync.activities.contacts.quarantine import UnreadableContact
from contactsync.activities.contacts.wire import read_wire, written_wire
from contactsync.activities.sanitizing.policy import Policy
from contactsync.activities.sanitizing.quick import Cleaned, ShortWay
from contactsync.activities.sanitizing.quick_texts import are_plain
from contactsync.activities.sanitizing.text import clean_line
from contactsync.errors import PageUnreadable

EVERYTHING: Final = Policy(fields=frozenset(Field), default_region="DE")
PEOPLE: Final = made_up_contacts(400, seed=11)
LINES: Final = (
    "value",
    "name",
    "full",
    "address",
    "number",
    "label",
    "street",
    "locality",
    "region",
    "postcode",
    "country",
)
SHAPES: Final = {
    "EmailAddress": wire.WireEmail,
    **{name.removeprefix("Wire"): shape for name, shape in vars(wire).items() if name.startswith("Wire")},
}

policies = st.builds(
    Policy,
    fields=st.sampled_from([frozenset(Field), DEFAULT_FIELDS, frozenset({Field.EMAILS, Field.NOTES})]),
    default_region=st.sampled_from(["", "DE", "US", "IT", "BR"]),
)
ODD_TEXTS: Final = (
    *("", " ", "\n", "a\nb", "a\n\nb", "a \nb", " a", "a ", "a  b", "a\tb", "\u00a0", "a\u3000b", "a\0b"),
    *("e\u0301", "\u0301e", "a\u200cb", "क्\u200dष", "a\u200bb", "\u202eab", "\ufeffa", "\u2800", "\ufffca"),
    *("R&D", "R&amp;D", "<b>x</b>", "1 < 2", "<x", "x>", "&lt", "&#65;", "AT&T;", "a -- b", '"', "\\", "\\n"),
    *("ADA@CALC.Example", "Ada <ada@calc.example>", "mailto:a@b.com", "Info@b.com", "a@b", "ñ@bücher.de"),
    *("030 123456", "+49 (0)30 123456", "0049 30 123456", "+4930123456", "110", "+1 418 656 9254 x102"),
    *("work", "private", "nonsense", "mobile", "fax", "DE", "de", "1980-03-22", "19800322", "--03-22"),
    *("work ", " DE", " +49 30  123456", "ada@b.com ", '"a" b', 'a "b"', 'a \\"b', "a\\nb"),
    *("mobile", "\u2019", "क्", "가", "\u1100\u1161\u11a8"),
    *("https://a.example/", "www.a.example", "javascript:x", "xmpp:a@b.com", "a.example:80", "HTTP://a.b/"),
    *("x" * length for length in (MAX_LINE_CHARS, MAX_LINE_CHARS + 1, MAX_NOTE_CHARS, MAX_NOTE_CHARS + 1)),
)
odd_texts = st.one_of(st.sampled_from(ODD_TEXTS), st.sampled_from(NAUGHTY))


def _long(content: bytes, policy: Policy) -> Cleaned | None:
    try:
        return long_way(content, policy)
    except (UnreadableContact, PageUnreadable):
        return None


def _places(value: JsonValue, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every text, number and list in a JSON value."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _places(member, (*path, name))
    elif isinstance(value, list):
        yield path
        for at, item in enumerate(value):
            yield from _places(item, (*path, at))
    else:
        yield path


def _changed(value: JsonValue, path: tuple[str | int, ...], text: str, times: int) -> JsonValue:
    """The value with `text` at the path; a list there gets its first item so many times more."""
    if isinstance(value, dict) and path and isinstance(path[0], str):
        return {**value, path[0]: _changed(value[path[0]], path[1:], text, times)}
    if isinstance(value, list) and path and isinstance(path[0], int):
        return [_changed(item, path[1:], text, times) if at == path[0] else item for at, item in enumerate(value)]
    return [*value, *(value[:1] * times)] if isinstance(value, list) else text


@st.composite
def nearly_clean(draw: st.DrawFn) -> bytes:
    """The JSON of a clean contact of which up to three things are odd: texts, repetitions, the JSON itself."""
    value: JsonValue = json.loads(written(draw(st.sampled_from(PEOPLE))))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(list(_places(value))))
        value = _changed(value, path, draw(odd_texts), draw(st.sampled_from([0, 1, 1, MAX_VALUES])))
    separators = draw(st.sampled_from([(",", ":"), (",", ":"), (", ", ": ")]))
    escaped, ordered = draw(st.booleans()), draw(st.booleans())
    return json.dumps(value, ensure_ascii=escaped, sort_keys=ordered, separators=separators).encode()


@settings(max_examples=400)
@given(nearly_clean(), policies)
def test_the_short_way_answers_what_the_long_way_answers(content: bytes, policy: Policy) -> None:
    """Contacts that are clean but for a little are the ones that could slip through."""
    short = ShortWay(policy).cleaned(content)
    assert short is None or short == _long(content, policy)


@settings(max_examples=100)
@given(wild_contacts, policies)
def test_the_short_way_answers_what_the_long_way_answers_to_any_contact(contact: Contact, policy: Policy) -> None:
    """Contacts as a hostile source might send them."""
    short = ShortWay(policy).cleaned(written(contact))
    assert short is None or short == _long(written(contact), policy)


@pytest.mark.parametrize("region", ["", "DE"])
def test_one_naughty_text_in_a_clean_contact(region: str) -> None:
    """Each naughty string in places of an otherwise clean contact, a few at a time."""
    policy = Policy(fields=frozenset(Field), default_region=region)
    value: JsonValue = json.loads(written(max(PEOPLE, key=lambda person: len(written(person)))))
    places = list(_places(value))
    for at, text in enumerate(NAUGHTY):
        for step in range(3):
            changed = _changed(value, places[(at + step * 7) % len(places)], text, 0)
            content = json.dumps(changed, ensure_ascii=False, separators=(",", ":")).encode()
            short = ShortWay(policy).cleaned(content)
            assert short is None or short == _long(content, policy)


@pytest.mark.parametrize("policy", [EVERYTHING, Policy()])
@pytest.mark.parametrize("form", [PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL])
def test_nearly_all_contacts_go_the_short_way(policy: Policy, form: int) -> None:
    """Contacts of many scripts, their numbers written for machines or for people, and each is cleaned as it should."""
    short_way, clean = ShortWay(policy), 0
    for person in PEOPLE:
        minimised = Contact.model_validate_json(long_way(written(person), policy).content)
        phones = tuple(phone.model_copy(update={"number": _number(phone, form)}) for phone in minimised.phones)
        content = written(minimised.model_copy(update={"phones": phones}))
        short = short_way.cleaned(content)
        assert short is None or short == long_way(content, policy)
        clean += short is not None
    assert clean > 0.95 * len(PEOPLE)


def _number(phone: Phone, form: int) -> str:
    return phonenumbers.format_number(phonenumbers.parse(phone.number), form)


@pytest.mark.parametrize(
    "contact",
    [
        Contact(),
        Contact(uid="u1"),
        Contact(keywords=("",)),
        Contact(keywords=("VIP", "VIP")),
        Contact(keywords=("V\nIP",)),
        Contact(keywords=("V\nIP",), notes=(Note(note="a\nb"),)),
        Contact(keywords=("V\\nIP",), notes=(Note(note="V"),)),
        Contact(keywords=("VIP", "<b>")),
        Contact(keywords=("VIP", "e\u0301")),
        Contact(keywords=("x" * (MAX_LINE_CHARS + 1),)),
        Contact(keywords=tuple(f"k{number}" for number in range(MAX_VALUES + 1))),
        Contact(notes=(Note(note="x" * (MAX_NOTE_CHARS + 1)),)),
        Contact(notes=tuple(Note(note=f"{number}{'漢' * 16_000}") for number in range(5))),
        Contact(keywords=("VIP",), name=Name()),
        Contact(name=Name(full="Ada", components=(NameComponent(kind="given", value=""),))),
        Contact(keywords=("VIP",), organizations=(Organization(),)),
        Contact(organizations=(Organization(name="Calc", units=("",)),)),
        Contact(emails=(EmailAddress(address="no address"),)),
        Contact(emails=(EmailAddress(address="ada@b.com"), EmailAddress(address="ADA@B.com"))),
        Contact(emails=(EmailAddress(address="ada@b.com", contexts=("nonsense",)),)),
        Contact(emails=(EmailAddress(address="ada@b.com", contexts=("work", "work")),)),
        Contact(emails=(EmailAddress(address="ada@b.com", pref=0),)),
        Contact(emails=(EmailAddress(address="ada@b.com", pref=101),)),
        Contact(phones=(Phone(number="12"),)),
        Contact(phones=(Phone(number="030 123456"), Phone(number="+49 30 123456"))),
        Contact(phones=(Phone(number="030 123456", features=("nonsense",)),)),
        Contact(addresses=(Address(contexts=("work",)),)),
        Contact(addresses=(Address(street="Street 1", country_code="gb"),)),
        Contact(addresses=(Address(street="Street 1", contexts=("nonsense",)),)),
        Contact(online_services=(OnlineService(service="XMPP"),)),
        Contact(online_services=(OnlineService(uri="javascript:alert(1)", user="ada"),)),
        Contact(online_services=(OnlineService(uri="www.calc.example", user="ada"),)),
        Contact(links=(Link(uri="www.calc.example"),)),
        Contact(links=(Link(uri="https://calc.example"), Link(uri="https://calc.example", label="x"))),
        Contact(anniversaries=(Anniversary(kind="birth", date="18151210"),)),
    ],
)
def test_what_is_changed_dropped_folded_or_set_aside_goes_the_long_way(contact: Contact) -> None:
    """The short way spells addresses and numbers, and nothing else: that it leaves to the long one."""
    assert ShortWay(EVERYTHING).cleaned(written(contact)) is None


@pytest.mark.parametrize("field", sorted(set(Field) - DEFAULT_FIELDS))
def test_what_the_policy_does_not_keep_goes_the_long_way(field: Field) -> None:
    """A contact with a property that the allow-list does not name is not taken as it is."""
    name = "online_services" if field is Field.ONLINE_SERVICES else field.value
    person = next((person for person in PEOPLE if getattr(person, name)), Contact(members=("urn:1",)))
    contact = Contact.model_validate({"name": Name(full="Ada"), name: getattr(person, name)})
    assert ShortWay(EVERYTHING).cleaned(written(contact)) is not None
    assert ShortWay(Policy()).cleaned(written(contact)) is None


def _with_needless_spaces(value: JsonValue, name: str = "") -> JsonValue:
    if isinstance(value, dict):
        return {member: _with_needless_spaces(each, member) for member, each in value.items()}
    if isinstance(value, list):
        return [_with_needless_spaces(each) for each in value]
    return f" {value}  ".replace(" ", "  ") if name in LINES and isinstance(value, str) else value


def test_needless_spaces_go_the_short_way() -> None:
    """Those around and inside lines, which are the most usual thing to clean."""
    short_way, clean = ShortWay(Policy()), 0
    for person in PEOPLE:
        tidy = long_way(written(person), Policy())
        short = short_way.cleaned(encode(_with_needless_spaces(json.loads(tidy.content))))
        assert short is None or short == tidy
        clean += short is not None
    assert clean > 0.9 * len(PEOPLE)


@pytest.mark.parametrize(
    "contact",
    [
        Contact(keywords=("VIP ",)),
        Contact(notes=(Note(note="a  b"),)),
        Contact(links=(Link(uri="https://calc.example "),)),
        Contact(name=Name(components=(NameComponent(kind="given", value="Ada "),) * 2)),
        Contact(name=Name(components=(NameComponent(kind="separator", value=" - "),))),
        Contact(name=Name(full=f"{' ' * MAX_READ_CHARS}Ada")),
        Contact(name=Name(full="Ada "), emails=(EmailAddress(address="a@b.com", contexts=("work ",)),)),
    ],
)
def test_other_needless_spaces_go_the_long_way(contact: Contact) -> None:
    """Where more than a line's spaces would change, or more of the contact than its spaces."""
    short = ShortWay(EVERYTHING).cleaned(written(contact))
    assert short is None or short == _long(written(contact), EVERYTHING)


def test_quotation_marks_and_the_lines_of_notes_go_the_short_way() -> None:
    """What JSON has to escape is clean where it may stand."""
    lines = (Address(locality="Köln", full="Street 1\nKöln"),)
    contact = Contact(keywords=('the "A" team', '"B"'), notes=(Note(note='"a"\nb\nc'),), addresses=lines)
    assert ShortWay(EVERYTHING).cleaned(written(contact)) == long_way(written(contact), EVERYTHING)


@pytest.mark.parametrize("before", ["e", "\u1100", "\uac00"])
def test_letters_that_stand_alone_are_clean_behind_any_sign(before: str) -> None:
    """Every letter: what is passed as clean at a glance is as `clean_line` leaves it, whatever stands before it."""
    letters = [letter for letter in map(chr, range(0x80, 0x110000)) if letter.isalpha()]
    passed = [letter for letter in letters if are_plain(letter.encode())]
    assert len(passed) > 0.95 * len(letters)
    assert [letter for letter in passed if clean_line(f"{before}{letter}x") != f"{before}{letter}x"] == []


def test_what_is_no_contact_goes_the_long_way() -> None:
    """Broken JSON and bytes that are no text are for the long way to refuse."""
    for content in (b"", b"[]", b'{"keywords": "VIP"}', b'{"keywords": ["\xff"]}', b'{"name": '):
        assert ShortWay(EVERYTHING).cleaned(content) is None
        with pytest.raises(PageUnreadable):
            long_way(content, EVERYTHING)


@pytest.mark.parametrize("name", sorted(SHAPES.keys() - {"Email"}))
def test_shapes_are_those_of_the_contact_s_model(name: str) -> None:
    """Same members in the same order, with the same defaults."""
    model: type[BaseModel] = getattr(models, name)
    shape = [(member.name, () if member.default is NODEFAULT else (member.default,)) for member in fields(SHAPES[name])]
    assert shape == [
        (member, () if info.default is PydanticUndefined else (info.default,))
        for member, info in model.model_fields.items()
    ]


@settings(max_examples=60)
@given(wild_contacts)
def test_shapes_read_and_write_the_contact_s_json(contact: Contact) -> None:
    """Byte for byte what the model writes, whatever the texts."""
    assert written_wire(read_wire(written(contact))) == written(contact)
