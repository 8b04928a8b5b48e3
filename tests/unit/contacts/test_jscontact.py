"""JSContact, against the figures of RFC 9553 and the conversions of RFC 9555 (tests/vectors/jscontact)."""

import json
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue
from tests.unit.contacts.cards import VECTORS, read
from tests.unit.contacts.people import wild_contacts

from contactsync.activities.contacts.contact import Address, Anniversary, Contact, Field, Name, NameComponent, Phone
from contactsync.activities.contacts.jscontact import from_card, to_card
from contactsync.activities.contacts.made_up import made_up_contacts
from contactsync.activities.contacts.quarantine import QuarantineReason, UnreadableContact
from contactsync.activities.sanitizing.policy import Policy
from contactsync.activities.sanitizing.sanitize import sanitize

EVERYTHING: Final = Policy(fields=frozenset(Field))


class _Part(BaseModel):
    format: str
    kind: str = ""
    lines: list[str] = []
    value: dict[str, JsonValue] = {}


class _Figure(BaseModel):
    figure: int
    anchor: str
    kind: str = ""
    value: dict[str, JsonValue] = {}
    parts: list[_Part] = []


def _figures(file: str) -> list[_Figure]:
    content = json.loads((VECTORS / "jscontact" / file).read_text("utf-8"))
    return [_Figure.model_validate(figure) for figure in content["figures"]]


CARDS: Final = {figure.figure: figure for figure in _figures("rfc9553-figures.json") if figure.value}
CONVERSIONS: Final = {figure.anchor: figure for figure in _figures("rfc9555-conversions.json")}

KEPT: Final = frozenset(
    {"uid", "kind", "name", "nicknames", "organizations", "titles", "emails", "phones", "addresses", "onlineServices"}
    | {"links", "anniversaries", "notes", "keywords", "members"}
)


@pytest.mark.parametrize("number", sorted(CARDS))
def test_a_figure_is_read_and_written_without_loss(number: int) -> None:
    """Each of the RFC's figures is read; written again, it is read as the same contact; what it held is there."""
    figure = CARDS[number].value
    contact = from_card(figure)
    assert from_card(to_card(contact)) == contact
    filled = contact.model_dump(exclude_defaults=True)
    if "kind" in figure:
        filled["kind"] = contact.kind
    assert {"online_services" if key == "onlineServices" else key for key in figure if key in KEPT} == set(filled)


def test_figure_values() -> None:
    """Names, addresses, phones and dates of the figures mean what the RFC says."""
    assert from_card(CARDS[17].value).name == Name(
        components=(
            NameComponent(kind="given", value="Diego"),
            NameComponent(kind="surname", value="Rivera"),
            NameComponent(kind="surname2", value="Barrientos"),
        )
    )
    assert from_card(CARDS[27].value).phones[0] == Phone(
        number="+1-555-555-5555;ext=5555", features=("voice",), contexts=("private",), pref=1
    )
    assert from_card(CARDS[31].value).addresses == (
        Address(
            street="54321 Oak St",
            locality="Reston",
            region="VA",
            postcode="20190",
            country="USA",
            country_code="US",
            contexts=("work",),
        ),
    )
    assert from_card(CARDS[33].value).addresses[0].street == "2-7-2 Marunouchi"
    assert from_card(CARDS[41].value).anniversaries == (
        Anniversary(kind="birth", date="1953-04-15"),
        Anniversary(kind="death", date="2019-10-15"),
    )


@pytest.mark.parametrize("file", ["rfc9553-figure-06-card.json", "rfc9553-figure-20-card.json"])
def test_whole_cards(file: str) -> None:
    """The RFC's two complete Cards are contacts."""
    card = json.loads((VECTORS / "jscontact" / file).read_text("utf-8"))
    assert from_card(card).name is not None


SAME_IN_BOTH: Final = (
    "group_conversion_params",
    "language-patch-dominant-language",
    "language-patch-no-language",
    "kind_conversion",
    "fn_conversion",
    "n_conversion",
    "nickname_conversion",
    "email_conversion",
    "impp_conversion",
    "tel_conversion",
    "contact_uri_conversion",
    "org_conversion",
    "categories_conversion",
    "uid_conversion",
    "url_conversion",
    "xablabel_conversion",
    "params_conversion",
)
"""The conversions of RFC 9555 whose both sides a contact holds in full."""


@pytest.mark.parametrize("anchor", SAME_IN_BOTH)
def test_a_vcard_and_its_jscontact_are_one_contact(anchor: str) -> None:
    """RFC 9555: both sides of a conversion are read as the same contact."""
    by_format = {part.format: part for part in CONVERSIONS[anchor].parts}
    assert from_card(by_format["jscontact"].value) == read(*by_format["vcard"].lines, version="4.0")


def test_conversions_with_known_differences() -> None:
    """Groups (the RFC's vCard lacks the uid), titles with their organization, dates (the RFC's has a misprint)."""
    sides = {
        anchor: {part.format: part for part in CONVERSIONS[anchor].parts}
        for anchor in ("group_example", "title_role_conversion", "anniversary_conversion", "notes_conversion")
    }
    group = read(*sides["group_example"]["vcard"].lines, version="4.0")
    assert from_card(sides["group_example"]["jscontact"].value).model_copy(update={"uid": ""}) == group
    titles = read(*sides["title_role_conversion"]["vcard"].lines, version="4.0")
    assert from_card(sides["title_role_conversion"]["jscontact"].value) == titles
    dates = read(*sides["anniversary_conversion"]["vcard"].lines, version="4.0").anniversaries
    card = from_card(sides["anniversary_conversion"]["jscontact"].value).anniversaries
    assert (dates[0], dates[2]) == (card[0], card[-1])
    assert dates[1] == Anniversary(kind="death", date="1996-04-15")
    note = read(*sides["notes_conversion"]["vcard"].lines, version="4.0").notes[0].note
    assert note.strip() == from_card(sides["notes_conversion"]["jscontact"].value).notes[0].note


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(wild_contacts)
def test_a_clean_contact_is_the_same_after_json(contact: Contact) -> None:
    """Any clean contact goes through a Card, as JSON text, and comes back the same."""
    try:
        clean = sanitize(contact, EVERYTHING)
    except UnreadableContact:
        return
    assert sanitize(from_card(json.loads(json.dumps(to_card(clean)))), EVERYTHING) == clean


def test_made_up_contacts_are_the_same_after_json() -> None:
    """The demo's people too, without sanitizing in between."""
    for contact in made_up_contacts(300, seed=2):
        assert from_card(json.loads(json.dumps(to_card(contact)))) == contact


def test_a_card_says_what_it_is() -> None:
    """A Card names its type and version, leaves out what is empty, and writes E.164 numbers as URIs."""
    contact = Contact(uid="u", phones=(Phone(number="+4930123456", extension="5", e164=True), Phone(number="110")))
    assert to_card(contact) == {
        "@type": "Card",
        "version": "1.0",
        "uid": "u",
        "kind": "individual",
        "phones": {"p1": {"number": "tel:+4930123456;ext=5"}, "p2": {"number": "110"}},
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(sorted(KEPT)), json_values, max_size=4))
def test_any_json_is_a_contact_or_refused(card: dict[str, object]) -> None:
    """What is no Card is refused by a reason without a value."""
    refusal = _refusal(card)
    assert refusal is None or (refusal.reason is QuarantineReason.INVALID and refusal.__cause__ is None)


def _refusal(card: dict[str, object]) -> UnreadableContact | None:
    try:
        from_card(card)
    except UnreadableContact as refusal:
        return refusal
    return None
