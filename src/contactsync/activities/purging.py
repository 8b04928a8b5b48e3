"""What is kept for a time only, and is taken away when that is over: staged payloads of runs that have ended."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from contactsync.activities.heartbeat import heartbeating
from contactsync.activities.purging_messages import PURGE_STAGED, Purged
from contactsync.codecs.payloads.connect import temporal_errors
from contactsync.codecs.payloads.staging import Stage, StagedRun

QUIET_SECONDS: Final = 600.0
"""A run that staged something lately is not asked after."""

_BATCH: Final = 200
_CALL: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Purging:
    """The purging activities."""

    stage: Stage
    client: Client
    quiet_seconds: float = QUIET_SECONDS

    @activity.defn(name=PURGE_STAGED)
    async def purge_staged(self) -> Purged:
        """Delete the payloads that were staged for runs which have ended: nobody reads them again.

        Raises:
            TemporalUnavailable, TemporalRefused, DatabaseError.
        """
        purged, after = Purged(), None
        async with heartbeating():
            while runs := await self.stage.runs(after, quiet_seconds=self.quiet_seconds, limit=_BATCH):
                for run in runs:
                    if await self._has_ended(run):
                        objects = purged.objects + await self.stage.drop_run(run)
                        purged = Purged(runs=purged.runs + 1, objects=objects)
                after = runs[-1]
        return purged

    async def _has_ended(self, run: StagedRun) -> bool:
        """Whether the run is over, or Temporal no longer knows it."""
        handle = self.client.get_workflow_handle(run.workflow_id, run_id=str(run.run_id))
        try:
            description = await handle.describe(rpc_timeout=_CALL)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return True
            with temporal_errors():
                raise
        return description.status is not WorkflowExecutionStatus.RUNNING
