"""What only a real OpenBao can show: rights, versions that are disabled, trimmed and deleted, a seal."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pytest
from tests.integration.keys.roots import transit_key
from tests.openbao import OpenBao

from contactsync.codecs.keys.root import TenantKeyName
from contactsync.codecs.keys.vault import VaultClient, VaultRefused
from contactsync.codecs.keys.vault_root import KEY_TYPES, VaultRootKey
from contactsync.errors import RootKeyRefused, RootKeyUnavailable

NAME: Final = TenantKeyName(UUID(int=7), 1, bytes(range(16)))
SECRET: Final = b"thirty-two bytes of a tenant key"
DOCUMENTED: Final = (Path(__file__).parents[3] / "docs" / "root-keys.md").read_text("utf-8")


@pytest.fixture
async def key(openbao: OpenBao) -> str:
    """A transit key of the default type."""
    return await transit_key(openbao)


@pytest.fixture
def root(openbao: OpenBao, key: str) -> VaultRootKey:
    """That key as a root key, with all rights."""
    return VaultRootKey(openbao.client, "transit", key)


@pytest.fixture
async def token(openbao: OpenBao, key: str) -> Path:
    """A token with the rights that the documentation gives to workers, and no others."""
    policy = _documented_policies()[0].replace("contactsync", key)
    return await openbao.token(f"daily-{uuid4()}", policy)


@pytest.fixture
async def daily(openbao: OpenBao, token: Path, key: str) -> AsyncIterator[VaultRootKey]:
    """The root key with these rights."""
    root = VaultRootKey(VaultClient(openbao.address, token, openbao.ca_file), "transit", key)
    yield root
    await root.close()


def _documented_policies() -> list[str]:
    return re.findall(r"```hcl\n(.*?)```", DOCUMENTED, re.DOTALL)


async def test_a_raised_minimum_version_refuses(openbao: OpenBao, root: VaultRootKey, key: str) -> None:
    """What an older version wrapped is refused while `min_decryption_version` is above it, and opens when lowered."""
    old = await root.wrap(NAME, SECRET)
    await root.rotate()
    new = await root.rewrap(NAME, old)
    await openbao.client.call("POST", f"transit/keys/{key}/config", {"min_decryption_version": 2})
    for refused in (root.unwrap, root.rewrap):
        with pytest.raises(RootKeyRefused):
            await refused(NAME, old)
    assert await root.unwrap(NAME, new) == SECRET
    await openbao.client.call("POST", f"transit/keys/{key}/config", {"min_decryption_version": 1})
    assert await root.unwrap(NAME, old) == SECRET


async def test_a_destroyed_version_cannot_be_brought_back(openbao: OpenBao, root: VaultRootKey, key: str) -> None:
    """After `destroy` the minimum cannot be lowered again: the version is trimmed, not hidden."""
    old = await root.wrap(NAME, SECRET)
    await root.rotate()
    await root.destroy(1)
    facts = await openbao.client.call("GET", f"transit/keys/{key}")
    assert (facts["min_available_version"], facts["min_decryption_version"], facts["min_encryption_version"]) == (
        2,
        2,
        2,
    )
    with pytest.raises(VaultRefused, match="says no"):
        await openbao.client.call("POST", f"transit/keys/{key}/config", {"min_decryption_version": 1})
    with pytest.raises(RootKeyRefused):
        await root.unwrap(NAME, old)


async def test_versions_are_destroyed_in_order(root: VaultRootKey) -> None:
    """The engine trims the oldest only; a younger one asked for first is refused, and nothing is lost."""
    first = await root.wrap(NAME, SECRET)
    await root.rotate()
    await root.rotate()
    with pytest.raises(RootKeyRefused, match="destroy version 1 first"):
        await root.destroy(2)
    assert await root.unwrap(NAME, first) == SECRET
    await root.destroy(1)
    await root.destroy(2)
    assert await root.newest() == 3
    await root.health()


async def test_a_floor_that_was_set_by_hand_is_never_lowered(openbao: OpenBao, root: VaultRootKey, key: str) -> None:
    """Destroying version 1 where 1 and 2 were disabled by hand leaves 2 disabled."""
    await root.rotate()
    second = await root.wrap(NAME, SECRET)
    await root.rotate()
    await openbao.client.call("POST", f"transit/keys/{key}/config", {"min_decryption_version": 3})
    await root.destroy(1)
    with pytest.raises(RootKeyRefused):
        await root.unwrap(NAME, second)


async def test_a_deleted_key_opens_nothing(openbao: OpenBao, root: VaultRootKey, key: str) -> None:
    """With the transit key everything is gone, and a new key of the same name opens nothing of the old one's."""
    wrapped = await root.wrap(NAME, SECRET)
    await openbao.client.call("POST", f"transit/keys/{key}/config", {"deletion_allowed": True})
    await openbao.client.call("DELETE", f"transit/keys/{key}")
    with pytest.raises(RootKeyRefused):
        await root.unwrap(NAME, wrapped)
    with pytest.raises(RootKeyRefused):
        await root.health()
    await openbao.client.call("POST", f"transit/keys/{key}", {})
    with pytest.raises(RootKeyRefused):
        await root.unwrap(NAME, wrapped)


