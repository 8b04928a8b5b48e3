"""A key store with a platform, executions as a test says, and a clock that tests set."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from contactsync.activities.key_life import KeyLife
from contactsync.codecs.keys.key import DataKey
from contactsync.codecs.keys.ring import KeyRing
from contactsync.errors import TemporalUnavailable
from contactsync.postgres import Database


class Clock:
    """The present, so many days on."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        """Now."""
        return datetime.now(UTC) + self.ahead


class Executions:
    """`OpenExecutions` as a test says: since when the oldest open one of each tenant runs; counts the questions."""

    def __init__(self) -> None:
        self.open_since: dict[UUID, datetime] = {}
        self.asked = 0
        self.down = False

    async def count(self, tenant_id: UUID, before: datetime) -> int:
        """See `OpenExecutions`."""
        self.asked += 1
        if self.down:
            raise TemporalUnavailable
        since = self.open_since.get(tenant_id)
        return int(since is not None and since < before)


@dataclass(frozen=True, slots=True)
class House:
    """A key store with a platform, and a clock that tests set."""

    database: Database
    ring: KeyRing
    clock: Clock

    async def tenant(self) -> UUID:
        """A new tenant."""
        tenant_id = uuid4()
        await self.ring.create_tenant(tenant_id)
        return tenant_id

    async def key(self, tenant_id: UUID, age: timedelta = timedelta(0)) -> DataKey:
        """The payload key of a day so long ago, as seen from the machine's present."""
        self.clock.ahead, before = -age, self.clock.ahead
        key = await self.ring.payload_key(tenant_id)
        self.clock.ahead = before
        return key

    def life(self, executions: Executions) -> KeyLife:
        """Key life that believes these executions."""
        return KeyLife(self.ring.store, self.database, executions, self.clock)

    async def is_destroyed(self, key: DataKey) -> bool:
        """Whether the bytes are gone."""
        stored = await self.ring.store.data_key(key.kid)
        assert stored is not None
        return stored.wrapped is None

    async def told(self, tenant_id: UUID) -> list[tuple[str, str]]:
        """The tenant's audit log: kind and key."""
        async with self.database.transaction(tenant_id) as connection:
            rows = await connection.fetch("SELECT entry FROM audit.entry WHERE tenant_id = $1 ORDER BY seq", tenant_id)
        entries = [json.loads(row["entry"]) for row in rows]
        return [(entry["kind"], entry["detail"]["key"]) for entry in entries]
