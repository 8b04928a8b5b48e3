"""The key ring over a store in memory and a root key in a file."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from tests.unit.codecs.keys.doubles import NOON, CountingStore, Time

from contactsync.codecs.keys.cache import CacheLimits
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.key import DataKey, KeyPurpose, new_kid, new_secret
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.ring import LASTING_PURPOSES, KeyRing, RingPolicy
from contactsync.codecs.keys.root import TenantKeyName, unwrap_tenant_key
from contactsync.codecs.keys.store import StoredTenantKey
from contactsync.codecs.keys.wrapping import wrap_data_key
from contactsync.errors import (
    DatabaseFull,
    DatabaseUnavailable,
    KeyAltered,
    KeyDestroyed,
    KeyUnknown,
    RootKeyRefused,
    RootKeyUnavailable,
    TenantNotFound,
)

TENANT: Final = UUID(int=7)
OTHER: Final = UUID(int=8)
POLICY: Final = RingPolicy(cache=CacheLimits(ttl=300, renew_before=60, grace=600, pause=5), unknown_entries=100)


@pytest.fixture
def time() -> Time:
    """It is noon."""
    return Time()


@pytest.fixture
def store() -> CountingStore:
    """An empty store."""
    return CountingStore()


@pytest.fixture
def root(tmp_path: Path) -> FileRootKey:
    """A new root key."""
    return FileRootKey.create(tmp_path / "root.key")


@pytest.fixture
async def ring(store: CountingStore, root: FileRootKey, time: Time) -> KeyRing:
    """A ring with one tenant."""
    made = _ring(store, root, time)
    await made.create_tenant(TENANT)
    return made


def _ring(store: MemoryKeyStore, root: FileRootKey, time: Time, policy: RingPolicy = POLICY) -> KeyRing:
    return KeyRing(store, root, clock=time.now, monotonic=time.monotonic, policy=policy)


async def test_a_tenant_is_made_once(ring: KeyRing, store: CountingStore) -> None:
    """Creating a tenant again, here or in another process at the same time, changes no key."""
    before = await store.all_of(TENANT)
    await asyncio.gather(*(ring.create_tenant(TENANT) for _ in range(5)))
    assert sorted(LASTING_PURPOSES) == [key.purpose for key in before]
    assert before == await store.all_of(TENANT)


async def test_a_tenant_half_made_is_completed(store: CountingStore, root: FileRootKey, time: Time) -> None:
    """Where an earlier attempt ended after the tenant's key, the next makes what is missing."""
    store.full = True
    with pytest.raises(DatabaseFull):
        await _ring(store, root, time).create_tenant(TENANT)
    store.full = False
    await _ring(store, root, time).create_tenant(TENANT)
    assert sorted(LASTING_PURPOSES) == [key.purpose for key in await store.all_of(TENANT)]


async def test_racing_rings_make_one_tenant(store: CountingStore, root: FileRootKey, time: Time) -> None:
    """Two processes that create one tenant at once agree on every key."""
    rings = [_ring(store, root, time) for _ in range(4)]
    await asyncio.gather(*(ring.create_tenant(TENANT) for ring in rings))
    sealers = [await ring.tenant_sealer(TENANT) for ring in rings]
    sealed = sealers[0].seal("contact", "1", b"x")
    assert {b"x"} == {sealer.open("contact", "1", sealed) for sealer in sealers}
    assert len({sealer.index("email", "x") for sealer in sealers}) == 1


async def test_racing_rings_make_one_payload_key(
    ring: KeyRing, store: CountingStore, root: FileRootKey, time: Time
) -> None:
    """Processes that need today's key at once agree on one id and one secret."""
    rings = [ring, *(_ring(store, root, time) for _ in range(9))]
    keys = await asyncio.gather(*(each.payload_key(TENANT) for each in rings for _ in range(3)))
    assert (len({key.kid for key in keys}), len({key.secret.expose() for key in keys})) == (1, 1)


