"""A tenant's workflow executions as Temporal has them: ended, counted, deleted.

They are found by their ids, which begin with kind and tenant. What Temporal lists lags behind by a second or so:
callers ask again until nothing is found.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from temporalio.api.common.v1 import WorkflowExecution as ExecutionRef
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from contactsync.activities.offboarding_messages import Found
from contactsync.codecs.payloads.connect import temporal_errors
from contactsync.identifiers import WORKFLOW_KINDS

REASON: Final = "offboarding"
"""Why they are ended: a code, since Temporal shows it in clear."""

ROUND: Final = 1_000
"""Executions that are looked at in one round."""

_CALL: Final = timedelta(seconds=20)
_REFUSED: Final = frozenset({RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED})


@dataclass(frozen=True, slots=True)
class Executions:
    """The executions of one tenant. Every method raises TemporalUnavailable and TemporalRefused."""

    client: Client
    tenant_id: UUID

    async def stop(self, known: Iterable[str]) -> int:
        """Terminate those that run: the latest runs of the `known` ids, and those that Temporal lists; answers how
        many there were."""
        stopped = sum([await self._terminate(workflow_id, None) for workflow_id in known])
        async for each in self._listed(f"({self._query()}) AND ExecutionStatus = 'Running'"):
            stopped += await self._terminate(each.id, each.run_id)
        return stopped

    async def count(self) -> int:
        """How many there are, running or not."""
        with temporal_errors():
            return (await self.client.count_workflows(self._query(), rpc_timeout=_CALL)).count

    async def delete(self) -> Found:
        """Have those that are listed deleted, running ones too; the server does it a moment later."""
        found = 0
        async for each in self._listed(self._query()):
            found += 1
            if not await self._delete(each):
                return Found(executions=await self.count(), refused=True)
        return Found(executions=found)

    async def _listed(self, query: str) -> AsyncIterator[WorkflowExecution]:
        with temporal_errors():
            async for each in self.client.list_workflows(query, limit=ROUND, rpc_timeout=_CALL):
                yield each

    async def _terminate(self, workflow_id: str, run_id: str | None) -> bool:
        """False where none runs."""
        handle = self.client.get_workflow_handle(workflow_id, run_id=run_id)
        try:
            await handle.terminate(reason=REASON, rpc_timeout=_CALL)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            with temporal_errors():
                raise
        return True

    async def _delete(self, each: WorkflowExecution) -> bool:
        """False where the server does not let us."""
        request = DeleteWorkflowExecutionRequest(
            namespace=self.client.namespace,
            workflow_execution=ExecutionRef(workflow_id=each.id, run_id=each.run_id),
        )
        try:
            await self.client.workflow_service.delete_workflow_execution(request, timeout=_CALL)
        except RPCError as error:
            if error.status in _REFUSED:
                return False
            if error.status is not RPCStatusCode.NOT_FOUND:
                with temporal_errors():
                    raise
        return True

    def _query(self) -> str:
        kinds = sorted(WORKFLOW_KINDS - {"platform"})
        return " OR ".join(f"WorkflowId STARTS_WITH '{kind}/{self.tenant_id}'" for kind in kinds)
