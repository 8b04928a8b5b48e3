"""Rotation of tenant keys and of the root key, over both key stores: nothing that was sealed changes or is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pytest

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.key import DataKey, KeyPurpose
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.keys.store import KeyStore, StoredDataKey, StoredTenantKey
from contactsync.errors import KeyDestroyed, RootKeyRefused, TenantNotFound
from contactsync.postgres import Database

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY: Final = timedelta(days=1)
ALL: Final = tuple(KeyPurpose)


class Clock:
    """A day that the tests choose."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        """The present."""
        return self.now


class House:
    """A key store, its root key and rings over them, as processes have them."""

    def __init__(self, store: KeyStore, root: FileRootKey) -> None:
        self.store = store
        self.root = root
        self.clock = Clock()

    def ring(self) -> KeyRing:
        """The ring of another process."""
        return KeyRing(self.store, self.root, clock=self.clock)

    async def rotate(self, tenant: UUID) -> int:
        """All steps of a rotation, by a process of its own; answers the new version."""
        rotation = self.ring().rotation()
        version = await rotation.newest_version(tenant) + 1
        await rotation.add_version(tenant, version)
        await rotation.rewrap_children(tenant, version)
        await rotation.retire_versions(tenant, version)
        return version

    async def secrets(self, tenant: UUID) -> dict[bytes, bytes]:
        """Every payload key's secret by its id, opened by a process that knows nothing yet."""
        ring = self.ring()
        held = await self.store.data_keys(tenant, (KeyPurpose.PAYLOAD,))
        return {key.kid: (await ring.open_payload_key(key.kid)).secret.expose() for key in held}

    async def versions(self, tenant: UUID) -> list[bool]:
        """Of each version of the tenant's key, whether it is there still."""
        return [key.wrapped is not None for key in await self.store.tenant_keys(tenant)]


