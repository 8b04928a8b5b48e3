"""What every key store does: the store in memory and the one in PostgreSQL pass the same tests."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import pytest

from contactsync.codecs.keys.key import KeyPurpose, new_kid
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.store import KeyCount, KeyStore, KeyTally, StoredDataKey, StoredTenantKey
from contactsync.errors import KeyDestroyed
from contactsync.postgres import Database

NOW: Final = datetime(2026, 3, 1, tzinfo=UTC)
DAY: Final = timedelta(days=1)


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> KeyStore:
    """An empty key store of each kind."""
    if request.param == "memory":
        return MemoryKeyStore()
    database: Database = request.getfixturevalue("database")
    return PostgresKeyStore(database)


def _tenant_key(tenant_id: UUID, version: int = 1) -> StoredTenantKey:
    return StoredTenantKey(new_kid(), tenant_id, version, b"wrapped tenant key")


def _payload_key(tenant_id: UUID, day: int = 0) -> StoredDataKey:
    until = NOW + day * DAY
    return StoredDataKey(new_kid(), tenant_id, KeyPurpose.PAYLOAD, day, 1, b"wrapped", until, until + 14 * DAY)


def _row_key(tenant_id: UUID, epoch: int = 1) -> StoredDataKey:
    return StoredDataKey(new_kid(), tenant_id, KeyPurpose.ROW, epoch, 1, b"wrapped")


@pytest.fixture
async def tenant_id(store: KeyStore) -> UUID:
    """A tenant with a key."""
    tenant_id = uuid4()
    await store.add_tenant_key(_tenant_key(tenant_id))
    return tenant_id


async def test_nothing_is_found_where_nothing_is(store: KeyStore) -> None:
    """An empty store answers with nothing, and is healthy."""
    await store.health()
    assert await store.tenant_key(uuid4()) is None
    assert await store.data_key(new_kid()) is None
    assert await store.data_key_of(uuid4(), KeyPurpose.ROW, 1) is None
    assert list(await store.data_keys(uuid4(), list(KeyPurpose))) == []
    assert list(await store.due(NOW + 1_000 * DAY, 10)) == []


async def test_a_tenant_key_comes_back(store: KeyStore, tenant_id: UUID) -> None:
    """By version, or the newest; another version or tenant is not there."""
    second = await store.add_tenant_key(_tenant_key(tenant_id, 2))
    assert await store.tenant_key(tenant_id) == second == await store.tenant_key(tenant_id, 2)
    first = await store.tenant_key(tenant_id, 1)
    assert first is not None
    assert (tenant_id, 1, b"wrapped tenant key") == (first.tenant_id, first.version, first.wrapped)
    assert await store.tenant_key(tenant_id, 3) is None


async def test_the_first_tenant_key_stays(store: KeyStore, tenant_id: UUID) -> None:
    """A second key of one version is not kept; the answer is the first."""
    first = await store.tenant_key(tenant_id)
    assert first == await store.add_tenant_key(_tenant_key(tenant_id))
    assert first == await store.tenant_key(tenant_id)


async def test_data_keys_come_back(store: KeyStore, tenant_id: UUID) -> None:
    """By id, by purpose and epoch, and as a list in order; with every date as it was."""
    payload, second, first = _payload_key(tenant_id, 5), _row_key(tenant_id, 2), _row_key(tenant_id, 1)
    for key in (payload, second, first):
        assert key == await store.add_data_key(key)
        assert key == await store.data_key(key.kid)
        assert key == await store.data_key_of(tenant_id, key.purpose, key.epoch)
    assert [payload, first, second] == list(await store.data_keys(tenant_id, list(KeyPurpose)))
    assert [first, second] == list(await store.data_keys(tenant_id, [KeyPurpose.ROW]))
    assert list(await store.data_keys(tenant_id, [])) == []


async def test_tenants_do_not_mix(store: KeyStore, tenant_id: UUID) -> None:
    """One tenant's keys are not among another's."""
    other = uuid4()
    await store.add_tenant_key(_tenant_key(other))
    mine, theirs = _row_key(tenant_id), _row_key(other)
    await store.add_data_key(mine)
    await store.add_data_key(theirs)
    assert [mine] == list(await store.data_keys(tenant_id, list(KeyPurpose)))
    assert theirs == await store.data_key_of(other, KeyPurpose.ROW, 1)


async def test_the_first_data_key_stays(store: KeyStore, tenant_id: UUID) -> None:
    """A second key of one purpose and epoch is not kept, not even under its id; the answer is the first."""
    first, second = _payload_key(tenant_id), _payload_key(tenant_id)
    await store.add_data_key(first)
    assert first == await store.add_data_key(second)
    assert await store.data_key(second.kid) is None


async def test_racers_agree(store: KeyStore, tenant_id: UUID) -> None:
    """Of many that add the day's key at once, one wins and all are told of it."""
    answers = await asyncio.gather(*(store.add_data_key(_payload_key(tenant_id)) for _ in range(20)))
    assert len({answer.kid for answer in answers}) == 1
    assert [answers[0]] == list(await store.data_keys(tenant_id, [KeyPurpose.PAYLOAD]))


