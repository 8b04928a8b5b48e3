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
CLOSE_PASS: Final = "close_pass"  # noqa: S105
SET_PAUSED: Final = "set_paused"


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


class FetchRequest(ConnectionRef):
    """Asks for the page after `cursor` (sealed; None: from the start)."""

    epoch: int
    page: int
    cursor: bytes | None = None


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


class Page(Framed[PageHead]):
    """fetch → sanitize: contacts as the source has them, minimised."""


class CleanPage(Framed[PageHead]):
    """sanitize → upsert: clean contacts, tombstones and quarantine entries."""


class PageResult(Message):
    """What the commit of a page did."""

    counts: Counts
    done: bool


class ClosePass(ConnectionRef):
    """Ends a pass that did not end by itself."""

    pass_id: UUID
    epoch: int
    outcome: str  # an error code


class PassResult(Message):
    """A finished pass. `outcome` is `completed`, or the code of the error that ended it."""

    pass_id: UUID
    outcome: str
    counts: Counts
    started_at: float
    ended_at: float
    paused: str | None = None


class PauseRequest(Message):
    """Pauses a connection; the reason is a code, since Temporal's own commands show reasons in clear."""

    reason: Literal["operator", "maintenance", "credentials", "privacy"] = "operator"


class SetPaused(ConnectionRef):
    """Records in the database that a connection is paused (a code) or not (None)."""

    paused: str | None


class Progress(Message):
    """The answer to the `progress` query."""

    state: Literal["waiting", "syncing", "paused"]
    paused: str | None = None
    passes: int = 0
    page: int = 0
    counts: Counts = Counts()
    last: PassResult | None = None
    next_due: float | None = None


SyncArgs.model_rebuild()
