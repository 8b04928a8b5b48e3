"""Answers cut into pages: what does not fit waits in the workbench, with the state that follows it behind it."""

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.pages import UNBOUNDED, changes_of, load_raw, raw_body, raw_records
from contactsync.activities.sources.source import Change, Changed, Moved, PageLimits, Unreadable, Workbench
from contactsync.activities.sources.window_state import Rest, State
from contactsync.errors import CursorExpired, PageUnreadable

_ROW_BYTES = 128


def cut(changes: Sequence[Change], limits: PageLimits) -> list[list[Change]]:
    """The changes in pages, at least one; a contact that fits into none becomes unreadable."""
    if len(changes) <= limits.rows and _size(changes) <= limits.bytes:
        return [list(_moves_first(changes))]
    pages: list[list[Change]] = [[]]
    held = 0
    for change in _moves_first(changes):
        fitting, size = _fitting(change, limits)
        if pages[-1] and (len(pages[-1]) >= limits.rows or held + size > limits.bytes):
            pages.append([])
            held = 0
        pages[-1].append(fitting)
        held += size
    return pages


def _size(changes: Sequence[Change]) -> int:
    """Bytes of these changes, as they are bounded."""
    return sum([len(change.content) for change in changes if isinstance(change, Changed)], _ROW_BYTES * len(changes))


def _moves_first(changes: Sequence[Change]) -> Sequence[Change]:
    """Who moved comes before whom it became, as `Moved` asks, and the links of a chain in their order: an answer has
    them in the order of their times or ids."""
    if not any(isinstance(change, Moved) for change in changes):
        return changes
    others = {change.source_id for change in changes if not isinstance(change, Moved)}
    moves = [change for change in changes if isinstance(change, Moved) and change.source_id not in others]
    rest = [change for change in changes if not isinstance(change, Moved) or change.source_id in others]
    return [*_chained(moves), *rest]


def _chained(moves: Sequence[Moved]) -> list[Moved]:
    places: TopologicalSorter[str] = TopologicalSorter()
    for move in moves:
        places.add(move.to, move.source_id)
    try:
        order = {source_id: place for place, source_id in enumerate(places.static_order())}
    except CycleError:  # a source that says so has to be taken at its last word
        return list(moves)
    return sorted(moves, key=lambda move: order[move.source_id])


def _fitting(change: Change, limits: PageLimits) -> tuple[Change, int]:
    if not isinstance(change, Changed):
        return change, _ROW_BYTES
    size = len(change.content) + _ROW_BYTES
    if size > limits.bytes:
        return Unreadable(change.source_id, QuarantineReason.TOO_LARGE), _ROW_BYTES
    return change, size


async def stash_rest(workbench: Workbench, pages: Sequence[Sequence[Change]], following: State) -> Rest:
    """Keeps the pages that did not fit."""
    parts = [raw_body(raw_records(page), UNBOUNDED).content for page in pages]
    return Rest(handle=await workbench.stash([*parts, following.dump()]), parts=len(parts))


async def take_rest(workbench: Workbench, state: State, rest: Rest) -> tuple[list[Change], State]:
    """The next page of the rest, and where the pass stands after it.

    Raises:
        CursorExpired: the rest is no longer there; the answer is asked for again.
    """
    changes = _loaded(await workbench.stashed(rest.handle, rest.at))
    if rest.at + 1 < rest.parts:
        ahead = rest.model_copy(update={"at": rest.at + 1})
        return changes, state.model_copy(update={"rest": ahead})
    following = State.model_validate_json(await workbench.stashed(rest.handle, rest.parts))
    return changes, following


def _loaded(part: bytes) -> list[Change]:
    try:
        return changes_of(load_raw(part))
    except PageUnreadable:  # another version stashed it
        raise CursorExpired from None