async def test_a_destroyed_key_keeps_its_row(store: KeyStore, tenant_id: UUID) -> None:
    """The wrapped bytes go, all else stays; destroying it again, or what was never there, is answered by no."""
    key = await store.add_data_key(_payload_key(tenant_id))
    assert await store.destroy_data_key(key.kid, NOW)
    assert replace(key, wrapped=None) == await store.data_key(key.kid)
    assert not await store.destroy_data_key(key.kid, NOW)
    assert not await store.destroy_data_key(new_kid(), NOW)


async def test_a_destroyed_key_is_not_replaced(store: KeyStore, tenant_id: UUID) -> None:
    """A new key of the same purpose and epoch does not take a destroyed one's place."""
    key = await store.add_data_key(_payload_key(tenant_id))
    await store.destroy_data_key(key.kid, NOW)
    assert replace(key, wrapped=None) == await store.add_data_key(_payload_key(tenant_id))


async def test_due_keys(store: KeyStore, tenant_id: UUID) -> None:
    """Those whose date has come and that are not destroyed, by key id, no more than asked for; no lasting keys."""
    keys = [await store.add_data_key(_payload_key(tenant_id, day)) for day in (3, 1, 2, 0)]
    await store.add_data_key(_row_key(tenant_id))
    await store.destroy_data_key(keys[3].kid, NOW)
    at = NOW + 16 * DAY
    first, second = sorted(keys[1:3], key=lambda key: key.kid)
    assert [first, second] == list(await store.due(at, 10))
    assert [first] == list(await store.due(at, 1))
    assert [second] == list(await store.due(at, 10, after=(tenant_id, first.kid)))
    assert list(await store.due(NOW + 15 * DAY - timedelta(microseconds=1), 10)) == []


async def test_due_keys_of_one_tenant(store: KeyStore, tenant_id: UUID) -> None:
    """All tenants' come in the order of their ids, one tenant's alone where one is named."""
    other = uuid4()
    await store.add_tenant_key(_tenant_key(other))
    kept = {tenant: await store.add_data_key(_payload_key(tenant)) for tenant in sorted((tenant_id, other))}
    assert list(kept.values()) == list(await store.due(NOW + 14 * DAY, 10))
    assert [kept[other]] == list(await store.due(NOW + 14 * DAY, 10, tenant_id=other))


