"""E-mail addresses and their normal form."""

from itertools import product
from typing import Final

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.contacts.people import email_texts

from contactsync.activities.sanitizing.emails import clean_email, domain_of, parsed_email, plain_email, valid_domain
from contactsync.activities.sanitizing.normal_forms import email_normal_form

# ruff: noqa: RUF001 - letters of other scripts look like Latin ones, and are meant

LOCALS: Final = (
    *("ada", "Ada.Lovelace", "a", "o'brien", "a+b", "a_b-c", "a/b=c", "info", "Info", "POSTMASTER", "postmaster+x"),
    *("ñandú", "юзер", "राम", "葉士豪", "e\u0301", "\u0301e", "\u212b", "a\u200cb", '"ada"', '"a b"', '"a@b"', 'a"b'),
    *("", ".a", "a.", "a..b", "a b", " a", "a ", "<a", "Ada <a", "mailto:a", "MAILTO:a", "a@b", "@", "a\n"),
    *("x" * 64, "x" * 65, "x" * 241, "x" * 242, "x" * 243, "é" * 120),
)
DOMAINS: Final = (
    *("calc.example", "CALC.Example", "mail.calc.example", "test-calc.example", "b.com", "a_b.com", "-a.com", "a-.com"),
    *(
        "bücher.example",
        "BÜCHER.example",
        "xn--bcher-kva.example",
        "XN--BCHER-KVA.example",
        "xn--a.example",
        "почта.рф",
    ),
    *(
        "例え.example",
        "ａｂ．example",
        "。example",
        "ẞ.example",
        "straße.example",
        "㎏.example",
        "ﷺ.example",
        "⒈a.example",
    ),
    *("", ".", "b", "localhost", "a.local", "a.test", "a.invalid", "b.com.", ".b.com", "a..b", "@b.com", "b@c.com"),
    *(
        "b.123",
        "[127.0.0.1]",
        "[IPv6:::1]",
        "b.com>",
        "b.com?subject=x",
        "b.com ",
        " b.com",
        "b .com",
        "b.com\n",
        "b!.com",
    ),
    *("b\u200d.com", "b\u00ad.com", f"{'x' * 63}.com", f"{'x' * 64}.com", f"{'x' * 60}.{'y' * 60}.{'z' * 60}.com"),
    *(f"{'x' * 63}.{'y' * 63}.{'z' * 63}.{'w' * end}.com" for end in (50, 55, 56, 57, 58)),
    *(f"{'ü' * letters}.{'ö' * letters}.{'ä' * letters}.com" for letters in (30, 40, 50)),
)
"""Parts that are plain, odd, too long or wrong, each for a reason of its own."""


@pytest.mark.parametrize("local", LOCALS)
def test_the_short_way_answers_what_the_library_answers(local: str) -> None:
    """Plain addresses are cleaned without the library, in no way that it would not have taken."""
    for domain, around in product(DOMAINS, ("{}", "Ada <{}>")):
        text = around.format(f"{local}@{domain}")
        assert clean_email(text) == parsed_email(text)
        plain = plain_email(text)
        assert plain is None or plain[1] == email_normal_form(plain[0])


@given(email_texts)
def test_the_short_way_answers_what_the_library_answers_to_any_text(text: str) -> None:
    """Whatever stands where an address should."""
    assert clean_email(text) == parsed_email(text)


def test_what_is_no_domain_is_not_remembered() -> None:
    """Only valid domains are kept for the next address: text that a person wrote there is not."""
    before = valid_domain.cache_info().currsize
    assert domain_of("lives in the blue house") is None
    assert valid_domain.cache_info().currsize == before


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Ada@CALC.Example", "Ada@calc.example"),
        ("mailto:ada@calc.example?subject=x", "ada@calc.example"),
        ("Ada Lovelace <ada@calc.example>", "ada@calc.example"),
        ("ada@xn--bcher-kva.example", "ada@bücher.example"),
        ("müller@bücher.example", "müller@bücher.example"),
        ("o'brien+x@calc.example", "o'brien+x@calc.example"),
        ("Postmaster@calc.example", "postmaster@calc.example"),
    ],
)
def test_an_address_gets_one_spelling(raw: str, clean: str) -> None:
    """The domain is lower case and Unicode, what stands around the address is taken off, the local part is kept."""
    assert clean == clean_email(raw)


@pytest.mark.parametrize(
    "raw",
    ["", "ada", "ada@", "@calc.example", "a b@calc.example", '"a b"@calc.example', "a@[127.0.0.1]", "a@b", "a" * 400],
)
def test_what_no_mail_could_reach_is_no_address(raw: str) -> None:
    """Text that is no address gives none; nothing is asked of the network to know."""
    assert clean_email(raw) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@calc.example", " ADA@Calc.Example "),
        ("müller@bücher.example", "MÜLLER@XN--BCHER-KVA.example"),
        ("straße@calc.example", "STRASSE@calc.example"),
        ("e\N{COMBINING ACUTE ACCENT}@calc.example", "É@calc.example"),
    ],
)
def test_two_spellings_have_one_normal_form(one: str, other: str) -> None:
    """What an index is computed over does not depend on case, composition or the domain's alphabet."""
    assert email_normal_form(one) == email_normal_form(other) is not None


def test_dots_and_tags_tell_addresses_apart() -> None:
    """Only the receiving server knows what dots and tags mean."""
    assert email_normal_form("a.b+c@calc.example") == "a.b+c@calc.example"
    assert email_normal_form("ab@calc.example") != email_normal_form("a.b@calc.example")


@pytest.mark.parametrize("address", ["", "ada", "@calc.example", "ada@", "ada@-"])
def test_no_domain_no_normal_form(address: str) -> None:
    """Text without a valid domain cannot be looked up."""
    assert email_normal_form(address) is None


@given(email_texts)
def test_a_clean_address_is_its_own_clean_form_and_has_a_normal_form(text: str) -> None:
    """Cleaning twice changes nothing, and each address that is kept can be found again by any spelling of it."""
    clean = clean_email(text)
    if clean is not None:
        assert clean == clean_email(clean)
        assert email_normal_form(clean) == email_normal_form(text.partition("<")[2].rstrip(">") or text) is not None


@given(st.emails())
def test_the_normal_form_agrees_with_the_library(address: str) -> None:
    """The cached domain gives what validating the whole address gives."""
    try:
        whole = validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        return
    assert email_normal_form(address) == f"{whole.local_part.casefold()}@{whole.ascii_domain}"
