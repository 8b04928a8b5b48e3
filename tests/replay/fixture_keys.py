"""Test keys beside recorded histories: wrapped as in production, under a root key that is no secret."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.key import KeyPurpose
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.keys.store import StoredDataKey, StoredTenantKey


class FixtureKeys(BaseModel):
    """The file `keys.json`."""

    root_key: str
    recorded_at: datetime
    tenant_key: StoredTenantKey
    data_keys: tuple[StoredDataKey, ...]

    model_config = {"ser_json_bytes": "base64", "val_json_bytes": "base64"}


async def new_fixture_ring(root_key: Path, tenant_id: UUID) -> tuple[KeyRing, MemoryKeyStore]:
    """A ring to record with."""
    store = MemoryKeyStore()
    ring = KeyRing(store, FileRootKey.create(root_key))
    await ring.create_tenant(tenant_id)
    return ring, store


async def save_keys(path: Path, root_key: Path, store: MemoryKeyStore, tenant_id: UUID) -> None:
    """Write what `load_ring` needs."""
    tenant_key = await store.tenant_key(tenant_id)
    if tenant_key is None:
        raise LookupError("the tenant has no key")
    data_keys = tuple(await store.data_keys(tenant_id, list(KeyPurpose)))
    keys = FixtureKeys(
        root_key=root_key.read_text(), recorded_at=datetime.now(UTC), tenant_key=tenant_key, data_keys=data_keys
    )
    path.write_text(keys.model_dump_json(indent=1) + "\n")


async def load_ring(path: Path, root_key: Path) -> KeyRing:
    """A ring that lives on the day of the recording, so that its payload keys still open."""
    keys = FixtureKeys.model_validate_json(path.read_text())
    root_key.touch(mode=0o600)
    root_key.write_text(keys.root_key)
    store = MemoryKeyStore()
    await store.add_tenant_key(keys.tenant_key)
    for key in keys.data_keys:
        await store.add_data_key(key)
    return KeyRing(store, FileRootKey(root_key), clock=lambda: keys.recorded_at)
