"""What every root key does, whatever it is kept in: a file, OpenBao's transit engine, AWS KMS."""

from dataclasses import replace
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pytest
from tests.integration.keys.roots import Kind, Opener, files, kms, transit
from tests.openbao import OpenBao

from contactsync.codecs.keys.key import TenantKey, new_kid, new_secret
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.keys.root import RootKeyProvider, TenantKeyName, unwrap_tenant_key, wrap_tenant_key
from contactsync.errors import RootKeyRefused

NAME: Final = TenantKeyName(UUID(int=7), 1, bytes(range(16)))
SECRET: Final = b"thirty-two bytes of a tenant key"


@pytest.fixture(params=["file", "openbao", "aws-kms"])
def kind(request: pytest.FixtureRequest, tmp_path: Path, openbao: OpenBao, aws: str) -> Kind:
    """Each kind in turn."""
    kinds = {"file": files(tmp_path), "openbao": transit(openbao), "aws-kms": kms(aws)}
    return kinds[request.param]


@pytest.fixture
async def opener(kind: Kind) -> Opener:
    """Opens a root key that nobody used yet, as another process each time."""
    return await kind.make()


@pytest.fixture
def root(opener: Opener) -> RootKeyProvider:
    """That root key."""
    return opener()


async def test_what_was_wrapped_unwraps_elsewhere(opener: Opener, root: RootKeyProvider) -> None:
    """Another process with the same root key unwraps; the wrapped bytes differ each time and do not show the secret."""
    first, second = await root.wrap(NAME, SECRET), await root.wrap(NAME, SECRET)
    assert first != second
    assert SECRET not in first
    assert await opener().unwrap(NAME, first) == await root.unwrap(NAME, second) == SECRET


@pytest.mark.parametrize("part", ["tenant", "version", "id"])
async def test_the_name_is_bound(root: RootKeyProvider, part: str) -> None:
    """Under another tenant, version or key id, nothing unwraps or re-wraps."""
    other = {
        "tenant": replace(NAME, tenant_id=UUID(int=8)),
        "version": replace(NAME, version=2),
        "id": replace(NAME, kid=bytes(16)),
    }[part]
    wrapped = await root.wrap(NAME, SECRET)
    with pytest.raises(RootKeyRefused):
        await root.unwrap(other, wrapped)
    with pytest.raises(RootKeyRefused):
        await root.rewrap(other, wrapped)


async def test_altered_bytes_are_refused(root: RootKeyProvider) -> None:
    """A changed byte at the end, in the middle or at the front, a cut, nothing, and another's bytes are refused."""
    wrapped = await root.wrap(NAME, SECRET)
    middle = len(wrapped) // 2
    swapped = bytes([wrapped[middle] ^ 1])
    for bad in (
        wrapped[:middle] + swapped + wrapped[middle + 1 :],
        wrapped[:-3],
        b"x" + wrapped,
        wrapped + b"AAAA",
        b"vault:v1:AAAA",
        b"vault:v99:" + wrapped,
        bytes(100),
    ):
        with pytest.raises(RootKeyRefused):
            await root.unwrap(NAME, bad)


async def test_another_root_key_is_refused(kind: Kind, root: RootKeyProvider) -> None:
    """What one root key wrapped, another of the same kind does not unwrap."""
    wrapped = await root.wrap(NAME, SECRET)
    with pytest.raises(RootKeyRefused):
        await (await kind.make())().unwrap(NAME, wrapped)


async def test_a_rotated_root_opens_old_and_new(kind: Kind, opener: Opener, root: RootKeyProvider) -> None:
    """After a rotation the number is one higher, for other processes too; old bytes open, and re-wrapped ones."""
    elsewhere = opener()
    old = await root.wrap(NAME, SECRET)
    assert (await root.newest(), await root.rotate(), await elsewhere.newest()) == (1, 2, 2)
    new = await elsewhere.rewrap(NAME, old)
    assert old != new
    assert await root.unwrap(NAME, old) == await root.unwrap(NAME, new) == SECRET
    told = [await root.version_of(old), await root.version_of(new), await root.version_of(await root.wrap(NAME, b"x"))]
    assert told == ([None] * 3 if kind.name == "aws-kms" else [1, 2, 2])


