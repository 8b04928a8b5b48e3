"""Backfills: complete listings beside live sync, in parts, each resumable to the page.

All that changes a backfill holds the lock of its connection's progress, as a live page does. Its pages observe at its
cutoff: after whatever was written before it was planned, before any page of a live pass that ran or began since.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final
from uuid import UUID, uuid4

from contactsync.activities.messages import (
    BackfillRef,
    BackfillResult,
    BackfillTicket,
    CloseBackfill,
    ConnectionRef,
    Counts,
    OpenBackfill,
    PageHead,
    PageResult,
    PartTicket,
)
from contactsync.activities.store.backfill_rows import (
    Backfill,
    NewBackfill,
    Planning,
    Work,
    backfill_of,
    counts_of,
    is_ended,
)
from contactsync.activities.store.changes import CleanChange
from contactsync.activities.store.committing import PageCommit, prepare
from contactsync.activities.store.cursors import renew_cursor
from contactsync.activities.store.epochs import hold_epochs, with_sealer
from contactsync.activities.store.guard import WORKER
from contactsync.activities.store.passes import lock_progress, lock_to_work, set_swept
from contactsync.activities.store.sweeping import Sweep, drop_stashes
from contactsync.activities.store.turns import check_follows
from contactsync.codecs.audit.log import AuditKind, append
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import BackfillNotFound, StalePass
from contactsync.postgres import Database, Row, Transaction, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/backfills.sql")
COMPLETED: Final = "completed"
_LISTED: Final = 100


class Backfills:
    """Requests, plans, commits and ends backfills, and tells how they go."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database = database
        self._ring = ring

    async def request(self, ref: ConnectionRef, new: NewBackfill, *, actor: str) -> Backfill:
        """A new backfill, or the one that is under way (`is_new` is false then, and `new` is not looked at).

        Raises:
            ConnectionNotFound, TenantDisabled, DatabaseError.
        """
        async with self._database.transaction(ref.tenant_id) as connection:
            await lock_to_work(connection, ref)
            place = (ref.tenant_id, ref.connection_id)
            backfill_id: UUID | None = await connection.fetchval(_SQL["under_way"], *place)
            is_new = backfill_id is None
            backfill_id = backfill_id or uuid4()
            if is_new:
                order = (new.since, new.rows_per_second, new.dry_run, new.window)
                await connection.execute(_SQL["request"], *place, backfill_id, *order)
                await _note(connection, AuditKind.BACKFILL_REQUESTED, _ref(ref, backfill_id), actor, {})
            row = await connection.fetchrow(_SQL["get"], *place, backfill_id, 1)
        return backfill_of(_found(row), is_new=is_new)

    async def list(self, ref: ConnectionRef) -> tuple[Backfill, ...]:
        """The backfills of a connection, the newest first."""
        return await self._get(ref, None, _LISTED)

    async def get(self, ref: ConnectionRef, backfill_id: UUID) -> Backfill:
        """One backfill.

        Raises:
            BackfillNotFound.
        """
        for backfill in await self._get(ref, backfill_id, 1):
            return backfill
        raise BackfillNotFound

    async def latest(self, ref: ConnectionRef) -> Backfill | None:
        """The newest backfill of a connection; None before the first."""
        return next(iter(await self._get(ref, None, 1)), None)

    async def _get(self, ref: ConnectionRef, backfill_id: UUID | None, limit: int) -> tuple[Backfill, ...]:
        async with self._database.transaction(ref.tenant_id) as connection:
            rows = await connection.fetch(_SQL["get"], ref.tenant_id, ref.connection_id, backfill_id, limit)
        return tuple(backfill_of(row) for row in rows)

    async def open(self, request: OpenBackfill) -> BackfillTicket:
        """Open a backfill for one workflow; with the same `opening_id` again, its ticket as it stands now.

        Another opening takes over: the epoch rises, and the parts stay where their last commits were. `parts` is empty
        until the backfill is planned.

        Raises:
            StalePass: another opening has taken over from this one.
            BackfillNotFound, ConnectionNotFound, TenantDisabled, DatabaseError.
        """
        async with self._database.transaction(request.tenant_id) as connection:
            await lock_to_work(connection, request)
            row = await _lock(connection, request)
            if request.opening_id in row["openings"][:-1]:
                raise StalePass
            if not is_ended(row) and request.opening_id not in row["openings"]:
                await connection.execute(_SQL["take_over"], request.tenant_id, request.backfill_id, request.opening_id)
            return await _ticket(connection, request)

    async def plan(
        self,
        ref: BackfillRef,
        epoch: int,
        cursors: Sequence[bytes | None],
        *,
        baseline: bytes | None = None,
        total: int | None = None,
    ) -> BackfillTicket:
        """Fix a backfill's parts, its cutoff and its generation; the first call wins, later ones answer the same.

        Args:
            ref: which.
            epoch: of the opening that plans.
            cursors: the source's own, of one part each; None: from the start. They are sealed here.
            baseline: the source's own cursor at its present, from which live sync goes on if it has none yet.
            total: contacts in all, where the source says so.

        Raises:
            StalePass: another opening has taken over.
            BackfillNotFound, ConnectionNotFound, TenantDisabled, KeysError, DatabaseError.
        """
        return await with_sealer(
            self._database,
            self._ring,
            ref.tenant_id,
            partial(self._plan, ref, epoch, cursors, baseline, total),
        )

    async def _plan(  # noqa: PLR0917  # as `plan`
        self,
        ref: BackfillRef,
        epoch: int,
        cursors: Sequence[bytes | None],
        baseline: bytes | None,
        total: int | None,
        sealer: TenantSealer,
    ) -> BackfillTicket:
        async with self._database.transaction(ref.tenant_id) as connection:
            await hold_epochs(connection, sealer)
            progress = await lock_to_work(connection, ref)
            row = await _lock(connection, ref)
            _check_epoch(row, epoch)
            if row["generation"] is None and not is_ended(row):
                planning = Planning(connection, sealer, row, progress)
                await planning.add_parts(cursors, total)
                await planning.set_baseline(baseline)
            return await _ticket(connection, ref)

    async def commit(self, head: PageHead, changes: Sequence[CleanChange]) -> PageResult:
        """Commit a page of a part (`head.part`) in one transaction, as `Contacts.commit` does a live one.

        The part's page that was committed last answers the same again. If a complete listing has swept since the page
        was fetched (`head.as_of`), nothing is written and the answer says `redo`. A dry run does all this and undoes
        what it did to contacts.

        Raises:
            StalePass: the page is not the next one of its part, another opening has taken over, or the backfill has
                ended; nothing was written.
            BackfillNotFound, ConnectionNotFound, TenantDisabled, KeysError, DatabaseError: nothing was written either.
        """
        if head.part is None:
            raise StalePass
        ref = _ref(head, head.part.backfill_id)
        return await with_sealer(
            self._database, self._ring, head.tenant_id, partial(self._commit, ref, head.part.part, head, changes)
        )

    async def _commit(
        self, ref: BackfillRef, part: int, head: PageHead, changes: Sequence[CleanChange], sealer: TenantSealer
    ) -> PageResult:
        page = prepare(sealer, head.connection_id, changes)
        head = head.model_copy(update={"cursor": renew_cursor(sealer, head.connection_id, head.cursor)})
        async with self._database.transaction(head.tenant_id) as connection:
            await hold_epochs(connection, sealer)
            progress = await lock_to_work(connection, head)
            work = Work(connection, await _lock(connection, ref), progress["hold_id"])
            earlier = await _answered(work, head, sealer)
            if earlier is not None:
                return earlier
            if head.as_of != progress["swept_generation"]:
                return PageResult(counts=Counts(), done=False, redo=True)
            guard = work.guard()
            async with work.undone_if_dry():
                counts = await PageCommit(connection, sealer, guard.stamp, guard).apply(page)
            counts = counts.model_copy(update={"pages": 1, "downloaded": head.downloaded})
            result = PageResult(counts=counts, done=head.done)
            await _advance(work, head, result)
            await work.count(counts, guard.tally, head.total)
            if not work.is_dry:
                detail = {"part": part, "page": head.page, **_counted(counts)}
                await _note(connection, AuditKind.PAGE_COMMITTED, ref, WORKER, detail)
        return result

    async def close(self, request: CloseBackfill) -> BackfillResult:
        """End a backfill; one that has ended already stays as it is.

        One that listed everything (no `since`, no dry run) and is `completed` sweeps, if the delete guard agrees: what
        it did not list, and nobody observed since its cutoff, is gone.

        Raises:
            StalePass: another opening has taken over, or `completed` is said of one with parts that are not done.
            BackfillNotFound, ConnectionNotFound, DatabaseError.
        """
        async with self._database.transaction(request.tenant_id) as connection:
            progress = await lock_progress(connection, request)
            row = await _lock(connection, request)
            if is_ended(row):
                return BackfillResult(outcome=row["state"], counts=counts_of(row))
            _check_epoch(row, request.epoch)
            work = Work(connection, row, progress["hold_id"])
            counts = await _complete(work, request) if request.outcome == COMPLETED else Counts()
            total = counts_of(row).plus(counts)
            await drop_stashes(connection, request, request.backfill_id)
            await connection.execute(_SQL["end"], request.tenant_id, request.backfill_id, request.outcome)
            detail = {"outcome": request.outcome, **_counted(total)}
            await _note(connection, AuditKind.BACKFILL_ENDED, request, WORKER, detail)
        return BackfillResult(outcome=request.outcome, counts=total)

    async def set_paused(self, ref: BackfillRef, paused: bool, *, actor: str) -> None:
        """Record that a backfill is paused, or no longer is; one that has ended is neither.

        Raises:
            BackfillNotFound, ConnectionNotFound, DatabaseError.
        """
        async with self._database.transaction(ref.tenant_id) as connection:
            await lock_progress(connection, ref)
            row = await _lock(connection, ref)
            if is_ended(row) or row["paused"] == paused:
                return
            await connection.execute(_SQL["set_paused"], ref.tenant_id, ref.backfill_id, paused)
            kind = AuditKind.BACKFILL_PAUSED if paused else AuditKind.BACKFILL_RESUMED
            await _note(connection, kind, ref, actor, {})


