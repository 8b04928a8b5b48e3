"""The activities that write: open a pass, upsert a page, close a pass, record a pause, decide about held deletions."""

from dataclasses import dataclass
from uuid import UUID

from temporalio import activity

from contactsync.activities.heartbeat import heartbeating
from contactsync.activities.messages import (
    CLOSE_PASS,
    DECIDE_DELETES,
    OPEN_PASS,
    SET_PAUSED,
    UPSERT_IN_TURN,
    UPSERT_PAGE,
    CleanPage,
    ClosePass,
    DecideDeletes,
    DeletesDecided,
    OpenPass,
    PageResult,
    PassTicket,
    SetPaused,
)
from contactsync.activities.pages import clean_changes, load_clean
from contactsync.activities.store.backfills import Backfills
from contactsync.activities.store.contacts import WORKER, Contacts
from contactsync.activities.store.directory import Directory
from contactsync.activities.store.holds import Holds
from contactsync.activities.store.passes import Passes
from contactsync.codecs.payloads.staging import Stage, StagedRun


@dataclass(frozen=True, slots=True)
class Storing:
    """What the writing activities work with. `stage`: where large payloads stand, if anywhere but in the history."""

    contacts: Contacts
    passes: Passes
    directory: Directory
    backfills: Backfills
    holds: Holds
    stage: Stage | None = None

    @activity.defn(name=OPEN_PASS)
    async def open_pass(self, request: OpenPass) -> PassTicket:
        """Open a pass, or find the one that the same `pass_id` opened before.

        Raises:
            StalePass: a newer pass has taken over.
            ConnectionNotFound, DatabaseError.
        """
        ticket = await self.passes.open(request)
        holding = await self.holds.open_hold(request) is not None
        if self.stage is not None:
            await self.stage.drop_earlier_runs(_this_run(request.tenant_id))
        return ticket.model_copy(update={"holding": holding, "stages": self.stage is not None})

    @activity.defn(name=UPSERT_PAGE)
    async def upsert_page(self, page: CleanPage) -> PageResult:
        """Commit a page: rows, tombstones, cursor, counters and audit entry in one transaction.

        Raises:
            StalePass: a newer pass, or opening of a backfill, has taken over; nothing was written.
            PageUnreadable, DatabaseError, KeysError.
        """
        family = self.contacts if page.head.part is None else self.backfills
        async with heartbeating():
            return await family.commit(page.head, clean_changes(load_clean(page.body)))

    @activity.defn(name=UPSERT_IN_TURN)
    async def upsert_in_turn(self, page: CleanPage) -> PageResult:
        """`upsert_page` of a live page while the page before is under way: made ready meanwhile, committed after it.

        A name of its own, since workers that do not know it leave it to those that do.
        """
        async with heartbeating():
            return await self.contacts.commit_in_turn(page.head, clean_changes(load_clean(page.body)))

    @activity.defn(name=CLOSE_PASS)
    async def close_pass(self, request: ClosePass) -> None:
        """Record that a pass ended before its end; what it committed stays, and the next pass goes on from there."""
        await self.passes.close(request)

    @activity.defn(name=SET_PAUSED)
    async def set_paused(self, request: SetPaused) -> None:
        """Record in the database that the connection is paused, or no longer is."""
        await self.directory.set_paused(request.tenant_id, request.connection_id, request.paused, actor=WORKER)

    @activity.defn(name=DECIDE_DELETES)
    async def decide_deletes(self, request: DecideDeletes) -> DeletesDecided:
        """Delete what is held back, or keep it; the same decision again has the same answer.

        Raises:
            HoldNotFound: there is no such hold, or it was decided otherwise.
            ConnectionNotFound, DatabaseError.
        """
        async with heartbeating():
            return await self.holds.decide(request)


def _this_run(tenant_id: UUID) -> StagedRun:
    info = activity.info()
    assert info.workflow_id is not None  # noqa: S101  # these activities belong to workflows
    assert info.workflow_run_id is not None  # noqa: S101
    return StagedRun(tenant_id, info.workflow_id, UUID(info.workflow_run_id))
