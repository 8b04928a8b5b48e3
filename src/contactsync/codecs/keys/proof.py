"""Proof that keys are what they were: each is read from the store and unwrapped, past every cache."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from contactsync.codecs.keys.key import KeyPurpose, TenantKey
from contactsync.codecs.keys.root import RootKeyProvider, TenantKeyName, unwrap_tenant_key
from contactsync.codecs.keys.store import KeyStore, StoredDataKey, StoredTenantKey
from contactsync.codecs.keys.wrapping import unwrap_data_key
from contactsync.errors import KeyAltered, KeyDestroyed, RootKeyRefused

TENANT: Final = "tenant"
"""The purpose of a tenant's own key."""


@dataclass(frozen=True, slots=True)
class KeyFault:
    """A key that does not open: `purpose` is `TENANT` or a `KeyPurpose`, `number` its version or epoch, `code` why."""

    kid: bytes
    tenant_id: UUID
    purpose: str
    number: int
    code: str


@dataclass(frozen=True, slots=True)
class Proved:
    """What was found of one tenant's keys: so many open, and these do not. Destroyed keys count nowhere."""

    tenant_id: UUID
    opened: int
    faults: tuple[KeyFault, ...]


class KeyProof:
    """Opens keys to see that they open, and keeps none."""

    def __init__(self, store: KeyStore, root: RootKeyProvider) -> None:
        self._store = store
        self._root = root

    async def prove(self, tenant_id: UUID) -> Proved:
        """Unwrap every key of the tenant that is not destroyed.

        Raises:
            RootKeyUnavailable, DatabaseError: nothing can be said.
        """
        versions = [each for each in await self._store.tenant_keys(tenant_id) if each.wrapped is not None]
        opened: dict[int, TenantKey] = {}
        faults: list[KeyFault] = []
        for version in versions:
            found = await self._tenant_key(version)
            if isinstance(found, KeyFault):
                faults.append(found)
            else:
                opened[version.version] = found
        data = [key for key in await self._store.data_keys(tenant_id, tuple(KeyPurpose)) if key.wrapped is not None]
        faults += _faults(data, opened)
        return Proved(tenant_id, len(versions) + len(data) - len(faults), tuple(faults))

    async def newest_root(self) -> int:
        """The number of the root version that wraps.

        Raises:
            RootKeyUnavailable, RootKeyRefused.
        """
        return await self._root.newest()

    async def root_of(self, stored: StoredTenantKey) -> int | None:
        """The number of the root version that wraps a tenant's key; None where it is destroyed, or nobody can tell.

        Raises:
            RootKeyUnavailable, RootKeyRefused.
        """
        return None if stored.wrapped is None else await self._root.version_of(stored.wrapped)

    async def _tenant_key(self, stored: StoredTenantKey) -> TenantKey | KeyFault:
        name = TenantKeyName(stored.tenant_id, stored.version, stored.kid)
        try:
            return await unwrap_tenant_key(self._root, name, stored.wrapped or b"")
        except RootKeyRefused as error:
            return KeyFault(stored.kid, stored.tenant_id, TENANT, stored.version, error.code)


def _faults(keys: Sequence[StoredDataKey], parents: dict[int, TenantKey]) -> list[KeyFault]:
    found: list[KeyFault] = []
    for key in keys:
        parent = parents.get(key.tenant_version)
        try:
            if parent is None:
                raise KeyDestroyed  # its parent is, or does not open itself
            unwrap_data_key(parent, key)
        except (KeyAltered, KeyDestroyed) as error:
            found.append(KeyFault(key.kid, key.tenant_id, key.purpose.value, key.epoch, error.code))
    return found
