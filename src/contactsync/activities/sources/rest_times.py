"""Times as providers write them, and as they want to be asked."""

from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import JsonValue

from contactsync.activities.sources.query import Instant
from contactsync.activities.sources.rest_expressions import NotEvaluable
from contactsync.activities.sources.rest_tables import TimeFormat

SECOND: Final[Instant] = 1_000_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_SECONDS: Final = 86_400
_LATEST: Final[Instant] = 253_402_300_799_999_999  # the end of the year 9999
_MILLISECONDS_FROM: Final = 100_000_000_000  # seconds reach this in the year 5138, milliseconds in 1973 …
_MICROSECONDS_FROM: Final = 100_000_000_000_000  # … and microseconds in 1973 too
_UNIT: Final[dict[TimeFormat, Instant]] = {
    "iso": 1,
    "iso_ms": 1_000,
    "iso_s": SECOND,
    "epoch_s": SECOND,
    "epoch_ms": 1_000,
}


def instant_of(value: JsonValue) -> Instant | None:
    """A time: RFC 3339 (UTC where it names no zone), or a number of seconds, milliseconds or microseconds since 1970.

    Raises:
        NotEvaluable: it is none.
    """
    if isinstance(value, str):
        return _of_text(value.strip()) if value else None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotEvaluable
    return _number(value)


def _of_text(text: str) -> Instant:
    return _number(_integer(text)) if text.isdigit() and text.isascii() else _iso(text)


def _integer(text: str) -> int:
    if len(text) > 18:
        raise NotEvaluable
    return int(text)


def _number(number: float) -> Instant:
    if not 0 <= number <= _LATEST:  # a number that is none compares as false
        raise NotEvaluable
    if number >= _MICROSECONDS_FROM:
        return int(number)
    return round(number * (1_000 if number >= _MILLISECONDS_FROM else SECOND))


def _iso(text: str) -> Instant:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise NotEvaluable from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    since = at - _EPOCH
    return (since.days * _DAY_SECONDS + since.seconds) * SECOND + since.microseconds


def written(instant: Instant, form: TimeFormat, *, is_upper: bool = False) -> str:
    """An instant in the provider's form: a lower bound is rounded down, an upper one up, so that nothing falls out."""
    unit = _UNIT[form]
    units = -(-instant // unit) if is_upper else instant // unit
    if form in ("epoch_s", "epoch_ms"):
        return str(units)
    digits = {"iso": "microseconds", "iso_ms": "milliseconds", "iso_s": "seconds"}[form]
    at = _EPOCH + timedelta(microseconds=min(max(units * unit, 0), _LATEST))
    return at.isoformat(timespec=digits).replace("+00:00", "Z")


def unit_of(form: TimeFormat) -> Instant:
    """The smallest difference that the form can tell."""
    return _UNIT[form]
