"""Phone numbers."""

import random
from collections.abc import Iterator
from typing import Final

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from tests.unit.contacts.people import phone_texts

from contactsync.activities.sanitizing.normal_forms import phone_normal_form
from contactsync.activities.sanitizing.phone_plans import plain_e164
from contactsync.activities.sanitizing.phones import CleanNumber, clean_phone, parsed_phone

FORMATS: Final = (
    PhoneNumberFormat.E164,
    PhoneNumberFormat.INTERNATIONAL,
    PhoneNumberFormat.NATIONAL,
    PhoneNumberFormat.RFC3966,
)
CODES: Final = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
REGIONS: Final = sorted(phonenumbers.SUPPORTED_REGIONS)


@pytest.mark.parametrize(
    ("raw", "number", "extension"),
    [
        ("+49 (0)30 123456", "+4930123456", ""),
        ("030 / 123456", "+4930123456", ""),
        ("0049 30 123456", "+4930123456", ""),
        ("tel:+49-30-123456", "+4930123456", ""),
        ("+1-418-656-9254;ext=102", "+14186569254", "102"),
        ("+1 418 656 9254 x102", "+14186569254", "102"),
        ("+1 418 656 9254 ext. 102", "+14186569254", "102"),
        ("+1 555 555 5555", "+15555555555", ""),
        ("٠٣٠ ١٢٣٤٥٦", "+4930123456", ""),
        ("\uff0b49 30 123456", "+4930123456", ""),
    ],
)
def test_a_number_becomes_e164(raw: str, number: str, extension: str) -> None:
    """International numbers by themselves, national ones by the tenant's region (here DE), extensions apart."""
    assert CleanNumber(number, extension, e164=True) == clean_phone(raw, "DE")


@pytest.mark.parametrize(
    "raw",
    [
        "110",
        "905-555-1234",
        "030 123456 / 030 123457",
        "030 1234567 after 6",
        "call 030 1234567",
        "+999 123456",
        "0800-FLOWERS",
        "*100#",
    ],
)
def test_what_may_be_no_number_stays_as_written(raw: str) -> None:
    """Short codes, foreign national numbers, lists and words are kept as text and never guessed into a number."""
    assert CleanNumber(raw, "", e164=False) == clean_phone(raw, "DE")


@pytest.mark.parametrize("raw", ["", "12", "home", "sip:ada@calc.example"])
def test_fewer_than_three_digits_is_no_number(raw: str) -> None:
    """Text without digits in a phone's place is dropped."""
    assert clean_phone(raw, "DE") is None


def test_national_numbers_need_a_region() -> None:
    """Without a default region a national number stays text, and cannot be looked up."""
    assert clean_phone("030 123456", "") == CleanNumber("030 123456", "", e164=False)
    assert phone_normal_form("030 123456") is None
    assert phone_normal_form("030 123456", "DE") == phone_normal_form("+49 30 123456 x5") == "+4930123456"


@pytest.mark.parametrize("region", REGIONS)
def test_example_numbers_of_every_region(region: str) -> None:
    """The example numbers of all regions come out as the library formats them, in any of its formats, for good."""
    for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE):
        number = phonenumbers.example_number_for_type(region, kind)
        if number is None:
            continue
        expected = CleanNumber(phonenumbers.format_number(number, PhoneNumberFormat.E164), "", e164=True)
        for form in (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.RFC3966):
            assert expected == clean_phone(phonenumbers.format_number(number, form), "")
        assert expected == clean_phone(expected.number, "JP")


@settings(max_examples=300)
@given(phone_texts, st.sampled_from(["", *REGIONS]))
def test_a_clean_number_is_its_own_clean_form(text: str, region: str) -> None:
    """Cleaning twice changes nothing, with the same region or another."""
    clean = clean_phone(text, region)
    if clean is not None and clean.e164:
        assert CleanNumber(clean.number, "", e164=True) == clean_phone(clean.number, region)
        assert CleanNumber(clean.number, "", e164=True) == clean_phone(clean.number, "US")
    elif clean is not None:
        assert clean == clean_phone(clean.number, region)


def _written(region: str, chance: random.Random) -> Iterator[str]:
    """Example numbers of a region, of every kind, in every format; each also with other digits, fewer and more."""
    for kind in PhoneNumberType.values():
        number = phonenumbers.example_number_for_type(region, kind)
        if number is None:
            continue
        for form in FORMATS:
            text = phonenumbers.format_number(number, form)
            other = "".join(
                chance.choice("0123456789") if sign.isdigit() and chance.random() < 0.3 else sign for sign in text
            )
            yield from (text, other, other[:-1], f"{other}7", f"0{text}", f"1-{text}", f"{text} x12")


@pytest.mark.parametrize("region", REGIONS)
def test_the_short_way_answers_what_the_library_answers(region: str) -> None:
    """Plain numbers get their E.164 form without being parsed: at home, abroad and without a region."""
    chance = random.Random(region)  # noqa: S311  # the same numbers in every run
    for text in _written(region, chance):
        for home in (region, chance.choice(["", *REGIONS])):
            assert clean_phone(text, home) == parsed_phone(text, home)
            plain = plain_e164(text, home)
            assert plain is None or plain == phone_normal_form(plain)


def test_the_short_way_answers_for_nearly_all() -> None:
    """Mobile numbers: written with a country code from nearly every region, as they are written at home from most."""
    mobiles = [(phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE), region) for region in REGIONS]
    known = [(number, region) for number, region in mobiles if number]
    abroad = [plain_e164(phonenumbers.format_number(number, FORMATS[1]), "") for number, _ in known]
    home = [plain_e164(phonenumbers.format_number(number, FORMATS[2]), region) for number, region in known]
    assert len([number for number in abroad if number]) > len(known) * 0.9
    assert len([number for number in home if number]) > len(known) * 0.7


@pytest.mark.parametrize("code", [*CODES, 0, 2, 21, 210, 999])
def test_the_short_way_knows_lengths_and_prefixes_of_every_country(code: int) -> None:
    """Random digits behind each country code, zeros in front, and codes that no country has."""
    chance = random.Random(code)  # noqa: S311
    home = phonenumbers.region_code_for_country_code(code)
    for length in range(1, 15, 2):
        for zeros in ("", "(0)"):
            digits = zeros + "".join(chance.choice("0123456789") for _ in range(length))
            for text in (f"+{code}{digits}", f"+ ({code}) {digits}", digits, f"00{code}{digits}"):
                region = home if home in phonenumbers.SUPPORTED_REGIONS else "DE"
                assert clean_phone(text, region) == parsed_phone(text, region)


@given(phone_texts, st.sampled_from(["", *REGIONS]))
def test_the_short_way_answers_what_the_library_answers_to_any_text(text: str, region: str) -> None:
    """Whatever stands where a number should."""
    assert clean_phone(text, region) == parsed_phone(text, region)
