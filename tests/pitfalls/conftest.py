"""The stories of docs/pitfalls.md: a platform, and a clock that only the test moves."""

from pathlib import Path

import pytest
from tests.pitfalls.links import Platform

from contactsync.activities.sources.simulator.clock import VirtualClock
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
def platform(database: Database, ring: KeyRing) -> Platform:
    """The activities on a fresh database."""
    return Platform(database, ring)


@pytest.fixture
def clock() -> VirtualClock:
    """The provider's clock."""
    return VirtualClock()
