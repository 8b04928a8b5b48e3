"""Key rings for tests."""

from pathlib import Path
from uuid import UUID, uuid4

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.ring import KeyRing


async def ring_of(folder: Path, *tenants: UUID) -> KeyRing:
    """A ring in memory, under a root key of its own in `folder`, with these tenants' keys."""
    ring = KeyRing(MemoryKeyStore(), FileRootKey.create(folder / f"{uuid4()}.key"))
    for tenant in tenants:
        await ring.create_tenant(tenant)
    return ring
