"""The key ring: every key that this process uses, opened on demand and kept for minutes."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from contactsync.codecs.keys.cache import DEFAULT_LIMITS, CacheLimits, LoadingCache, NegativeCache
from contactsync.codecs.keys.key import DataKey, KeyPurpose, TenantKey, new_kid, new_secret
from contactsync.codecs.keys.proof import KeyProof
from contactsync.codecs.keys.root import RootKeyProvider, TenantKeyName, unwrap_tenant_key, wrap_tenant_key
from contactsync.codecs.keys.rotation import KeyRotation
from contactsync.codecs.keys.store import KeyStore, KeyTrail, StoredDataKey, StoredTenantKey
from contactsync.codecs.keys.wrapping import unwrap_data_key, wrap_data_key
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import KeyDestroyed, KeyUnknown, TenantNotFound
from contactsync.identifiers import PLATFORM_TENANT

LASTING_PURPOSES: Final = (KeyPurpose.ROW, KeyPurpose.INDEX, KeyPurpose.SUPPRESSION)
MAX_OPEN_DAYS: Final = 30

_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = 1


@dataclass(frozen=True, slots=True)
class RingPolicy:
    """`open_days`: how long after its day a payload key still opens (1 to 30). `unknown_*`: the negative cache."""

    open_days: int = 14
    cache: CacheLimits = DEFAULT_LIMITS
    unknown_entries: int = 4_096
    unknown_ttl: float = 60.0

    def __post_init__(self) -> None:
        if not 1 <= self.open_days <= MAX_OPEN_DAYS:
            raise ValueError(f"a payload key opens for 1 to {MAX_OPEN_DAYS} days")


DEFAULT_POLICY: Final = RingPolicy()


def now_utc() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


class KeyRing:
    """Makes, opens and caches keys. One ring serves a whole process; its methods may run concurrently.

    Besides those named, every method raises DatabaseError's subclasses when the store fails, RootKeyUnavailable and
    RootKeyRefused when the root does, and KeyAltered when a stored key was tampered with.
    """

    def __init__(
        self,
        store: KeyStore,
        root: RootKeyProvider,
        *,
        clock: Callable[[], datetime] = now_utc,
        monotonic: Callable[[], float] = time.monotonic,
        policy: RingPolicy = DEFAULT_POLICY,
        trail: KeyTrail | None = None,
    ) -> None:
        """`trail` is told of every key that this ring makes, once it is stored."""
        self._store = store
        self._trail = trail
        self._root = root
        self._clock = clock
        self._policy = policy
        self._tenant_keys = LoadingCache(self._load_tenant_key, policy.cache, monotonic)
        self._encrypting = LoadingCache(self._load_payload_key, policy.cache, monotonic)
        self._opening = LoadingCache(self._load_open_key, policy.cache, monotonic)
        self._sealers = LoadingCache(self._load_sealer, policy.cache, monotonic)
        self._audit = LoadingCache(self._load_audit_key, policy.cache, monotonic)
        self._forgotten = 0
        self._absent = NegativeCache[bytes](policy.unknown_entries, policy.unknown_ttl, monotonic)

    async def create_tenant(self, tenant_id: UUID) -> None:
        """Make the tenant's key and its row, index and suppression keys; those that are there stay as they are.

        The first tenant brings the platform's key along: every later root key is tried on it, so that no tenant's
        key is ever wrapped by another installation's root.

        Raises:
            RootKeyRefused: the root key is not the one that this key store began with.
            KeyDestroyed: the tenant's keys were destroyed, and that is for ever.
        """
        await self._create_tenant_key(PLATFORM_TENANT)
        await self._tenant_keys.get((PLATFORM_TENANT, None))
        await self._create_tenant_key(tenant_id)
        await self._tenant_keys.get((tenant_id, None))
        held = {key.purpose for key in await self._store.data_keys(tenant_id, LASTING_PURPOSES)}
        for purpose in LASTING_PURPOSES:
            if purpose not in held:
                await self._kept(DataKey(new_kid(), tenant_id, purpose, _FIRST, new_secret()))

    async def payload_key(self, tenant_id: UUID) -> DataKey:
        """Today's payload key, made on demand; all processes agree on one for each tenant and UTC day.

        Raises:
            TenantNotFound: the tenant has no keys.
            KeyDestroyed: the tenant's keys were destroyed.
        """
        return await self._encrypting.get((tenant_id, (self._clock() - _EPOCH).days))

    async def open_payload_key(self, kid: bytes) -> DataKey:
        """The payload key of this id, to open with; its tenant is the one to trust.

        Raises:
            KeyUnknown: there is no payload key of this id.
            KeyDestroyed: it was destroyed, or its destroy date has come and it is not held.
        """
        self._absent.check(kid)
        try:
            key = await self._opening.get(kid)
        except (KeyUnknown, KeyDestroyed) as error:
            self._absent.remember(kid, type(error))
            raise
        if not key.held and (key.destroy_at is None or key.destroy_at <= self._clock()):
            raise KeyDestroyed
        return key

    async def tenant_sealer(self, tenant_id: UUID, *, instead_of: TenantSealer | None = None) -> TenantSealer:
        """What seals, opens and digests this tenant's rows; `instead_of` one that proved too old.

        Raises:
            TenantNotFound: the tenant has no keys.
            KeyDestroyed: the tenant's keys were destroyed.
        """
        sealer = await self._sealers.get(tenant_id)
        if sealer is not instead_of and not sealer.is_outdated:
            return sealer
        self.forget(tenant_id)
        renewed = await self._sealers.get(tenant_id)
        renewed.replaces(sealer)
        return renewed

    async def audit_key(self) -> DataKey:
        """The platform tenant's newest audit key, made on demand: what checkpoints and certificates are signed with.

        Raises:
            KeyDestroyed: the platform's keys were destroyed.
        """
        return await self._audit.get(PLATFORM_TENANT)

    async def destroy_tenant(self, tenant_id: UUID) -> int:
        """Destroy all keys of the tenant for ever, and what they sealed with them; answers how many there were.

        Other processes go on for no longer than the cache's time to live.
        """
        count = await self._store.destroy_tenant(tenant_id, self._clock())
        self.forget(tenant_id)
        return count

    def forget(self, tenant_id: UUID | None = None) -> None:
        """Forget the keys of a tenant: whoever asks next has them from the store as they are now.

        With None every key is asked for again, and serves on through its grace while store or root are down.
        """
        self._forgotten += 1
        if tenant_id is None:
            self._expire_all()
            return
        self._tenant_keys.discard(lambda name, _: name[0] == tenant_id)
        self._encrypting.discard(lambda name, _: name[0] == tenant_id)
        self._opening.discard(lambda _, key: key.tenant_id == tenant_id)
        self._sealers.discard(lambda name, _: name == tenant_id)
        self._audit.discard(lambda name, _: name == tenant_id)

    def forget_payload_key(self, kid: bytes) -> None:
        """The same for one payload key, also where it was known not to be there."""
        self._forgotten += 1
        self._encrypting.discard(lambda _, key: key.kid == kid)
        self._opening.discard(lambda name, _: name == kid)
        self._absent.discard(kid)

    def _expire_all(self) -> None:
        self._tenant_keys.expire()
        self._encrypting.expire()
        self._opening.expire()
        self._sealers.expire()
        self._audit.expire()
        self._absent.discard(None)

    @property
    def store(self) -> KeyStore:
        """Where the keys are kept; for what ends keys, counts them or proves them."""
        return self._store

    def proof(self) -> KeyProof:
        """What proves the keys of this ring's store."""
        return KeyProof(self._store, self._root)

    def rotation(self) -> KeyRotation:
        """What rotates the keys of this ring's store."""
        return KeyRotation(self._store, self._root, self._clock)

    async def check(self) -> None:
        """Return if the root wraps and unwraps, is the one that this key store began with, and the store answers."""
        await self._root.health()
        await self._store.health()
        if await self._store.tenant_key(PLATFORM_TENANT) is not None:
            await self._tenant_keys.get((PLATFORM_TENANT, None))

    async def _create_tenant_key(self, tenant_id: UUID) -> None:
        if await self._store.tenant_key(tenant_id) is None:
            key = TenantKey(new_kid(), tenant_id, _FIRST, new_secret())
            wrapped = await wrap_tenant_key(self._root, key)
            kept = await self._store.add_tenant_key(StoredTenantKey(key.kid, tenant_id, key.version, wrapped))
            if self._trail is not None and kept.kid == key.kid:
                await self._trail.tenant_key_made(kept)

    async def _load_tenant_key(self, name: tuple[UUID, int | None]) -> TenantKey:
        """The tenant's key of a version, or its newest (None)."""
        tenant_id, version = name
        stored = await self._store.tenant_key(tenant_id, version)
        if stored is None:
            raise TenantNotFound
        if stored.wrapped is None:
            raise KeyDestroyed
        return await unwrap_tenant_key(self._root, TenantKeyName(tenant_id, stored.version, stored.kid), stored.wrapped)

    async def _load_payload_key(self, name: tuple[UUID, int]) -> DataKey:
        tenant_id, day = name
        forgotten = self._forgotten
        stored = await self._store.data_key_of(tenant_id, KeyPurpose.PAYLOAD, day)
        key = await self._unwrapped(stored or await self._add_payload_key(tenant_id, day))
        if forgotten == self._forgotten:  # else it may have been read before it changed
            self._opening.put(key.kid, key)
        return key

    async def _add_payload_key(self, tenant_id: UUID, day: int) -> StoredDataKey:
        encrypt_until = _EPOCH + (day + 1) * _DAY
        destroy_at = encrypt_until + self._policy.open_days * _DAY
        key = DataKey(
            new_kid(),
            tenant_id,
            KeyPurpose.PAYLOAD,
            day,
            new_secret(),
            encrypt_until=encrypt_until,
            destroy_at=destroy_at,
        )
        return await self._kept(key)

    async def _kept(self, key: DataKey) -> StoredDataKey:
        """A new key, wrapped and stored; or the one that another process stored before."""
        kept = await self._added(key)
        if self._trail is not None and kept.kid == key.kid:
            await self._trail.data_key_made(kept)
        return kept

    async def _added(self, key: DataKey) -> StoredDataKey:
        newest = (key.tenant_id, None)
        try:
            return await self._store.add_data_key(wrap_data_key(await self._tenant_keys.get(newest), key))
        except KeyDestroyed:  # the version at hand was retired by a rotation: the newest one wraps
            self._tenant_keys.discard(lambda name, _: name == newest)
            return await self._store.add_data_key(wrap_data_key(await self._tenant_keys.get(newest), key))

    async def _load_open_key(self, kid: bytes) -> DataKey:
        stored = await self._store.data_key(kid)
        if stored is None or stored.purpose is not KeyPurpose.PAYLOAD:
            raise KeyUnknown
        return await self._unwrapped(stored)

    async def _load_sealer(self, tenant_id: UUID) -> TenantSealer:
        await self._tenant_keys.get((tenant_id, None))
        stored = await self._store.data_keys(tenant_id, (KeyPurpose.ROW, KeyPurpose.INDEX))
        keys = [await self._unwrapped(key) for key in stored if key.wrapped is not None]
        rows = [key for key in keys if key.purpose is KeyPurpose.ROW]
        indexes = [key for key in keys if key.purpose is KeyPurpose.INDEX]
        if not rows or not indexes:
            raise KeyDestroyed if len(stored) > len(keys) else TenantNotFound
        return TenantSealer(rows, indexes)

    async def _load_audit_key(self, tenant_id: UUID) -> DataKey:
        held = await self._store.data_keys(tenant_id, (KeyPurpose.AUDIT,))
        return await self._unwrapped(held[-1] if held else await self._add_audit_key(tenant_id))

    async def _add_audit_key(self, tenant_id: UUID) -> StoredDataKey:
        await self._create_tenant_key(tenant_id)
        key = DataKey(new_kid(), tenant_id, KeyPurpose.AUDIT, _FIRST, new_secret())
        return await self._kept(key)

    async def _unwrapped(self, stored: StoredDataKey) -> DataKey:
        if stored.wrapped is None:
            raise KeyDestroyed
        try:
            tenant_key = await self._tenant_keys.get((stored.tenant_id, stored.tenant_version))
        except KeyDestroyed:  # a rotation may have wrapped the key anew since its row was read
            again = await self._store.data_key(stored.kid)
            if again is None or again.tenant_version == stored.tenant_version:
                raise
            return await self._unwrapped(again)
        return unwrap_data_key(tenant_key, stored)
