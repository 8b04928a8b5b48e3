"""The workflows there are, and the closed list of names that a client may send to Temporal."""

from typing import Final

from contactsync.workflows.backfill import Backfill
from contactsync.workflows.checkpoint_logs import CheckpointLogs
from contactsync.workflows.connection_sync import ConnectionSync
from contactsync.workflows.destroy_expired_keys import DestroyExpiredKeys
from contactsync.workflows.offboard_tenant import OffboardTenant
from contactsync.workflows.purge_expired import PurgeExpired
from contactsync.workflows.rotate_tenant_key import RotateTenantKey

WORKFLOWS: Final[tuple[type, ...]] = (
    ConnectionSync,
    Backfill,
    DestroyExpiredKeys,
    OffboardTenant,
    CheckpointLogs,
    PurgeExpired,
    RotateTenantKey,
)
"""What a worker runs. A new workflow is added here."""


def names_of(*workflows: type) -> frozenset[str]:
    """The workflows' own names and those of their signals, queries and updates, as the code has them."""
    return frozenset(name for cls in workflows for name in (cls.__name__, *vars(cls)) if not name.startswith("_"))