@pytest.mark.parametrize("kind", sorted(KEY_TYPES))
async def test_types_that_bind_the_name_will_do(openbao: OpenBao, kind: str) -> None:
    """Every type that is let in binds associated data."""
    root = VaultRootKey(openbao.client, "transit", await transit_key(openbao, type=kind))
    await root.health()
    wrapped = await root.wrap(NAME, SECRET)
    with pytest.raises(RootKeyRefused):
        await root.unwrap(TenantKeyName(UUID(int=8), 1, NAME.kid), wrapped)


@pytest.mark.parametrize("options", [{"type": "rsa-2048"}, {"type": "ed25519"}, {"derived": True}])
async def test_other_keys_are_no_root_keys(openbao: OpenBao, options: dict[str, object]) -> None:
    """A key that would not bind the name, or wants more than it, fails its check with what it must be."""
    root = VaultRootKey(openbao.client, "transit", await transit_key(openbao, **options))
    with pytest.raises(RootKeyRefused, match="aes256-gcm96 and not derived"):
        await root.health()


async def test_the_documented_rights_are_enough(daily: VaultRootKey) -> None:
    """With the documented policy a worker checks, wraps, unwraps, re-wraps and names versions."""
    await daily.health()
    wrapped = await daily.rewrap(NAME, await daily.wrap(NAME, SECRET))
    assert await daily.unwrap(NAME, wrapped) == SECRET
    assert (await daily.newest(), await daily.version_of(wrapped)) == (1, 1)


async def test_the_documented_rights_are_no_more(
    openbao: OpenBao, token: Path, daily: VaultRootKey, root: VaultRootKey
) -> None:
    """With it nobody rotates, destroys, reads another key or makes one by mistyping a name."""
    await root.rotate()
    with pytest.raises(RootKeyRefused, match="no right"):
        await daily.rotate()
    with pytest.raises(RootKeyRefused, match="no right"):
        await daily.destroy(1)
    client = VaultClient(openbao.address, token, openbao.ca_file)
    name = f"mistyped-{uuid4()}"
    with pytest.raises(RootKeyRefused):
        await VaultRootKey(client, "transit", name).wrap(NAME, SECRET)
    with pytest.raises(RootKeyRefused):
        await VaultRootKey(openbao.client, "transit", name).newest()
    await client.close()


async def test_the_rights_to_rotate_are_enough(openbao: OpenBao, root: VaultRootKey, key: str) -> None:
    """With both documented policies the root key is rotated and its old version destroyed."""
    policy = "\n".join(_documented_policies()).replace("contactsync", key)
    token = await openbao.token(f"rotating-{uuid4()}", policy)
    rotating = VaultRootKey(VaultClient(openbao.address, token, openbao.ca_file), "transit", key)
    old = await root.wrap(NAME, SECRET)
    assert await rotating.rotate() == 2
    new = await rotating.rewrap(NAME, old)
    await rotating.destroy(1)
    assert await rotating.unwrap(NAME, new) == SECRET
    await rotating.close()


async def test_a_revoked_token_is_a_refusal(openbao: OpenBao, daily: VaultRootKey, token: Path) -> None:
    """A token that was revoked is refused at once, which is no outage."""
    wrapped = await daily.wrap(NAME, SECRET)
    await openbao.client.call("POST", "auth/token/revoke", {"token": token.read_text()})
    with pytest.raises(RootKeyRefused, match="not accepted"):
        await daily.unwrap(NAME, wrapped)


async def test_errors_say_nothing_of_what_was_wrapped(openbao: OpenBao, root: VaultRootKey, key: str) -> None:
    """No error holds the token, the secret, the wrapped text, or a word of the server."""
    wrapped = await root.wrap(NAME, SECRET)
    nowhere = VaultRootKey(VaultClient("https://127.0.0.1:1", openbao.token_file, openbao.ca_file), "transit", key)
    said: list[str] = []
    for call in (
        lambda: root.unwrap(TenantKeyName(UUID(int=8), 1, NAME.kid), wrapped),
        lambda: nowhere.unwrap(NAME, wrapped),
        lambda: VaultRootKey(openbao.client, "no-such-mount", key).unwrap(NAME, wrapped),
    ):
        with pytest.raises((RootKeyRefused, RootKeyUnavailable)) as error:
            await call()
        assert error.value.__cause__ is None
        assert error.value.__suppress_context__
        said.append(str(error.value))
    token = openbao.token_file.read_text()
    assert not [text for text in said for part in (token, wrapped.decode()[9:], "authentication") if part in text]
    await nowhere.close()
