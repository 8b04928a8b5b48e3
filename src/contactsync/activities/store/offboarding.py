"""How a tenant ends: disabled, then decided on, then without keys and rows, and the certificate that says so.

Every step may run twice. A step of a workflow that was overtaken or cancelled is refused, however late it comes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from contactsync.codecs.audit.log import AuditKind, append
from contactsync.errors import OffboardingNotFound, StalePass, TenantDisabled, TenantNotFound
from contactsync.identifiers import backfill_workflow_id, sync_workflow_id
from contactsync.postgres import Database, Row, Transaction, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/offboarding.sql")

BATCH_ROWS: Final = 5_000
"""Rows that one transaction deletes at most."""

_BATCH_SECONDS: Final = 60.0
_OVERTAKEN: Final = "another run offboards this tenant, or it was cancelled; nothing was done"


@dataclass(frozen=True, slots=True)
class Offboarding:
    """How far it is. From `decided_at` on nothing can be undone; since `effective_at` the keys are gone; `deleted`
    counts rows by table, `executions` those that Temporal was asked to forget."""

    tenant_id: UUID
    openings: tuple[UUID, ...]
    requested_at: datetime
    quarantine_until: datetime
    cancelled_at: datetime | None
    decided_at: datetime | None
    effective_at: datetime | None
    deleted: Mapping[str, int]
    executions: int | None

    @property
    def state(self) -> str:
        """`cancelled`, `quarantine` or `decided`."""
        if self.cancelled_at is not None:
            return "cancelled"
        return "quarantine" if self.decided_at is None else "decided"


@dataclass(frozen=True, slots=True)
class LogHead:
    """The end of a tenant's audit log at a time: how many entries, and the last one's hash."""

    entries: int
    hash: bytes
    at: datetime


class Offboardings:
    """The database's side of offboarding. `opening_id` names the workflow that asks; each has its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def disable(self, tenant_id: UUID, opening_id: UUID, quarantine_seconds: float, actor: str) -> Offboarding:
        """Let nothing new begin for the tenant. A quarantine that is under way goes on as it is.

        Raises:
            TenantNotFound.
            StalePass: another opening took over from this one, or it was cancelled.
        """
        async with self._database.transaction(tenant_id) as connection:
            was_enabled = await _lock(connection, tenant_id) is None
            held = await connection.fetchrow(_SQL["get"], tenant_id)
            held = await _opened(connection, held, (tenant_id, opening_id), quarantine_seconds)
            await connection.execute(_SQL["pause"], tenant_id)
            if was_enabled:
                await connection.execute(_SQL["disable"], tenant_id)
                await append(connection, tenant_id, AuditKind.TENANT_DISABLED, actor, {"reason": "offboarding"})
        return _offboarding(held)

    async def enable(self, tenant_id: UUID, actor: str, opening_id: UUID | None = None) -> None:
        """Undo `disable`, of this opening or of whichever it was; a tenant that is enabled stays so.

        Raises:
            TenantNotFound.
            TenantDisabled: its end is decided.
            StalePass: another opening took over from this one.
        """
        async with self._database.transaction(tenant_id) as connection:
            was_enabled = await _lock(connection, tenant_id) is None
            held = await connection.fetchrow(_SQL["get"], tenant_id)
            if held is not None and held["decided_at"] is not None:
                raise TenantDisabled("the end of this tenant is decided and cannot be undone")
            if held is not None and opening_id is not None and held["openings"][-1] != opening_id:
                raise StalePass(_OVERTAKEN)
            if was_enabled:
                return
            for query in ("enable", "unpause", "cancel"):
                await connection.execute(_SQL[query], tenant_id)
            await append(connection, tenant_id, AuditKind.TENANT_ENABLED, actor, {"reason": "cancelled"})

    async def check(self, tenant_id: UUID, opening_id: UUID) -> None:
        """Return if this opening is the one that may work.

        Raises:
            StalePass: another opening took over from this one, or it was cancelled.
        """
        async with self._database.transaction(tenant_id) as connection:
            await _hold(connection, tenant_id, opening_id)

    async def decide(self, tenant_id: UUID, opening_id: UUID, actor: str) -> None:
        """Pass the point of no return; only after this may keys be destroyed and rows deleted.

        Raises:
            StalePass: another opening took over from this one, or it was cancelled.
        """
        async with self._database.transaction(tenant_id) as connection:
            held = await _hold(connection, tenant_id, opening_id)
            if held["decided_at"] is None:
                await connection.execute(_SQL["decide"], tenant_id)
                await append(connection, tenant_id, AuditKind.OFFBOARDING_DECIDED, actor, {})

    async def record_destroyed(self, tenant_id: UUID, keys: int, actor: str) -> None:
        """The keys are gone: `keys` of them just now, 0 if they all were before."""
        async with self._database.transaction(tenant_id) as connection:
            await _lock(connection, tenant_id)
            if await connection.fetchval(_SQL["destroyed"], tenant_id, keys > 0):
                await append(connection, tenant_id, AuditKind.KEY_DESTROYED, actor, {"scope": "tenant", "keys": keys})

    async def delete_batch(self, tenant_id: UUID, most: int = BATCH_ROWS) -> int:
        """Delete up to so many rows of the tenant, and count them; answers how many there were.

        Raises:
            DatabaseRefused: the tenant's end is not decided.
        """
        async with self._database.transaction(tenant_id) as connection:
            await _lock(connection, tenant_id)
            rows = await connection.fetch(_SQL["delete_rows"], most, timeout=_BATCH_SECONDS)
            if not rows:
                return 0
            held = _offboarding(await connection.fetchrow(_SQL["get"], tenant_id))
            totals = dict(held.deleted)
            for row in rows:
                totals[row["relation"]] = totals.get(row["relation"], 0) + row["deleted"]
            await connection.execute(_SQL["count_deleted"], tenant_id, json.dumps(totals, sort_keys=True))
        return sum(row["deleted"] for row in rows)

    async def count_executions(self, tenant_id: UUID, executions: int) -> None:
        """How many executions Temporal has of the tenant; the first count stays."""
        async with self._database.transaction(tenant_id) as connection:
            await connection.execute(_SQL["count_executions"], tenant_id, executions)

    async def issue(self, tenant_id: UUID, note: str, issued_at: datetime, digest: str, actor: str) -> None:
        """Keep the certificate, unless there is one; what the tenant was called goes with that."""
        async with self._database.transaction(tenant_id) as connection:
            await _lock(connection, tenant_id)
            if await connection.fetchval(_SQL["get_certificate"], tenant_id) is not None:
                return
            await connection.execute(_SQL["add_certificate"], tenant_id, issued_at, note)
            await connection.execute(_SQL["forget_label"], tenant_id)
            await append(connection, tenant_id, AuditKind.CERTIFICATE_ISSUED, actor, {"sha256": digest})

    async def certificate(self, tenant_id: UUID) -> str | None:
        """The signed note; None before it is issued."""
        async with self._database.transaction(tenant_id) as connection:
            return await connection.fetchval(_SQL["get_certificate"], tenant_id)

    async def find(self, tenant_id: UUID) -> Offboarding | None:
        """How far the tenant's offboarding is; None where there never was one."""
        async with self._database.transaction(tenant_id) as connection:
            row = await connection.fetchrow(_SQL["get"], tenant_id)
        return _offboarding(row) if row else None

    async def log_head(self, tenant_id: UUID) -> LogHead:
        """The end of the tenant's audit log."""
        async with self._database.transaction(tenant_id) as connection:
            row = await connection.fetchrow(_SQL["log_head"])
        assert row is not None  # noqa: S101  # the function always answers with one row
        return LogHead(row["seq"], row["hash"], row["at"])

    async def workflows(self, tenant_id: UUID) -> tuple[str, ...]:
        """The ids of the workflows that the database knows of."""
        async with self._database.transaction(tenant_id) as connection:
            rows = await connection.fetch(_SQL["workflows"], tenant_id)
        syncs = [sync_workflow_id(tenant_id, row["connection_id"]) for row in rows]
        backfills = [backfill_workflow_id(tenant_id, row["connection_id"], n) for row in rows for n in row["backfills"]]
        return (*syncs, *backfills)


