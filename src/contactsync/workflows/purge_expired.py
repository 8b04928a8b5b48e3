"""`PurgeExpired`: what was kept for a time only is taken away when that is over."""

from datetime import timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.purging_messages import PURGE_STAGED, Purged
    from contactsync.identifiers import PLATFORM_TENANT
    from contactsync.workflows.page_steps import HEARTBEAT, PEOPLE_PRIORITY, RETRY, priority_of

_PURGED_WITHIN: Final = timedelta(minutes=30)


@workflow.defn
class PurgeExpired:
    """See the module. A schedule starts it every hour; its id begins `platform/{nil}/purge-expired`."""

    @workflow.run
    async def run(self) -> Purged:
        """Once over everything; answers what was taken away."""
        return await workflow.execute_activity(
            PURGE_STAGED,
            result_type=Purged,
            start_to_close_timeout=_PURGED_WITHIN,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            priority=priority_of(PLATFORM_TENANT, PEOPLE_PRIORITY),
        )
