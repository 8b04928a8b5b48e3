"""The forms in which sources write birthdays and anniversaries, brought to one."""

import re
from datetime import date
from typing import Final

_FULL: Final = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:[T ].*)?", re.DOTALL)
_MONTH_DAY: Final = re.compile(r"--([0-9]{2})-?([0-9]{2})(?:T.*)?", re.DOTALL)
_YEAR_MONTH: Final = re.compile(r"([0-9]{4})-([0-9]{2})")
_YEAR: Final = re.compile(r"[0-9]{4}")
_LEAP_YEAR: Final = 2000


def normal_date(text: str) -> str | None:
    """`1980-03-22`, `--03-22` (year unknown), `1980-03` or `1980`; None if it is no date.

    RFC 6350 §4.3.1, RFC 9553 §2.8.1. A time of day is dropped. The year `0000`
    stands for an unknown one, as several programs write it.
    """
    text = text.strip()
    if match := _FULL.fullmatch(text):
        return _day(int(match[1]), int(match[2]), int(match[3]))
    if match := _MONTH_DAY.fullmatch(text):
        return _day(0, int(match[1]), int(match[2]))
    if match := _YEAR_MONTH.fullmatch(text):
        return text if 1 <= int(match[2]) <= 12 and match[1] != "0000" else None
    return text if _YEAR.fullmatch(text) and text != "0000" else None


def without_year(text: str) -> str:
    """The month and day of a full date (`--03-22`); anything else is returned as it is."""
    match = _FULL.fullmatch(text.strip())
    return f"--{match[2]}-{match[3]}" if match else text


def _day(year: int, month: int, day: int) -> str | None:
    try:
        date(year or _LEAP_YEAR, month, day)
    except ValueError:
        return None
    return f"{year:04}-{month:02}-{day:02}" if year else f"--{month:02}-{day:02}"
