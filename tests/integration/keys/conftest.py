"""A house of keys for tests."""

from pathlib import Path

import pytest
from tests.integration.keys.house import Clock, House

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.identifiers import PLATFORM_TENANT
from contactsync.postgres import Database


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    """An empty key store."""
    clock = Clock()
    ring = KeyRing(PostgresKeyStore(database), FileRootKey.create(tmp_path / "root.key"), clock=clock)
    await ring.create_tenant(PLATFORM_TENANT)
    return House(database, ring, clock)
