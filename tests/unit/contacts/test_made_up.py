"""Made-up contacts."""

import unicodedata
from typing import Final

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from contactsync.activities.contacts.contact import Contact, Field
from contactsync.activities.contacts.made_up import made_up_contacts, personal_strings
from contactsync.activities.contacts.made_up_names import LOCALES
from contactsync.activities.sanitizing.policy import Policy
from contactsync.activities.sanitizing.sanitize import sanitize

COUNT: Final = 20_000
PEOPLE: Final = made_up_contacts(COUNT, seed=1)


def test_the_same_seed_gives_the_same_people() -> None:
    """A seed names its people for good; another names others."""
    assert made_up_contacts(50, seed=1) == PEOPLE[:50]
    assert not {contact.uid for contact in made_up_contacts(50, seed=2)} & {contact.uid for contact in PEOPLE}


def test_values_are_unique() -> None:
    """Full names, e-mails, phones and uids each belong to one person, so that a search finds whom it means."""
    for values in (
        [contact.uid for contact in PEOPLE],
        [contact.name.full for contact in PEOPLE if contact.name],
        [email.address for contact in PEOPLE for email in contact.emails],
        [phone.number for contact in PEOPLE for phone in contact.phones],
        [note.note for contact in PEOPLE for note in contact.notes],
    ):
        assert len(values) == len(set(values)) > COUNT // 3


def test_addresses_are_reserved_and_numbers_valid() -> None:
    """Every e-mail lies under .example, every phone number is valid where it says it is."""
    assert all(email.address.endswith(".example") for contact in PEOPLE for email in contact.emails)
    numbers = [phone.number for contact in PEOPLE[:2000] for phone in contact.phones]
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(number)) for number in numbers)


@pytest.mark.parametrize("region", [locale.region for locale in LOCALES])
def test_numbers_stay_in_their_range(region: str) -> None:
    """The digits that are varied may be any: the numbers at both ends and in between are valid."""
    for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE):
        example = phonenumbers.example_number_for_type(region, kind)
        assert example is not None
        stem = phonenumbers.format_number(example, PhoneNumberFormat.E164)[:-5]
        for tail in (*range(0, 100_000, 997), 99_999):
            assert phonenumbers.is_valid_number(phonenumbers.parse(f"{stem}{tail:05}"))


def test_they_are_clean_already() -> None:
    """Sanitizing them with every field allowed changes nothing; with the default fields it drops some."""
    everything, default = Policy(fields=frozenset(Field)), Policy()
    international = [person for person in PEOPLE if any(not email.address.isascii() for email in person.emails)]
    sample = PEOPLE[:: COUNT // 500] + international
    assert [sanitize(contact, everything) for contact in sample] == sample
    minimised = [sanitize(contact, default) for contact in sample]
    assert any(contact.notes for contact in sample)
    assert any(contact.addresses for contact in sample)
    assert not any(contact.notes or contact.addresses or contact.anniversaries for contact in minimised)


def test_they_come_from_many_scripts() -> None:
    """Names in at least ten scripts, Latin ones with diacritics."""
    letters = {letter for contact in PEOPLE[:500] if contact.name for letter in contact.name.full if letter.isalpha()}
    scripts = {unicodedata.name(letter).split()[0] for letter in letters}
    expected = {"LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "CJK", "HANGUL", "DEVANAGARI", "THAI", "GEORGIAN"}
    assert expected <= scripts
    assert any("WITH" in unicodedata.name(letter) for letter in letters)


def test_personal_strings_are_the_contact_s_own() -> None:
    """What a scan looks for is long enough not to be found by chance, and is in the contact as it is stored."""

    def stored(contact: Contact) -> str:
        return contact.model_dump_json().replace("\\n", "\n")

    for contact in PEOPLE[:200]:
        strings = list(personal_strings(contact))
        assert strings
        assert all(string in stored(contact) for string in strings)
