"""How fresh connections are, by the database alone: no worker, no Temporal and no key is asked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from contactsync.activities.messages import Counts
from contactsync.activities.store.passes import PassRecord
from contactsync.errors import ConnectionNotFound
from contactsync.postgres import Database, Row, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/freshness.sql")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a connection stands, seen at `at` by the database's clock. `paused` is a code; `held` counts deletions
    that wait for approval; `completed_at` is when it last reached the source's present."""

    tenant_id: UUID
    connection_id: UUID
    kind: str
    paused: str | None
    interval_seconds: int
    objective_seconds: int
    created_at: datetime
    completed_at: datetime | None
    last: PassRecord | None
    held: int
    at: datetime

    @property
    def fresh_at(self) -> datetime:
        """The time its age counts from: the last completed pass, or its beginning where there was none."""
        return self.completed_at or self.created_at

    @property
    def age(self) -> timedelta:
        """Time since it was last fresh."""
        return self.at - self.fresh_at

    @property
    def late(self) -> bool:
        """Whether no pass completed within the objective, whatever the cause."""
        return self.age.total_seconds() > self.objective_seconds

    @property
    def syncing(self) -> bool:
        """Whether a pass was opened and has not ended; nobody may be working on it."""
        return self.last is not None and self.last.ended_at is None

    @property
    def state(self) -> str:
        """`paused`, `syncing`, `waiting`, or `new` where no pass ever began."""
        if self.paused is not None:
            return "paused"
        if self.syncing:
            return "syncing"
        return "waiting" if self.last is not None else "new"


class Freshness:
    """Looks at all connections of all tenants in one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def look(self) -> tuple[Standing, ...]:
        """Every connection, the oldest first."""
        return await self._standings(None)

    async def of(self, connection_id: UUID) -> Standing:
        """One connection.

        Raises:
            ConnectionNotFound.
        """
        found = await self._standings(connection_id)
        if not found:
            raise ConnectionNotFound
        return found[0]

    async def _standings(self, connection_id: UUID | None) -> tuple[Standing, ...]:
        async with self._database.transaction() as connection:
            await connection.execute(_SQL["look_across"])
            rows = await connection.fetch(_SQL["standings"], connection_id)
        return tuple(_standing(row) for row in rows)


def _standing(row: Row) -> Standing:
    return Standing(
        tenant_id=row["tenant_id"],
        connection_id=row["connection_id"],
        kind=row["kind"],
        paused=row["paused"],
        interval_seconds=row["interval_seconds"],
        objective_seconds=row["objective_seconds"],
        created_at=row["created_at"],
        completed_at=row["completed_at"],
        last=_last(row),
        held=row["held"],
        at=row["at"],
    )


def _last(row: Row) -> PassRecord | None:
    if row["pass_id"] is None:
        return None
    there = {**dict(row), "held": row["pass_held"]}
    return PassRecord(
        pass_id=row["pass_id"],
        epoch=row["epoch"],
        counts=Counts(**{name: there[name] for name in Counts.model_fields}),
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        outcome=row["outcome"],
    )
