"""Wrapped keys open as what they are, where they belong, and nowhere else."""

from dataclasses import replace
from typing import Final
from uuid import UUID

import pytest

from contactsync.codecs.keys.key import DataKey, KeyPurpose, SecretBytes, TenantKey, new_kid, new_secret
from contactsync.codecs.keys.root import TenantKeyName, unwrap_tenant_key, wrap_tenant_key
from contactsync.codecs.keys.store import StoredDataKey
from contactsync.codecs.keys.wrapping import unwrap_data_key, wrap_data_key
from contactsync.errors import KeyAltered, KeyDestroyed, RootKeyRefused

TENANT: Final = UUID(int=7)
OTHER: Final = UUID(int=8)
TENANT_KEY: Final = TenantKey(new_kid(), TENANT, 1, new_secret())
DATA_KEY: Final = DataKey(new_kid(), TENANT, KeyPurpose.ROW, 1, new_secret())
STORED: Final = wrap_data_key(TENANT_KEY, DATA_KEY)


class BindsNothing:
    """A root key provider without associated data, as some are: it hands out whatever it was given."""

    async def wrap(self, name: TenantKeyName, plaintext: bytes) -> bytes:
        """Wraps nothing."""
        del name
        return plaintext

    async def unwrap(self, name: TenantKeyName, wrapped: bytes) -> bytes:
        """Unwraps nothing."""
        del name
        return wrapped

    async def rewrap(self, name: TenantKeyName, wrapped: bytes) -> bytes:
        """The same."""
        del name
        return wrapped

    async def newest(self) -> int:
        """Has one version."""
        return 1

    async def version_of(self, wrapped: bytes) -> int | None:
        """The one."""
        del wrapped
        return 1

    async def rotate(self) -> int:
        """Has one version."""
        return 1

    async def destroy(self, version: int) -> None:
        """Keeps it."""

    async def health(self) -> None:
        """Is well."""

    async def close(self) -> None:
        """Holds nothing."""


def test_a_data_key_comes_back() -> None:
    """Unwrapping gives the key with everything that was known about it."""
    key = unwrap_data_key(TENANT_KEY, STORED)
    assert DATA_KEY.secret.expose() == key.secret.expose()
    assert (DATA_KEY.kid, TENANT, KeyPurpose.ROW, 1) == (key.kid, key.tenant_id, key.purpose, key.epoch)


def test_the_wrapped_bytes_do_not_hold_the_secret() -> None:
    """What is stored is sealed."""
    assert DATA_KEY.secret.expose() not in (STORED.wrapped or b"")


@pytest.mark.parametrize(
    "stored",
    [
        replace(STORED, tenant_id=OTHER),
        replace(STORED, purpose=KeyPurpose.PAYLOAD),
        replace(STORED, purpose=KeyPurpose.INDEX),
        replace(STORED, kid=new_kid()),
        replace(STORED, wrapped=(STORED.wrapped or b"")[:-1]),
        replace(STORED, wrapped=b""),
    ],
    ids=["tenant", "payload instead of row", "index instead of row", "id", "cut", "empty"],
)
def test_a_row_that_was_moved_or_altered_does_not_open(stored: StoredDataKey) -> None:
    """A wrapped key put under another tenant, purpose or id is refused: a codec role cannot relabel a row key."""
    with pytest.raises(KeyAltered):
        unwrap_data_key(TENANT_KEY, stored)


@pytest.mark.parametrize(
    "tenant_key",
    [replace(TENANT_KEY, kid=new_kid()), replace(TENANT_KEY, secret=new_secret())],
    ids=["id", "secret"],
)
def test_another_tenant_key_does_not_open_it(tenant_key: TenantKey) -> None:
    """The wrapping key's id is bound as well as its secret."""
    with pytest.raises(KeyAltered):
        unwrap_data_key(tenant_key, STORED)


def test_a_short_secret_is_no_key() -> None:
    """A well-wrapped secret of another length is refused instead of used."""
    stored = wrap_data_key(TENANT_KEY, replace(DATA_KEY, secret=SecretBytes(b"short")))
    with pytest.raises(KeyAltered):
        unwrap_data_key(TENANT_KEY, stored)


def test_a_destroyed_key_says_so() -> None:
    """Gone is another answer than altered."""
    with pytest.raises(KeyDestroyed):
        unwrap_data_key(TENANT_KEY, replace(STORED, wrapped=None))


async def test_a_tenant_key_comes_back_from_a_provider_that_binds_nothing() -> None:
    """What is bound inside suffices to open."""
    wrapped = await wrap_tenant_key(BindsNothing(), TENANT_KEY)
    name = TenantKeyName(TENANT, 1, TENANT_KEY.kid)
    opened = await unwrap_tenant_key(BindsNothing(), name, wrapped)
    assert TENANT_KEY.secret.expose() == opened.secret.expose()


@pytest.mark.parametrize(
    "name",
    [
        TenantKeyName(OTHER, 1, TENANT_KEY.kid),
        TenantKeyName(TENANT, 2, TENANT_KEY.kid),
        TenantKeyName(TENANT, 1, new_kid()),
    ],
    ids=["tenant", "version", "id"],
)
async def test_a_tenant_key_is_bound_inside_too(name: TenantKeyName) -> None:
    """Another tenant, version or id is refused even where the provider binds nothing."""
    wrapped = await wrap_tenant_key(BindsNothing(), TENANT_KEY)
    with pytest.raises(RootKeyRefused):
        await unwrap_tenant_key(BindsNothing(), name, wrapped)


@pytest.mark.parametrize("plaintext", [b"", bytes(94), b"contactsync/tenant-key/v1\x00", bytes(93)])
async def test_what_is_no_tenant_key_is_refused(plaintext: bytes) -> None:
    """Bytes of another form are refused, not cut to fit."""
    with pytest.raises(RootKeyRefused):
        await unwrap_tenant_key(BindsNothing(), TenantKeyName(TENANT, 1, TENANT_KEY.kid), plaintext)
