"""Keys that are held beyond their date, keys that changed in the store, and the proof of them all."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from tests.unit.codecs.keys.doubles import NOON, CountingStore, Time

from contactsync.codecs.keys.cache import CacheLimits
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.key import KeyPurpose
from contactsync.codecs.keys.proof import TENANT as OF_TENANT
from contactsync.codecs.keys.proof import KeyFault
from contactsync.codecs.keys.ring import LASTING_PURPOSES, KeyRing, RingPolicy
from contactsync.errors import KeyDestroyed, KeyUnknown, RootKeyUnavailable

TENANT: Final = UUID(int=7)
OTHER: Final = UUID(int=8)
POLICY: Final = RingPolicy(cache=CacheLimits(ttl=300, renew_before=60, grace=600, pause=5))
AFTER_ITS_DATE: Final = (datetime(2026, 3, 16, 1, tzinfo=UTC) - NOON).total_seconds()


@pytest.fixture
def time() -> Time:
    """It is noon."""
    return Time()


@pytest.fixture
def store() -> CountingStore:
    """An empty store."""
    return CountingStore()


@pytest.fixture
async def ring(store: CountingStore, time: Time, tmp_path: Path) -> KeyRing:
    """A ring with two tenants."""
    root = FileRootKey.create(tmp_path / "root.key")
    made = KeyRing(store, root, clock=time.now, monotonic=time.monotonic, policy=POLICY)
    await made.create_tenant(TENANT)
    await made.create_tenant(OTHER)
    return made


async def test_a_held_key_opens_beyond_its_date(ring: KeyRing, store: CountingStore, time: Time) -> None:
    """An execution that needs it goes on; once the key is destroyed it opens no more."""
    key = await ring.payload_key(TENANT)
    time.passed = AFTER_ITS_DATE
    with pytest.raises(KeyDestroyed):
        await ring.open_payload_key(key.kid)
    await store.hold_data_key(key.kid, time.now())
    ring.forget_payload_key(key.kid)
    assert (await ring.open_payload_key(key.kid)).secret.expose() == key.secret.expose()
    await store.destroy_data_key(key.kid, time.now())
    ring.forget_payload_key(key.kid)
    with pytest.raises(KeyDestroyed):
        await ring.open_payload_key(key.kid)


async def test_a_forgotten_payload_key_is_gone_at_once(ring: KeyRing, store: CountingStore, time: Time) -> None:
    """To seal and to open; the other tenant's is not even read again."""
    key, other = await ring.payload_key(TENANT), await ring.payload_key(OTHER)
    await store.destroy_data_key(key.kid, time.now())
    assert (await ring.open_payload_key(key.kid)).kid == key.kid
    ring.forget_payload_key(key.kid)
    for get in (lambda: ring.open_payload_key(key.kid), lambda: ring.payload_key(TENANT)):
        with pytest.raises(KeyDestroyed):
            await get()
    reads = store.reads
    await ring.payload_key(OTHER)
    await ring.open_payload_key(other.kid)
    assert store.reads == reads


async def test_a_forgotten_tenant_is_read_again(ring: KeyRing, store: CountingStore, time: Time) -> None:
    """A tenant whose keys another process destroyed is over at once for whoever is told; the other one goes on."""
    await ring.payload_key(TENANT)
    await ring.tenant_sealer(TENANT)
    await store.destroy_tenant(TENANT, time.now())
    ring.forget(TENANT)
    for get in (ring.payload_key, ring.tenant_sealer):
        with pytest.raises(KeyDestroyed):
            await get(TENANT)
    await ring.tenant_sealer(OTHER)


async def test_after_a_silence_everything_is_read_again(ring: KeyRing, store: CountingStore, time: Time) -> None:
    """What was destroyed while nobody could tell is gone, and what was unknown then may be there now."""
    key, missing = await ring.payload_key(TENANT), b"\x01" * 16
    with pytest.raises(KeyUnknown):
        await ring.open_payload_key(missing)
    await store.destroy_data_key(key.kid, time.now())
    ring.forget(None)
    with pytest.raises(KeyDestroyed):
        await ring.open_payload_key(key.kid)
    reads = store.reads
    with pytest.raises(KeyUnknown):
        await ring.open_payload_key(missing)
    assert store.reads == reads + 1


async def test_a_silence_ends_no_grace(ring: KeyRing, time: Time, tmp_path: Path) -> None:
    """Where the root key is away while everything is to be read again, cached keys serve through their grace."""
    key = await ring.payload_key(TENANT)
    (tmp_path / "root.key").rename(tmp_path / "away.key")
    ring.forget(None)
    assert (await ring.payload_key(TENANT)).kid == key.kid
    time.passed = 1_501  # one grace of the tenant key, and one of what it opened last
    with pytest.raises(RootKeyUnavailable):
        await ring.payload_key(TENANT)


async def test_all_keys_are_proved(ring: KeyRing, store: CountingStore, time: Time) -> None:
    """Every key that is not destroyed is opened; a sound tenant has no faults."""
    key = await ring.payload_key(TENANT)
    proved = await ring.proof().prove(TENANT)
    assert (proved.opened, proved.faults) == (1 + len(LASTING_PURPOSES) + 1, ())
    await store.destroy_data_key(key.kid, time.now())
    assert (await ring.proof().prove(TENANT)).opened == 1 + len(LASTING_PURPOSES)


async def test_an_altered_key_is_found(ring: KeyRing, store: CountingStore) -> None:
    """The proof does not believe what is cached: it names the key whose row was altered, and only that."""
    key = await ring.payload_key(TENANT)
    store.alter(key.kid)
    proved = await ring.proof().prove(TENANT)
    fault = KeyFault(key.kid, TENANT, KeyPurpose.PAYLOAD, key.epoch, "KeyAltered")
    assert (proved.opened, proved.faults) == (1 + len(LASTING_PURPOSES), (fault,))
    assert (await ring.proof().prove(OTHER)).faults == ()


async def test_a_tenant_key_of_another_root_is_found(store: CountingStore, ring: KeyRing, tmp_path: Path) -> None:
    """A tenant's key that the root refuses is named, and with it all that hangs from it."""
    stranger = KeyRing(store, FileRootKey.create(tmp_path / "other.key"))
    proved = await stranger.proof().prove(TENANT)
    assert proved.opened == 0
    assert proved.faults[0].purpose == OF_TENANT
    assert {fault.code for fault in proved.faults[1:]} == {"KeyDestroyed"}
    assert (await ring.proof().prove(TENANT)).faults == ()
