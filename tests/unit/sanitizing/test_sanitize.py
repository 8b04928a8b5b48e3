"""Sanitizing whole contacts: what is kept, dropped, folded, bounded and set aside."""

from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.contacts.cards import ALL, card
from tests.unit.contacts.people import LONE_SURROGATES, NAUGHTY, wild_contacts
from tests.unit.sanitizing.test_text import is_forbidden

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
    Nickname,
    Note,
    OnlineService,
    Organization,
    Phone,
    Title,
)
from contactsync.activities.contacts.limits import MAX_CONTACT_BYTES, MAX_LINE_CHARS, MAX_NOTE_CHARS, MAX_VALUES
from contactsync.activities.contacts.quarantine import QuarantineReason, UnreadableContact
from contactsync.activities.contacts.vcard import parse_vcard
from contactsync.activities.sanitizing.findings import Finding
from contactsync.activities.sanitizing.policy import Policy
from contactsync.activities.sanitizing.sanitize import Sanitized, sanitize, sanitize_with_findings
from contactsync.errors import SettingsError

EVERYTHING: Final = Policy(fields=ALL, default_region="DE")

FULL: Final = Contact(
    uid="u1",
    name=Name(full="Ada Lovelace", components=(NameComponent(kind="given", value="Ada"),)),
    nicknames=(Nickname(name="Countess"),),
    organizations=(Organization(name="Calc", units=("Engines",)),),
    titles=(Title(name="Analyst"),),
    emails=(EmailAddress(address="ada@calc.example", contexts=("work",), pref=1),),
    phones=(Phone(number="+4930123456", e164=True),),
    addresses=(Address(street="Street 1", country_code="GB"),),
    online_services=(OnlineService(service="XMPP", uri="xmpp:ada@calc.example"),),
    links=(Link(uri="https://calc.example"),),
    anniversaries=(Anniversary(kind="birth", date="1815-12-10"),),
    notes=(Note(note="likes engines"),),
    keywords=("VIP",),
    members=("urn:uuid:1",),
)


def _refusal(contact: Contact, policy: Policy) -> QuarantineReason:
    with pytest.raises(UnreadableContact) as refusal:
        sanitize(contact, policy)
    assert refusal.value.__cause__ is None
    return refusal.value.reason


def _attribute(field: Field) -> str:
    return "online_services" if field is Field.ONLINE_SERVICES else field.value


