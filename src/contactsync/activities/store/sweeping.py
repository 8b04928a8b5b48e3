"""The end of a complete listing: what it did not name is gone, if the delete guard agrees."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from contactsync.activities.messages import ConnectionRef, Counts
from contactsync.activities.store.guard import DeleteGuard
from contactsync.activities.store.merging import Stamp
from contactsync.postgres import Transaction, grant, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/sweeping.sql")
SWEEP_SECONDS: Final = 600.0
"""A million rows in one statement."""
_GRANTED_SECONDS: Final = 3 * SWEEP_SECONDS


@dataclass(frozen=True, slots=True)
class Sweep:
    """Sweeps inside the transaction that holds the connection's lock. `until`: contacts that were observed later are
    none of its business (None: all are)."""

    connection: Transaction
    stamp: Stamp
    guard: DeleteGuard
    until: int | None = None

    async def run(self) -> Counts:
        """Deletes what has an older generation, or holds it; answers with `deleted` or `held`."""
        await grant(self.connection, _GRANTED_SECONDS)
        found = await self.connection.fetchrow(_SQL["unlisted"], *self._listing, timeout=SWEEP_SECONDS)
        unlisted: int = found["unlisted"] if found else 0
        if found and unlisted and not await self._is_allowed(unlisted, found["live"], found["held"]):
            cause = "empty" if unlisted + found["held"] == found["live"] else "listing"
            await self.connection.execute(
                _SQL["hold_unlisted"], *self._listing, self.stamp.observed, timeout=SWEEP_SECONDS
            )
            await self.guard.hold(unlisted, cause)
            return Counts(held=unlisted)
        await self.connection.execute(_SQL["sweep_quarantine"], *self._listing)
        if unlisted:
            await self.connection.execute(_SQL["sweep"], *self._listing, self.stamp.observed, timeout=SWEEP_SECONDS)
        return Counts(deleted=unlisted)

    async def _is_allowed(self, unlisted: int, live: int, held: int) -> bool:
        """A listing after which nothing would be left is never believed at once."""
        return unlisted + held < live and await self.guard.lets(unlisted)

    @property
    def _listing(self) -> tuple[UUID, UUID, int, int | None]:
        return (*self.stamp.ref, self.stamp.generation, self.until)


async def drop_stashes(
    connection: Transaction, ref: ConnectionRef, owner: UUID | None = None, owner_part: int | None = None
) -> None:
    """The listings of a pass (no owner), of a backfill, or of one part of it are worked through."""
    await connection.execute(_SQL["drop_stashes"], ref.tenant_id, ref.connection_id, owner, owner_part)