async def test_a_payload_key_encrypts_for_its_day(ring: KeyRing, time: Time) -> None:
    """The same key until midnight UTC, then another; each knows until when."""
    first = await ring.payload_key(TENANT)
    time.passed = 12 * 3_600 - 1
    assert first.kid == (await ring.payload_key(TENANT)).kid
    time.passed += 1
    second = await ring.payload_key(TENANT)
    assert first.kid != second.kid
    assert first.secret.expose() != second.secret.expose()
    assert (datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 16, tzinfo=UTC)) == (
        first.encrypt_until,
        first.destroy_at,
    )
    assert second.epoch - first.epoch == 1


async def test_a_payload_key_opens_until_its_destroy_date(
    ring: KeyRing, store: CountingStore, root: FileRootKey, time: Time
) -> None:
    """Fourteen days after its day a payload key opens no more, in old rings and new, destroyed by then or not."""
    key = await ring.payload_key(TENANT)
    time.passed = (datetime(2026, 3, 16, tzinfo=UTC) - NOON).total_seconds() - 1
    assert key.secret.expose() == (await ring.open_payload_key(key.kid)).secret.expose()
    time.passed += 1
    for each in (ring, _ring(store, root, time)):
        with pytest.raises(KeyDestroyed):
            await each.open_payload_key(key.kid)


@pytest.mark.parametrize("days", [0, 31, -1])
def test_a_payload_key_opens_for_30_days_at_most(days: int) -> None:
    """A policy outside of 1 to 30 days is none."""
    with pytest.raises(ValueError, match="1 to 30 days"):
        RingPolicy(open_days=days)


async def test_opening_finds_key_and_tenant(ring: KeyRing, store: CountingStore, root: FileRootKey, time: Time) -> None:
    """A ring of another process finds by id alone the secret, and the tenant it belongs to."""
    key = await ring.payload_key(TENANT)
    found = await _ring(store, root, time).open_payload_key(key.kid)
    assert (key.kid, TENANT, key.secret.expose()) == (found.kid, found.tenant_id, found.secret.expose())


async def test_no_read_for_what_is_known(ring: KeyRing, store: CountingStore) -> None:
    """Sealing and opening a thousand payloads read the store once."""
    reads = store.reads
    for _ in range(1_000):
        key = await ring.payload_key(TENANT)
        await ring.open_payload_key(key.kid)
    assert store.reads - reads <= 2


async def test_two_tenants_share_nothing(ring: KeyRing) -> None:
    """Every key of one tenant differs from the other's."""
    await ring.create_tenant(OTHER)
    keys = [await ring.payload_key(tenant) for tenant in (TENANT, OTHER)]
    sealers = [await ring.tenant_sealer(tenant) for tenant in (TENANT, OTHER)]
    assert 2 == len({key.kid for key in keys}) == len({key.secret.expose() for key in keys})
    assert len({sealer.index("email", "x") for sealer in sealers}) == 2
    assert [sealer.tenant_id for sealer in sealers] == [TENANT, OTHER]


async def test_an_unknown_tenant_has_no_keys(ring: KeyRing, store: CountingStore) -> None:
    """Nothing is made for a tenant that nobody created; once it is created it is found at once."""
    for get in (ring.payload_key, ring.tenant_sealer):
        with pytest.raises(TenantNotFound):
            await get(OTHER)
    assert list(await store.all_of(OTHER)) == []
    await ring.create_tenant(OTHER)
    assert (await ring.payload_key(OTHER)).tenant_id == OTHER


async def test_unknown_ids_are_asked_for_once(ring: KeyRing, store: CountingStore, time: Time) -> None:
    """An unknown id is remembered for a minute, and then asked for again."""
    kid = new_kid()
    reads = store.reads
    for _ in range(50):
        with pytest.raises(KeyUnknown):
            await ring.open_payload_key(kid)
    assert store.reads - reads == 1
    time.passed += 60
    with pytest.raises(KeyUnknown):
        await ring.open_payload_key(kid)
    assert store.reads - reads == 2


async def test_a_flood_of_unknown_ids_is_bounded(ring: KeyRing, store: CountingStore) -> None:
    """Of many made-up ids only the last hundred are remembered, and no key that is in use is pushed out by them."""
    key = await ring.payload_key(TENANT)
    flood = [number.to_bytes(16) for number in range(1_000)]
    for kid in flood:
        with pytest.raises(KeyUnknown):
            await ring.open_payload_key(kid)
    for kids, reads in (([key.kid], 0), (flood[-100:], 0), (flood[:100], 100)):
        before = store.reads
        for kid in kids:
            with suppress(KeyUnknown):
                await ring.open_payload_key(kid)
        assert reads == store.reads - before


