"""When a walk leaves a run that Temporal would rather see end."""

import pytest

from contactsync.workflows.run_bounds import LONG_BYTES, SUGGESTED_BYTES, SUGGESTED_EVENTS, is_too_long


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
