"""`RotateTenantKey`: a tenant's key is replaced, and on request its index key and its row key.

    plan ─▶ make keys, wrap data keys again ─┬─▶ end
                                             └─▶ reindex, reseal ─▶ settle ─▶ destroy older epochs once they are idle

Its id is `rotate/{tenant}`. Each step finds its work by asking the database, so one that is begun anew goes on where
the one before was.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.messages import Message
    from contactsync.activities.rotation_messages import (
        PLAN_ROTATION,
        REINDEX_ROWS,
        RESEAL_ROWS,
        RETIRE_KEYS,
        ROTATE_KEYS,
        KeysRetired,
        KeysRewrapped,
        PlanRotation,
        ReindexRows,
        ResealRows,
        RetireKeys,
        RotateArgs,
        RotateKeys,
        RotationPhase,
        RotationPlan,
        RotationProgress,
        RowsReindexed,
        RowsResealed,
    )
    from contactsync.workflows.page_steps import BACKFILL_PRIORITY, HEARTBEAT, LISTING, RETRY, priority_of
    from contactsync.workflows.state_attribute import tell_state

_RUN_AT_MOST: Final = timedelta(days=1)
_LONGEST_WAIT_SECONDS: Final = 300.0

M = TypeVar("M", bound=Message)


@workflow.defn
class RotateTenantKey:
    """See the module."""

    @workflow.init
    def __init__(self, args: RotateArgs) -> None:
        self._args = args
        self._waits: KeysRetired | None = None

    @workflow.run
    async def run(self, args: RotateArgs) -> RotationProgress:  # noqa: ARG002  # `__init__` has them
        """To its end; continues as new at least daily."""
        while not self._is_ended():
            tell_state("holding" if self._args.phase == "waiting" else "ok")
            self._to(phase=await self._next())
            if not self._is_ended():
                self._renew_if_long()
        return self.progress()

    @workflow.query
    def progress(self) -> RotationProgress:
        """How far it is."""
        args = self._args
        return RotationProgress(
            phase=args.phase,
            plan=args.plan,
            rewrapped=args.rewrapped,
            reindexed=args.reindexed,
            resealed=args.resealed,
            settled_at=args.settled_at,
            waits=self._waits,
        )

    def _is_ended(self) -> bool:
        return self._args.phase == "ended"

    def _to(self, **changes: object) -> None:
        self._args = self._args.model_copy(update=changes)

    async def _next(self) -> RotationPhase:
        work: dict[RotationPhase, Callable[[], Awaitable[RotationPhase]]] = {
            "rewrapping": self._rewrap,
            "reindexing": self._reindex,
            "resealing": self._reseal,
            "settling": self._settle,
            "waiting": self._retire,
        }
        return await work[self._args.phase]()

    async def _rewrap(self) -> RotationPhase:
        plan = await self._plan()
        request = RotateKeys(tenant_id=self._args.tenant_id, plan=plan, actor=self._args.actor)
        done = await self._do(ROTATE_KEYS, request, KeysRewrapped)
        self._to(rewrapped=done.keys)
        return "reindexing" if plan.index_epoch or plan.row_epoch else "ended"

    async def _reindex(self) -> RotationPhase:
        request = ReindexRows(tenant_id=self._args.tenant_id)
        while (await self._plan()).index_epoch is not None:
            done = await self._do(REINDEX_ROWS, request, RowsReindexed)
            self._to(reindexed=self._args.reindexed + done.rows)
            if done.done:
                break
            request = request.model_copy(update={"connection_id": done.connection_id, "contact_id": done.contact_id})
            self._renew_if_long()
        return "resealing"

    async def _reseal(self) -> RotationPhase:
        request = ResealRows(tenant_id=self._args.tenant_id)
        while (await self._plan()).row_epoch is not None:
            done = await self._do(RESEAL_ROWS, request, RowsResealed)
            self._to(resealed=self._args.resealed + done.rows)
            if done.done:
                break
            request = request.model_copy(update={"table": done.table, "after": done.after, "skip": done.skip})
            self._renew_if_long()
        return "settling"

    async def _settle(self) -> RotationPhase:
        """The time for which processes may have older keys in memory, or as much of it as fits into this run."""
        if self._args.settled_at is None:
            self._to(settled_at=workflow.time() + self._args.settle_seconds)
        rest = (self._args.settled_at or 0.0) - workflow.time()
        if rest <= 0:
            return "waiting"
        await workflow.sleep(min(rest, max(1.0, (_RUN_AT_MOST - self._age()).total_seconds())))
        return "settling"

    async def _retire(self) -> RotationPhase:
        request = RetireKeys(
            tenant_id=self._args.tenant_id,
            plan=await self._plan(),
            since=self._args.settled_at or 0.0,
            actor=self._args.actor,
        )
        self._waits = await self._do(RETIRE_KEYS, request, KeysRetired)
        if self._waits.done:
            return "ended"
        await workflow.sleep(min(_LONGEST_WAIT_SECONDS, max(1.0, self._args.settle_seconds)))
        return "reindexing" if self._waits.unmoved else "waiting"

    async def _plan(self) -> RotationPlan:
        """Made once, and kept from run to run."""
        if self._args.plan is not None:
            return self._args.plan
        args = self._args
        request = PlanRotation(tenant_id=args.tenant_id, index=args.index, reseal=args.reseal)
        plan = await self._do(PLAN_ROTATION, request, RotationPlan)
        self._to(plan=plan)
        return plan

    async def _do(self, name: str, request: Message, answer: type[M]) -> M:
        return await workflow.execute_activity(
            name,
            request,
            result_type=answer,
            start_to_close_timeout=LISTING,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            priority=priority_of(self._args.tenant_id, BACKFILL_PRIORITY),
        )

    def _age(self) -> timedelta:
        return workflow.now() - workflow.info().start_time

    def _renew_if_long(self) -> None:
        """In the middle of a walk the next run begins the walk anew, and finds only what is left."""
        if workflow.info().is_continue_as_new_suggested() or self._age() >= _RUN_AT_MOST:
            workflow.continue_as_new(self._args)
