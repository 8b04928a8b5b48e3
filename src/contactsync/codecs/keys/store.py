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
    """A data key wrapped by version `tenant_version` of its tenant's key; `wrapped` is None once it is destroyed.

    `held_at`: since when it is kept beyond its destroy date, because an open execution needs it.
    """

    kid: bytes
    tenant_id: UUID
    purpose: KeyPurpose
    epoch: int
    tenant_version: int
    wrapped: bytes | None = field(repr=False)
    encrypt_until: datetime | None = None
    destroy_at: datetime | None = None
    held_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyCount:
    """How a tenant's keys of one purpose stand. `live` are not destroyed; among them are those `held`, and those
    `overdue`: past their destroy date, and neither destroyed nor held. `newest`: the highest epoch, destroyed or not;
    `next_destroy`: the earliest destroy date of a live one."""

    tenant_id: UUID
    purpose: KeyPurpose
    live: int
    destroyed: int
    held: int
    overdue: int
    newest: int
    next_destroy: datetime | None


@dataclass(frozen=True, slots=True)
class KeyTally:
    """How many payload keys of all tenants are held, and how many are overdue: see `KeyCount`."""

    held: int
    overdue: int


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

    async def due(
        self, at: datetime, limit: int, *, tenant_id: UUID | None = None, after: tuple[UUID, bytes] | None = None
    ) -> Sequence[StoredDataKey]:
        """Up to `limit` keys that are not destroyed and whose destroy date is not after `at`: one tenant's or all, by
        tenant and key id, those behind `after` only."""
        ...

    async def hold_data_key(self, kid: bytes, at: datetime) -> bool:
        """Let a payload key open beyond its destroy date; False if it is held already, destroyed, or not there."""
        ...

    async def counts(self, at: datetime, tenant_id: UUID | None = None) -> Sequence[KeyCount]:
        """How the keys of one tenant, or of all, stand at a time; by tenant and purpose."""
        ...

    async def tally(self, at: datetime) -> KeyTally:
        """What somebody should look at, at a time; cheap, however many keys there are."""
        ...

    async def held(self) -> Sequence[StoredDataKey]:
        """All keys that are held, by destroy date."""
        ...

    async def tenant_keys(self, tenant_id: UUID | None = None) -> Sequence[StoredTenantKey]:
        """All versions of one tenant's key, or of all tenants', by tenant and version, destroyed ones too."""
        ...

    async def destroy_data_key(self, kid: bytes, at: datetime) -> bool:
        """Take the wrapped bytes away for ever; False if there is no such key or it is destroyed already."""
        ...

    async def rewrap_data_keys(self, tenant_id: UUID, keys: Sequence[StoredDataKey]) -> int:
        """Put these wrapped bytes in the place of what older versions wrapped; all are wrapped by one version. Keys
        that were destroyed meanwhile, or are wrapped by that version already, stay; answers how many did not.

        Raises:
            KeyDestroyed: the version that wraps them is not there, or was destroyed; nothing is changed.
        """
        ...

    async def retire_tenant_keys(self, tenant_id: UUID, version: int, at: datetime) -> int:
        """Destroy the versions before this one that wrap no data key; answers how many. None while this version itself
        is missing or destroyed."""
        ...

    async def rewrap_tenant_key(self, key: StoredTenantKey, was: bytes) -> bool:
        """Put the tenant key's new wrapped bytes in the place of `was`; False if others are there by now."""
        ...

    async def destroy_tenant(self, tenant_id: UUID, at: datetime) -> int:
        """The same for all of the tenant's keys at once; answers how many there were."""
        ...

    async def health(self) -> None:
        """Read something, and return if that works."""
        ...


class KeyTrail(Protocol):
    """Where it is written down that a key was made."""

    async def tenant_key_made(self, key: StoredTenantKey) -> None:
        """A tenant key of a new tenant."""
        ...

    async def data_key_made(self, key: StoredDataKey) -> None:
        """A data key."""
        ...
