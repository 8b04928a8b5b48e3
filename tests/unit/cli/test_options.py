"""How options' values are read."""

from datetime import timedelta

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from contactsync.activities.contacts.contact import Field
from contactsync.workers.cli.options import parse_duration, parse_fields, parse_region, parse_settings, show_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400), (" 5m ", 300)]
)
def test_times_are_read(text: str, seconds: int) -> None:
    """A number with a unit, or seconds."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "0", "0s", "-5m", "5 m", "5w", "1.5h", "m", "\u0661\u0665m", "9" * 30])
def test_what_is_no_time_is_refused(text: str) -> None:
    """Nothing is guessed: zero, negative and unknown units are refused."""
    with pytest.raises(typer.BadParameter):
        parse_duration(text)


@given(st.integers(min_value=1, max_value=10**7))
def test_times_are_shown_by_their_two_largest_units(seconds: int) -> None:
    """What is shown is never more than the time, and falls short by less than its smaller unit."""
    shown = show_duration(timedelta(seconds=seconds))
    assert shown is not None
    parts = [parse_duration(part).total_seconds() for part in shown.split() if part[:2] not in ("00", "0s")]
    smallest = {"s": 1, "m": 60, "h": 3600}[shown[-1]]
    assert 0 <= seconds - sum(parts) < smallest


def test_settings_are_text_or_json() -> None:
    """`key=value` is text, which the kind of source reads for itself; brackets are JSON."""
    settings = parse_settings(["username=0042", "note=a=b", 'hosts=["a.example"]', "empty="])
    assert settings == {"username": "0042", "note": "a=b", "hosts": ["a.example"], "empty": ""}


@pytest.mark.parametrize("pairs", [["novalue"], ["=x"], ["a=1", "a=2"], ["a=[1"]])
def test_settings_that_are_none_are_refused(pairs: list[str]) -> None:
    """No `=`, no key, twice the same, or JSON that is none."""
    with pytest.raises(typer.BadParameter):
        parse_settings(pairs)


def test_regions_are_those_of_phone_numbers() -> None:
    """Two letters in either case; what no phone number knows is refused."""
    assert parse_region("de") == "DE"
    for wrong in ("DEU", "XX", "", "49"):
        with pytest.raises(typer.BadParameter):
            parse_region(wrong)


def test_fields_are_named_as_in_the_contact() -> None:
    """RFC 9553's names, separated by commas; an unknown one is refused with those there are."""
    assert parse_fields("name, emails") == frozenset({Field.NAME, Field.EMAILS})
    for wrong in ("", "name,ssn", "Emails"):
        with pytest.raises(typer.BadParameter, match="choose from name, nicknames"):
            parse_fields(wrong)