async def _opened(connection: Transaction, held: Row | None, opening: tuple[UUID, UUID], seconds: float) -> Row | None:
    """The offboarding as this opening finds it, or makes it."""
    tenant_id, opening_id = opening
    openings: list[UUID] = held["openings"] if held is not None else []
    if held is None or (held["cancelled_at"] is not None and opening_id not in openings):
        return await connection.fetchrow(_SQL["request"], tenant_id, opening_id, seconds)
    if opening_id not in openings:
        return await connection.fetchrow(_SQL["take_over"], tenant_id, opening_id)
    _check(held, opening_id)
    return held


async def _hold(connection: Transaction, tenant_id: UUID, opening_id: UUID) -> Row:
    await _lock(connection, tenant_id)
    held = await connection.fetchrow(_SQL["get"], tenant_id)
    if held is None:
        raise OffboardingNotFound
    _check(held, opening_id)
    return held


def _check(held: Row, opening_id: UUID) -> None:
    if held["cancelled_at"] is not None or held["openings"][-1] != opening_id:
        raise StalePass(_OVERTAKEN)


async def _lock(connection: Transaction, tenant_id: UUID) -> datetime | None:
    """Become the only one who changes the tenant until the transaction ends; since when it is disabled."""
    row = await connection.fetchrow(_SQL["lock_tenant"], tenant_id)
    if row is None:
        raise TenantNotFound
    return row["disabled_at"]


def _offboarding(row: Row | None) -> Offboarding:
    if row is None:
        raise OffboardingNotFound
    return Offboarding(
        tenant_id=row["tenant_id"],
        openings=tuple(row["openings"]),
        requested_at=row["requested_at"],
        quarantine_until=row["quarantine_until"],
        cancelled_at=row["cancelled_at"],
        decided_at=row["decided_at"],
        effective_at=row["effective_at"],
        deleted=json.loads(row["deleted"]),
        executions=row["executions"],
    )