async def _lock(connection: Transaction, ref: BackfillRef) -> Row:
    row = await connection.fetchrow(_SQL["lock"], ref.tenant_id, ref.connection_id, ref.backfill_id)
    return _found(row)


def _found(row: Row | None) -> Row:
    if row is None:
        raise BackfillNotFound
    return row


def _check_epoch(row: Row, epoch: int) -> None:
    if row["epoch"] != epoch:
        raise StalePass


async def _ticket(connection: Transaction, ref: BackfillRef) -> BackfillTicket:
    row = await _lock(connection, ref)
    parts = await connection.fetch(_SQL["parts"], ref.tenant_id, ref.backfill_id)
    state = "paused" if row["paused"] else "running"
    return BackfillTicket(
        **_ref(ref, ref.backfill_id).model_dump(),
        epoch=row["epoch"],
        cutoff_epoch=row["cutoff"] or 0,
        parts=tuple(PartTicket(**dict(part)) for part in parts),
        window=row["parallel"],
        rows_per_second=row["rows_per_second"],
        state=row["state"] if is_ended(row) else state,
        counts=counts_of(row),
    )


async def _answered(work: Work, head: PageHead, sealer: TenantSealer) -> PageResult | None:
    """What the page was answered when it was committed; None if it is the next of its part.

    Raises:
        StalePass: it is neither, or was not fetched where the one before ends.
    """
    part = head.part
    if part is None or part.epoch != work.row["epoch"]:
        raise StalePass
    place = await work.connection.fetchrow(_SQL["part"], head.tenant_id, part.backfill_id, part.part)
    if place is None:
        raise StalePass
    if head.page == place["page"] and place["result"] is not None:
        return PageResult.model_validate_json(place["result"])
    if head.page != place["page"] + 1 or place["done"] or is_ended(work.row):
        raise StalePass
    check_follows(sealer, head, place["cursor"])
    return None