@pytest.mark.parametrize("kid", [b"", bytes(15), bytes(17)], ids=len)
async def test_an_id_of_another_form_is_unknown(ring: KeyRing, kid: bytes) -> None:
    """What is no key id is unknown, like any other."""
    with pytest.raises(KeyUnknown):
        await ring.open_payload_key(kid)


@pytest.mark.parametrize("purpose", LASTING_PURPOSES)
async def test_only_payload_keys_open_payloads(ring: KeyRing, store: CountingStore, purpose: KeyPurpose) -> None:
    """The id of a row, index or suppression key is unknown to whoever opens payloads."""
    [key] = await store.data_keys(TENANT, [purpose])
    with pytest.raises(KeyUnknown):
        await ring.open_payload_key(key.kid)


async def test_destroyed_is_not_unknown(ring: KeyRing, store: CountingStore, root: FileRootKey, time: Time) -> None:
    """A destroyed key says that it was destroyed: at once in a new process, within the time to live in an old one."""
    key = await ring.payload_key(TENANT)
    await store.destroy_data_key(key.kid, time.now())
    with pytest.raises(KeyDestroyed):
        await _ring(store, root, time).open_payload_key(key.kid)
    time.passed += 300
    for get in (lambda: ring.open_payload_key(key.kid), lambda: ring.payload_key(TENANT)):
        with pytest.raises(KeyDestroyed):
            await get()


async def test_a_destroyed_tenant_ends_at_once(
    ring: KeyRing, store: CountingStore, root: FileRootKey, time: Time
) -> None:
    """After its destruction nothing of the tenant is sealed or opened, in this process or a new one, for ever."""
    key = await ring.payload_key(TENANT)
    await ring.tenant_sealer(TENANT)
    assert 1 + len(LASTING_PURPOSES) + 1 == await ring.destroy_tenant(TENANT)
    assert all(stored.wrapped is None for stored in await store.all_of(TENANT))
    for each in (ring, _ring(store, root, time)):
        with pytest.raises(KeyDestroyed):
            await each.open_payload_key(key.kid)
        for get in (each.payload_key, each.tenant_sealer, each.create_tenant):
            with pytest.raises(KeyDestroyed):
                await get(TENANT)
    assert await ring.destroy_tenant(TENANT) == 0


async def test_destroying_one_tenant_leaves_the_others(ring: KeyRing) -> None:
    """Another tenant's keys stay, stored and cached."""
    await ring.create_tenant(OTHER)
    key = await ring.payload_key(OTHER)
    await ring.destroy_tenant(TENANT)
    assert key.kid == (await ring.payload_key(OTHER)).kid == (await ring.open_payload_key(key.kid)).kid


async def test_an_old_process_makes_no_key_for_a_destroyed_tenant(
    ring: KeyRing, store: CountingStore, root: FileRootKey, time: Time
) -> None:
    """A ring that still holds the tenant's key cannot add a payload key under it."""
    old = _ring(store, root, time)
    await old.tenant_sealer(TENANT)
    await ring.destroy_tenant(TENANT)
    with pytest.raises(KeyDestroyed):
        await old.payload_key(TENANT)
    assert KeyPurpose.PAYLOAD not in [key.purpose for key in await store.all_of(TENANT)]


async def test_a_lost_root_key_is_survived_for_a_while(
    ring: KeyRing, time: Time, tmp_path: Path, store: CountingStore, root: FileRootKey
) -> None:
    """With the root key file gone, what is cached serves through its grace; then it fails, and comes back with it."""
    key = await ring.payload_key(TENANT)
    file, away = tmp_path / "root.key", tmp_path / "away.key"
    file.rename(away)
    with pytest.raises(RootKeyUnavailable):
        await _ring(store, root, time).payload_key(TENANT)
    time.passed = 899
    assert key.kid == (await ring.payload_key(TENANT)).kid
    time.passed = 3_000
    for get in (lambda: ring.payload_key(TENANT), lambda: ring.tenant_sealer(TENANT)):
        with pytest.raises(RootKeyUnavailable):
            await get()
    away.rename(file)
    assert key.kid == (await ring.payload_key(TENANT)).kid


