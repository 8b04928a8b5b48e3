"""When a walk leaves a run that Temporal would rather see end."""

import pytest

from contactsync.activities.pages import BODY_BYTES
from contactsync.workflows.run_bounds import (
    LONG_BYTES,
    SUGGESTED_BYTES,
    SUGGESTED_EVENTS,
    has_room_for_lanes,
    is_crowded,
    is_too_long,
)


@pytest.mark.parametrize(
    ("size", "events", "expected"),
    [
        (SUGGESTED_BYTES, 100, False),
        (LONG_BYTES - 1, SUGGESTED_EVENTS - 1, False),
        (LONG_BYTES, 100, True),
        (SUGGESTED_BYTES, SUGGESTED_EVENTS, True),
        (SUGGESTED_BYTES - 1, 60, True),
        (0, 60, True),
    ],
)
def test_size_alone_ends_a_walk_later_than_suggested(size: int, events: int, expected: bool) -> None:
    """What is suggested for another reason, or by a server that was set up to, is followed at once."""
    assert is_too_long(size, events) == expected


@pytest.mark.parametrize(
    ("lanes", "largest", "expected"),
    [
        (4, 0, True),
        (5, 0, False),
        (1, BODY_BYTES, True),
        (2, BODY_BYTES, False),
        (21, 120_000, True),
        (22, 120_000, False),
    ],
)
def test_side_by_side_go_as_many_as_a_history_has_room_for(lanes: int, largest: int, expected: bool) -> None:
    """Four as the default has them, whatever pages are; more of them once it is known how large pages are."""
    assert has_room_for_lanes(lanes, largest) == expected


def test_what_is_under_way_counts_as_written() -> None:
    """Large pages end a stretch at once, pages of the usual size never do."""
    assert is_crowded(4, BODY_BYTES, 0)
    assert not is_crowded(20, 120_000, LONG_BYTES)
