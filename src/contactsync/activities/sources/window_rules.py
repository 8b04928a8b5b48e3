"""How a pass goes on after an answer: pure rules, no input or output.

Where answers are in order of time, each page is a question of its own that begins at the last instant of the page
before it, so that no edge splits a tie and nothing hangs on the source's page tokens. What is read twice is harmless.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from contactsync.activities.sources.query import Instant, Record
from contactsync.activities.sources.source import Capabilities
from contactsync.activities.sources.window_marks import SECOND, Asked, begin_listing, marked, until_of
from contactsync.activities.sources.window_offsets import anchors_of
from contactsync.activities.sources.window_state import Part, Span, State, Walk
from contactsync.errors import SourceMisbehaved

MOST_STALLS: Final = 3

_STEPS: Final = (1, 1_000, SECOND)
_DISORDER: Final = 10
"""One record in so many may be out of order, as in an index that lags; where more are, there is no order."""

_ONE_INSTANT: Final = (
    "more contacts changed at one instant than the source answers at once, "
    "and it cannot be asked for those behind an id"
)
_CAPPED_LISTING: Final = "the source ends its complete listing although there is more; name parts of the listing"


@dataclass(frozen=True, slots=True)
class Setting:
    """What the rules go by. `now` in our clock; `parts` are those of the complete listing."""

    can: Capabilities
    now: Instant
    parts: Callable[[], tuple[bytes | None, ...]]


def advance(state: State, asked: Asked, setting: Setting) -> State:
    """Where the pass stands after an answer; without a walk when it is over.

    Raises:
        SourceMisbehaved: there is more, and no way to ask for it.
    """
    assert state.walk is not None  # noqa: S101  # a page is asked for inside a walk
    can, walk = setting.can, marked(state, state.walk, asked, setting.can)
    state = state.model_copy(update={"skew": asked.skew})
    if not asked.answer.is_capped and asked.answer.token is None:
        return _query_ended(state, walk, setting)
    return state.walking(_listed_on(walk, asked) if walk.part else _changes_on(walk, asked, can))


def _listed_on(walk: Walk, asked: Asked) -> Walk:
    if asked.answer.is_capped:
        raise SourceMisbehaved(_CAPPED_LISTING)
    return _next_token(walk, asked)


def _next_token(walk: Walk, asked: Asked) -> Walk:
    answer = asked.answer
    anchors = anchors_of(answer.records) or walk.anchors
    kept = {"token": answer.token, "is_offset": answer.is_offset, "anchors": anchors if answer.is_offset else ()}
    return walk.model_copy(update=kept)


def _changes_on(walk: Walk, asked: Asked, can: Capabilities) -> Walk:
    span = walk.spans[0]
    if span.after_id is None:
        walk = walk.model_copy(update={"is_disordered": walk.is_disordered or not _in_order(asked.answer.records)})
        further = _further(walk, asked.answer.records, can)
        if further is not None:
            return walk.next_query(spans=(further, *walk.spans[1:]), stalls=0)
    if not asked.answer.is_capped:
        return _next_token(walk, asked)
    return walk.next_query(spans=(*_past_cap(walk, asked.answer.records, can), *walk.spans[1:]))


def _in_order(records: Sequence[Record]) -> bool:
    times = [record.changed_at for record in records if record.changed_at is not None]
    return sum(later < earlier for earlier, later in pairwise(times)) * _DISORDER <= len(times)


def _further(walk: Walk, records: Sequence[Record], can: Capabilities) -> Span | None:
    """The window that is left after a page in order; None if the page came no further than its first instant."""
    span = walk.spans[0]
    if can.order == "none" or walk.is_disordered:
        return None
    if span.drained is not None and _is_only_of(records, span.drained):
        return _stepped(span)
    times = _times_inside(records, span)
    if can.order == "time_id" and can.settles_seconds <= 0 and _is_crowded(times):
        return _behind(Span(since=times[-1], until=span.until), records)
    ahead = [time for time in _edge(times, can) if time > span.since]
    return Span(since=min(ahead), until=span.until) if ahead else None


def _edge(times: Sequence[Instant], can: Capabilities) -> Sequence[Instant]:
    """The end of a page, in which the instant is to be found that is surely read up to.

    An index that lags sorts single records by an earlier time than it shows: the last one alone is not to be trusted.
    """
    return times[-max(1, len(times) // 4) :] if can.settles_seconds > 0 else times[-1:]


def _times_inside(records: Sequence[Record], span: Span) -> list[Instant]:
    times = (record.changed_at for record in records)
    return [time for time in times if time is not None and span.since <= time < span.until]


def _is_crowded(times: Sequence[Instant]) -> bool:
    return bool(times) and sum(time == times[-1] for time in times) * 2 > len(times)


def _past_cap(walk: Walk, records: Sequence[Record], can: Capabilities) -> tuple[Span, ...]:
    """Windows for what is left where the source ends its answer and the page came no further."""
    span = walk.spans[0]
    if span.after_id is not None:
        return (_behind(span, records),)
    if can.order == "time_id" and not walk.is_disordered:
        return (_behind(span, records),)
    if can.order == "time" and not walk.is_disordered:
        raise SourceMisbehaved(_ONE_INSTANT)
    return _halves(span, _times_inside(records, span))


def _behind(span: Span, records: Sequence[Record]) -> Span:
    """The rest of the instant at which `span` begins, by id."""
    ids = [record.change.source_id for record in records if record.changed_at == span.since]
    if not ids or ids[-1] == span.after_id:
        raise SourceMisbehaved("the source says that there is more and does not go on")
    return span.model_copy(update={"after_id": ids[-1], "drained": None})


def _halves(span: Span, times: Sequence[Instant]) -> tuple[Span, Span]:
    """Two windows for one whose answer is capped and in no order; cut where the records seen are."""
    middle = sorted(times)[len(times) // 2] if times else span.since
    if middle <= span.since:
        middle = (span.since + span.until) // 2
    if middle == span.since:
        raise SourceMisbehaved(_ONE_INSTANT)
    return Span(since=span.since, until=middle), Span(since=middle, until=span.until)


def _is_only_of(records: Sequence[Record], drained: Instant) -> bool:
    times = [record.changed_at for record in records if record.changed_at is not None]
    return bool(times) and max(times) <= drained


def _stepped(span: Span) -> Span | None:
    """The source rounds a window's beginning down: it begins at the next instant that the source can tell apart."""
    assert span.drained is not None  # noqa: S101  # the caller's test
    for step in _STEPS:
        if span.drained + step > span.since and span.drained % step == 0:
            return span.model_copy(update={"since": span.drained + step})
    return None


