"""The messages that workflows and activities exchange.

Each is frozen, ignores members it does not know and has a default for every member added after the first version,
so that old histories replay and old workers read new messages. Workflows see counts, ids, flags and an opaque
cursor; contacts travel in the body of a page, which no workflow parses.
"""

from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contactsync.codecs.payloads.framing import Framed

OPEN_PASS: Final = "open_pass"  # noqa: S105  # a walk of a source, not a password
FETCH_PAGE: Final = "fetch_page"
SANITIZE_PAGE: Final = "sanitize_page"
UPSERT_PAGE: Final = "upsert_page"
UPSERT_IN_TURN: Final = "upsert_in_turn"
CLOSE_PASS: Final = "close_pass"  # noqa: S105
SET_PAUSED: Final = "set_paused"
DECIDE_DELETES: Final = "decide_deletes"
OPEN_BACKFILL: Final = "open_backfill"
CLOSE_BACKFILL: Final = "close_backfill"
SET_BACKFILL_PAUSED: Final = "set_backfill_paused"


class Message(BaseModel):
    """Base of all messages."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, ser_json_bytes="base64", val_json_bytes="base64"
    )


class Counts(Message):
    """What a page or a pass did, in contacts (`pages` and `downloaded` in pages and bodies)."""

    pages: int = 0
    downloaded: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    quarantined: int = 0
    held: int = 0  # deletions that wait for approval; they are not among `deleted`

    def plus(self, other: "Counts") -> "Counts":
        """The sum, member by member."""
        mine, theirs = self.model_dump(), other.model_dump()
        return Counts(**{name: mine[name] + theirs[name] for name in mine})


class ConnectionRef(Message):
    """Names a connection."""

    tenant_id: UUID
    connection_id: UUID


class SyncArgs(ConnectionRef):
    """Starts `ConnectionSync`, and carries its state from run to run."""

    paused: str | None = None
    passes: int = 0
    last: "PassResult | None" = None
    next_due: float | None = None  # seconds since the epoch; None: at once
    under_way: "PassUnderWay | None" = None
    misbehaved: int = 0  # passes in a row that ended because the source sent garbage
    requested: bool = False  # somebody asked for a pass after the one under way
    holding: bool = False  # deletions wait for approval


class PassUnderWay(Message):
    """A pass that goes on in the next run."""

    pass_id: UUID
    started_at: float
    counts: Counts


class OpenPass(ConnectionRef):
    """Opens a pass; the same `pass_id` twice is the same pass."""

    pass_id: UUID


class PassTicket(ConnectionRef):
    """A pass that was opened. `epoch` fences its writes; `page` is the last page committed (0: none)."""

    pass_id: UUID
    epoch: int
    page: int = 0
    cursor: bytes | None = None
    interval_seconds: int = 900
    jitter_seconds: int = 60
    paused: str | None = None
    holding: bool = False  # deletions wait for approval
    stages: bool = False  # large payloads stand outside the history: the run ends with the pass, and they go


class PartRef(Message):
    """Names a partition of a backfill; `epoch` fences the workflow that works on it."""

    backfill_id: UUID
    epoch: int
    part: int


class FetchRequest(ConnectionRef):
    """Asks for the page after `cursor` (sealed; None: from the start). In a backfill, `epoch` is its live cutoff."""

    epoch: int
    page: int
    cursor: bytes | None = None
    part: PartRef | None = None


class PageHead(ConnectionRef):
    """What a workflow may know of a page."""

    epoch: int
    page: int
    cursor: bytes
    done: bool
    full: bool
    generation: int
    changes: int
    downloaded: int
    quarantined: int = 0
    part: PartRef | None = None
    as_of: int = 0  # the last generation that had swept when the page was fetched; a backfill's page is fenced by it
    wait_seconds: float = 0.0  # above 0 this is no page: the budget or the source asks to come again after that time
    total: int | None = None  # contacts in all, where the source says so
    after: bytes | None = None  # a digest of the cursor that it was fetched with; None: nobody said, or there was none
    contacts: int | None = None  # changes that bring a contact, which has to be cleaned; None: nobody counted


class Page(Framed[PageHead]):
    """fetch → sanitize: contacts as the source has them, minimised."""


class CleanPage(Framed[PageHead]):
    """sanitize → upsert: clean contacts, tombstones and quarantine entries."""


class PageResult(Message):
    """What the commit of a page did."""

    counts: Counts
    done: bool
    redo: bool = False  # nothing was written: a complete listing has swept since the page was fetched; fetch it again
    early: bool = False  # nothing was written: the page before is not committed yet; write it when that one is


class ClosePass(ConnectionRef):
    """Ends a pass that did not end by itself."""

    pass_id: UUID
    epoch: int
    outcome: str  # an error code


class PassResult(Message):
    """A finished pass. `outcome` is `completed`, or the code of the error that ended it.

    As the answer to an update it may be `under_way`: the workflow goes on in another run. Whoever waits asks there for
    the pass of this `number` with `await_pass`.
    """

    pass_id: UUID
    outcome: str
    counts: Counts
    started_at: float
    ended_at: float
    paused: str | None = None
    number: int = 0  # counts the passes of a workflow, over all its runs


class PassWanted(Message):
    """The argument of the update `await_pass`."""

    number: int


class PauseRequest(Message):
    """Pauses a connection; the reason is a code, since Temporal's own commands show reasons in clear."""

    reason: Literal["operator", "maintenance", "credentials", "privacy"] = "operator"


