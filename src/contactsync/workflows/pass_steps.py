"""The activities of a pass as a whole; those of its pages are `page_steps`."""

from dataclasses import dataclass, field
from uuid import UUID

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.messages import (
        CLOSE_PASS,
        DECIDE_DELETES,
        OPEN_PASS,
        SET_PAUSED,
        ClosePass,
        DecideDeletes,
        DeleteDecision,
        DeletesDecided,
        OpenPass,
        PassTicket,
        SetPaused,
    )
    from contactsync.workflows.page_steps import (
        HEARTBEAT,
        LISTING,
        LIVE_PRIORITY,
        PEOPLE_PRIORITY,
        QUICK,
        RETRY,
        PageSteps,
        priority_of,
    )
    from contactsync.workflows.task_room import TaskRoom


@dataclass(frozen=True, slots=True)
class Steps:
    """The activities of one connection."""

    tenant_id: UUID
    connection_id: UUID
    room: TaskRoom = field(default_factory=TaskRoom)

    def pages(self, ticket: PassTicket, *, thorough: bool) -> PageSteps:
        """The activities of the pass's pages."""
        return PageSteps(self.tenant_id, self.connection_id, ticket.epoch, self.room, thorough=thorough)

    async def open(self, pass_id: UUID) -> PassTicket:
        """Open a pass; see `Storing.open_pass`."""
        request = OpenPass(tenant_id=self.tenant_id, connection_id=self.connection_id, pass_id=pass_id)
        return await workflow.execute_activity(
            OPEN_PASS,
            request,
            result_type=PassTicket,
            start_to_close_timeout=QUICK,
            retry_policy=RETRY,
            priority=priority_of(self.tenant_id, LIVE_PRIORITY),
        )

    async def close(self, ticket: PassTicket, outcome: str) -> None:
        """See `Storing.close_pass`."""
        request = ClosePass(
            tenant_id=self.tenant_id,
            connection_id=self.connection_id,
            pass_id=ticket.pass_id,
            epoch=ticket.epoch,
            outcome=outcome,
        )
        await workflow.execute_activity(
            CLOSE_PASS,
            request,
            start_to_close_timeout=QUICK,
            retry_policy=RETRY,
            priority=priority_of(self.tenant_id, LIVE_PRIORITY),
        )

    async def record_pause(self, paused: str | None) -> None:
        """See `Storing.set_paused`."""
        request = SetPaused(tenant_id=self.tenant_id, connection_id=self.connection_id, paused=paused)
        await workflow.execute_activity(
            SET_PAUSED,
            request,
            start_to_close_timeout=QUICK,
            retry_policy=RETRY,
            priority=priority_of(self.tenant_id, LIVE_PRIORITY),
        )

    async def decide(self, decision: DeleteDecision, *, approve: bool) -> DeletesDecided:
        """See `Storing.decide_deletes`."""
        request = DecideDeletes(
            tenant_id=self.tenant_id,
            connection_id=self.connection_id,
            hold_id=decision.hold_id,
            approve=approve,
            actor=decision.actor,
        )
        return await workflow.execute_activity(
            DECIDE_DELETES,
            request,
            result_type=DeletesDecided,
            start_to_close_timeout=LISTING,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            priority=priority_of(self.tenant_id, PEOPLE_PRIORITY),
        )