async def test_a_key_is_held_once(store: KeyStore, tenant_id: UUID) -> None:
    """It says since when, and is among those that are held until it is destroyed; lasting keys are not held."""
    key, lasting = await store.add_data_key(_payload_key(tenant_id)), await store.add_data_key(_row_key(tenant_id))
    assert await store.hold_data_key(key.kid, NOW)
    assert not await store.hold_data_key(key.kid, NOW + DAY)
    assert not await store.hold_data_key(lasting.kid, NOW)
    assert [replace(key, held_at=NOW)] == list(await store.held())
    await store.destroy_data_key(key.kid, NOW)
    assert list(await store.held()) == []
    assert not await store.hold_data_key(key.kid, NOW)


async def test_counts(store: KeyStore, tenant_id: UUID) -> None:
    """By tenant and purpose: live, destroyed, held and overdue keys, the newest epoch and the next destroy date."""
    keys = [await store.add_data_key(_payload_key(tenant_id, day)) for day in range(4)]
    await store.add_data_key(_row_key(tenant_id))
    await store.destroy_data_key(keys[0].kid, NOW)
    await store.hold_data_key(keys[1].kid, NOW)
    assert list(await store.counts(NOW + 16 * DAY, tenant_id)) == [
        KeyCount(tenant_id, KeyPurpose.PAYLOAD, 3, 1, 1, 1, 3, NOW + 15 * DAY),
        KeyCount(tenant_id, KeyPurpose.ROW, 1, 0, 0, 0, 1, None),
    ]
    assert await store.tally(NOW + 16 * DAY) == KeyTally(held=1, overdue=1)
    assert await store.tally(NOW) == KeyTally(held=1, overdue=0)
    assert list(await store.counts(NOW, uuid4())) == []
    assert len(await store.counts(NOW)) == 2


async def test_all_versions_of_tenant_keys(store: KeyStore, tenant_id: UUID) -> None:
    """One tenant's or all, destroyed ones too."""
    second, other = await store.add_tenant_key(_tenant_key(tenant_id, 2)), uuid4()
    await store.add_tenant_key(_tenant_key(other))
    await store.destroy_tenant(other, NOW)
    mine = await store.tenant_keys(tenant_id)
    assert [key.version for key in mine] == [1, 2]
    assert second == mine[1]
    assert {(other, None), (tenant_id, b"wrapped tenant key")} == {
        (key.tenant_id, key.wrapped) for key in await store.tenant_keys()
    }


async def test_a_destroyed_tenant_has_nothing_left(store: KeyStore, tenant_id: UUID) -> None:
    """All keys of the tenant lose their bytes at once and are counted; another tenant's stay."""
    other = uuid4()
    await store.add_tenant_key(_tenant_key(other))
    kept = await store.add_data_key(_row_key(other))
    await store.add_tenant_key(_tenant_key(tenant_id, 2))
    await store.add_data_key(_row_key(tenant_id))
    await store.add_data_key(_payload_key(tenant_id))
    assert await store.destroy_tenant(tenant_id, NOW) == 4
    assert await store.destroy_tenant(tenant_id, NOW) == 0
    tenant_keys = [await store.tenant_key(tenant_id, version) for version in (1, 2)]
    assert [key.wrapped for key in tenant_keys if key is not None] == [None, None]
    assert {None} == {key.wrapped for key in await store.data_keys(tenant_id, list(KeyPurpose))}
    assert kept == await store.data_key(kept.kid)


async def test_a_destroyed_or_missing_tenant_key_gets_no_children(store: KeyStore, tenant_id: UUID) -> None:
    """No data key is kept under a tenant key that is gone or was never there."""
    await store.destroy_tenant(tenant_id, NOW)
    for key in (_row_key(tenant_id), _row_key(uuid4())):
        with pytest.raises(KeyDestroyed):
            await store.add_data_key(key)
        assert await store.data_key(key.kid) is None


async def test_a_destroyed_tenant_is_not_started_afresh(store: KeyStore, tenant_id: UUID) -> None:
    """A new tenant key of the same version does not take the destroyed one's place."""
    await store.destroy_tenant(tenant_id, NOW)
    assert (await store.add_tenant_key(_tenant_key(tenant_id))).wrapped is None
