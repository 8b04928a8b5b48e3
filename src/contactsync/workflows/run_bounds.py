"""When a run that walks through pages has become so long that the walk goes on in the next one."""

from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.pages import BODY_BYTES
    from contactsync.workflows.page_walk import MOST_AHEAD, PAGES_AHEAD

SUGGESTED_BYTES: Final = 4 * 1024 * 1024
SUGGESTED_EVENTS: Final = 4096
"""From these on Temporal suggests a new run, unless it is set up otherwise."""

LONG_BYTES: Final = 7 * 1024 * 1024
"""Servers warn at 10 MiB and end a run at 50; pages under way come on top."""

LANES: Final = "lanes-by-bytes"
"""A patch: runs that began before there was such a thing walk in as many lanes as they were told to."""

_LANES_BYTES: Final = 30 * 1024 * 1024
_HISTORY_BYTES: Final = 45 * 1024 * 1024
_TIMES_IN_HISTORY: Final = 4
"""A page as it is fetched, given to be cleaned, cleaned, and given to be written."""


def is_long() -> bool:
    """Whether a walk is to stop for that; runs that began before `PAGES_AHEAD` stop when Temporal suggests it."""
    info = workflow.info()
    suggested = info.is_continue_as_new_suggested()
    if not suggested or not workflow.patched(PAGES_AHEAD):
        return suggested
    return is_too_long(info.get_current_history_size(), info.get_current_history_length())


def is_too_long(size: int, events: int) -> bool:
    """Whether a run of so many bytes and events, at whose end Temporal suggests a new one, is too long for a walk.

    Contacts of a few dozen pages are more bytes than Temporal likes, in few events, and each run begins with no page
    fetched ahead: so size alone ends a walk later than suggested.
    """
    is_for_size = size >= SUGGESTED_BYTES and events < SUGGESTED_EVENTS
    return not is_for_size or size >= LONG_BYTES


def has_room_for_lanes(lanes: int, largest: int) -> bool:
    """Whether so many walks side by side may begin, if no page is larger than the largest there was (bytes). Before the
    first one is known, each may be as large as pages get, and nobody has asked for a second."""
    pages = 1 + MOST_AHEAD if largest else 1
    return lanes * pages * _TIMES_IN_HISTORY * (largest or BODY_BYTES) <= _LANES_BYTES


def is_crowded(lanes: int, largest: int, size: int) -> bool:
    """Whether so many walks side by side may make a history of `size` bytes longer than Temporal lets it become, unless
    each stops after the pages under way."""
    return size + lanes * (1 + MOST_AHEAD) * _TIMES_IN_HISTORY * largest > _HISTORY_BYTES
