"""The activities of a backfill as a whole: open and plan it, record a pause, close it. Its pages go the way of all."""

from dataclasses import dataclass

from temporalio import activity

from contactsync.activities.heartbeat import heartbeating
from contactsync.activities.messages import (
    CLOSE_BACKFILL,
    OPEN_BACKFILL,
    SET_BACKFILL_PAUSED,
    BackfillRef,
    BackfillResult,
    BackfillTicket,
    CloseBackfill,
    ConnectionRef,
    OpenBackfill,
    PartRef,
    SetBackfillPaused,
)
from contactsync.activities.reaching import Reach
from contactsync.activities.sources.meter import Meter
from contactsync.activities.sources.registry import account_of, limits_of
from contactsync.activities.store.backfills import Backfills
from contactsync.activities.store.budgets import Budgets, Call, Lane, budget_account
from contactsync.activities.store.contacts import WORKER
from contactsync.activities.store.directory import Connection, Directory
from contactsync.errors import SourceThrottled

_RUNNING = "running"
_NO_PART = 0
"""Planning is no work on a part, but what a source stashes meanwhile is the backfill's all the same."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a source says of itself: where its present is, and the cursors of its parts."""

    baseline: bytes | None
    parts: tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class Backfilling:
    """What these activities work with."""

    backfills: Backfills
    directory: Directory
    reach: Reach
    budgets: Budgets

    @activity.defn(name=OPEN_BACKFILL)
    async def open_backfill(self, request: OpenBackfill) -> BackfillTicket:
        """Open a backfill, and have its source name the parts of its listing unless that was done.

        Raises:
            StalePass: another opening has taken over.
            SourceError, KeysError, DatabaseError, BackfillNotFound, ConnectionNotFound: each with its retry verdict.
        """
        async with heartbeating():
            ticket = await self.backfills.open(request)
            if ticket.parts or ticket.state != _RUNNING or not request.plan:
                return ticket
            return await self._plan(ticket)

    @activity.defn(name=SET_BACKFILL_PAUSED)
    async def set_backfill_paused(self, request: SetBackfillPaused) -> None:
        """Record in the database that the backfill is paused, or no longer is."""
        await self.backfills.set_paused(request, request.paused, actor=WORKER)

    @activity.defn(name=CLOSE_BACKFILL)
    async def close_backfill(self, request: CloseBackfill) -> BackfillResult:
        """End a backfill; one that has listed everything sweeps. One that has ended already stays as it is.

        Raises:
            StalePass: another opening has taken over.
            DatabaseError, BackfillNotFound, ConnectionNotFound.
        """
        async with heartbeating():
            return await self.backfills.close(request)

    async def _plan(self, ticket: BackfillTicket) -> BackfillTicket:
        connection = await self.directory.get_connection(ticket.connection_id, ticket.tenant_id)
        call, meter = await self._call(connection, ticket), Meter()
        wait = await self.budgets.take(call)
        if wait > 0:
            raise SourceThrottled(after_seconds=wait)
        try:
            plan = await self._ask(connection, ticket, meter)
        finally:
            await self.budgets.settle(call, meter)
        return await self.backfills.plan(_ref(ticket), ticket.epoch, plan.parts, baseline=plan.baseline)

    async def _ask(self, connection: Connection, ticket: BackfillTicket, meter: Meter) -> Plan:
        tenant = await self.directory.get_tenant(ticket.tenant_id)
        since = (await self.backfills.get(ticket, ticket.backfill_id)).since
        part = PartRef(backfill_id=ticket.backfill_id, epoch=ticket.epoch, part=_NO_PART)
        async with self.reach.source(connection, tenant.policy.fields, meter, part=part) as source:
            # the present first: what changes from here on is live sync's
            baseline = await source.baseline()
            parts = await source.partitions(since.timestamp() if since else None)
        return Plan(baseline, parts or (None,))

    async def _call(self, connection: Connection, ticket: BackfillTicket) -> Call:
        sealer = await self.reach.ring.tenant_sealer(ticket.tenant_id)
        account = account_of(connection.kind, connection.settings)
        return Call(
            ConnectionRef(tenant_id=ticket.tenant_id, connection_id=ticket.connection_id),
            budget_account(sealer, ticket.connection_id, account),
            limits_of(connection.kind, connection.settings),
            Lane.BACKFILL,
            f"{ticket.connection_id}/plan/{ticket.backfill_id}/{ticket.epoch}",
        )


def _ref(ticket: BackfillTicket) -> BackfillRef:
    return BackfillRef(tenant_id=ticket.tenant_id, connection_id=ticket.connection_id, backfill_id=ticket.backfill_id)
