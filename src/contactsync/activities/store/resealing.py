"""Rows under a newer row key: opened and sealed again, in batches, beside whoever writes.

A batch replaces only what it has read: what was written meanwhile has the newest key already. What no key opens stays
as it is and is counted, and the older keys stay with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from contactsync.activities.store.cursors import CURSOR
from contactsync.activities.store.epochs import hold_epochs
from contactsync.activities.store.records import CONTACT, QUARANTINE
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import OpenRefused
from contactsync.postgres import Database, Row, join_by_hash, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/rotation.sql")

BATCH: Final = 500
"""Contacts a transaction."""

SMALL_BATCH: Final = 50
"""Rows of other tables a transaction; a part of a listing may be large."""

TABLES: Final = {
    "quarantine": QUARANTINE,
    "connection": "connection",
    "progress": CURSOR,
    "backfill_part": CURSOR,
    "stash": "stash",
    "oauth_token": "oauth_token",
}
"""The tables with sealed columns, beside contacts, and what their rows are bound to."""

_ORDER: Final = ("contact", *TABLES)
_FIRST: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Place:
    """How far it has come: in which table, after which contact, and how many rows before could not be opened."""

    table: str = _ORDER[0]
    after: UUID = _FIRST
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Resealed:
    """A batch: the place it came to (None: through), how many rows it sealed again, and how many it could not open."""

    place: Place | None
    rows: int
    unreadable: int = 0


class Resealing:
    """Seals a tenant's rows again under the newest row key."""

    def __init__(self, database: Database, sealer: TenantSealer) -> None:
        self._database = database
        self._sealer = sealer

    async def batch(self, place: Place) -> Resealed:
        """The next batch after a place; `Place()` begins.

        Raises:
            KeysRotated: the sealer is not of the newest keys. DatabaseError.
        """
        rows, again = await self._sealed_again(place)
        unreadable = len(rows) - len(again)
        return Resealed(_after(place, rows, unreadable), len(again), unreadable)

    async def _sealed_again(self, place: Place) -> tuple[Sequence[Row], Sequence[Row]]:
        """The rows of a batch, and those of them that were sealed again."""
        tenant_id, kid = self._sealer.tenant_id, self._sealer.row_kid
        is_contacts = place.table == "contact"
        bounds = (place.after, BATCH) if is_contacts else (SMALL_BATCH, place.unreadable)
        async with self._database.transaction(tenant_id) as connection:
            await hold_epochs(connection, self._sealer)
            rows = await connection.fetch(_SQL[f"{place.table}_sealed"], tenant_id, kid, *bounds)
            opened = [(row, sealed) for row in rows if (sealed := self._renewed(place.table, row))]
            if opened:
                columns = [[row["sealed"] for row, _ in opened], [sealed for _, sealed in opened]]
                named = [[row["contact_id"] for row, _ in opened]] if is_contacts else []
                await join_by_hash(connection)
                await connection.execute(_SQL[f"{place.table}_reseal"], tenant_id, *named, *columns)
        return rows, [row for row, _ in opened]

    def _renewed(self, table: str, row: Row) -> bytes | None:
        """The row under the newest key; None if no key opens it."""
        bound_to = TABLES.get(table, CONTACT)
        try:
            return self._sealer.seal(bound_to, row["name"], self._sealer.open(bound_to, row["name"], row["sealed"]))
        except OpenRefused:
            return None


def _after(place: Place, rows: Sequence[Row], unreadable: int) -> Place | None:
    if place.table == "contact" and rows:
        return Place(place.table, rows[-1]["contact_id"])
    if rows:
        return Place(place.table, unreadable=place.unreadable + unreadable)
    following = _ORDER[_ORDER.index(place.table) + 1 :]
    return Place(following[0]) if following else None
