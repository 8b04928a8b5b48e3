"""Passes: who may write a connection's contacts, how far it has come, and what each pass did."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from contactsync.activities.messages import (
    ClosePass,
    ConnectionRef,
    Counts,
    OpenPass,
    PageHead,
    PageResult,
    PassResult,
    PassTicket,
)
from contactsync.activities.store.directory import TenantPolicy
from contactsync.activities.store.guard import Tally
from contactsync.errors import ConnectionNotFound, StalePass, TenantDisabled
from contactsync.postgres import Database, Row, Transaction, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/passes.sql")

COMPLETED: Final = "completed"
"""The outcome of a pass that reached the source's present."""
SUPERSEDED: Final = "superseded"
"""The outcome of a pass that was still open when the next one began."""


@dataclass(frozen=True, slots=True)
class PassRecord:
    """A pass in the history; one that runs has neither `ended_at` nor `outcome`."""

    pass_id: UUID
    epoch: int
    counts: Counts
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None

    def result(self) -> PassResult | None:
        """The pass as a message; None while it runs."""
        if self.ended_at is None or self.outcome is None:
            return None
        return PassResult(
            pass_id=self.pass_id,
            outcome=self.outcome,
            counts=self.counts,
            started_at=self.started_at.timestamp(),
            ended_at=self.ended_at.timestamp(),
        )


@dataclass(frozen=True, slots=True)
class ConnectionProgress:
    """Where a connection stands. `started`: it has a cursor; `listing`: that is inside a complete listing;
    `generation`: the last number given to a complete listing; `completed_at`: when it last reached the source's
    present."""

    epoch: int
    page: int
    open: bool
    started: bool
    listing: bool
    generation: int
    paused: str | None
    completed_at: datetime | None


