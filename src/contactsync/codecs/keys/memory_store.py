"""A key store in memory, for tests and for what need not outlive the process."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from contactsync.codecs.keys.key import KeyPurpose
from contactsync.codecs.keys.store import KeyCount, KeyTally, StoredDataKey, StoredTenantKey
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

    async def due(
        self, at: datetime, limit: int, *, tenant_id: UUID | None = None, after: tuple[UUID, bytes] | None = None
    ) -> Sequence[StoredDataKey]:
        """See `KeyStore`."""
        expired = sorted(
            (key for key in self._live(tenant_id) if key.destroy_at and key.destroy_at <= at),
            key=lambda key: (key.tenant_id, key.kid),
        )
        return tuple([key for key in expired if after is None or (key.tenant_id, key.kid) > after][:limit])

    async def hold_data_key(self, kid: bytes, at: datetime) -> bool:
        """See `KeyStore`."""
        held = self._data_keys.get(kid)
        if held is None or held.wrapped is None or held.held_at is not None or held.purpose is not KeyPurpose.PAYLOAD:
            return False
        self._data_keys[kid] = replace(held, held_at=at)
        return True

    async def counts(self, at: datetime, tenant_id: UUID | None = None) -> Sequence[KeyCount]:
        """See `KeyStore`."""
        groups: dict[tuple[UUID, KeyPurpose], list[StoredDataKey]] = {}
        for key in self._data_keys.values():
            if tenant_id in {None, key.tenant_id}:
                groups.setdefault((key.tenant_id, key.purpose), []).append(key)
        return tuple(_count(at, *name, groups[name]) for name in sorted(groups))

    async def tally(self, at: datetime) -> KeyTally:
        """See `KeyStore`."""
        counts = await self.counts(at)
        return KeyTally(sum(count.held for count in counts), sum(count.overdue for count in counts))

    async def held(self) -> Sequence[StoredDataKey]:
        """See `KeyStore`."""
        dated = [(key.destroy_at, key.kid, key) for key in self._live(None) if key.held_at and key.destroy_at]
        return tuple(key for _, _, key in sorted(dated, key=lambda each: each[:2]))

    async def tenant_keys(self, tenant_id: UUID | None = None) -> Sequence[StoredTenantKey]:
        """See `KeyStore`."""
        return tuple(key for name, key in sorted(self._tenant_keys.items()) if tenant_id in {None, name[0]})

    async def destroy_data_key(self, kid: bytes, at: datetime) -> bool:  # noqa: ARG002 - a memory keeps no date
        """See `KeyStore`."""
        held = self._data_keys.get(kid)
        if held is None or held.wrapped is None:
            return False
        self._data_keys[kid] = replace(held, wrapped=None)
        return True

    async def rewrap_data_keys(self, tenant_id: UUID, keys: Sequence[StoredDataKey]) -> int:
        """See `KeyStore`."""
        held = {key.kid: self._data_keys[key.kid] for key in keys}
        for version in {key.tenant_version for key in keys}:
            parent = self._tenant_keys.get((tenant_id, version))
            if parent is None or parent.wrapped is None:
                raise KeyDestroyed
        older = [key for key in keys if held[key.kid].wrapped and held[key.kid].tenant_version < key.tenant_version]
        for key in older:
            self._data_keys[key.kid] = replace(held[key.kid], wrapped=key.wrapped, tenant_version=key.tenant_version)
        return len(older)

    async def retire_tenant_keys(self, tenant_id: UUID, version: int, at: datetime) -> int:  # noqa: ARG002
        """See `KeyStore`."""
        newest = self._tenant_keys.get((tenant_id, version))
        if newest is None or newest.wrapped is None:
            return 0
        needed = {key.tenant_version for key in self._data_keys.values() if key.tenant_id == tenant_id and key.wrapped}
        older = [name for name, key in self._tenant_keys.items() if name[0] == tenant_id and key.wrapped]
        idle = [name for name in older if name[1] < version and name[1] not in needed]
        for name in idle:
            self._tenant_keys[name] = replace(self._tenant_keys[name], wrapped=None)
        return len(idle)

    async def rewrap_tenant_key(self, key: StoredTenantKey, was: bytes) -> bool:
        """See `KeyStore`."""
        if self._tenant_keys[key.tenant_id, key.version].wrapped != was:
            return False
        self._tenant_keys[key.tenant_id, key.version] = key
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

    def _live(self, tenant_id: UUID | None) -> list[StoredDataKey]:
        return [key for key in self._data_keys.values() if key.wrapped and tenant_id in {None, key.tenant_id}]


def _count(at: datetime, tenant_id: UUID, purpose: KeyPurpose, keys: Sequence[StoredDataKey]) -> KeyCount:
    live = [key for key in keys if key.wrapped]
    return KeyCount(
        tenant_id=tenant_id,
        purpose=purpose,
        live=len(live),
        destroyed=len(keys) - len(live),
        held=sum(key.held_at is not None for key in live),
        overdue=sum(key.held_at is None and key.destroy_at is not None and key.destroy_at <= at for key in live),
        newest=max(key.epoch for key in keys),
        next_destroy=min((key.destroy_at for key in live if key.destroy_at), default=None),
    )
