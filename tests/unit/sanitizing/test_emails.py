"""E-mail addresses and their normal form."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.contacts.people import email_texts

from contactsync.activities.sanitizing.emails import clean_email
from contactsync.activities.sanitizing.normal_forms import email_normal_form


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


@settings(deadline=None)
@given(email_texts)
def test_a_clean_address_is_its_own_clean_form_and_has_a_normal_form(text: str) -> None:
    """Cleaning twice changes nothing, and each address that is kept can be found again by any spelling of it."""
    clean = clean_email(text)
    if clean is not None:
        assert clean == clean_email(clean)
        assert email_normal_form(clean) == email_normal_form(text.partition("<")[2].rstrip(">") or text) is not None


@settings(deadline=None)
@given(st.emails())
def test_the_normal_form_agrees_with_the_library(address: str) -> None:
    """The cached domain gives what validating the whole address gives."""
    try:
        whole = validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        return
    assert email_normal_form(address) == f"{whole.local_part.casefold()}@{whole.ascii_domain}"