def _texts(value: object) -> list[str]:
    """Every text in a JSON-like value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in _texts(item)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return []


def test_a_clean_contact_stays_as_it_is() -> None:
    """With every field allowed, nothing of a clean contact changes and nothing is found."""
    assert sanitize_with_findings(FULL, EVERYTHING) == Sanitized(FULL, {})


@pytest.mark.parametrize("field", Field)
def test_the_allow_list_really_drops(field: Field) -> None:
    """One field allowed keeps that one; all but one allowed loses that one; uid and kind always stay."""
    attribute = _attribute(field)
    only = Contact.model_validate({"uid": "u1", attribute: getattr(FULL, attribute)})
    assert only == sanitize(FULL, Policy(fields=frozenset({field})))
    without = sanitize(FULL, Policy(fields=ALL - {field}))
    assert without == FULL.model_copy(update={attribute: None if field is Field.NAME else ()})


def test_the_default_is_enough_to_reach_a_person_and_no_more() -> None:
    """A tenant that says nothing gets names, e-mails, phones, organizations and titles."""
    kept = sanitize(FULL, Policy()).model_dump(exclude_defaults=True)
    assert set(kept) == {"uid", "name", "organizations", "titles", "emails", "phones"}


def test_values_are_brought_to_one_form() -> None:
    """Text, addresses, numbers, dates and links of a careless source come out clean."""
    contact = Contact(
        uid=" u1\0 ",
        name=Name(
            full="<b>Rene\N{COMBINING ACUTE ACCENT}e</b>  M\u200buller",
            components=(NameComponent(kind="given", value=" "),),
        ),
        organizations=(Organization(name=" ", units=("R&amp;D", "")), Organization(name="\u202e")),
        titles=(Title(name=""),),
        emails=(EmailAddress(address="Rene <R@CALC.Example>", contexts=("work", "odd", "work"), pref=0, label="<i>x"),),
        phones=(Phone(number="030 123456 x5", features=("mobile", "odd")), Phone(number="110", extension="x7")),
        addresses=(Address(street="Street 1\nHouse 2", country_code="de"), Address(country_code="Germany")),
        links=(Link(uri=" www.calc.example "),),
        anniversaries=(Anniversary(kind="birth", date="18151210"),),
        notes=(Note(note="<p>a</p>\r\n\r\n\r\nb"),),
    )
    assert sanitize(contact, EVERYTHING) == Contact(
        uid="u1",
        name=Name(full="Renée Muller"),
        organizations=(Organization(units=("R&D",)),),
        emails=(EmailAddress(address="R@calc.example", contexts=("work",), pref=1, label="x"),),
        phones=(
            Phone(number="+4930123456", extension="5", e164=True, features=("mobile",)),
            Phone(number="110 ext. 7"),
        ),
        addresses=(Address(street="Street 1, House 2", country_code="DE"),),
        links=(Link(uri="https://www.calc.example"),),
        anniversaries=(Anniversary(kind="birth", date="1815-12-10"),),
        notes=(Note(note="a\n\nb"),),
    )


def test_the_same_value_twice_is_one_that_says_what_both_said() -> None:
    """E-mails fold by their normal form, phones by E.164 and extension, others by equality."""
    contact = Contact(
        emails=(
            EmailAddress(address="Ada@calc.example", contexts=("work",), pref=9),
            EmailAddress(address="bob@calc.example"),
            EmailAddress(address="ada@CALC.example", contexts=("private",), pref=2, label="home"),
        ),
        phones=(
            Phone(number="030 123456", features=("voice",)),
            Phone(number="+49 30 123456", features=("fax",), contexts=("work",)),
            Phone(number="+49 30 123456 x9"),
        ),
        keywords=("VIP", "VIP ", "vip"),
    )
    clean = sanitize_with_findings(contact, EVERYTHING)
    assert clean.contact.emails == (
        EmailAddress(address="Ada@calc.example", contexts=("work", "private"), pref=2, label="home"),
        EmailAddress(address="bob@calc.example"),
    )
    assert clean.contact.phones == (
        Phone(number="+4930123456", e164=True, features=("voice", "fax"), contexts=("work",)),
        Phone(number="+4930123456", extension="9", e164=True),
    )
    assert clean.contact.keywords == ("VIP", "vip")
    assert clean.findings == {Finding.DUPLICATE_FOLDED: 3}


def test_what_was_dropped_is_counted_by_code() -> None:
    """Values that are lost are never lost in silence, and the report holds none of them."""
    contact = Contact(
        name=Name(full="x" * 1000),
        emails=(EmailAddress(address="no address"), EmailAddress(address="a@b")),
        phones=(Phone(number="home"), Phone(number="110")),
        links=(Link(uri="javascript:alert(1)"),),
        online_services=(OnlineService(uri="data:x"),),
        anniversaries=(Anniversary(kind="birth", date="soon"),),
    )
    assert sanitize_with_findings(contact, EVERYTHING).findings == {
        Finding.EMAIL_DROPPED: 2,
        Finding.PHONE_DROPPED: 1,
        Finding.PHONE_AS_TEXT: 1,
        Finding.URI_DROPPED: 2,
        Finding.DATE_DROPPED: 1,
        Finding.TEXT_SHORTENED: 1,
    }


@pytest.mark.parametrize(
    "contact",
    [
        Contact(uid="u1"),
        Contact(uid="u1", name=Name(full="\u200b\0 ")),
        Contact(uid="u1", emails=(EmailAddress(address="no address"),)),
        Contact(uid="u1", notes=(Note(note="a note, which is not kept"),)),
    ],
)
def test_p11_nothing_left_is_set_aside(contact: Contact) -> None:
    """P11: a contact of which nothing is left is quarantined as empty, not stored as nobody."""
    assert _refusal(contact, Policy()) is QuarantineReason.EMPTY


@pytest.mark.parametrize(
    "contact",
    [
        Contact(emails=tuple(EmailAddress(address=f"a{n}@b.example") for n in range(MAX_VALUES + 1))),
        Contact(name=Name(components=(NameComponent(kind="given", value="a"),) * (MAX_VALUES + 1))),
        Contact(organizations=(Organization(name="o", units=("u",) * (MAX_VALUES + 1)),)),
        Contact(members=tuple(f"urn:{n}" for n in range(6000))),
    ],
)
def test_too_many_values_are_set_aside(contact: Contact) -> None:
    """A contact with more values than any person has is quarantined, whatever the property."""
    assert _refusal(contact, EVERYTHING) is QuarantineReason.TOO_MANY_VALUES


def test_a_large_group_is_no_reason() -> None:
    """Groups have thousands of members."""
    members = tuple(f"urn:uuid:{n:036}" for n in range(4000))
    assert sanitize(Contact(kind="group", members=members), EVERYTHING).members == members


def test_p20_large_notes_are_shortened_or_set_aside() -> None:
    """P20: no contact leaves sanitizing with more bytes than a page can carry; what is not kept does not count."""
    notes = Contact(name=Name(full="Ada"), notes=(Note(note="漢" * 5_000_000),))
    assert sanitize(notes, Policy()) == Contact(name=Name(full="Ada"))
    assert len(sanitize(notes, EVERYTHING).notes[0].note) == MAX_NOTE_CHARS
    many = notes.model_copy(update={"notes": tuple(Note(note=f"{n}{'漢' * 20_000}") for n in range(50))})
    assert _refusal(many, EVERYTHING) is QuarantineReason.TOO_LARGE


def test_a_region_must_be_one() -> None:
    """A policy with a region that phone numbers are not known of is refused as a setting."""
    with pytest.raises(SettingsError):
        Policy(default_region="Germany")


def _everywhere(text: str) -> Contact:
    """A contact with the text in every text field there is, beside a name that is sane."""
    return Contact.model_construct(
        uid=text,
        name=Name.model_construct(full=text, components=(NameComponent.model_construct(kind="given", value=text),)),
        nicknames=(Nickname(name="Sane"), Nickname.model_construct(name=text)),
        organizations=(Organization.model_construct(name=text, units=(text,)),),
        titles=(Title.model_construct(name=text, kind="title"),),
        emails=(EmailAddress.model_construct(address=text, contexts=(text,), pref=1, label=text),),
        phones=(Phone.model_construct(number=text, extension=text, features=(text,), contexts=(text,), label=text),),
        addresses=(
            Address.model_construct(
                **dict.fromkeys(("street", "locality", "region", "postcode", "country", "country_code", "full"), text),
                contexts=(text,),
            ),
        ),
        online_services=(OnlineService.model_construct(service=text, uri=text, user=text),),
        links=(Link.model_construct(uri=text, label=text),),
        anniversaries=(Anniversary.model_construct(kind="birth", date=text),),
        notes=(Note.model_construct(note=text),),
        keywords=(text,),
        members=(text,),
    )


def _is_fit(contact: Contact) -> bool:
    texts = _texts(contact.model_dump())
    return (
        not any(is_forbidden(character) for text in texts for character in text if character != "\n")
        and all(len(text) <= MAX_NOTE_CHARS for text in texts)
        and len(contact.model_dump_json().encode()) <= MAX_CONTACT_BYTES
    )


@pytest.mark.parametrize("number", range(len(NAUGHTY) + len(LONE_SURROGATES)))
def test_naughty_strings_in_every_field(number: int) -> None:
    """Each naughty string, lone surrogates too, in every field at once: clean, bounded, stable, and a valid contact."""
    text = (*NAUGHTY, *LONE_SURROGATES)[number]
    clean = sanitize(_everywhere(text), EVERYTHING)
    assert _is_fit(clean)
    assert sanitize(clean, EVERYTHING) == clean
    assert Contact.model_validate_json(clean.model_dump_json()) == clean


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(wild_contacts, st.sampled_from(["", "DE", "US", "JP"]), st.sampled_from([ALL, DEFAULT_FIELDS]))
def test_any_contact_comes_out_fit_and_stays_so(contact: Contact, region: str, fields: frozenset[Field]) -> None:
    """Sanitizing never fails but by a reason, is deterministic, and does nothing the second time."""
    policy = Policy(fields=fields, default_region=region)
    try:
        clean = sanitize(contact, policy)
    except UnreadableContact:
        return
    assert _is_fit(clean)
    assert sanitize(clean, policy) == clean == sanitize(contact, policy)
    assert sanitize_with_findings(clean, policy).findings.keys() <= {Finding.PHONE_AS_TEXT}
    one_line = clean.model_copy(update={"notes": (), "addresses": ()})
    assert not any("\n" in text for text in _texts(one_line.model_dump()))
    assert all(
        len(text) <= MAX_LINE_CHARS for text in (*_texts(one_line.name and one_line.name.model_dump()), clean.uid)
    )


def test_naughty_strings_through_a_vcard() -> None:
    """A card full of naughty values, read and sanitized, is fit too."""
    for text in NAUGHTY:
        value = text.replace("\r", "").replace("\n", "\\n")
        raw = card(
            *(f"{name}:{value}" for name in ("UID", "N", "ORG", "TITLE", "NOTE", "ADR", "EMAIL", "TEL", "URL")),
            "FN:Ada",
        )
        assert _is_fit(sanitize(parse_vcard(raw, ALL), EVERYTHING))
