"""A key store in memory, for tests and for what need not outlive the process."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from contactsync.codecs.keys.key import KeyPurpose
from contactsync.codecs.keys.store import StoredDataKey, StoredTenantKey
from contactsync.errors import KeyDestroyed


class MemoryKeyStore:
    """A `KeyStore` that forgets everything with the process."""

    def __init__(self) -> None:
        self._tenant_keys: dict[tuple[UUID, int], StoredTenantKey] = {}
        self._data_keys: dict[bytes, StoredDataKey] = {}

    async def add_tenant_key(self, key: StoredTenantKey) -> StoredTenantKey:
        """See `KeyStore`."""
        return self._tenant_keys.setdefault((key.tenant_id, key.version), key)

    async def tenant_key(self, tenant_id: UUID, version: int | None = None) -> StoredTenantKey | None:
        """See `KeyStore`."""
        versions = [held for tenant, held in self._tenant_keys if tenant == tenant_id]
        wanted = max(versions, default=0) if version is None else version
        return self._tenant_keys.get((tenant_id, wanted))

    async def add_data_key(self, key: StoredDataKey) -> StoredDataKey:
        """See `KeyStore`."""
        held = await self.data_key_of(key.tenant_id, key.purpose, key.epoch)
        if held is not None:
            return held
        parent = self._tenant_keys.get((key.tenant_id, key.tenant_version))
        if parent is None or parent.wrapped is None:
            raise KeyDestroyed
        return self._data_keys.setdefault(key.kid, key)

    async def data_key(self, kid: bytes) -> StoredDataKey | None:
        """See `KeyStore`."""
        return self._data_keys.get(kid)

    async def data_keys(self, tenant_id: UUID, purposes: Sequence[KeyPurpose]) -> Sequence[StoredDataKey]:
        """See `KeyStore`."""
        found = [key for key in self._data_keys.values() if key.tenant_id == tenant_id and key.purpose in purposes]
        return tuple(sorted(found, key=lambda key: (key.purpose, key.epoch)))

    async def data_key_of(self, tenant_id: UUID, purpose: KeyPurpose, epoch: int) -> StoredDataKey | None:
        """See `KeyStore`."""
        return next((key for key in await self.data_keys(tenant_id, [purpose]) if key.epoch == epoch), None)

    async def due(self, at: datetime, limit: int) -> Sequence[StoredDataKey]:
        """See `KeyStore`."""
        dated = [(key.destroy_at, key) for key in self._data_keys.values() if key.destroy_at and key.wrapped]
        expired = sorted(((date, key) for date, key in dated if date <= at), key=lambda pair: (pair[0], pair[1].kid))
        return tuple(key for _, key in expired[:limit])

    async def destroy_data_key(self, kid: bytes, at: datetime) -> bool:  # noqa: ARG002 - a memory keeps no date
        """See `KeyStore`."""
        held = self._data_keys.get(kid)
        if held is None or held.wrapped is None:
            return False
        self._data_keys[kid] = replace(held, wrapped=None)
        return True

    async def destroy_tenant(self, tenant_id: UUID, at: datetime) -> int:
        """See `KeyStore`."""
        data = [kid for kid, key in self._data_keys.items() if key.tenant_id == tenant_id]
        tenant = [name for name, key in self._tenant_keys.items() if name[0] == tenant_id and key.wrapped]
        for name in tenant:
            self._tenant_keys[name] = replace(self._tenant_keys[name], wrapped=None)
        return len(tenant) + sum([await self.destroy_data_key(kid, at) for kid in data])

    async def health(self) -> None:
        """See `KeyStore`."""