def _query_ended(state: State, walk: Walk, setting: Setting) -> State:
    if walk.part:
        return _part_ended(state, walk, walk.part, setting)
    span, later = walk.spans[0], walk.spans[1:]
    if span.after_id is not None:
        later = (Span(since=span.since + 1, until=span.until, drained=span.since), *later)
    return state.walking(walk.next_query(spans=later, stalls=0)) if later else _ended(state, walk)


def _part_ended(state: State, walk: Walk, part: Part, setting: Setting) -> State:
    if walk.is_part:
        return _ended(state, walk)
    parts = setting.parts()
    if part.following < len(parts):
        further = Part(name=parts[part.following], following=part.following + 1)
        return state.walking(walk.next_query(part=further))
    if not setting.can.changes:
        return _ended(state, walk)
    # what changed while it was listed may have moved past the reader: it is seen before anything is swept
    tail = Span(since=walk.fresh or 0, until=until_of(state, setting.now))
    return state.walking(walk.next_query(part=None, spans=(tail,), fresh=None))


def _ended(state: State, walk: Walk) -> State:
    return State(fresh=walk.fresh, settled=walk.settled, skew=state.skew)


def resumed(state: State) -> State | None:
    """Where a pass goes on whose token expired, or whose records shifted: at the beginning of its window, which is the
    last instant surely read. None: it came no further for some time, or is a listing."""
    walk = state.walk
    if walk is None or walk.part or walk.stalls >= MOST_STALLS:
        return None
    return state.walking(walk.next_query(stalls=walk.stalls + 1))


def begun_again(state: State, first: bytes | None) -> State:
    """A complete listing begins; a part of a backfill begins again as that part."""
    walk = state.walk
    if walk is None or not walk.is_part:
        return begin_listing(state, first)
    return state.walking(walk.next_query(stalls=0))