class Passes:
    """Opens and closes passes, and tells how they went."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, request: OpenPass) -> PassTicket:
        """Open a pass; with the same `pass_id` again, it is the same pass and the same ticket.

        A new one takes over: the epoch rises, the page starts at 0, and the cursor stays, so that what replaces a
        terminated workflow goes on where that one was.

        Raises:
            StalePass: another pass has taken over from this one.
            ConnectionNotFound, TenantDisabled.
        """
        async with self._database.transaction(request.tenant_id) as connection:
            progress = await lock_to_work(connection, request)
            if progress["pass_id"] == request.pass_id:
                return _ticket(request, progress, progress["epoch"], progress["page"])
            if await connection.fetchval(_SQL["pass_known"], request.tenant_id, request.pass_id):
                raise StalePass
            epoch = await _take_over(connection, request)
            return _ticket(request, progress, epoch, 0)

    async def close(self, request: ClosePass) -> PassResult:
        """End a pass that did not end by itself; one that has ended already stays as it is.

        Raises:
            StalePass: there is no such pass.
            ConnectionNotFound.
        """
        ref = (request.tenant_id, request.connection_id)
        async with self._database.transaction(request.tenant_id) as connection:
            progress = await lock_progress(connection, request)
            if progress["pass_id"] == request.pass_id and progress["open"]:
                await connection.execute(_SQL["end_open"], *ref, request.outcome)
                await connection.execute(_SQL["shut"], *ref, request.pass_id)
            row = await connection.fetchrow(_SQL["get_pass"], *ref, request.pass_id)
        result = _record(row).result() if row else None
        if result is None:
            raise StalePass
        return result

    async def latest(self, ref: ConnectionRef) -> PassRecord | None:
        """The newest pass of a connection, running or ended; None before the first."""
        return next(iter(await self.history(ref, limit=1)), None)

    async def history(self, ref: ConnectionRef, *, limit: int = 20) -> tuple[PassRecord, ...]:
        """The newest passes, the newest first."""
        async with self._database.transaction(ref.tenant_id) as connection:
            rows = await connection.fetch(_SQL["history"], ref.tenant_id, ref.connection_id, limit)
        return tuple(_record(row) for row in rows)

    async def progress(self, ref: ConnectionRef) -> ConnectionProgress:
        """Where a connection stands.

        Raises:
            ConnectionNotFound.
        """
        async with self._database.transaction(ref.tenant_id) as connection:
            row = await connection.fetchrow(_SQL["get_progress"], ref.tenant_id, ref.connection_id)
        if row is None:
            raise ConnectionNotFound
        return ConnectionProgress(
            epoch=row["epoch"],
            page=row["page"],
            open=row["open"],
            started=row["started"],
            listing=row["cursor_full"],
            generation=row["generation"],
            paused=row["paused"],
            completed_at=row["completed_at"],
        )

    async def next_generation(self, ref: ConnectionRef) -> int:
        """A number for a complete listing that starts now; later ones are greater, and none is given out twice.

        Raises:
            ConnectionNotFound.
        """
        return await self._number("next_generation", ref)

    async def swept_generation(self, ref: ConnectionRef) -> int:
        """The generation that swept last (0: none): a backfill's page is committed only while it is still that one.

        Raises:
            ConnectionNotFound.
        """
        return await self._number("swept_generation", ref)

    async def _number(self, query: str, ref: ConnectionRef) -> int:
        async with self._database.transaction(ref.tenant_id) as connection:
            number: int | None = await connection.fetchval(_SQL[query], ref.tenant_id, ref.connection_id)
        if number is None:
            raise ConnectionNotFound
        return number


async def lock_progress(connection: Transaction, ref: ConnectionRef) -> Row:
    """Become the connection's only writer until the transaction ends; returns where it stands.

    Raises:
        ConnectionNotFound.
    """
    row = await connection.fetchrow(_SQL["lock_progress"], ref.tenant_id, ref.connection_id)
    if row is None:
        raise ConnectionNotFound
    return row


async def lock_to_work(connection: Transaction, ref: ConnectionRef) -> Row:
    """`lock_progress`, to begin something or to write a contact.

    Raises:
        ConnectionNotFound, TenantDisabled.
    """
    row = await lock_progress(connection, ref)
    if row["disabled_at"] is not None:
        raise TenantDisabled
    return row


async def pass_so_far(connection: Transaction, ref: ConnectionRef, pass_id: UUID) -> tuple[TenantPolicy, Tally]:
    """What the delete guard goes by: the tenant's policy, and what the pass has done until now.

    Raises:
        StalePass: there is no such pass.
    """
    row = await connection.fetchrow(_SQL["tally"], ref.tenant_id, pass_id)
    if row is None:
        raise StalePass
    tally = Tally(row["added"], row["deleted"], row["merged"], row["held"], row["live"])
    return TenantPolicy.model_validate_json(row["policy"]), tally


async def set_swept(connection: Transaction, ref: ConnectionRef, generation: int) -> None:
    """A complete listing of this generation has said what is there."""
    await connection.execute(_SQL["set_swept"], ref.tenant_id, ref.connection_id, generation)


async def advance(connection: Transaction, head: PageHead, pass_id: UUID, result: PageResult, tally: Tally) -> None:
    """Make a committed page the connection's place, and add its counts to its pass."""
    counts = result.counts
    await connection.execute(
        _SQL["advance"],
        head.tenant_id,
        head.connection_id,
        head.page,
        head.cursor,
        head.full and not head.done,
        head.generation,
        result.model_dump_json(),
        head.done,
    )
    await connection.execute(
        _SQL["count_page"],
        head.tenant_id,
        pass_id,
        counts.pages,
        counts.downloaded,
        counts.added,
        counts.updated,
        counts.unchanged,
        counts.deleted,
        counts.quarantined,
        counts.held,
        tally.merged,
        tally.live,
        head.done,
    )


async def _take_over(connection: Transaction, request: OpenPass) -> int:
    ref = (request.tenant_id, request.connection_id)
    await connection.execute(_SQL["end_open"], *ref, SUPERSEDED)
    epoch = await connection.fetchval(_SQL["take_over"], *ref, request.pass_id)
    await connection.execute(_SQL["add_pass"], request.tenant_id, request.pass_id, request.connection_id, epoch)
    return epoch


def _ticket(request: OpenPass, progress: Row, epoch: int, page: int) -> PassTicket:
    return PassTicket(
        tenant_id=request.tenant_id,
        connection_id=request.connection_id,
        pass_id=request.pass_id,
        epoch=epoch,
        page=page,
        cursor=progress["cursor"],
        interval_seconds=progress["interval_seconds"],
        jitter_seconds=progress["jitter_seconds"],
        paused=progress["paused"],
        holding=progress["hold_id"] is not None,
    )


def _record(row: Row) -> PassRecord:
    return PassRecord(
        pass_id=row["pass_id"],
        epoch=row["epoch"],
        counts=Counts(**{name: row[name] for name in Counts.model_fields}),
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        outcome=row["outcome"],
    )
