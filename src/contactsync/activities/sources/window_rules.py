"""The rules of marks and windows, without any input or output.

A mark is taken before the first page and lies behind the source's clock by its lag; never is it the latest change
seen. Lower bounds are inclusive, so that no edge splits a tie; what is read twice is harmless.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from contactsync.activities.sources.query import Instant, QueryPage, Record
from contactsync.activities.sources.source import Capabilities
from contactsync.activities.sources.window_offsets import anchors_of
from contactsync.activities.sources.window_state import Span, State, Walk
from contactsync.errors import SourceMisbehaved

SECOND: Final = 1_000_000

UNKNOWN_CLOCK: Final = 300 * SECOND
"""So far may the clock of a source be behind ours that does not tell the time."""

_AHEAD: Final = 5 * SECOND
_CLOCK_NOISE: Final = 2 * SECOND  # HTTP tells the time in whole seconds (RFC 9110 §6.6.1)
_STEPS: Final = (1, 1_000, SECOND)
MOST_STALLS: Final = 3

_ONE_INSTANT: Final = (
    "more contacts changed at one instant than the source answers at once, "
    "and it cannot be asked for those behind an id"
)
_CAPPED_LISTING: Final = "the source ends its complete listing although there is more; name parts of the listing"


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer with our time before and after it, and those of its records that were not read before."""

    answer: QueryPage
    before: Instant
    after: Instant
    unread: tuple[Record, ...]

    @property
    def skew(self) -> Instant:
        """The source's clock minus ours, at the least."""
        return -UNKNOWN_CLOCK if self.answer.clock is None else self.answer.clock - self.after

    @property
    def asked_at(self) -> Instant:
        """When the question was asked, in the source's clock, at the latest that is certain not to be too late."""
        return self.before + self.skew


def begin_listing(known: State | None, parts: tuple[bytes | None, ...]) -> State:
    """A pass that lists everything."""
    return State(skew=known.skew if known else None, walk=Walk(full=True, parts=parts))


def begin_part(part: bytes | None) -> State:
    """A part of a complete listing, alone."""
    return State(walk=Walk(full=True, parts=(part,), ends_at_parts=True))


def begin_since(since: Instant, now: Instant) -> State:
    """What changed since then, alone."""
    return State(walk=Walk(full=False, ends_at_parts=True, spans=(Span(since=since, until=now + UNKNOWN_CLOCK),)))


def begin_changes(known: State, now: Instant, can: Capabilities) -> State:
    """A pass over what changed since the marks, and a second look at what had not settled. `now` in our clock."""
    fresh, settled = _marks(known)
    until = _until(known, now)
    settles_at = now + _skew(known) - _lag(can) - _settling(can)
    if can.settles_seconds <= 0 or settles_at >= fresh:
        start = settled if can.settles_seconds > 0 else fresh
        return known.walking(Walk(full=False, spans=(Span(since=start, until=until),)))
    looks = (Span(since=settled, until=settles_at),) if settles_at > settled else ()
    walk = Walk(full=False, spans=(*looks, Span(since=fresh, until=until)), settled=max(settled, settles_at))
    return known.walking(walk)


def _marks(state: State) -> tuple[Instant, Instant]:
    fresh = state.fresh or 0
    return fresh, fresh if state.settled is None else state.settled


def _skew(state: State) -> Instant:
    return -UNKNOWN_CLOCK if state.skew is None else state.skew


def _until(state: State, now: Instant) -> Instant:
    """An upper bound that is surely not in the source's past: it only makes a walk end."""
    unknown = state.skew is None or state.skew == -UNKNOWN_CLOCK
    return now + UNKNOWN_CLOCK if unknown else now + _skew(state) + _AHEAD


def _lag(can: Capabilities) -> Instant:
    return round(can.lag_seconds * SECOND)


def _settling(can: Capabilities) -> Instant:
    return round(can.settles_seconds * SECOND)


def marked(state: State, asked: Asked, can: Capabilities) -> State:
    """Takes the mark at the first answer of a phase; later answers leave it."""
    walk = state.walk
    if walk is None or walk.fresh is not None:
        return state
    fresh = asked.asked_at - _lag(can)
    settled = fresh - _settling(can) if walk.settled is None else walk.settled
    back = (state.skew or 0) - asked.skew if state.skew is not None and asked.answer.clock is not None else 0
    if (
        back > _CLOCK_NOISE and state.fresh is not None
    ):  # the source's clock was set back: what was marked is ahead of it
        fresh, settled = min(fresh, state.fresh - back), min(settled, _marks(state)[1] - back)
    walk = walk.model_copy(update={"fresh": fresh, "settled": min(settled, fresh)})
    return state.model_copy(update={"skew": asked.skew, "walk": walk})


def advance(state: State, asked: Asked, can: Capabilities, now: Instant) -> State:
    """Where the pass stands after an answer; without a walk when it is over.

    Raises:
        SourceMisbehaved: the source can be asked no further.
    """
    state = marked(state, asked, can)
    assert state.walk is not None  # noqa: S101 - a page is asked for inside a walk
    walk = _watched(state.walk, asked)
    answer = asked.answer
    if answer.is_capped:
        return state.walking(_past_cap(walk, can))
    if answer.token is not None:
        anchors = anchors_of(answer.records) or walk.anchors
        kept = {"token": answer.token, "is_offset": answer.is_offset, "anchors": anchors if answer.is_offset else ()}
        return state.walking(walk.model_copy(update=kept))
    return _query_ended(state, walk, can, now)


