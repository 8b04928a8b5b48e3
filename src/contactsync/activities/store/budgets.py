"""Request budgets of provider accounts, shared by all workers: who may fetch now, and who waits for how long.

Nobody sleeps here: who has to wait is told for how long, and the workflow's timer does the rest.
"""

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter

from contactsync.activities.messages import ConnectionRef
from contactsync.activities.sources.limits import RequestLimits
from contactsync.activities.sources.meter import Meter
from contactsync.activities.store.budget_rules import (
    HeldWindow,
    Lane,
    Ledger,
    Queue,
    charged,
    learned,
    refreshed,
    wait_seconds,
)
from contactsync.codecs.rows import TenantSealer
from contactsync.postgres import Database, Row, Transaction, load_queries

__all__ = ["Allowance", "BudgetState", "Budgets", "Call", "Lane", "budget_account"]

_SQL: Final = load_queries("contactsync.activities.store", "sql/budgets.sql")

LEASE_SECONDS: Final = 330.0
"""Longer than an attempt of a fetch may take: what is held longer belongs to a worker that is dead."""

GRACE_SECONDS: Final = 30.0
"""Who does not come back so long after its time has lost its place in the queue."""

SOON_SECONDS: Final = 1.0
_RESERVED: Final = 1
"""Requests that are charged when a fetch goes; the rest is charged when it ends."""

_windows = TypeAdapter(tuple[HeldWindow, ...])


