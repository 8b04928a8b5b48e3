"""`CheckpointLogs`: signed checkpoints of the audit logs that are due, in one activity that may run twice."""

from datetime import timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.audit_messages import MAKE_CHECKPOINTS, CheckpointsMade
    from contactsync.identifiers import PLATFORM_TENANT
    from contactsync.workflows.page_steps import HEARTBEAT, PEOPLE_PRIORITY, RETRY, priority_of

_MADE_WITHIN: Final = timedelta(hours=1)


@workflow.defn
class CheckpointLogs:
    """See the module. A schedule starts it every minute; its id begins `platform/{nil}/checkpoint-logs`."""

    @workflow.run
    async def run(self) -> CheckpointsMade:
        """Answers how many checkpoints were made, and how many logs are not sound."""
        return await workflow.execute_activity(
            MAKE_CHECKPOINTS,
            result_type=CheckpointsMade,
            start_to_close_timeout=_MADE_WITHIN,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            priority=priority_of(PLATFORM_TENANT, PEOPLE_PRIORITY),
        )
