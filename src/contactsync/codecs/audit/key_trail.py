"""Which keys a ring made, in the logs of their tenants."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from contactsync.codecs.audit.log import AuditKind, Detail, append
from contactsync.codecs.keys.store import StoredDataKey, StoredTenantKey
from contactsync.postgres import Database

KEY_RING: Final = "key-ring"
"""The actor: keys are made on demand, whoever is the first to need one."""


@dataclass(frozen=True, slots=True)
class DatabaseKeyTrail:
    """A `KeyTrail`: one entry a key, right after it was stored (the key store may be another database)."""

    database: Database

    async def tenant_key_made(self, key: StoredTenantKey) -> None:
        """See `KeyTrail`. Raises DatabaseError."""
        await self._tell(key.tenant_id, {"key": "tenant", "version": key.version, "kid": key.kid.hex()})

    async def data_key_made(self, key: StoredDataKey) -> None:
        """See `KeyTrail`. Raises DatabaseError."""
        await self._tell(key.tenant_id, {"key": key.purpose.value, "epoch": key.epoch, "kid": key.kid.hex()})

    async def _tell(self, tenant_id: UUID, detail: Detail) -> None:
        async with self.database.transaction(tenant_id) as connection:
            await append(connection, tenant_id, AuditKind.KEY_MADE, KEY_RING, detail)