async def test_a_lost_store_is_survived_for_a_while(ring: KeyRing, store: CountingStore, time: Time) -> None:
    """With the store down, cached keys seal and open through their grace, then fail to be tried again."""
    key = await ring.payload_key(TENANT)
    store.down = True
    time.passed = 899
    assert key.kid == (await ring.payload_key(TENANT)).kid == (await ring.open_payload_key(key.kid)).kid
    time.passed = 901
    with pytest.raises(DatabaseUnavailable):
        await ring.payload_key(TENANT)
    store.down = False
    assert key.kid == (await ring.payload_key(TENANT)).kid


async def test_grace_does_not_outlast_the_day(ring: KeyRing, store: CountingStore, time: Time) -> None:
    """With the store down at midnight nothing is sealed under yesterday's key."""
    time.passed = 12 * 3_600 - 10
    await ring.payload_key(TENANT)
    store.down = True
    time.passed += 10
    with pytest.raises(DatabaseUnavailable):
        await ring.payload_key(TENANT)


async def test_another_root_key_is_refused(store: CountingStore, time: Time, tmp_path: Path, ring: KeyRing) -> None:
    """A sound file of another root key is refused, not used to start afresh."""
    await ring.payload_key(TENANT)
    other = FileRootKey.create(tmp_path / "other.key")
    for get in (_ring(store, other, time).payload_key, _ring(store, other, time).create_tenant):
        with pytest.raises(RootKeyRefused):
            await get(TENANT)


async def test_an_altered_row_is_refused(store: CountingStore, root: FileRootKey, time: Time, ring: KeyRing) -> None:
    """A data key whose stored bytes were altered is said to be so, and nothing new is put in its place."""
    key = await ring.payload_key(TENANT)
    store.alter(key.kid)
    with pytest.raises(KeyAltered):
        await _ring(store, root, time).payload_key(TENANT)
    with pytest.raises(KeyAltered):
        await _ring(store, root, time).open_payload_key(key.kid)
    assert len(await store.data_keys(TENANT, [KeyPurpose.PAYLOAD])) == 1


async def test_a_tenant_key_put_under_another_tenant_is_refused(
    store: CountingStore, root: FileRootKey, time: Time, ring: KeyRing
) -> None:
    """Whoever writes to the key store cannot give one tenant's key to another."""
    stolen = await store.tenant_key(TENANT)
    assert stolen is not None
    await store.add_tenant_key(StoredTenantKey(stolen.kid, OTHER, 1, stolen.wrapped))
    for each in (ring, _ring(store, root, time)):
        with pytest.raises(RootKeyRefused):
            await each.payload_key(OTHER)


async def test_check_finds_a_root_key_that_is_not_usable(ring: KeyRing, tmp_path: Path) -> None:
    """The check passes when all is well and fails when the root key is gone."""
    await ring.check()
    (tmp_path / "root.key").unlink()
    with pytest.raises(RootKeyUnavailable):
        await ring.check()


async def test_a_new_row_key_seals_and_old_rows_open(
    ring: KeyRing, store: CountingStore, root: FileRootKey, time: Time
) -> None:
    """After a second row key is added, new rows are sealed under it and old ones still open."""
    old = (await ring.tenant_sealer(TENANT)).seal("contact", "1", b"old")
    stored = await store.tenant_key(TENANT)
    assert stored is not None
    assert stored.wrapped is not None
    tenant_key = await unwrap_tenant_key(root, TenantKeyName(TENANT, 1, stored.kid), stored.wrapped)
    await store.add_data_key(wrap_data_key(tenant_key, DataKey(new_kid(), TENANT, KeyPurpose.ROW, 2, new_secret())))
    sealer = await _ring(store, root, time).tenant_sealer(TENANT)
    assert sealer.open("contact", "1", old) == b"old"
    assert old[:16] != sealer.seal("contact", "1", b"new")[:16]
