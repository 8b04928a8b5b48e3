"""The root key: the one thing that is not in the key store. It wraps tenant keys and nothing else."""

from dataclasses import dataclass
from struct import Struct
from typing import Final, Protocol
from uuid import UUID

from contactsync.codecs.keys.key import SecretBytes, TenantKey
from contactsync.errors import RootKeyRefused

_LABEL: Final = b"contactsync/tenant-key/v1\x00"
_BOUND: Final = Struct(">16sI16s32s")


@dataclass(frozen=True, slots=True)
class TenantKeyName:
    """What a wrapped tenant key is bound to: its tenant, version and id."""

    tenant_id: UUID
    version: int
    kid: bytes


def binding_text(name: TenantKeyName) -> str:
    """The name as associated data."""
    return f"contactsync/tenant-key/v1/{name.tenant_id}/{name.version}/{name.kid.hex()}"


class RootKeyProvider(Protocol):
    """A versioned root key somewhere: in a file, in Vault or OpenBao, in a KMS.

    All methods raise RootKeyUnavailable when the provider does not answer, RootKeyRefused when it does and says no.
    """

    async def wrap(self, name: TenantKeyName, plaintext: bytes) -> bytes:
        """`plaintext` sealed under the newest root version, bound to `name`."""
        ...

    async def unwrap(self, name: TenantKeyName, wrapped: bytes) -> bytes:
        """What `wrap` wrapped for an equal `name`."""
        ...

    async def rewrap(self, name: TenantKeyName, wrapped: bytes) -> bytes:
        """The same plaintext under the newest root version."""
        ...

    async def newest(self) -> int:
        """The number of the version that wraps; the first is 1."""
        ...

    async def version_of(self, wrapped: bytes) -> int | None:
        """The number of the version that wrapped this; None where the provider does not tell."""
        ...

    async def rotate(self) -> int:
        """Add a root version and wrap with it from now on; answers its number."""
        ...

    async def destroy(self, version: int) -> None:
        """Destroy an older root version for ever, the oldest first: what is still wrapped by it ends.

        Raises:
            RootKeyRefused: it is the newest, not there, not the oldest where that is asked, or kept by the provider.
        """
        ...

    async def health(self) -> None:
        """Wrap and unwrap something, and return if that works."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


async def wrap_tenant_key(root: RootKeyProvider, key: TenantKey) -> bytes:
    """The tenant key wrapped, its name bound inside too, since not every provider binds it outside."""
    name = TenantKeyName(key.tenant_id, key.version, key.kid)
    bound = _BOUND.pack(key.tenant_id.bytes, key.version, key.kid, key.secret.expose())
    return await root.wrap(name, _LABEL + bound)


async def unwrap_tenant_key(root: RootKeyProvider, name: TenantKeyName, wrapped: bytes) -> TenantKey:
    """The tenant key.

    Raises:
        RootKeyUnavailable: the provider does not answer.
        RootKeyRefused: it does not open, or is another tenant's, version's or key's.
    """
    plaintext = await root.unwrap(name, wrapped)
    if len(plaintext) != len(_LABEL) + _BOUND.size or not plaintext.startswith(_LABEL):
        raise RootKeyRefused
    tenant, version, kid, secret = _BOUND.unpack_from(plaintext, len(_LABEL))
    if (tenant, version, kid) != (name.tenant_id.bytes, name.version, name.kid):
        raise RootKeyRefused
    return TenantKey(name.kid, name.tenant_id, name.version, SecretBytes(secret))
