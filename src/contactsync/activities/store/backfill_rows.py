"""A backfill as its rows say: what was asked for, how far it is, and under what it writes."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from contactsync.activities.messages import Counts
from contactsync.activities.store.cursors import Cursor, baseline_cursor, mask_of, part_cursor, seal_cursor
from contactsync.activities.store.directory import TenantPolicy
from contactsync.activities.store.guard import DeleteGuard, Tally
from contactsync.activities.store.merging import Stamp, cutoff_observation
from contactsync.codecs.rows import TenantSealer
from contactsync.postgres import Row, Transaction, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/backfills.sql")
_PASSES: Final = load_queries("contactsync.activities.store", "sql/passes.sql")


@dataclass(frozen=True, slots=True)
class NewBackfill:
    """What a backfill is asked to do.

    `since`: only contacts changed since then (it sweeps nothing then); `rows_per_second`: at most; `dry_run`: count
    what it would do, change nothing; `window`: how many parts are read side by side.
    """

    since: datetime | None = None
    rows_per_second: float | None = None
    dry_run: bool = False
    window: int = 4


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill. `number` counts those of its connection; `state` is `requested`, `running`, `paused`, `completed`,
    `cancelled`, or the code of the error that ended it; `total` is in contacts, where the source says so."""

    backfill_id: UUID
    tenant_id: UUID
    connection_id: UUID
    number: int
    state: str
    epoch: int
    since: datetime | None
    rows_per_second: float | None
    dry_run: bool
    window: int
    counts: Counts
    parts: int
    parts_done: int
    total: int | None
    requested_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    paused: bool
    is_new: bool = False

    @property
    def is_under_way(self) -> bool:
        """Whether it has not ended."""
        return self.ended_at is None


def is_ended(row: Row) -> bool:
    """Whether a backfill's row says that it is over."""
    return row["ended_at"] is not None


def counts_of(row: Row) -> Counts:
    """What a backfill's row says it did."""
    return Counts.model_validate_json(row["counts"])


def backfill_of(row: Row, *, is_new: bool = False) -> Backfill:
    """The backfill of a row of the query `get`."""
    return Backfill(
        backfill_id=row["backfill_id"],
        tenant_id=row["tenant_id"],
        connection_id=row["connection_id"],
        number=row["number"],
        state="paused" if row["paused"] else row["state"],
        epoch=row["epoch"],
        since=row["since"],
        rows_per_second=row["rows_per_second"],
        dry_run=row["dry_run"],
        window=row["parallel"],
        counts=counts_of(row),
        parts=row["parts"],
        parts_done=row["parts_done"],
        total=row["total"],
        requested_at=row["requested_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        paused=row["paused"],
        is_new=is_new,
    )


@dataclass(frozen=True, slots=True)
class Work:
    """A planned backfill inside the transaction that holds its connection's lock."""

    connection: Transaction
    row: Row
    hold_id: UUID | None

    @property
    def is_dry(self) -> bool:
        """Whether it only counts."""
        return self.row["dry_run"]

    def guard(self) -> DeleteGuard:
        """The delete guard of the backfill, with the stamp it writes under."""
        row, counts = self.row, counts_of(self.row)
        stamp = Stamp(
            tenant_id=row["tenant_id"],
            connection_id=row["connection_id"],
            writer_id=row["backfill_id"],
            observed=cutoff_observation(row["cutoff"]),
            generation=row["generation"],
        )
        # what a dry run added is not there to be counted
        added = counts.deleted if self.is_dry else counts.added
        tally = Tally(added, counts.deleted, row["merged"], counts.held, row["live"])
        policy = TenantPolicy.model_validate_json(row["policy"])
        return DeleteGuard(self.connection, stamp, policy, tally, self.hold_id)

    @asynccontextmanager
    async def undone_if_dry(self) -> AsyncGenerator[None]:
        """What is done inside is taken back if this is a dry run."""
        attempt = self.connection.transaction()
        await attempt.start()
        try:
            yield
        except BaseException:
            await attempt.rollback()
            raise
        await (attempt.rollback() if self.is_dry else attempt.commit())

    async def count(self, counts: Counts, tally: Tally, total: int | None) -> None:
        """Add what was done to what the backfill has done."""
        sum_so_far = counts_of(self.row).plus(counts).model_dump_json()
        place = (self.row["tenant_id"], self.row["backfill_id"])
        await self.connection.execute(_SQL["count"], *place, sum_so_far, tally.merged, tally.live, total)


@dataclass(frozen=True, slots=True)
class Planning:
    """A backfill that is planned, inside the transaction that holds its connection's lock."""

    connection: Transaction
    sealer: TenantSealer
    row: Row
    progress: Row

    async def add_parts(self, cursors: Sequence[bytes | None], total: int | None) -> None:
        """Fix its parts, its cutoff and its generation."""
        place = (self.row["tenant_id"], self.row["backfill_id"])
        # a pass that is open may have read already what this backfill has yet to read: its pages must win
        cutoff = self.progress["epoch"] - 1 if self.progress["open"] else self.progress["epoch"]
        await self.connection.execute(_SQL["plan"], *place, cutoff, await self._generation(), total)
        sealed = [None if cursor is None else self._sealed(part_cursor(cursor, self._mask)) for cursor in cursors]
        await self.connection.execute(_SQL["add_parts"], *place, sealed)

    async def set_baseline(self, baseline: bytes | None) -> None:
        """Live sync goes on from there, if it has no cursor yet and this backfill brings all that was before."""
        if baseline is None or self.row["dry_run"] or self.row["since"] is not None:
            return
        sealed = self._sealed(baseline_cursor(baseline, self._mask, self.row["at"].timestamp()))
        await self.connection.execute(_SQL["set_baseline"], *self._ref, sealed)

    async def _generation(self) -> int:
        if self.row["dry_run"]:
            return self.progress["generation"] + 1  # nothing is written under it
        return await self.connection.fetchval(_PASSES["next_generation"], *self._ref)

    def _sealed(self, cursor: Cursor) -> bytes:
        return seal_cursor(self.sealer, self.row["connection_id"], cursor)

    @property
    def _ref(self) -> tuple[UUID, UUID]:
        return self.row["tenant_id"], self.row["connection_id"]

    @property
    def _mask(self) -> str:
        policy = TenantPolicy.model_validate_json(self.row["policy"])
        return mask_of(policy.fields, policy.default_region)
