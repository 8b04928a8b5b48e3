"""The root key in Vault or OpenBao: a key of the transit engine, which never leaves it.

https://openbao.org/api-docs/secret/transit/
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from contactsync.codecs.keys.key import new_kid
from contactsync.codecs.keys.root import TenantKeyName, binding_text
from contactsync.codecs.keys.vault import VaultClient, VaultRefused, VaultUnavailable
from contactsync.errors import RootKeyRefused, RootKeyUnavailable

KEY_TYPES: Final = frozenset({"aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305"})
"""Those that bind associated data."""

_WRAPPED: Final = re.compile(rb"vault:v([1-9][0-9]{0,8}):[A-Za-z0-9+/]+={0,2}")
_PROBE: Final = b"contactsync root key probe"


class VaultRootKey:
    """A `RootKeyProvider` over one transit key. Wrapped bytes are the engine's ciphertext: `vault:v{version}:…`.

    A tenant key's name is bound as associated data. The engine re-wraps nothing that has such data (it does not take
    any for it), so `rewrap` unwraps and wraps.
    """

    def __init__(self, client: VaultClient, mount: str, key: str) -> None:
        self._client = client
        self._mount = mount
        self._key = key

    async def wrap(self, name: TenantKeyName, plaintext: bytes) -> bytes:
        """See `RootKeyProvider`."""
        body = _with_binding(name, {"plaintext": b64encode(plaintext).decode()})
        async with _mapped():
            answer = await self._client.call("POST", f"{self._mount}/encrypt/{self._key}", body)
        ciphertext = answer.get("ciphertext")
        wrapped = ciphertext.encode() if isinstance(ciphertext, str) else b""
        _version(wrapped)
        return wrapped

    async def unwrap(self, name: TenantKeyName, wrapped: bytes) -> bytes:
        """See `RootKeyProvider`."""
        _version(wrapped)
        answer = await self._decrypted(_with_binding(name, {"ciphertext": wrapped.decode()}))
        plaintext = answer.get("plaintext")
        try:
            return b64decode(plaintext if isinstance(plaintext, str) else "!", validate=True)
        except Base64Error:
            raise RootKeyUnavailable("what answers at Vault's address is no transit engine; check it") from None

    async def rewrap(self, name: TenantKeyName, wrapped: bytes) -> bytes:
        """See `RootKeyProvider`."""
        return await self.wrap(name, await self.unwrap(name, wrapped))

    async def newest(self) -> int:
        """See `RootKeyProvider`."""
        return _number(await self._facts(), "latest_version")

    async def version_of(self, wrapped: bytes) -> int | None:
        """See `RootKeyProvider`.

        Raises:
            RootKeyRefused: another kind of root key wrapped it.
        """
        return _version(wrapped)

    async def rotate(self) -> int:
        """See `RootKeyProvider`."""
        async with _mapped():
            await self._client.call("POST", f"{self._mount}/keys/{self._key}/rotate", {})
        return await self.newest()

    async def destroy(self, version: int) -> None:
        """See `RootKeyProvider`. The engine trims its oldest versions only, so versions go in order."""
        facts = await self._facts()
        oldest = max(_number(facts, "min_available_version"), 1)
        if not oldest <= version < _number(facts, "latest_version"):
            raise RootKeyRefused(
                f"root key version {version} is the newest or not there; only older ones are destroyed"
            )
        if version != oldest:
            raise RootKeyRefused(f"root key versions are destroyed in order here; destroy version {oldest} first")
        keep = version + 1
        decryption = max(keep, _number(facts, "min_decryption_version"))  # a floor set by hand is not lowered
        encryption = max(decryption, _number(facts, "min_encryption_version"))
        floors = {"min_decryption_version": decryption, "min_encryption_version": encryption}
        async with _mapped():
            await self._client.call("POST", f"{self._mount}/keys/{self._key}/config", floors)
            await self._client.call("POST", f"{self._mount}/keys/{self._key}/trim", {"min_available_version": keep})

    async def health(self) -> None:
        """See `RootKeyProvider`.

        Raises:
            RootKeyRefused: the key is of a type that does not bind associated data.
        """
        facts = await self._facts()
        if facts.get("type") not in KEY_TYPES or facts.get("derived"):
            raise RootKeyRefused(f"the transit key must be of type aes256-gcm96 and not derived: {self._where}")
        name = TenantKeyName(UUID(int=0), 1, new_kid())
        if await self.unwrap(name, await self.wrap(name, _PROBE)) != _PROBE:
            raise RootKeyRefused

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

    @property
    def _where(self) -> str:
        return f"vault:{self._mount}/{self._key}"

    async def _facts(self) -> Mapping[str, object]:
        async with _mapped():
            return await self._client.call("GET", f"{self._mount}/keys/{self._key}")

    async def _decrypted(self, body: Mapping[str, object]) -> Mapping[str, object]:
        async with _mapped():
            try:
                return await self._client.call("POST", f"{self._mount}/decrypt/{self._key}", body)
            except VaultRefused as error:
                if error.status != 400:
                    raise
                raise RootKeyRefused from None  # another name, altered bytes, a version that is disabled or gone


@asynccontextmanager
async def _mapped() -> AsyncGenerator[None]:
    try:
        yield
    except VaultUnavailable as error:
        raise RootKeyUnavailable(f"the root key cannot be reached: {error}") from None
    except VaultRefused as error:
        raise RootKeyRefused(f"the root key is not to be had: {error}") from None


def _with_binding(name: TenantKeyName, body: Mapping[str, object]) -> Mapping[str, object]:
    return {**body, "associated_data": b64encode(binding_text(name).encode()).decode()}


def _version(wrapped: bytes) -> int:
    found = _WRAPPED.fullmatch(wrapped)
    if found is None:
        raise RootKeyRefused("another kind of root key wrapped this tenant's key; put that one back")
    return int(found[1])


def _number(facts: Mapping[str, object], name: str) -> int:
    value = facts.get(name)
    if not isinstance(value, int):
        raise RootKeyUnavailable("what answers at Vault's address is no transit engine; check it")
    return value
