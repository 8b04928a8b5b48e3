"""Deletions that wait for a person: who looks at them, and who decides."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from contactsync.activities.messages import ConnectionRef, DecideDeletes, DeletesDecided
from contactsync.activities.store.guard import HoldCause
from contactsync.activities.store.passes import lock_to_work
from contactsync.activities.store.sweeping import SWEEP_SECONDS
from contactsync.codecs.audit.log import AuditKind, append
from contactsync.errors import HoldNotFound
from contactsync.postgres import Database, Row, Transaction, grant, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/holds.sql")


@dataclass(frozen=True, slots=True)
class Hold:
    """Deletions of one connection that wait, or did.

    `contacts`: how many wait, or were decided on; `live`: the connection's contacts when its pass began. `decision`:
    `approved`, `rejected`, or `resolved` (all of them were seen again); None while they wait.
    """

    hold_id: UUID
    tenant_id: UUID
    connection_id: UUID
    contacts: int
    live: int
    cause: HoldCause
    opened_at: datetime
    decided_at: datetime | None
    decision: str | None


class Holds:
    """Lists held deletions, and decides on them; each decision is in the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, tenant_id: UUID | None, *, open_only: bool = True) -> tuple[Hold, ...]:
        """The holds of one tenant, or (None) of all, the oldest first."""
        async with self._database.transaction(tenant_id, directory=tenant_id is None) as connection:
            rows = await connection.fetch(_SQL["list_holds"], tenant_id, open_only)
        return tuple(_hold(row) for row in rows)

    async def open_hold(self, ref: ConnectionRef) -> Hold | None:
        """The deletions of a connection that wait now; None if there are none."""
        async with self._database.transaction(ref.tenant_id) as connection:
            row = await connection.fetchrow(_SQL["get_open"], ref.tenant_id, ref.connection_id)
        return _hold(row) if row else None

    async def decide(self, request: DecideDeletes) -> DeletesDecided:
        """Approve: the contacts that are still held are deleted. Reject: they stay, until a complete listing leaves
        them out again. The same decision again has the same answer.

        Raises:
            HoldNotFound: there is no such hold, or it was decided otherwise.
            ConnectionNotFound, TenantDisabled, DatabaseError.
        """
        decision = "approved" if request.approve else "rejected"
        async with self._database.transaction(request.tenant_id) as connection:
            await lock_to_work(connection, request)
            hold = await connection.fetchrow(
                _SQL["get_hold"], request.tenant_id, request.connection_id, request.hold_id
            )
            if hold is None or hold["decision"] not in {None, decision}:
                raise HoldNotFound
            contacts = hold["contacts"] if hold["decision"] else await _apply(connection, request, decision)
        return DeletesDecided(outcome=decision, contacts=contacts)


async def _apply(connection: Transaction, request: DecideDeletes, decision: str) -> int:
    ref = (request.tenant_id, request.connection_id)
    await grant(connection, 2 * SWEEP_SECONDS)
    query = "delete_held" if request.approve else "keep_held"
    contacts: int = await connection.fetchval(_SQL[query], *ref, timeout=SWEEP_SECONDS)
    await connection.execute(_SQL["end_hold"], request.tenant_id, request.hold_id, decision, contacts)
    await connection.execute(_SQL["set_open"], *ref, None)
    kind = AuditKind.DELETES_APPROVED if request.approve else AuditKind.DELETES_REJECTED
    detail = {"connection": str(request.connection_id), "hold": str(request.hold_id), "contacts": contacts}
    await append(connection, request.tenant_id, kind, request.actor, detail)
    return contacts


def _hold(row: Row) -> Hold:
    return Hold(
        hold_id=row["hold_id"],
        tenant_id=row["tenant_id"],
        connection_id=row["connection_id"],
        contacts=row["contacts"],
        live=row["live"],
        cause=cast("HoldCause", row["cause"]),
        opened_at=row["opened_at"],
        decided_at=row["decided_at"],
        decision=row["decision"],
    )