@dataclass(frozen=True, slots=True)
class Call:
    """A fetch that asks to go. `account` is from `budget_account`; `lease` names the fetch (ids and numbers only): an
    attempt that comes after a dead one uses the same."""

    ref: ConnectionRef
    account: bytes = field(repr=False)
    limits: RequestLimits
    lane: Lane
    lease: str


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a fetch has of its account, while it holds its lease; `meter` counts what it asks."""

    budgets: "Budgets"
    call: Call
    meter: Meter

    async def goes_on(self) -> bool:
        """See `Budgets.go_on`."""
        return await self.budgets.go_on(self.call, self.meter)


@dataclass(frozen=True, slots=True)
class BudgetState:
    """An account's budget for people. `tokens`: requests that may be sent at once (None: no rate is set; below 0:
    debt); `live`, `backfill`: fetches under way; `waiting`: fetches that wait; `tenant_fetches`: under way in all."""

    tokens: float | None
    live: int
    backfill: int
    waiting: int
    tenant_fetches: int
    day: date | None
    day_requests: int
    blocked_until: datetime | None
    windows: tuple[HeldWindow, ...]


class Budgets:
    """Gives out leases and keeps the accounts. `tenant_pages`: fetches of one tenant at the same time, everywhere."""

    def __init__(self, database: Database, tenant_pages: int) -> None:
        self._database = database
        self._tenant_pages = tenant_pages

    async def take(self, call: Call) -> float:
        """0.0: the fetch may go and holds a lease; else seconds to wait, and nothing is held.

        The same lease again is the same lease: nothing is charged twice.

        Raises:
            DatabaseError.
        """
        async with self._database.transaction(call.ref.tenant_id) as connection:
            await connection.execute(_SQL["lock_tenant"], call.ref.tenant_id)
            row = await _standing(connection, call)
            ledger = refreshed(_ledger(row), call.limits, row["now"])
            if not row["mine"]:
                wait = self._wait(row, ledger, call)
                if wait > 0:
                    await connection.execute(_SQL["wait"], *_named(call), wait)
                    return wait
                if _is_counted(row, call.limits):
                    await _save(connection, call, charged(ledger, call.lane, _RESERVED))
            await connection.execute(_SQL["hold"], *_named(call), LEASE_SECONDS)
        return 0.0

    async def settle(self, call: Call, meter: Meter) -> float:
        """The fetch has ended, well or not: its lease is given back, its requests are charged (into debt, if need be),
        and what the answers said of limits is kept.

        Returns the seconds for which the account is to be left alone, 0.0 if it is not.

        Raises:
            DatabaseError.
        """
        async with self._database.transaction(call.ref.tenant_id) as connection:
            if call.limits.are_none and not meter.windows() and meter.refused_for <= 0:
                await connection.execute(_SQL["give_back_only"], call.ref.tenant_id, call.lease, call.account)
                return 0.0
            await connection.execute(_SQL["lock_tenant"], call.ref.tenant_id)
            row = await _standing(connection, call)
            held = await connection.fetchval(_SQL["give_back"], call.ref.tenant_id, call.lease)
            ledger = _spent(row, call, meter, _RESERVED if held else 0)
            await _save(connection, call, ledger)
        if ledger.blocked_until is None:
            return 0.0
        return (ledger.blocked_until - ledger.counted_at).total_seconds()

    async def go_on(self, call: Call, meter: Meter) -> bool:
        """Whether a fetch that holds its lease may send a further request: as if it asked only now, behind all who
        wait. What it has sent is charged then, and one more.

        Raises:
            DatabaseError.
        """
        if meter.refused_for > 0:
            return False
        if call.limits.are_none and not meter.windows():
            return True
        async with self._database.transaction(call.ref.tenant_id) as connection:
            await connection.execute(_SQL["lock_tenant"], call.ref.tenant_id)
            row = await _standing(connection, call, anew=True)
            ledger = _spent(row, call, meter, _RESERVED)
            if self._wait(row, ledger, call) > 0:
                return False
            await _save(connection, call, charged(ledger, call.lane, _RESERVED))
        meter.paid = meter.requests
        return True

    async def of(self, ref: ConnectionRef, account: bytes, limits: RequestLimits | None = None) -> BudgetState:
        """An account's budget as it stands; without `limits` as it stood when it was last used.

        Raises:
            DatabaseError.
        """
        async with self._database.transaction(ref.tenant_id) as connection:
            row = await connection.fetchrow(_SQL["state"], ref.tenant_id, account, GRACE_SECONDS)
        assert row is not None  # noqa: S101  # the query always answers with one row
        ledger = refreshed(_ledger(row), limits, row["now"]) if limits else _ledger(row)
        is_blocked = ledger.blocked_until is not None and ledger.blocked_until > row["now"]
        return BudgetState(
            tokens=ledger.tokens,
            live=row["live"],
            backfill=row["backfill"],
            waiting=row["waiting"],
            tenant_fetches=row["tenant_held"],
            day=ledger.day,
            day_requests=ledger.day_requests,
            blocked_until=ledger.blocked_until if is_blocked else None,
            windows=tuple(window for window in ledger.windows if window.resets_at > row["now"]),
        )

    def _wait(self, row: Row, ledger: Ledger, call: Call) -> float:
        account = Queue(row["held"], row["backfill"], row["ahead"], row["due"])
        tenant = Queue(row["tenant_held"], row["tenant_backfill"], row["tenant_ahead"], row["tenant_due"])
        return wait_seconds(ledger, call.limits, call.lane, account=account, tenant=tenant, pages=self._tenant_pages)


def budget_account(sealer: TenantSealer, connection_id: UUID, account: str) -> bytes:
    """The keyed digest by which an account's budget is kept; "" stands for the connection's own."""
    return sealer.index("account", f"account\0{account}" if account else f"connection\0{connection_id}")


def _spent(row: Row, call: Call, meter: Meter, reserved: int) -> Ledger:
    """The account after what a fetch has sent, of which so much was charged when it went."""
    unpaid = meter.requests - meter.paid - reserved
    ledger = charged(refreshed(_ledger(row), call.limits, row["now"]), call.lane, unpaid)
    return learned(ledger, meter, call.limits)


async def _standing(connection: Transaction, call: Call, *, anew: bool = False) -> Row:
    """Where a fetch stands; `anew`: as if it had never asked before."""
    row = await connection.fetchrow(
        _SQL["standing"],
        call.ref.tenant_id,
        call.account,
        call.lease,
        call.lane.value,
        GRACE_SECONDS,
        SOON_SECONDS,
        anew,
    )
    assert row is not None  # noqa: S101  # the query always answers with one row
    return row


def _named(call: Call) -> tuple[UUID, str, UUID, bytes, str]:
    return call.ref.tenant_id, call.lease, call.ref.connection_id, call.account, call.lane.value


def _is_counted(row: Row, limits: RequestLimits) -> bool:
    return bool(row["known"]) or limits.per_second is not None or limits.daily is not None


def _ledger(row: Row) -> Ledger:
    if row["counted_at"] is None:
        return Ledger(counted_at=row["now"])
    return Ledger(
        counted_at=row["counted_at"],
        tokens=row["tokens"],
        backfill_tokens=row["backfill_tokens"],
        day=row["day"],
        day_requests=row["day_requests"],
        windows=_windows.validate_json(row["windows"]),
        blocked_until=row["blocked_until"],
        refusals=row["refusals"],
    )


async def _save(connection: Transaction, call: Call, ledger: Ledger) -> None:
    await connection.execute(
        _SQL["save_budget"],
        call.ref.tenant_id,
        call.account,
        ledger.tokens,
        ledger.backfill_tokens,
        ledger.counted_at,
        ledger.day,
        ledger.day_requests,
        json.dumps([window.model_dump(mode="json") for window in ledger.windows]),
        ledger.blocked_until,
        ledger.refusals,
    )
