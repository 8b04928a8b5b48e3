"""`DestroyExpiredKeys`: payload keys whose date has come are destroyed, unless an open execution still needs them.

    judge a batch (which are needed?) ─▶ settle it (destroy, hold, audit) ─▶ the next batch

What was judged stands in the history before it is done, so that no key ends without its audit entry.
"""

from datetime import timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.key_messages import (
        JUDGE_KEYS,
        SETTLE_KEYS,
        DestroyExpired,
        JudgedKeys,
        JudgeKeys,
        KeyRef,
        KeysSettled,
        SettleKeys,
    )
    from contactsync.identifiers import PLATFORM_TENANT
    from contactsync.workflows.page_steps import HEARTBEAT, PAGE, PEOPLE_PRIORITY, RETRY, priority_of

_PRIORITY: Final = priority_of(PLATFORM_TENANT, PEOPLE_PRIORITY)
_JUDGED_WITHIN: Final = timedelta(minutes=15)


@workflow.defn
class DestroyExpiredKeys:
    """See the module. A schedule starts it every hour; its id begins `platform/{nil}/destroy-expired-keys`."""

    @workflow.run
    async def run(self, args: DestroyExpired | None = None) -> DestroyExpired:
        """Until all keys whose date has come are judged; answers how many were destroyed and how many are held."""
        done = args or DestroyExpired()
        while True:
            judged = await self._judge(done.after)
            settled = await self._settle(judged) if judged.destroy or judged.hold else KeysSettled()
            done = DestroyExpired(
                after=judged.next, destroyed=done.destroyed + settled.destroyed, held=done.held + judged.held
            )
            if done.after is None:
                return done
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(done)

    async def _judge(self, after: KeyRef | None) -> JudgedKeys:
        return await workflow.execute_activity(
            JUDGE_KEYS,
            JudgeKeys(after=after),
            result_type=JudgedKeys,
            start_to_close_timeout=_JUDGED_WITHIN,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            priority=_PRIORITY,
        )

    async def _settle(self, judged: JudgedKeys) -> KeysSettled:
        return await workflow.execute_activity(
            SETTLE_KEYS,
            SettleKeys(destroy=judged.destroy, hold=judged.hold),
            result_type=KeysSettled,
            start_to_close_timeout=PAGE,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            priority=_PRIORITY,
        )
