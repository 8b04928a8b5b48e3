"""The activities of a backfill as a whole; those of its pages are `page_steps`."""

from dataclasses import dataclass, field
from uuid import UUID

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.messages import (
        CLOSE_BACKFILL,
        OPEN_BACKFILL,
        SET_BACKFILL_PAUSED,
        BackfillRef,
        BackfillResult,
        BackfillTicket,
        CloseBackfill,
        OpenBackfill,
        PartRef,
        SetBackfillPaused,
    )
    from contactsync.workflows.page_steps import (
        BACKFILL_PRIORITY,
        HEARTBEAT,
        LISTING,
        PAGE,
        QUICK,
        RETRY,
        SOURCE_DOWN_AT_MOST,
        PageSteps,
        priority_of,
    )
    from contactsync.workflows.task_room import TaskRoom


@dataclass(frozen=True, slots=True)
class BackfillSteps:
    """The activities of one backfill."""

    ref: BackfillRef
    room: TaskRoom = field(default_factory=TaskRoom)

    def pages(self, ticket: BackfillTicket, part: int) -> PageSteps:
        """The activities of a part's pages."""
        ref = PartRef(backfill_id=self.ref.backfill_id, epoch=ticket.epoch, part=part)
        return PageSteps(self.ref.tenant_id, self.ref.connection_id, ticket.cutoff_epoch, self.room, part=ref)

    async def open(self, opening_id: UUID, *, plan: bool) -> BackfillTicket:
        """See `Backfilling.open_backfill`."""
        return await workflow.execute_activity(
            OPEN_BACKFILL,
            OpenBackfill(**self.ref.model_dump(), opening_id=opening_id, plan=plan),
            result_type=BackfillTicket,
            start_to_close_timeout=PAGE,
            schedule_to_close_timeout=SOURCE_DOWN_AT_MOST,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            priority=priority_of(self.ref.tenant_id, BACKFILL_PRIORITY),
        )

    async def close(self, epoch: int, outcome: str) -> BackfillResult:
        """See `Backfilling.close_backfill`."""
        return await workflow.execute_activity(
            CLOSE_BACKFILL,
            CloseBackfill(**self.ref.model_dump(), epoch=epoch, outcome=outcome),
            result_type=BackfillResult,
            start_to_close_timeout=LISTING,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            priority=priority_of(self.ref.tenant_id, BACKFILL_PRIORITY),
        )

    async def record_pause(self, *, paused: bool) -> None:
        """See `Backfilling.set_backfill_paused`."""
        await workflow.execute_activity(
            SET_BACKFILL_PAUSED,
            SetBackfillPaused(**self.ref.model_dump(), paused=paused),
            start_to_close_timeout=QUICK,
            retry_policy=RETRY,
            priority=priority_of(self.ref.tenant_id, BACKFILL_PRIORITY),
        )
