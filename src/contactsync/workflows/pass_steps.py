"""The activities of a pass, with their timeouts and retries: the one place where a workflow calls them."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as TemporalTimeout
from temporalio.workflow import ActivityHandle

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.messages import (
        CLOSE_PASS,
        FETCH_PAGE,
        OPEN_PASS,
        SANITIZE_PAGE,
        SET_PAUSED,
        UPSERT_PAGE,
        CleanPage,
        ClosePass,
        FetchRequest,
        OpenPass,
        Page,
        PageResult,
        PassTicket,
        SetPaused,
    )

_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=30)
)
"""Without end: what may not be tried again says so by its error class."""

_HEARTBEAT = timedelta(seconds=10)
_QUICK = timedelta(minutes=1)
_PAGE = timedelta(minutes=5)
_SOURCE_DOWN_AT_MOST = timedelta(minutes=15)
"""After this a pass gives up on its source; what it committed stays, and the next pass goes on from there."""

_LIVE_PRIORITY = 2
"""Live sync goes before backfill (4); 1 is left for what people wait for."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The activities of one connection."""

    tenant_id: UUID
    connection_id: UUID

    @property
    def _priority(self) -> Priority:
        return Priority(priority_key=_LIVE_PRIORITY, fairness_key=str(self.tenant_id))

    async def open(self, pass_id: UUID) -> PassTicket:
        """Open a pass; see `Storing.open_pass`."""
        request = OpenPass(tenant_id=self.tenant_id, connection_id=self.connection_id, pass_id=pass_id)
        return await workflow.execute_activity(
            OPEN_PASS,
            request,
            result_type=PassTicket,
            start_to_close_timeout=_QUICK,
            retry_policy=_RETRY,
            priority=self._priority,
        )

    def fetch(self, ticket: PassTicket, page: int, cursor: bytes | None) -> ActivityHandle[Page]:
        """Start fetching a page; see `Fetching.fetch_page`."""
        request = FetchRequest(
            tenant_id=self.tenant_id,
            connection_id=self.connection_id,
            epoch=ticket.epoch,
            page=page,
            cursor=cursor,
        )
        return workflow.start_activity(
            FETCH_PAGE,
            request,
            result_type=Page,
            start_to_close_timeout=_PAGE,
            schedule_to_close_timeout=_SOURCE_DOWN_AT_MOST,
            heartbeat_timeout=_HEARTBEAT,
            retry_policy=_RETRY,
            priority=self._priority,
        )

    async def sanitize(self, page: Page) -> CleanPage:
        """See `Cleaning.sanitize_page`."""
        return await workflow.execute_activity(
            SANITIZE_PAGE,
            page,
            result_type=CleanPage,
            start_to_close_timeout=_PAGE,
            heartbeat_timeout=_HEARTBEAT,
            retry_policy=_RETRY,
            priority=self._priority,
        )

    async def upsert(self, clean: CleanPage) -> PageResult:
        """See `Storing.upsert_page`."""
        return await workflow.execute_activity(
            UPSERT_PAGE,
            clean,
            result_type=PageResult,
            start_to_close_timeout=_PAGE,
            heartbeat_timeout=_HEARTBEAT,
            retry_policy=_RETRY,
            priority=self._priority,
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
            CLOSE_PASS, request, start_to_close_timeout=_QUICK, retry_policy=_RETRY, priority=self._priority
        )

    async def record_pause(self, paused: str | None) -> None:
        """See `Storing.set_paused`."""
        request = SetPaused(tenant_id=self.tenant_id, connection_id=self.connection_id, paused=paused)
        await workflow.execute_activity(
            SET_PAUSED, request, start_to_close_timeout=_QUICK, retry_policy=_RETRY, priority=self._priority
        )

    async def abandon(self, *running: "asyncio.Task[Page] | asyncio.Task[None] | None") -> None:
        """Cancel what still runs and wait for it; how it ends does not matter any more."""
        for task in running:
            if task is not None and not task.done():
                task.cancel()
        for task in running:
            if task is not None:
                with suppress(ActivityError, asyncio.CancelledError):
                    await task


def outcome_of(error: ActivityError) -> str:
    """The code of the error that ended an activity for good."""
    cause = error.cause
    while isinstance(cause, TemporalTimeout) and cause.cause is not None:
        cause = cause.cause
    if isinstance(cause, ApplicationError) and cause.type:
        return cause.type
    return "SourceUnavailable" if isinstance(cause, TemporalTimeout) else "InternalError"