async def _advance(work: Work, head: PageHead, result: PageResult) -> None:
    part = head.part
    assert part is not None  # noqa: S101  # the caller's check
    place = (head.tenant_id, part.backfill_id, part.part)
    answer = result.model_dump_json()
    await work.connection.execute(_SQL["advance_part"], *place, head.page, head.cursor, head.done, answer)
    if head.done:
        await drop_stashes(work.connection, head, part.backfill_id, part.part)


async def _complete(work: Work, request: CloseBackfill) -> Counts:
    place = (request.tenant_id, request.backfill_id)
    if work.row["generation"] is None or await work.connection.fetchval(_SQL["unfinished"], *place):
        raise StalePass
    if work.is_dry or work.row["since"] is not None:
        return Counts()
    guard = work.guard()
    await set_swept(work.connection, request, guard.stamp.generation)
    counts = await Sweep(work.connection, guard.stamp, guard, until=guard.stamp.observed).run()
    await work.count(counts, guard.tally, None)
    return counts


async def _note(
    connection: Transaction, kind: AuditKind, ref: BackfillRef, actor: str, detail: dict[str, str | int]
) -> None:
    ids = {"connection": str(ref.connection_id), "backfill": str(ref.backfill_id)}
    await append(connection, ref.tenant_id, kind, actor, {**ids, **detail})


def _ref(ref: ConnectionRef, backfill_id: UUID) -> BackfillRef:
    return BackfillRef(tenant_id=ref.tenant_id, connection_id=ref.connection_id, backfill_id=backfill_id)


def _counted(counts: Counts) -> dict[str, str | int]:
    return {name: count for name, count in counts.model_dump().items() if count}