def _watched(walk: Walk, asked: Asked) -> Walk:
    """What an answer tells of its order."""
    times = [record.changed_at for record in asked.answer.records if record.changed_at is not None]
    if not walk.spans or walk.parts or not times:
        return walk
    rising = all(earlier <= later for earlier, later in pairwise(times))
    in_order = rising and (walk.top is None or walk.top <= times[0])
    safe = min(times)
    came_further = safe > walk.spans[0].since
    return walk.model_copy(
        update={
            "top": max(times[-1], walk.top or times[-1]),
            "safe": safe,
            "last_id": asked.answer.records[-1].change.source_id,
            "is_disordered": walk.is_disordered or not in_order,
            "stalls": 0 if came_further else walk.stalls,
        }
    )


def _query_ended(state: State, walk: Walk, can: Capabilities, now: Instant) -> State:
    if walk.parts:
        return _part_ended(state, walk, can, now)
    span, later = walk.spans[0], walk.spans[1:]
    if span.after_id is not None:  # the instant is drained; what follows it in the window comes next
        later = (Span(since=span.since + 1, until=span.until, drained=span.since), *later)
    return state.walking(walk.next_query(spans=later)) if later else _ended(state, walk)


def _part_ended(state: State, walk: Walk, can: Capabilities, now: Instant) -> State:
    if len(walk.parts) > 1:
        return state.walking(walk.next_query(parts=walk.parts[1:]))
    if walk.ends_at_parts or not can.changes:
        return _ended(state, walk)
    # what changed while it was listed may have moved past the reader: it is seen before anything is swept
    tail = Span(since=walk.fresh or 0, until=_until(state, now))
    return state.walking(walk.next_query(parts=(), spans=(tail,), fresh=None))


def _ended(state: State, walk: Walk) -> State:
    return State(fresh=walk.fresh, settled=walk.settled, skew=state.skew)


def _past_cap(walk: Walk, can: Capabilities) -> Walk:
    if walk.parts:
        raise SourceMisbehaved(_CAPPED_LISTING)
    span, later = walk.spans[0], walk.spans[1:]
    if span.after_id is not None:
        return walk.next_query(spans=(_behind(span, walk.last_id), *later))
    if can.order == "none" or walk.is_disordered or walk.top is None or walk.safe is None:
        return walk.next_query(spans=(*_halves(span), *later))
    if span.drained is not None and walk.safe <= span.drained:
        return walk.next_query(spans=(_stepped(span), *later))
    further = walk.safe if walk.safe > span.since else walk.top
    if further > span.since:
        return walk.next_query(spans=(Span(since=further, until=span.until), *later))
    if can.order != "time_id":
        raise SourceMisbehaved(_ONE_INSTANT)
    instant = Span(since=walk.top, until=span.until)
    return walk.next_query(spans=(_behind(instant, walk.last_id), *later))


def _behind(span: Span, last_id: str | None) -> Span:
    if last_id is None or last_id == span.after_id:
        raise SourceMisbehaved("the source answers with nothing and says that there is more")
    return span.model_copy(update={"after_id": last_id})


def _halves(span: Span) -> tuple[Span, Span]:
    middle = (span.since + span.until) // 2
    if middle == span.since:
        raise SourceMisbehaved(_ONE_INSTANT)
    return Span(since=span.since, until=middle), Span(since=middle, until=span.until)


def _stepped(span: Span) -> Span:
    """The source rounds a window's beginning down: it begins at the next instant that the source can tell apart."""
    assert span.drained is not None  # noqa: S101 - the caller's test
    for step in _STEPS:
        if span.drained + step > span.since and span.drained % step == 0:
            return span.model_copy(update={"since": span.drained + step})
    raise SourceMisbehaved(_ONE_INSTANT)


def baseline_of(asked: Asked, can: Capabilities) -> State:
    """The marks of a connection whose first listing is done by somebody else."""
    fresh = asked.asked_at - _lag(can)
    return State(fresh=fresh, settled=fresh - _settling(can), skew=asked.skew)


def resumed(state: State, can: Capabilities) -> State | None:
    """Where a pass goes on whose token expired, or whose records shifted: from the last instant that is surely read,
    else from the beginning of its window. None: it has come no further for some time, or is a listing.
    """
    walk = state.walk
    if walk is None or walk.parts or walk.stalls >= MOST_STALLS:
        return None
    span, later = walk.spans[0], walk.spans[1:]
    is_ordered = can.order != "none" and not walk.is_disordered and span.after_id is None
    if is_ordered and walk.safe is not None and walk.safe > span.since:
        again = Span(since=walk.safe, until=span.until)
        return state.walking(walk.next_query(spans=(again, *later), stalls=0))
    return state.walking(walk.next_query(stalls=walk.stalls + 1))


def begun_again(state: State, parts: tuple[bytes | None, ...]) -> State:
    """A complete listing begins; a part of a backfill begins again as that part."""
    walk = state.walk
    if walk is None or not walk.ends_at_parts:
        return begin_listing(state, parts)
    return state.walking(walk.next_query(stalls=0))
