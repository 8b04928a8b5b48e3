"""Offboardings as Temporal runs them: start, decide, ask. Every caller outside a workflow uses this."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from temporalio.client import Client, WorkflowHandle
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from contactsync.activities.offboarding_messages import (
    OffboardArgs,
    OffboardDecision,
    OffboardProgress,
    OffboardResult,
)
from contactsync.errors import OffboardingNotFound
from contactsync.identifiers import PLATFORM_TENANT, offboard_workflow_id
from contactsync.workers.conditions import Condition, condition_of
from contactsync.workers.refusals import answered, temporal_errors
from contactsync.workers.syncs import TENANT_ATTRIBUTE
from contactsync.workflows.offboard_tenant import OffboardTenant

_CALL: Final = timedelta(seconds=10)
_QUERY: Final = timedelta(seconds=3)
_PRIORITY: Final = 1
OffboardHandle = WorkflowHandle[OffboardTenant, OffboardResult]


@dataclass(frozen=True, slots=True)
class Offboards:
    """All offboardings of a namespace. Every method raises TemporalUnavailable and TemporalRefused."""

    client: Client
    task_queue: str

    async def start(self, tenant_id: UUID, quarantine: timedelta, actor: str) -> None:
        """Start the tenant's workflow unless it runs; after one that was ended before its time, it goes on there."""
        with temporal_errors():
            await self.client.start_workflow(
                OffboardTenant.run,
                OffboardArgs(tenant_id=tenant_id, quarantine_seconds=quarantine.total_seconds(), actor=actor),
                id=offboard_workflow_id(tenant_id),
                task_queue=self.task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                search_attributes=TypedSearchAttributes([SearchAttributePair(TENANT_ATTRIBUTE, str(PLATFORM_TENANT))]),
                priority=Priority(priority_key=_PRIORITY, fairness_key=str(PLATFORM_TENANT)),
                rpc_timeout=_CALL,
            )

    async def approve(self, tenant_id: UUID, actor: str) -> None:
        """End the quarantine.

        Raises:
            OffboardingNotFound: nothing waits for that.
        """
        await self._decide(tenant_id, actor, approve=True)

    async def cancel(self, tenant_id: UUID, actor: str) -> OffboardResult:
        """Undo it; returns when that is done.

        Raises:
            OffboardingNotFound: nothing waits for that.
        """
        await self._decide(tenant_id, actor, approve=False)
        return await self.result(tenant_id)

    async def result(self, tenant_id: UUID) -> OffboardResult:
        """What came of it, in whichever run it ends."""
        with temporal_errors():
            return await self._handle(tenant_id).result()

    async def progress(self, tenant_id: UUID) -> OffboardProgress | None:
        """How far it is; None where no workflow runs, or no worker answers in time."""
        return await answered(self._handle(tenant_id).query(OffboardTenant.progress, rpc_timeout=_QUERY))

    async def condition(self, tenant_id: UUID) -> Condition:
        """Whether the workflow runs, and what keeps it from going on."""
        return await condition_of(self.client, offboard_workflow_id(tenant_id))

    async def _decide(self, tenant_id: UUID, actor: str, *, approve: bool) -> None:
        update = OffboardTenant.approve if approve else OffboardTenant.cancel
        with temporal_errors():
            try:
                await self._handle(tenant_id).execute_update(update, OffboardDecision(actor=actor), rpc_timeout=_CALL)
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    raise OffboardingNotFound from None
                raise

    def _handle(self, tenant_id: UUID) -> OffboardHandle:
        return self.client.get_workflow_handle_for(OffboardTenant.run, offboard_workflow_id(tenant_id))
