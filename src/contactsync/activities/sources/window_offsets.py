"""Offset paging that notices when records shift: each page is asked for with the last record of the page before it.

A record that was read and then changes, or goes, moves those behind it forward: a page asked for by its number alone
would leave some out. Where the last records read are not where they were, the walk steps back until it finds them.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from itertools import takewhile
from typing import Final

from contactsync.activities.sources.query import QueryPage, Record
from contactsync.activities.sources.source import Changed
from contactsync.activities.sources.window_state import Walk
from contactsync.errors import CursorExpired, SourceMisbehaved

Ask = Callable[[bytes | None], Awaitable[QueryPage]]

_STEPS_BACK: Final = 4
_ANCHORS: Final = 8


async def ask_anchored(ask: Ask, walk: Walk) -> tuple[QueryPage, tuple[Record, ...]]:
    """The next answer, and those of its records that were not read yet.

    Raises:
        CursorExpired: the records have shifted so far that the query must begin anew.
        SourceMisbehaved: the token is no number.
    """
    if not walk.is_offset or walk.token is None or not walk.anchors:
        answer = await ask(walk.token)
        return answer, answer.records
    offset = _number(walk.token)
    back = 1
    for _ in range(_STEPS_BACK):
        answer = await ask(str(max(0, offset - back)).encode())
        unread = _behind_anchors(answer.records, walk.anchors)
        if unread is not None:
            return await _with_news(ask, answer, unread)
        if offset <= back:
            break
        back = max(back * 4, len(answer.records))
    raise CursorExpired


async def _with_news(ask: Ask, answer: QueryPage, unread: tuple[Record, ...]) -> tuple[QueryPage, tuple[Record, ...]]:
    if unread or answer.token is None:
        return answer, unread
    following = await ask(answer.token)  # only whole pages can be asked for, and the anchor ends one
    return following, following.records


def anchors_of(records: Sequence[Record]) -> tuple[str, ...]:
    """By what the last of these records are known again, if neither they nor their place have changed."""
    return tuple(_anchor(record) for record in records[-_ANCHORS:])


def _anchor(record: Record) -> str:
    # with its content: a record that changed may have moved to the end, and must not count as the place to go on
    content = record.change.content if isinstance(record.change, Changed) else b""
    said = repr((record.changed_at, record.change)).encode()
    return hashlib.blake2b(said + content, digest_size=9).hexdigest()


def _behind_anchors(records: Sequence[Record], anchors: Sequence[str]) -> tuple[Record, ...] | None:
    """The records after those that were read; None if none of those read is there."""
    is_read = [_anchor(record) in anchors for record in records]
    if True not in is_read:
        return None
    first = is_read.index(True)
    run = sum(1 for _ in takewhile(bool, is_read[first:]))
    return tuple(records[first + run :])


def _number(token: bytes) -> int:
    try:
        return int(token)
    except ValueError:
        raise SourceMisbehaved("the source's offset is no number") from None
