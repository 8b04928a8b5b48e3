"""Marks: up to when everything is held, in the source's clock.

A mark is taken before the first page and lies behind the source's clock by its lag; never is it the latest change
seen, nor our own time where the source tells its own.
"""

from dataclasses import dataclass
from typing import Final

from contactsync.activities.sources.query import Instant, QueryPage, Record
from contactsync.activities.sources.source import Capabilities
from contactsync.activities.sources.window_state import Part, Span, State, Walk

SECOND: Final = 1_000_000

UNKNOWN_CLOCK: Final = 300 * SECOND
"""So far may the clock of a source be behind ours that does not tell the time; docs/sync.md says so."""

_UNKNOWN_AHEAD: Final = 2 * 86_400 * SECOND
"""And so far ahead: its times may even be those of another zone."""

_RESOLUTION: Final = SECOND
"""A source that tells times in whole seconds says that a change came up to so much earlier than it did."""

_AHEAD: Final = 5 * SECOND
_CLOCK_NOISE: Final = 2 * SECOND
"""HTTP tells the time in whole seconds (RFC 9110 §6.6.1)."""


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
        """When the question was asked, in the source's clock: this is certainly not too late."""
        return self.before + self.skew


def begin_listing(known: State | None, first: bytes | None) -> State:
    """A pass that lists everything, from its `first` part."""
    return State(skew=known.skew if known else None, walk=Walk(full=True, part=Part(name=first)))


def begin_part(part: bytes | None) -> State:
    """A part of a complete listing, alone."""
    return State(walk=Walk(full=True, is_part=True, part=Part(name=part)))


def begin_since(since: Instant, now: Instant) -> State:
    """What changed since then, alone."""
    return State(walk=Walk(full=False, is_part=True, spans=(Span(since=since, until=now + _UNKNOWN_AHEAD),)))


def begin_changes(known: State, now: Instant, can: Capabilities) -> State:
    """A pass over what changed since the marks, with a second look at what had not settled. `now` in our clock."""
    fresh, settled = _marks(known)
    until = until_of(known, now)
    settles_at = now + _skew(known) - _lag(can) - _settling(can)
    if can.settles_seconds <= 0 or settles_at >= fresh:
        start = settled if can.settles_seconds > 0 else fresh
        return known.walking(Walk(full=False, spans=(Span(since=start, until=until),)))
    looks = (Span(since=settled, until=settles_at),) if settles_at > settled else ()
    walk = Walk(full=False, spans=(*looks, Span(since=fresh, until=until)), settled=max(settled, settles_at))
    return known.walking(walk)


def baseline_of(asked: Asked, can: Capabilities) -> State:
    """The marks of a connection whose first listing is done by somebody else."""
    fresh = asked.asked_at - _lag(can)
    return State(fresh=fresh, settled=fresh - _settling(can), skew=asked.skew)


def marked(state: State, walk: Walk, asked: Asked, can: Capabilities) -> Walk:
    """Takes the marks at the first answer of a phase; later answers leave them. No mark is past what is asked for."""
    if walk.fresh is not None:
        return walk
    spans = _reaching(walk.spans, asked)
    latest = min([asked.asked_at, *(span.until for span in spans[-1:])])
    fresh = latest - _lag(can)
    settled = fresh - _settling(can) if walk.settled is None else walk.settled
    back = _set_back(state, asked)
    if back > _CLOCK_NOISE and state.fresh is not None:
        fresh, settled = min(fresh, state.fresh - back), min(settled, _marks(state)[1] - back)
    return walk.model_copy(update={"spans": spans, "fresh": fresh, "settled": min(settled, fresh)})


def _reaching(spans: tuple[Span, ...], asked: Asked) -> tuple[Span, ...]:
    """The windows of a pass, and one more up to the present where the source's clock is ahead of what was thought."""
    if not spans or asked.answer.clock is None or spans[-1].until >= asked.asked_at:
        return spans
    return (*spans, Span(since=spans[-1].until, until=asked.answer.clock + _AHEAD))


def _set_back(state: State, asked: Asked) -> Instant:
    """How far the source's clock was set back since the last pass: so far are the marks ahead of it."""
    return 0 if state.skew is None or asked.answer.clock is None else state.skew - asked.skew


def until_of(state: State, now: Instant) -> Instant:
    """An upper bound that is surely not in the source's past: all it does is to make a walk end."""
    is_unknown = state.skew is None or state.skew == -UNKNOWN_CLOCK
    return now + _UNKNOWN_AHEAD if is_unknown else now + _skew(state) + _AHEAD


def _marks(state: State) -> tuple[Instant, Instant]:
    fresh = state.fresh or 0
    return fresh, fresh if state.settled is None else state.settled


def _skew(state: State) -> Instant:
    return -UNKNOWN_CLOCK if state.skew is None else state.skew


def _lag(can: Capabilities) -> Instant:
    return round(can.lag_seconds * SECOND) + _RESOLUTION


def _settling(can: Capabilities) -> Instant:
    return round(can.settles_seconds * SECOND)
