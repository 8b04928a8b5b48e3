"""Backfills as Temporal runs them: start, ask and steer them. Every caller outside a workflow uses this."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from temporalio.client import Client, WorkflowHandle
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from contactsync.activities.messages import BackfillArgs, BackfillProgress, BackfillResult, PauseRequest
from contactsync.identifiers import backfill_workflow_id
from contactsync.workers.conditions import Condition, condition_of
from contactsync.workers.refusals import answered, refusal_of, temporal_errors
from contactsync.workers.syncs import Reason, Sync, attributes_of
from contactsync.workflows.backfill import Backfill

_CALL: Final = timedelta(seconds=10)
_QUERY: Final = timedelta(seconds=3)
_PRIORITY: Final = 4
"""After every live sync's (2)."""

BackfillHandle = WorkflowHandle[Backfill, BackfillResult]


@dataclass(frozen=True, slots=True)
class BackfillRun:
    """A backfill, as much of it as its workflow is started with. `number` counts those of the connection."""

    sync: Sync
    backfill_id: UUID
    number: int

    @property
    def workflow_id(self) -> str:
        """See `backfill_workflow_id`."""
        return backfill_workflow_id(self.sync.tenant_id, self.sync.connection_id, self.number)


@dataclass(frozen=True, slots=True)
class BackfillRuns:
    """All backfills of a namespace. Every method raises TemporalUnavailable and TemporalRefused."""

    client: Client
    task_queue: str

    async def start(self, run: BackfillRun) -> None:
        """Start the backfill's workflow unless it runs; one that was terminated goes on where it was."""
        with temporal_errors():
            await self.client.start_workflow(
                Backfill.run,
                _args(run),
                id=run.workflow_id,
                task_queue=self.task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                search_attributes=attributes_of(run.sync),
                priority=Priority(priority_key=_PRIORITY, fairness_key=str(run.sync.tenant_id)),
                rpc_timeout=_CALL,
            )

    async def pause(self, run: BackfillRun, reason: Reason) -> bool:
        """Ask the workflow to pause; False where none runs."""
        try:
            await self._handle(run).signal(Backfill.pause, PauseRequest(reason=reason), rpc_timeout=_CALL)
        except RPCError as error:
            return _is_gone(error)
        return True

    async def resume(self, run: BackfillRun) -> bool:
        """Ask the workflow to go on; False where none runs."""
        try:
            await self._handle(run).signal(Backfill.resume, rpc_timeout=_CALL)
        except RPCError as error:
            return _is_gone(error)
        return True

    async def cancel(self, run: BackfillRun) -> bool:
        """Ask the workflow to end early; False where none runs."""
        if not (await self.condition(run)).running:  # the server takes a request to cancel what has ended, too
            return False
        try:
            await self._handle(run).cancel(rpc_timeout=_CALL)
        except RPCError as error:
            return _is_gone(error)
        return True

    async def progress(self, run: BackfillRun) -> BackfillProgress | None:
        """Where the backfill stands; None where no workflow runs, or no worker answers in time."""
        return await answered(self._handle(run).query(Backfill.progress, rpc_timeout=_QUERY))

    async def condition(self, run: BackfillRun) -> Condition:
        """Whether the workflow runs, and what keeps it from going on."""
        return await condition_of(self.client, run.workflow_id)

    def _handle(self, run: BackfillRun) -> BackfillHandle:
        return self.client.get_workflow_handle_for(Backfill.run, run.workflow_id)


def _args(run: BackfillRun) -> BackfillArgs:
    return BackfillArgs(tenant_id=run.sync.tenant_id, connection_id=run.sync.connection_id, backfill_id=run.backfill_id)


def _is_gone(error: RPCError) -> bool:
    """False, which says that no workflow runs; every other failure is raised."""
    if error.status is RPCStatusCode.NOT_FOUND:
        return False
    raise refusal_of(error) from None
