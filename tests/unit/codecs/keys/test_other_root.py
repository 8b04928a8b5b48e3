"""A root key that is sound, but another installation's."""

from pathlib import Path
from uuid import uuid4

import pytest

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.errors import RootKeyRefused


async def test_another_root_key_is_refused_before_it_wraps_anything(tmp_path: Path) -> None:
    """With another root key than the first tenant's, the check fails and no tenant is added."""
    store = MemoryKeyStore()
    first = KeyRing(store, FileRootKey.create(tmp_path / "first.key"))
    await first.check()
    await first.create_tenant(uuid4())
    await first.check()
    other, tenant = KeyRing(store, FileRootKey.create(tmp_path / "other.key")), uuid4()
    with pytest.raises(RootKeyRefused):
        await other.check()
    with pytest.raises(RootKeyRefused):
        await other.create_tenant(tenant)
    assert await store.tenant_key(tenant) is None
