"""The cursor of a source that is asked by windows of time: marks, and where a pass stands.

It is JSON and opaque to everyone else. A cursor that this version cannot read starts a complete listing.
"""

from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from contactsync.activities.sources.query import Instant, Window

FORMAT: Final = 1


class _Kept(BaseModel):
    """Base of what is in the cursor."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, ser_json_bytes="base64", val_json_bytes="base64"
    )


class Span(_Kept):
    """A window still to be walked; see `Window`. `drained`: everything at this instant has been read already, and
    the window begins right after it."""

    since: Instant
    until: Instant
    after_id: str | None = None
    drained: Instant | None = None

    def window(self) -> Window:
        """What to ask for."""
        return Window(self.since, self.until, self.after_id)


class Rest(_Kept):
    """The rest of an answer that is longer than a page: stashed under `handle`, `at` is the next part.

    The last part is the state that follows the answer.
    """

    handle: UUID
    parts: int
    at: int = 0


class Part(_Kept):
    """A part of a complete listing. `following`: the number of the next one; the list of parts may grow meanwhile."""

    name: bytes | None
    following: int = 1


class Walk(_Kept):
    """A pass under way: first the parts of a complete listing, of which `part` is being read, then the windows
    `spans`, of which the first is.

    `fresh` and `settled` become the marks when it ends; `fresh` is None until the first answer of the phase, from
    which the source's clock is known. `token` asks for the next page of the query under way; where it counts records
    (`is_offset`), `anchors` are the last ones of the page before it. `is_disordered`: the answers are in no order of
    time, whatever was promised.
    """

    full: bool
    is_part: bool = False  # of a backfill: it ends with its query
    part: Part | None = None
    spans: tuple[Span, ...] = ()
    fresh: Instant | None = None
    settled: Instant | None = None
    token: bytes | None = None
    is_offset: bool = False
    anchors: tuple[str, ...] = ()
    is_disordered: bool = False
    stalls: int = 0  # times in a row that a window had to begin again

    def next_query(self, **changes: object) -> "Walk":
        """The walk at the beginning of another query."""
        begun: dict[str, object] = {"token": None, "is_offset": False, "anchors": (), "is_disordered": False}
        return self.model_copy(update=begun | changes)


class State(_Kept):
    """Everything a fetch needs. All changes before `fresh` were read once, and all before `settled` were read after
    the source's index had settled; both in the source's clock. `skew`: that clock minus ours, at the least."""

    format: int = FORMAT
    fresh: Instant | None = None
    settled: Instant | None = None
    skew: Instant | None = None
    walk: Walk | None = None
    rest: Rest | None = None

    def dump(self) -> bytes:
        """As bytes."""
        return self.model_dump_json(exclude_defaults=True).encode()

    def walking(self, walk: Walk | None) -> "State":
        """The same with this pass under way."""
        return self.model_copy(update={"walk": walk})


def read_state(cursor: bytes | None) -> State | None:
    """A cursor of ours; None where there is none to go on from."""
    if cursor is None:
        return None
    try:
        state = State.model_validate_json(cursor)
    except ValidationError:
        return None
    return state if state.format == FORMAT and (state.walk or state.fresh is not None) else None
