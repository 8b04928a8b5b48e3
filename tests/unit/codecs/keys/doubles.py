"""A clock that stands still, and a store that counts and fails when told to."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from contactsync.codecs.keys.key import KeyPurpose
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.store import StoredDataKey
from contactsync.errors import DatabaseFull, DatabaseUnavailable

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Time:
    """Wall clock and monotonic clock that pass together when told to."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        """The wall clock, from noon."""
        return NOON + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        """The monotonic clock, from nought."""
        return self.passed


class CountingStore(MemoryKeyStore):
    """Counts reads of data keys, and is down when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.down = False
        self.full = False

    def _read(self) -> None:
        self.reads += 1
        if self.down:
            raise DatabaseUnavailable

    async def data_key(self, kid: bytes) -> StoredDataKey | None:
        """Counted."""
        self._read()
        return await super().data_key(kid)

    async def data_key_of(self, tenant_id: UUID, purpose: KeyPurpose, epoch: int) -> StoredDataKey | None:
        """Counted."""
        self._read()
        return await super().data_key_of(tenant_id, purpose, epoch)

    async def add_data_key(self, key: StoredDataKey) -> StoredDataKey:
        """Gives others their turn first, so that races are lost; fails when told to."""
        await asyncio.sleep(0)
        if self.full:
            raise DatabaseFull
        return await super().add_data_key(key)

    def alter(self, kid: bytes) -> None:
        """Change the last of a key's wrapped bytes, as whoever writes to the database could."""
        held = self._data_keys[kid]
        assert held.wrapped is not None
        altered = held.wrapped[:-1] + bytes([held.wrapped[-1] ^ 1])
        self._data_keys[kid] = replace(held, wrapped=altered)

    async def all_of(self, tenant_id: UUID) -> Sequence[StoredDataKey]:
        """Every data key of a tenant."""
        return await super().data_keys(tenant_id, list(KeyPurpose))
