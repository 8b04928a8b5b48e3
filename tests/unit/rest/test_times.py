"""Times as providers write them, and windows as they are asked."""

import math
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from contactsync.activities.sources.rest_expressions import NotEvaluable
from contactsync.activities.sources.rest_tables import TimeFormat
from contactsync.activities.sources.rest_times import SECOND, instant_of, unit_of, written

FORMATS: tuple[TimeFormat, ...] = get_args(TimeFormat)
AT = 1_772_368_496 * SECOND  # 2026-03-01T12:34:56Z
instants = st.integers(min_value=110_000_000 * SECOND, max_value=4_000_000_000 * SECOND)


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2026-03-01T12:34:56Z", AT),
        ("2026-03-01T12:34:56", AT),
        ("2026-03-01 12:34:56+00:00", AT),
        ("2026-03-01T14:34:56+02:00", AT),
        ("2026-03-01T12:34:56.789Z", AT + 789_000),
        ("2026-03-01T12:34:56.123456Z", AT + 123_456),
        ("2026-03-01", AT - 45_296 * SECOND),
        (1_772_368_496, AT),
        (1_772_368_496.5, AT + SECOND // 2),
        (1_772_368_496_789, AT + 789_000),
        (1_772_368_496_123_456, AT + 123_456),
        ("1772368496789", AT + 789_000),
        (0, 0),
        (None, None),
        ("", None),
    ],
)
def test_times_are_read(value: JsonValue, instant: int | None) -> None:
    """RFC 3339 in its spellings, and seconds, milliseconds and microseconds since 1970."""
    assert instant_of(value) == instant


@pytest.mark.parametrize(
    "value", ["yesterday", "12:34", True, [], {}, -1, 1e30, math.nan, math.inf, "9" * 40, "2026-13-01T00:00:00Z"]
)
def test_what_is_no_time(value: JsonValue) -> None:
    """Anything else is not taken for a time."""
    with pytest.raises(NotEvaluable):
        instant_of(value)


@given(instants, st.sampled_from(FORMATS))
def test_bounds_are_rounded_outwards(instant: int, form: TimeFormat) -> None:
    """A lower bound is never after the instant and an upper one never before it, by less than a unit."""
    lower, upper = (instant_of(written(instant, form, is_upper=is_upper)) for is_upper in (False, True))
    assert lower is not None
    assert upper is not None
    assert instant - unit_of(form) < lower <= instant <= upper < instant + unit_of(form)


@given(instants)
def test_microseconds_come_back(instant: int) -> None:
    """The finest form loses nothing."""
    assert instant_of(written(instant, "iso")) == instant
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)
    assert datetime.fromisoformat(written(instant, "iso")) == at