@pytest.fixture(params=["memory", "postgres"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    """A key store of each kind."""
    root = FileRootKey.create(tmp_path / "root.key")
    if request.param == "memory":
        return House(MemoryKeyStore(), root)
    database: Database = request.getfixturevalue("database")
    return House(PostgresKeyStore(database), root)


@pytest.fixture
async def tenant(house: House) -> UUID:
    """A tenant with payload keys of three days."""
    tenant_id = uuid4()
    await house.ring().create_tenant(tenant_id)
    for _ in range(3):
        await house.ring().payload_key(tenant_id)
        house.clock.now += DAY
    return tenant_id


async def test_a_rotation_changes_no_secret_and_ends_the_old_version(house: House, tenant: UUID) -> None:
    """After two rotations every payload key has its id and secret, rows open, and one version of three is left."""
    before = await house.secrets(tenant)
    row = (await house.ring().tenant_sealer(tenant)).seal("contact", "1", b"a person")
    assert [await house.rotate(tenant), await house.rotate(tenant)] == [2, 3]
    assert await house.secrets(tenant) == before
    assert (await house.ring().tenant_sealer(tenant)).open("contact", "1", row) == b"a person"
    assert await house.versions(tenant) == [False, False, True]
    assert {key.tenant_version for key in await house.store.data_keys(tenant, ALL) if key.wrapped} == {3}


async def test_old_payloads_open_until_their_date(house: House, tenant: UUID) -> None:
    """A payload key made before a rotation opens up to its destroy date, and not after it."""
    key = (await house.store.data_keys(tenant, (KeyPurpose.PAYLOAD,)))[0]
    await house.rotate(tenant)
    assert key.destroy_at is not None
    house.clock.now = key.destroy_at - timedelta(seconds=1)
    await house.ring().open_payload_key(key.kid)
    house.clock.now = key.destroy_at
    with pytest.raises(KeyDestroyed):
        await house.ring().open_payload_key(key.kid)


async def test_new_keys_are_wrapped_by_the_new_version_at_once(house: House, tenant: UUID) -> None:
    """A process that knows nothing of the rotation wraps the next day's key by the version that is there."""
    stale = house.ring()
    await stale.payload_key(tenant)
    await house.rotate(tenant)
    house.clock.now += DAY
    made = await stale.payload_key(tenant)
    stored = await house.store.data_key(made.kid)
    assert stored is not None
    assert stored.tenant_version == 2
    assert (await house.ring().open_payload_key(made.kid)).secret.expose() == made.secret.expose()


async def test_a_version_that_wraps_something_stays(house: House, tenant: UUID) -> None:
    """What an older version still wraps keeps it, and without the newer version nothing is retired at all."""
    rotation = house.ring().rotation()
    assert await rotation.retire_versions(tenant, 2) == 0
    await rotation.add_version(tenant, 2)
    assert await rotation.retire_versions(tenant, 2) == 0
    assert await house.versions(tenant) == [True, True]
    assert await rotation.rewrap_children(tenant, 2) == 6
    assert await rotation.retire_versions(tenant, 2) == 1
    assert await rotation.rewrap_children(tenant, 2) == 0


async def test_rotations_at_the_same_time_lose_nothing(house: House, tenant: UUID) -> None:
    """Several processes rotate and make keys at once: every key opens, and one version is left in the end."""
    before = await house.secrets(tenant)

    async def use(day: int) -> DataKey:
        ring = KeyRing(house.store, house.root, clock=lambda: NOW + (10 + day) * DAY)
        return await ring.payload_key(tenant)

    made = (await asyncio.gather(*(_patient(lambda: house.rotate(tenant)) for _ in range(3)), *map(use, range(5))))[3:]
    version = await house.rotate(tenant)
    opened = await house.secrets(tenant)
    assert before.items() <= opened.items()
    assert all(isinstance(key, DataKey) and opened[key.kid] == key.secret.expose() for key in made)
    assert await house.versions(tenant) == [False] * (version - 1) + [True]


async def _patient(step: Callable[[], Awaitable[int]]) -> int:
    """As Temporal does: what another rotation overtook is begun again."""
    while True:
        try:
            return await step()
        except KeyDestroyed:
            await asyncio.sleep(0)


async def test_a_key_is_not_wrapped_by_a_version_that_ended(house: House, tenant: UUID) -> None:
    """A rotation that was overtaken may not put its children under a version that was destroyed."""
    rotation = house.ring().rotation()
    await rotation.add_version(tenant, 2)
    late = await house.store.data_keys(tenant, ALL)
    await house.rotate(tenant)
    with pytest.raises(KeyDestroyed):
        await rotation.rewrap_children(tenant, 2)
    wrong = [StoredDataKey(key.kid, tenant, key.purpose, key.epoch, 2, b"late") for key in late]
    with pytest.raises(KeyDestroyed):
        await house.store.rewrap_data_keys(tenant, wrong)
    assert len(await house.secrets(tenant)) == 3


async def test_a_row_read_before_a_rotation_opens_after_it(house: House, tenant: UUID) -> None:
    """Between reading a key's row and opening it, a rotation may end its wrapping: the row is read again."""
    key = (await house.store.data_keys(tenant, (KeyPurpose.PAYLOAD,)))[0]
    reader = KeyRing(_RotatesAfterReading(house, tenant), house.root, clock=house.clock)
    assert (await reader.open_payload_key(key.kid)).kid == key.kid
    assert await house.versions(tenant) == [False, True]


class _RotatesAfterReading(MemoryKeyStore):
    """Another house's store, in which a rotation happens right after the first key was read."""

    def __init__(self, house: House, tenant: UUID) -> None:
        super().__init__()
        self._house = house
        self._tenant = tenant
        self._is_due = True

    async def data_key(self, kid: bytes) -> StoredDataKey | None:
        """The row as it was."""
        found = await self._house.store.data_key(kid)
        if self._is_due:
            self._is_due = False
            await self._house.rotate(self._tenant)
        return found

    async def tenant_key(self, tenant_id: UUID, version: int | None = None) -> StoredTenantKey | None:
        """As it is."""
        return await self._house.store.tenant_key(tenant_id, version)


async def test_a_destroyed_tenant_is_not_rotated(house: House, tenant: UUID) -> None:
    """There is no way back: neither a version nor an epoch is added after the keys were destroyed."""
    await house.ring().destroy_tenant(tenant)
    rotation = house.ring().rotation()
    with pytest.raises(KeyDestroyed):
        await rotation.add_version(tenant, 2)
    with pytest.raises(KeyDestroyed):
        await rotation.add_epoch(tenant, KeyPurpose.ROW, 2)
    with pytest.raises(TenantNotFound):
        await rotation.newest_version(uuid4())


async def test_a_root_rotation_wraps_every_tenant_key_again(house: House, tenant: UUID) -> None:
    """Broken off and begun again, each tenant key is wrapped once; then the old root version may go."""
    others = [uuid4() for _ in range(4)]
    for other in others:
        await house.ring().create_tenant(other)
    before = await house.secrets(tenant)
    rotation = house.ring().rotation()
    assert await rotation.rotate_root() == 2
    async with aclosing(rotation.rewrap_tenant_keys()) as broken_off:
        first = [await anext(broken_off) for _ in range(2)]
    assert first == [True, True]
    rest = [done async for done in house.ring().rotation().rewrap_tenant_keys()]
    assert sorted(rest) == [False, False, True, True, True, True]  # two were done, and the platform's own is among them
    await rotation.destroy_root(1)
    assert await house.secrets(tenant) == before
    for other in others:
        await house.ring().tenant_sealer(other)


async def test_a_root_version_that_is_needed_shows(house: House, tenant: UUID) -> None:
    """A root version that wraps something is not destroyed; destroyed by other means, the next rewrap says so."""
    rotation = house.ring().rotation()
    await rotation.rotate_root()
    with pytest.raises(RootKeyRefused, match="2 tenant keys"):
        await rotation.destroy_root(1)
    await house.ring().tenant_sealer(tenant)
    await house.root.destroy(1)
    with pytest.raises(RootKeyRefused):
        _ = [done async for done in rotation.rewrap_tenant_keys()]
    with pytest.raises(RootKeyRefused):
        await house.ring().tenant_sealer(tenant)


async def test_epochs_are_added_once_and_retired_together(house: House, tenant: UUID) -> None:
    """A next epoch is one key however often it is asked for; the older ones end only while it is there."""
    rotation = house.ring().rotation()
    with pytest.raises(KeyDestroyed):
        await rotation.retire_epochs(tenant, KeyPurpose.INDEX, 2)
    await asyncio.gather(*(rotation.add_epoch(tenant, KeyPurpose.INDEX, 2) for _ in range(3)))
    assert await rotation.newest_epoch(tenant, KeyPurpose.INDEX) == 2
    assert await rotation.retire_epochs(tenant, KeyPurpose.INDEX, 2) == 1
    held: Sequence[StoredDataKey] = await house.store.data_keys(tenant, (KeyPurpose.INDEX,))
    assert [key.wrapped is not None for key in held] == [False, True]
    with pytest.raises(ValueError, match="no epochs"):
        await rotation.retire_epochs(tenant, KeyPurpose.PAYLOAD, 2)
