"""Where wrapped keys are kept. A destroyed key keeps its row: "destroyed" is not "unknown"."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from contactsync.codecs.keys.key import KeyPurpose


@dataclass(frozen=True, slots=True)
class StoredTenantKey:
    """A tenant key wrapped by the root; `wrapped` is None once it is destroyed."""

    kid: bytes
    tenant_id: UUID
    version: int
    wrapped: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredDataKey:
    """A data key wrapped by version `tenant_version` of its tenant's key; `wrapped` is None once it is destroyed."""

    kid: bytes
    tenant_id: UUID
    purpose: KeyPurpose
    epoch: int
    tenant_version: int
    wrapped: bytes | None = field(repr=False)
    encrypt_until: datetime | None = None
    destroy_at: datetime | None = None


class KeyStore(Protocol):
    """The key store. All methods raise DatabaseError's subclasses when the store is a database that fails."""

    async def add_tenant_key(self, key: StoredTenantKey) -> StoredTenantKey:
        """Keep it; where the tenant has one of this version already, that one stays and is the answer."""
        ...

    async def tenant_key(self, tenant_id: UUID, version: int | None = None) -> StoredTenantKey | None:
        """The tenant's key of this version, or its newest; None if there is none."""
        ...

    async def add_data_key(self, key: StoredDataKey) -> StoredDataKey:
        """Keep it; where the tenant has one of this purpose and epoch already, that one stays and is the answer.

        Raises:
            KeyDestroyed: the tenant key that wraps it was destroyed, or is not there; nothing is kept.
        """
        ...

    async def data_key(self, kid: bytes) -> StoredDataKey | None:
        """The key of this id; None if there is none, or if this role may not see it."""
        ...

    async def data_keys(self, tenant_id: UUID, purposes: Sequence[KeyPurpose]) -> Sequence[StoredDataKey]:
        """The tenant's keys of these purposes by purpose and epoch, destroyed ones too."""
        ...

    async def data_key_of(self, tenant_id: UUID, purpose: KeyPurpose, epoch: int) -> StoredDataKey | None:
        """The tenant's key of this purpose and epoch; None if there is none."""
        ...

    async def due(self, at: datetime, limit: int) -> Sequence[StoredDataKey]:
        """Up to `limit` keys that are not destroyed and whose destroy date is not after `at`, oldest first."""
        ...

    async def destroy_data_key(self, kid: bytes, at: datetime) -> bool:
        """Take the wrapped bytes away for ever; False if there is no such key or it is destroyed already."""
        ...

    async def destroy_tenant(self, tenant_id: UUID, at: datetime) -> int:
        """The same for all of the tenant's keys at once; answers how many there were."""
        ...

    async def health(self) -> None:
        """Read something, and return if that works."""
        ...
