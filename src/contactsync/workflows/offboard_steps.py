"""The activities of an offboarding, with their timeouts and retries."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from temporalio import workflow
from temporalio.common import Priority

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.offboarding_messages import (
        CERTIFY,
        DELETE_EXECUTIONS,
        DELETE_ROWS,
        DESTROY_KEYS,
        DISABLE_TENANT,
        ENABLE_TENANT,
        STOP_WORKFLOWS,
        Certify,
        DisableTenant,
        Found,
        OffboardRef,
        OffboardStep,
        OffboardTicket,
    )
    from contactsync.identifiers import PLATFORM_TENANT
    from contactsync.workflows.page_steps import HEARTBEAT, PEOPLE_PRIORITY, QUICK, RETRY, priority_of

_ROWS: Final = timedelta(hours=12)
_ROUND: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class OffboardSteps:
    """The activities of one offboarding."""

    tenant_id: UUID
    opening_id: UUID

    async def disable(self, quarantine_seconds: float, actor: str) -> OffboardTicket:
        """See `Offboarding.disable_tenant`."""
        return await workflow.execute_activity(
            DISABLE_TENANT,
            DisableTenant(**self._names(), quarantine_seconds=quarantine_seconds, actor=actor),
            result_type=OffboardTicket,
            start_to_close_timeout=QUICK,
            retry_policy=RETRY,
            priority=_priority(),
        )

    async def enable(self, actor: str) -> None:
        """See `Offboarding.enable_tenant`."""
        await workflow.execute_activity(
            ENABLE_TENANT,
            OffboardStep(**self._names(), actor=actor),
            start_to_close_timeout=QUICK,
            retry_policy=RETRY,
            priority=_priority(),
        )

    async def stop(self) -> Found:
        """See `Offboarding.stop_workflows`."""
        return await self._round(STOP_WORKFLOWS)

    async def destroy(self, actor: str) -> None:
        """See `Offboarding.destroy_keys`."""
        await workflow.execute_activity(
            DESTROY_KEYS,
            OffboardStep(**self._names(), actor=actor),
            start_to_close_timeout=QUICK,
            retry_policy=RETRY,
            priority=_priority(),
        )

    async def delete_rows(self) -> None:
        """See `Offboarding.delete_rows`."""
        await workflow.execute_activity(
            DELETE_ROWS,
            OffboardRef(**self._names()),
            start_to_close_timeout=_ROWS,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            priority=_priority(),
        )

    async def delete_executions(self) -> Found:
        """See `Offboarding.delete_executions`."""
        return await self._round(DELETE_EXECUTIONS)

    async def certify(self, actor: str, executions_left: int) -> None:
        """See `Offboarding.certify`."""
        await workflow.execute_activity(
            CERTIFY,
            Certify(**self._names(), actor=actor, executions_left=executions_left),
            start_to_close_timeout=_ROUND,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            priority=_priority(),
        )

    async def _round(self, name: str) -> Found:
        return await workflow.execute_activity(
            name,
            OffboardRef(**self._names()),
            result_type=Found,
            start_to_close_timeout=_ROUND,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            priority=_priority(),
        )

    def _names(self) -> dict[str, UUID]:
        return {"tenant_id": self.tenant_id, "opening_id": self.opening_id}


def _priority() -> Priority:
    return priority_of(PLATFORM_TENANT, PEOPLE_PRIORITY)
