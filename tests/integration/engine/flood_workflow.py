"""A workflow that queues a thousand pages of one tenant."""

import asyncio
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.messages import FETCH_PAGE, ConnectionRef, FetchRequest, Page
    from contactsync.workflows.page_steps import HEARTBEAT, LIVE_PRIORITY, PAGE, RETRY, priority_of

PAGES: Final = 1000


class FloodArgs(ConnectionRef):
    """Whose pages, and the queue of those who fetch them."""

    task_queue: str


@workflow.defn
class Flood:
    """Asks for a thousand pages of one connection at once, as a thousand connections would."""

    @workflow.run
    async def run(self, args: FloodArgs) -> None:
        """Queue them all, and wait for them."""
        await asyncio.gather(*(self._fetch(args, page) for page in range(1, PAGES + 1)))

    async def _fetch(self, args: FloodArgs, page: int) -> None:
        request = FetchRequest(tenant_id=args.tenant_id, connection_id=args.connection_id, epoch=1, page=page)
        await workflow.execute_activity(
            FETCH_PAGE,
            request,
            result_type=Page,
            task_queue=args.task_queue,
            start_to_close_timeout=PAGE,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            priority=priority_of(args.tenant_id, LIVE_PRIORITY),
        )
