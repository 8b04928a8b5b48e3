"""The root key in a file: for one machine, for trying out, and for where there is no Vault and no KMS."""

from pathlib import Path
from typing import Final
from uuid import UUID

from contactsync.codecs.envelope import cs1
from contactsync.codecs.keys.key import new_kid, new_secret
from contactsync.codecs.keys.root import TenantKeyName
from contactsync.codecs.keys.root_file import RootVersion, create_root_file, read_root_file, replace_root_file
from contactsync.errors import OpenRefused, RootKeyRefused

CHILD: Final = "tenant"
_PROBE: Final = b"contactsync root key probe"


class FileRootKey:
    """A `RootKeyProvider` over one file (see `root_file`), read anew each time, so that what is amiss with it shows.

    Wrapped bytes are `kid(16) ‖ CS1`, purpose `wrap/v1`, fields `tenant`, the tenant key's id, its version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def create(cls, path: Path) -> "FileRootKey":
        """Make a new file of one version, 0600, in a folder that is there.

        Raises:
            RootKeyRefused: there is a file already.
            RootKeyUnavailable: it cannot be written.
        """
        create_root_file(path, [RootVersion(1, new_secret())])
        return cls(path)

    async def wrap(self, name: TenantKeyName, plaintext: bytes) -> bytes:
        """See `RootKeyProvider`."""
        newest = read_root_file(self._path)[-1]
        return newest.kid + cs1.seal(newest, _binding(name), plaintext)

    async def unwrap(self, name: TenantKeyName, wrapped: bytes) -> bytes:
        """See `RootKeyProvider`."""
        version = self._wrapping_version(wrapped)
        try:
            return cs1.open_(version, _binding(name), wrapped[cs1.KID_BYTES :])
        except OpenRefused:
            raise RootKeyRefused from None

    async def rewrap(self, name: TenantKeyName, wrapped: bytes) -> bytes:
        """See `RootKeyProvider`."""
        return await self.wrap(name, await self.unwrap(name, wrapped))

    async def newest(self) -> int:
        """See `RootKeyProvider`."""
        return read_root_file(self._path)[-1].version

    async def version_of(self, wrapped: bytes) -> int | None:
        """See `RootKeyProvider`.

        Raises:
            RootKeyRefused: none of the file's versions wrapped it.
        """
        return self._wrapping_version(wrapped).version

    async def rotate(self) -> int:
        """See `RootKeyProvider`."""
        versions = read_root_file(self._path)
        added = RootVersion(versions[-1].version + 1, new_secret())
        replace_root_file(self._path, [*versions, added])
        return added.version

    async def destroy(self, version: int) -> None:
        """See `RootKeyProvider`.

        Raises:
            RootKeyRefused: it is the newest, or not there.
        """
        versions = read_root_file(self._path)
        if version not in [held.version for held in versions[:-1]]:
            raise RootKeyRefused(
                f"root key version {version} is the newest or not there; only older ones are destroyed"
            )
        replace_root_file(self._path, [held for held in versions if held.version != version])

    async def health(self) -> None:
        """See `RootKeyProvider`."""
        name = TenantKeyName(UUID(int=0), 1, new_kid())
        if await self.unwrap(name, await self.wrap(name, _PROBE)) != _PROBE:
            raise RootKeyRefused

    async def close(self) -> None:
        """See `RootKeyProvider`; a file is not kept open."""

    def _wrapping_version(self, wrapped: bytes) -> RootVersion:
        kid = wrapped[: cs1.KID_BYTES]
        version = next((held for held in read_root_file(self._path) if held.kid == kid), None)
        if version is None:
            raise RootKeyRefused(f"{self._path} holds another root key than the one that was used; put that one back")
        return version


def _binding(name: TenantKeyName) -> cs1.Binding:
    return cs1.Binding("wrap/v1", name.tenant_id, (CHILD, name.kid.hex(), str(name.version)))
