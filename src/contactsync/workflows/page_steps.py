"""The activities of a page, with their timeouts and retries: the one place where a workflow calls them."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as TemporalTimeout
from temporalio.workflow import ActivityHandle

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.messages import (
        FETCH_PAGE,
        SANITIZE_PAGE,
        UPSERT_IN_TURN,
        UPSERT_PAGE,
        CleanPage,
        FetchRequest,
        Page,
        PageResult,
        PartRef,
    )
    from contactsync.workflows.task_room import TaskRoom

RETRY: Final = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=30)
)
"""Without end: what may not be tried again says so by its error class."""

HEARTBEAT: Final = timedelta(seconds=10)
QUICK: Final = timedelta(minutes=1)
PAGE: Final = timedelta(minutes=5)
LISTING: Final = timedelta(minutes=30)
"""What looks through all contacts of a connection: a sweep, a decision about held deletions."""

SOURCE_DOWN_AT_MOST: Final = timedelta(minutes=15)
"""After this a page gives up on its source; what is committed stays, and the work goes on from there later."""

LEAST_WAIT_SECONDS: Final = 0.5
"""A source or a budget that asks for less would fill the history with questions."""

PEOPLE_PRIORITY: Final = 1
LIVE_PRIORITY: Final = 2
BACKFILL_PRIORITY: Final = 4
"""What people wait for goes first, and live sync before backfill."""


def priority_of(tenant_id: UUID, key: int) -> Priority:
    """The priority `key`, with the tenant as fairness key."""
    return Priority(priority_key=key, fairness_key=str(tenant_id))


@dataclass(frozen=True, slots=True)
class PageSteps:
    """The activities of one pass, or of one part of a backfill.

    `thorough`: a page that is being written is never left behind, so that no stage of a pass outlives it but a fetch,
    which changes nothing. Runs that began before there was such a thing go on without it. `room`: the workflow's.
    """

    tenant_id: UUID
    connection_id: UUID
    epoch: int
    room: TaskRoom
    part: PartRef | None = None
    thorough: bool = True

    def fetch(self, page: int, cursor: bytes | None) -> ActivityHandle[Page]:
        """Start fetching a page; see `Fetching.fetch_page`."""
        request = FetchRequest(
            tenant_id=self.tenant_id,
            connection_id=self.connection_id,
            epoch=self.epoch,
            page=page,
            cursor=cursor,
            part=self.part,
        )
        return workflow.start_activity(
            FETCH_PAGE,
            request,
            result_type=Page,
            start_to_close_timeout=PAGE,
            schedule_to_close_timeout=SOURCE_DOWN_AT_MOST,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            priority=self._priority,
        )

    async def sanitize(self, page: Page) -> CleanPage:
        """See `Cleaning.sanitize_page`."""
        await self.room.take(len(page.packed))
        return await workflow.execute_activity(
            SANITIZE_PAGE,
            page,
            result_type=CleanPage,
            start_to_close_timeout=PAGE,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            priority=self._priority,
        )

    async def upsert(self, clean: CleanPage, *, waits: bool = False) -> PageResult:
        """See `Storing.upsert_page`; `waits`: `Storing.upsert_in_turn`."""
        await self.room.take(len(clean.packed))
        return await workflow.execute_activity(
            UPSERT_IN_TURN if waits else UPSERT_PAGE,
            clean,
            result_type=PageResult,
            start_to_close_timeout=PAGE,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            priority=self._priority,
        )

    async def abandon(
        self, unneeded: Iterable[asyncio.Task[object]], writing: Iterable[asyncio.Task[PageResult]] = ()
    ) -> None:
        """Cancel what is not needed, let writes end, and wait for all; how they end does not matter any more."""
        needed = [*writing] if self.thorough else []
        cancelled = [*unneeded] if self.thorough else [*unneeded, *writing]
        for task in cancelled:
            task.cancel()
        for task in (*cancelled, *needed):
            with suppress(ActivityError, asyncio.CancelledError):
                await task

    @property
    def _priority(self) -> Priority:
        return priority_of(self.tenant_id, BACKFILL_PRIORITY if self.part else LIVE_PRIORITY)


def outcome_of(error: ActivityError) -> str:
    """The code of the error that ended an activity for good."""
    cause = error.cause
    while isinstance(cause, TemporalTimeout) and cause.cause is not None:
        cause = cause.cause
    if isinstance(cause, ApplicationError) and cause.type:
        return cause.type
    return "SourceUnavailable" if isinstance(cause, TemporalTimeout) else "InternalError"
