"""The store's fixtures: its classes on a fresh database, with a key ring in memory."""

from pathlib import Path

import pytest
from tests.integration.store.address_book import Book, Store

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.postgres import Database


@pytest.fixture(scope="session")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    """Keys that last as long as the tests."""
    folder: Path = tmp_path_factory.mktemp("root")
    return KeyRing(MemoryKeyStore(), FileRootKey.create(folder / "root.key"))


@pytest.fixture
def store(database: Database, ring: KeyRing) -> Store:
    """The store on a fresh database."""
    return Store(database, ring)


@pytest.fixture
async def book(store: Store) -> Book:
    """A new connection of a new tenant."""
    return await store.new_book()
