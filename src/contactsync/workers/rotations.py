"""Rotations of tenant keys as Temporal runs them: start and ask. Every caller outside a workflow uses this."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from temporalio.client import Client, WorkflowHandle
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy

from contactsync.activities.rotation_messages import RotateArgs, RotationProgress
from contactsync.identifiers import rotate_workflow_id
from contactsync.workers.conditions import Condition, condition_of
from contactsync.workers.refusals import answered, temporal_errors
from contactsync.workers.syncs import TENANT_ATTRIBUTE
from contactsync.workflows.rotate_tenant_key import RotateTenantKey

_CALL: Final = timedelta(seconds=10)
_QUERY: Final = timedelta(seconds=3)
_PRIORITY: Final = 4
"""As backfills: nobody waits for it."""


@dataclass(frozen=True, slots=True)
class Rotations:
    """All rotations of a namespace. Every method raises TemporalUnavailable and TemporalRefused."""

    client: Client
    task_queue: str

    async def start(self, args: RotateArgs) -> None:
        """Start the tenant's rotation; one that runs already stays as it is, and this one is none."""
        with temporal_errors():
            await self.client.start_workflow(
                RotateTenantKey.run,
                args,
                id=rotate_workflow_id(args.tenant_id),
                task_queue=self.task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                search_attributes=TypedSearchAttributes([SearchAttributePair(TENANT_ATTRIBUTE, str(args.tenant_id))]),
                priority=Priority(priority_key=_PRIORITY, fairness_key=str(args.tenant_id)),
                rpc_timeout=_CALL,
            )

    async def result(self, tenant_id: UUID) -> RotationProgress:
        """What came of it, in whichever run it ends."""
        with temporal_errors():
            return await self._handle(tenant_id).result()

    async def progress(self, tenant_id: UUID) -> RotationProgress | None:
        """How far it is; None where none ever ran, or no worker answers in time."""
        return await answered(self._handle(tenant_id).query(RotateTenantKey.progress, rpc_timeout=_QUERY))

    async def condition(self, tenant_id: UUID) -> Condition:
        """Whether the workflow runs, and what keeps it from going on."""
        return await condition_of(self.client, rotate_workflow_id(tenant_id))

    def _handle(self, tenant_id: UUID) -> WorkflowHandle[RotateTenantKey, RotationProgress]:
        return self.client.get_workflow_handle_for(RotateTenantKey.run, rotate_workflow_id(tenant_id))
