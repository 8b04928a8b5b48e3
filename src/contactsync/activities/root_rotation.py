"""Rotation of the root key: a newer version, every tenant key wrapped by it, the end of an older one.

It needs no workflow: one wrapped key a tenant version is all there is to do, and what is broken off goes on when it is
begun again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from contactsync.activities.rotating import tell
from contactsync.codecs.audit.log import AuditKind
from contactsync.codecs.keys.ring import KeyRing
from contactsync.identifiers import PLATFORM_TENANT
from contactsync.postgres import Database


@dataclass(frozen=True, slots=True)
class RootRewrapped:
    """The version that wraps, how many tenant keys there are, and how many had to be wrapped again."""

    version: int
    keys: int
    rewrapped: int


def _nobody(rewrapped: RootRewrapped) -> None:
    del rewrapped


@dataclass(frozen=True, slots=True)
class RootRotation:
    """Each deed is in the platform's audit log. Every method raises KeysError and DatabaseError."""

    database: Database
    ring: KeyRing

    async def rotate(self, actor: str) -> int:
        """A newer version, which wraps from now on; answers its number."""
        version = await self.ring.rotation().rotate_root()
        await tell(self.database, PLATFORM_TENANT, AuditKind.KEY_MADE, actor, {"key": "root", "version": version})
        return version

    async def rewrap(self, actor: str, watcher: Callable[[RootRewrapped], None] = _nobody) -> RootRewrapped:
        """Wrap every tenant key by the newest version; `watcher` is told after each."""
        rotation = self.ring.rotation()
        done = RootRewrapped(await rotation.root_version(), 0, 0)
        async for was_rewrapped in rotation.rewrap_tenant_keys():
            done = RootRewrapped(done.version, done.keys + 1, done.rewrapped + was_rewrapped)
            watcher(done)
        if done.rewrapped:
            detail = {"key": "root", "version": done.version, "keys": done.rewrapped}
            await tell(self.database, PLATFORM_TENANT, AuditKind.KEYS_REWRAPPED, actor, detail)
        return done

    async def destroy(self, version: int, actor: str) -> None:
        """Destroy an older version that wraps nothing any more.

        Raises:
            RootKeyRefused: it still wraps something, is the newest, not there, or kept by its provider.
        """
        await self.ring.rotation().destroy_root(version)
        await tell(self.database, PLATFORM_TENANT, AuditKind.KEY_DESTROYED, actor, {"key": "root", "version": version})
