"""The messages of key rotation: ids, counts and codes."""

from typing import Final, Literal
from uuid import UUID

from contactsync.activities.messages import Message

PLAN_ROTATION: Final = "plan_rotation"
ROTATE_KEYS: Final = "rotate_keys"
REINDEX_ROWS: Final = "reindex_rows"
RESEAL_ROWS: Final = "reseal_rows"
RETIRE_KEYS: Final = "retire_keys"

RotationPhase = Literal["rewrapping", "reindexing", "resealing", "settling", "waiting", "ended"]

_FIRST: Final = UUID(int=0)


class RotationPlan(Message):
    """The keys that a rotation makes: the tenant key's version, and the epochs of index and row key (None: they stay).
    Made once, so that what is done again makes no further ones."""

    version: int
    index_epoch: int | None = None
    row_epoch: int | None = None


class PlanRotation(Message):
    """Asks what a rotation of a tenant's keys makes."""

    tenant_id: UUID
    index: bool = False
    reseal: bool = False


class RotateKeys(Message):
    """Makes the keys of a plan, and wraps the tenant's data keys by the new version."""

    tenant_id: UUID
    plan: RotationPlan
    actor: str


class KeysRewrapped(Message):
    """How many data keys were wrapped again, and how many older versions ended."""

    keys: int = 0
    retired: int = 0


class ReindexRows(Message):
    """Brings rows forward under the newest index key, after a contact of a connection, for a while."""

    tenant_id: UUID
    connection_id: UUID = _FIRST
    contact_id: UUID = _FIRST


class RowsReindexed(Message):
    """How many rows were moved, and where to go on (`done`: nowhere)."""

    rows: int
    connection_id: UUID = _FIRST
    contact_id: UUID = _FIRST
    done: bool = False


class ResealRows(Message):
    """Seals rows again under the newest row key, after a contact or in a table, for a while."""

    tenant_id: UUID
    table: str = "contact"
    after: UUID = _FIRST
    skip: int = 0


class RowsResealed(Message):
    """How many rows were sealed again, how many no key opens, and where to go on (`done`: nowhere)."""

    rows: int
    unreadable: int = 0
    table: str = ""
    after: UUID = _FIRST
    skip: int = 0
    done: bool = False


class RetireKeys(Message):
    """Destroys the epochs before a plan's, if nothing needs them. Passes and backfills under way that began before
    `since` (seconds since the epoch) may."""

    tenant_id: UUID
    plan: RotationPlan
    since: float
    actor: str


class KeysRetired(Message):
    """Whether the older epochs are gone, and if not, for what: work under way, rows under the older index key, rows
    that no key opens."""

    done: bool
    under_way: int = 0
    unmoved: int = 0
    unreadable: int = 0


class RotateArgs(Message):
    """Starts `RotateTenantKey`, and carries its state from run to run. `settle_seconds`: so long after the rows are
    moved processes may still have older keys in memory."""

    tenant_id: UUID
    index: bool = False
    reseal: bool = False
    settle_seconds: float = 3600.0
    actor: str = "worker"
    plan: RotationPlan | None = None
    phase: RotationPhase = "rewrapping"
    rewrapped: int = 0
    reindexed: int = 0
    resealed: int = 0
    settled_at: float | None = None


class RotationProgress(Message):
    """How far a rotation is; in the end, its result. `waits`: what the last try to destroy older epochs found."""

    phase: RotationPhase
    plan: RotationPlan | None = None
    rewrapped: int = 0
    reindexed: int = 0
    resealed: int = 0
    settled_at: float | None = None
    waits: KeysRetired | None = None