class SetPaused(ConnectionRef):
    """Records in the database that a connection is paused (a code) or not (None)."""

    paused: str | None


class DecideDeletes(ConnectionRef):
    """Approves or rejects deletions that are held. `actor` is an opaque id, for the audit log."""

    hold_id: UUID
    approve: bool
    actor: str


class DeleteDecision(Message):
    """The argument of the updates `approve_deletes` and `reject_deletes`."""

    hold_id: UUID
    actor: str


class DeletesDecided(Message):
    """What became of held deletions: how many contacts were deleted, or kept."""

    outcome: Literal["approved", "rejected"]
    contacts: int


class BackfillRef(ConnectionRef):
    """Names a backfill."""

    backfill_id: UUID


class BackfillArgs(BackfillRef):
    """Starts `Backfill`, and carries its state from run to run; all else is in the database."""

    paused: str | None = None  # a code
    troubles: int = 0  # errors in a row, with no page committed in between
    misbehaved: int = 0  # those of them that are because the source sent garbage
    paced_until: float = 0.0  # seconds since the epoch: no page is asked for before that


class OpenBackfill(BackfillRef):
    """Opens a backfill for one workflow; the same `opening_id` again is the same opening.

    `plan`: ask the source for its partitions, unless that was done.
    """

    opening_id: UUID
    plan: bool = True


class PartTicket(Message):
    """Where a partition stands: the last page committed (0: none) and the cursor that follows it."""

    part: int
    page: int = 0
    cursor: bytes | None = None
    done: bool = False


class BackfillTicket(BackfillRef):
    """A backfill that was opened: its partitions, and how it may work on them."""

    epoch: int
    cutoff_epoch: int
    parts: tuple[PartTicket, ...]
    window: int = 4  # partitions worked on side by side
    rows_per_second: float | None = None
    state: str = "running"  # or `paused`; another: it has ended already
    counts: Counts = Counts()


class CloseBackfill(BackfillRef):
    """Ends a backfill: `completed` sweeps if it was a complete listing; else a code says why it ended."""

    epoch: int
    outcome: str


class SetBackfillPaused(BackfillRef):
    """Records in the database that a backfill is paused or not."""

    paused: bool


class BackfillResult(Message):
    """A finished backfill; `outcome` as in `PassResult`, or `cancelled`."""

    outcome: str
    counts: Counts


class BackfillProgress(Message):
    """The answer to the `progress` query of `Backfill`."""

    state: Literal["opening", "running", "paused", "closing", "ended"]
    paused: str | None = None  # a code: the operator's, or that of an error which somebody has to mend
    parts: int = 0
    parts_done: int = 0
    pages: int = 0
    counts: Counts = Counts()
    waiting_until: float | None = None  # seconds since the epoch: budget or source ask for patience


class Progress(Message):
    """The answer to the `progress` query."""

    state: Literal["waiting", "syncing", "paused"]
    paused: str | None = None
    passes: int = 0
    page: int = 0
    counts: Counts = Counts()
    last: PassResult | None = None
    next_due: float | None = None
    waiting_until: float | None = None  # seconds since the epoch: budget or source ask for patience


SyncArgs.model_rebuild()
