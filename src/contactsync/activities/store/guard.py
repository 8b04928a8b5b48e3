"""The delete guard: how many deletions one pass or backfill may make before somebody is asked.

Deletions are applied while they are few (`delete_floor`), or at most a share of the contacts there were when the pass
began and at most a count. Beyond that they are held: the contacts stay live until a person decides.
"""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID, uuid4

from contactsync.activities.messages import Counts
from contactsync.activities.store.directory import TenantPolicy
from contactsync.activities.store.merging import Stamp
from contactsync.codecs.audit.log import AuditKind, append
from contactsync.postgres import Transaction, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/holds.sql")

HoldCause = Literal["listing", "tombstones", "empty"]
"""Why deletions are held: a complete listing left them out, the source reported them, or nothing would be left."""
WORKER: Final = "worker"
"""The actor of what a pass does."""


@dataclass(slots=True)
class Tally:
    """A pass or backfill so far. `merged`: those of `deleted` that live on in another contact; `live`: the contacts
    when it began, if that was counted already."""

    added: int = 0
    deleted: int = 0
    merged: int = 0
    held: int = 0
    live: int | None = None


def is_over(policy: TenantPolicy, deletions: int, live: int) -> bool:
    """Whether so many deletions of so many contacts have to wait."""
    if deletions <= policy.delete_floor:
        return False
    return deletions > policy.delete_count or deletions > policy.delete_share * live


@dataclass(slots=True)
class DeleteGuard:
    """Guards one page's commit, inside the transaction that holds the connection's lock."""

    connection: Transaction
    stamp: Stamp
    policy: TenantPolicy
    tally: Tally
    hold_id: UUID | None

    async def lets(self, more: int) -> bool:
        """Whether so many more deletions may be applied."""
        deletions = self.tally.deleted - self.tally.merged + self.tally.held + more
        if deletions <= self.policy.delete_floor:
            return True
        return not is_over(self.policy, deletions, await self._live())

    def count(self, counts: Counts, merged: int = 0) -> None:
        """What was just applied."""
        self.tally.added += counts.added
        self.tally.deleted += counts.deleted
        self.tally.held += counts.held
        self.tally.merged += merged

    async def hold(self, contacts: int, cause: HoldCause) -> None:
        """So many more deletions wait: they join the open hold, or open one."""
        if not contacts:
            return
        if self.hold_id is None:
            await self._open(contacts, cause)
        else:
            await self.connection.execute(_SQL["change_hold"], self.stamp.tenant_id, self.hold_id, contacts)

    async def lift(self, contacts: int) -> None:
        """So many contacts whose deletion was held are there after all; with the last of them the hold ends."""
        if not contacts or self.hold_id is None:
            return
        hold = (self.stamp.tenant_id, self.hold_id)
        if await self.connection.fetchval(_SQL["change_hold"], *hold, -contacts) == 0:
            await self.connection.execute(_SQL["end_hold"], *hold, "resolved", 0)
            await self.connection.execute(_SQL["set_open"], *self.stamp.ref, None)
            await self._note(AuditKind.DELETES_RESOLVED, {})
            self.hold_id = None

    async def _open(self, contacts: int, cause: HoldCause) -> None:
        self.hold_id, live = uuid4(), await self._live()
        await self.connection.execute(
            _SQL["open_hold"],
            self.stamp.tenant_id,
            self.hold_id,
            self.stamp.connection_id,
            cause,
            contacts,
            live,
        )
        await self.connection.execute(_SQL["set_open"], *self.stamp.ref, self.hold_id)
        await self._note(AuditKind.DELETES_HELD, {"cause": cause, "contacts": contacts, "live": live})

    async def _live(self) -> int:
        if self.tally.live is not None:
            return self.tally.live
        now: int = await self.connection.fetchval(_SQL["live"], *self.stamp.ref)
        live = self.tally.live = now - self.tally.added + self.tally.deleted
        return live

    async def _note(self, kind: AuditKind, detail: dict[str, str | int]) -> None:
        ids = {"connection": str(self.stamp.connection_id), "hold": str(self.hold_id)}
        await append(self.connection, self.stamp.tenant_id, kind, WORKER, {**ids, **detail})