async def test_a_root_key_is_well(root: RootKeyProvider) -> None:
    """A root key that works passes its own check, before and after a rotation."""
    await root.health()
    await root.rotate()
    await root.health()


async def test_the_newest_version_is_never_destroyed(root: RootKeyProvider) -> None:
    """The version that wraps, one that is not there yet, and version 0 are refused, and everything still opens."""
    wrapped = await root.wrap(NAME, SECRET)
    await root.rotate()
    for version in (0, 2, 3):
        with pytest.raises(RootKeyRefused):
            await root.destroy(version)
    assert await root.unwrap(NAME, wrapped) == SECRET


async def test_a_destroyed_version_opens_nothing(kind: Kind, opener: Opener, root: RootKeyProvider) -> None:
    """What only the destroyed version wrapped is gone, what was re-wrapped opens; where no version can go, it says so.

    KMS is of the second sort. It is never asked about revocation here: moto's keys decrypt even when disabled.
    """
    old = await root.wrap(NAME, SECRET)
    await root.rotate()
    new = await root.rewrap(NAME, old)
    if kind.name == "aws-kms":
        with pytest.raises(RootKeyRefused, match="keeps all versions"):
            await root.destroy(1)
        return
    await root.destroy(1)
    for process in (root, opener()):
        with pytest.raises(RootKeyRefused):
            await process.unwrap(NAME, old)
        with pytest.raises(RootKeyRefused):
            await process.rewrap(NAME, old)
        assert await process.unwrap(NAME, new) == SECRET
    with pytest.raises(RootKeyRefused):
        await root.destroy(1)
    await root.health()


async def test_a_tenant_key_travels_through_it(root: RootKeyProvider) -> None:
    """A tenant key comes back as it was, and under another name not at all."""
    key = TenantKey(new_kid(), uuid4(), 3, new_secret())
    wrapped = await wrap_tenant_key(root, key)
    name = TenantKeyName(key.tenant_id, 3, key.kid)
    assert (await unwrap_tenant_key(root, name, wrapped)).secret.expose() == key.secret.expose()
    with pytest.raises(RootKeyRefused):
        await unwrap_tenant_key(root, replace(name, version=4), wrapped)


async def test_a_ring_hangs_from_it(kind: Kind, opener: Opener, root: RootKeyProvider) -> None:
    """A ring makes a tenant, and another process's ring seals and opens with the same keys."""
    store, tenant = MemoryKeyStore(), uuid4()
    ring, elsewhere = KeyRing(store, root), KeyRing(store, opener())
    await ring.create_tenant(tenant)
    await elsewhere.check()
    key = await ring.payload_key(tenant)
    assert (await elsewhere.open_payload_key(key.kid)).secret.expose() == key.secret.expose()
    with pytest.raises(RootKeyRefused):
        await KeyRing(store, (await kind.make())()).check()


async def test_a_ring_rotates_it(kind: Kind, opener: Opener, root: RootKeyProvider) -> None:
    """A root rotation wraps every tenant key anew; with the old version destroyed, all that there was still opens."""
    store, tenants = MemoryKeyStore(), [uuid4(), uuid4()]
    ring = KeyRing(store, root)
    for tenant in tenants:
        await ring.create_tenant(tenant)
    kids = [(await ring.payload_key(tenant)).kid for tenant in tenants]
    rotation = ring.rotation()
    if kind.name != "aws-kms":
        await rotation.rotate_root()
        with pytest.raises(RootKeyRefused, match="still wraps 3 tenant keys"):
            await rotation.destroy_root(1)
        assert [done async for done in rotation.rewrap_tenant_keys()] == [True] * 3
        assert [done async for done in rotation.rewrap_tenant_keys()] == [False] * 3
        await rotation.destroy_root(1)
    else:  # which version wraps what is not told, so each time all are wrapped anew, and none can be destroyed
        assert await rotation.rotate_root() == 2
        assert [done async for done in rotation.rewrap_tenant_keys()] == [True] * 3
        with pytest.raises(RootKeyRefused):
            await rotation.destroy_root(1)
    elsewhere = KeyRing(store, opener())
    await elsewhere.check()
    assert [(await elsewhere.open_payload_key(kid)).tenant_id for kid in kids] == tenants
