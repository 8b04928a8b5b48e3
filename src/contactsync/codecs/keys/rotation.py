"""Rotation: newer keys, and what older ones wrapped wrapped again. No secret of a data key changes, so nothing that was
sealed does.

Every step may be done twice, late or by two at once: it finds its work by asking the store, and the store refuses what
would leave a key without the one that wraps it.
"""

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from contactsync.codecs.keys.key import DataKey, KeyPurpose, TenantKey, new_kid, new_secret
from contactsync.codecs.keys.root import RootKeyProvider, TenantKeyName, unwrap_tenant_key, wrap_tenant_key
from contactsync.codecs.keys.store import KeyStore, StoredDataKey, StoredTenantKey
from contactsync.codecs.keys.wrapping import unwrap_data_key, wrap_data_key
from contactsync.errors import KeyDestroyed, RootKeyRefused, TenantNotFound

BATCH: Final = 100
"""Keys that are wrapped again in one transaction."""

EPOCH_PURPOSES: Final = frozenset({KeyPurpose.ROW, KeyPurpose.INDEX})
"""The purposes whose keys are replaced by a next epoch, on request."""


class KeyRotation:
    """Rotates keys in the store. Callers forget what they have cached: see `KeyRing.forget`.

    Every method raises DatabaseError's subclasses, RootKeyUnavailable and RootKeyRefused, and KeyAltered.
    """

    def __init__(self, store: KeyStore, root: RootKeyProvider, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._root = root
        self._clock = clock

    async def newest_version(self, tenant_id: UUID) -> int:
        """The version of the tenant's key.

        Raises:
            TenantNotFound: it has none.
            KeyDestroyed: it was destroyed.
        """
        return (await self._newest(tenant_id)).version

    async def newest_epoch(self, tenant_id: UUID, purpose: KeyPurpose) -> int:
        """The newest epoch of one of `EPOCH_PURPOSES`.

        Raises:
            TenantNotFound: the tenant has no such key.
        """
        held = await self._store.data_keys(tenant_id, (purpose,))
        if not held:
            raise TenantNotFound
        return held[-1].epoch

    async def add_version(self, tenant_id: UUID, version: int) -> bool:
        """Make this version of the tenant's key, unless it is there (False): it wraps from now on.

        Raises:
            TenantNotFound: the tenant has no key, or the one before is missing.
            KeyDestroyed: the tenant's keys were destroyed.
        """
        newest = await self._newest(tenant_id)
        if version > newest.version + 1:
            raise TenantNotFound
        if version <= newest.version:
            return False
        key = TenantKey(new_kid(), tenant_id, version, new_secret())
        wrapped = await wrap_tenant_key(self._root, key)
        kept = await self._store.add_tenant_key(StoredTenantKey(key.kid, tenant_id, version, wrapped))
        return kept.kid == key.kid

    async def rewrap_children(self, tenant_id: UUID, version: int) -> int:
        """Wrap the tenant's data keys by this version, those that an older one wraps; answers how many.

        Raises:
            KeyDestroyed: the version was destroyed meanwhile; its children stay with the one before.
            TenantNotFound: there is no such version.
        """
        parent, count = await self._opened(tenant_id, version), 0
        while batch := (await self._wrapped_before(tenant_id, version))[:BATCH]:
            again = [wrap_data_key(parent, await self._secret_of(key)) for key in batch]
            count += await self._store.rewrap_data_keys(tenant_id, again)
        return count

    async def retire_versions(self, tenant_id: UUID, version: int) -> int:
        """Destroy the versions before this one that wrap nothing any more; answers how many."""
        return await self._store.retire_tenant_keys(tenant_id, version, self._clock())

    async def older_versions(self, tenant_id: UUID, version: int) -> int:
        """How many versions before this one are not destroyed."""
        versions = await self._store.tenant_keys(tenant_id)
        return sum(key.version < version and key.wrapped is not None for key in versions)

    async def add_epoch(self, tenant_id: UUID, purpose: KeyPurpose, epoch: int) -> None:
        """Make the row or index key of this epoch, unless it is there.

        Raises:
            ValueError: the purpose has no epochs to be asked for.
            TenantNotFound, KeyDestroyed: as `add_version`.
        """
        if purpose not in EPOCH_PURPOSES:
            raise ValueError(f"{purpose} keys have no epochs to be asked for")
        newest = await self._newest(tenant_id)
        key = DataKey(new_kid(), tenant_id, purpose, epoch, new_secret())
        parent = await self._opened(tenant_id, newest.version)
        await self._store.add_data_key(wrap_data_key(parent, key))

    async def retire_epochs(self, tenant_id: UUID, purpose: KeyPurpose, epoch: int) -> int:
        """Destroy the row or index keys before this epoch; answers how many there were. What they sealed ends.

        Raises:
            ValueError: the purpose has no epochs to be asked for.
            KeyDestroyed: the key of this epoch is not there; nothing was destroyed.
        """
        if purpose not in EPOCH_PURPOSES:
            raise ValueError(f"{purpose} keys have no epochs to be asked for")
        held = await self._store.data_keys(tenant_id, (purpose,))
        if not any(key.epoch == epoch and key.wrapped is not None for key in held):
            raise KeyDestroyed
        older = [key.kid for key in held if key.epoch < epoch]
        return sum([await self._store.destroy_data_key(kid, self._clock()) for kid in older])

    async def rotate_root(self) -> int:
        """Add a version of the root key; answers its number."""
        return await self._root.rotate()

    async def root_version(self) -> int:
        """The version of the root key that wraps."""
        return await self._root.newest()

    async def rewrap_tenant_keys(self) -> AsyncGenerator[bool]:
        """Wrap every tenant key by the newest root version, one after the other; tells of each whether it had to be.

        Broken off and begun again, it goes on with those that are left, where the provider tells versions apart.

        Raises:
            RootKeyRefused: one of them does not open; those before it are wrapped again.
        """
        newest = await self._root.newest()
        for key in await self._store.tenant_keys():
            yield await self._rewrap_tenant_key(key, newest)

    async def destroy_root(self, version: int) -> None:
        """Destroy an older version of the root key, which wraps no tenant key any more.

        Raises:
            RootKeyRefused: it wraps some, is the newest, not there, or kept by its provider; nothing was destroyed.
        """
        wrapped = [key.wrapped for key in await self._store.tenant_keys() if key.wrapped is not None]
        needed = [await self._root.version_of(each) == version for each in wrapped]
        if any(needed) and version != await self._root.newest():
            raise RootKeyRefused(
                f"root key version {version} still wraps {sum(needed)} tenant keys; run `contactsync keys rewrap`"
            )
        await self._root.destroy(version)

    async def _rewrap_tenant_key(self, key: StoredTenantKey, newest: int) -> bool:
        if key.wrapped is None or await self._root.version_of(key.wrapped) == newest:
            return False
        name = TenantKeyName(key.tenant_id, key.version, key.kid)
        again = await self._root.rewrap(name, key.wrapped)
        await unwrap_tenant_key(self._root, name, again)  # what does not open must not replace what does
        return await self._store.rewrap_tenant_key(replace(key, wrapped=again), key.wrapped)

    async def _newest(self, tenant_id: UUID) -> StoredTenantKey:
        stored = await self._store.tenant_key(tenant_id)
        if stored is None:
            raise TenantNotFound
        if stored.wrapped is None:
            raise KeyDestroyed
        return stored

    async def _opened(self, tenant_id: UUID, version: int) -> TenantKey:
        stored = await self._store.tenant_key(tenant_id, version)
        if stored is None:
            raise TenantNotFound
        if stored.wrapped is None:
            raise KeyDestroyed
        return await unwrap_tenant_key(self._root, TenantKeyName(tenant_id, version, stored.kid), stored.wrapped)

    async def _wrapped_before(self, tenant_id: UUID, version: int) -> list[StoredDataKey]:
        held = await self._store.data_keys(tenant_id, tuple(KeyPurpose))
        return [key for key in held if key.wrapped is not None and key.tenant_version < version]

    async def _secret_of(self, key: StoredDataKey) -> DataKey:
        return unwrap_data_key(await self._opened(key.tenant_id, key.tenant_version), key)
