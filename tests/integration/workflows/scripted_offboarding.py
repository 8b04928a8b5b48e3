"""Activities that follow a script, for tests of `OffboardTenant`: what was asked for, in which order."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

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
    OffboardArgs,
    OffboardRef,
    OffboardResult,
    OffboardStep,
    OffboardTicket,
)
from contactsync.errors import ContactSyncError, DatabaseUnavailable
from contactsync.identifiers import offboard_workflow_id
from contactsync.workflows.offboard_tenant import OffboardTenant

WEEK_SECONDS = 7 * 86_400.0

OffboardHandle = WorkflowHandle[OffboardTenant, OffboardResult]


@dataclass
class OffboardScript:
    """What the activities do, and what they saw. `running` and `executions`: what each round finds, then nothing."""

    decided: bool = False
    running: list[int] = field(default_factory=lambda: [2])
    executions: list[int] = field(default_factory=lambda: [5])
    refused: bool = False
    fails: dict[str, list[ContactSyncError]] = field(default_factory=dict[str, list[ContactSyncError]])
    hold_disabling: asyncio.Event | None = None
    events: list[str] = field(default_factory=list[str])
    openings: set[UUID] = field(default_factory=set[UUID])
    actors: dict[str, str] = field(default_factory=dict[str, str])
    left: int | None = None
    until: float | None = None

    @activity.defn(name=DISABLE_TENANT)
    async def disable_tenant(self, request: DisableTenant) -> OffboardTicket:
        """The quarantine counts from the first time."""
        self._seen(DISABLE_TENANT, request, request.actor)
        if self.hold_disabling is not None:
            await self.hold_disabling.wait()
        now = activity.info().current_attempt_scheduled_time.timestamp()
        self.until = self.until or now + request.quarantine_seconds
        return OffboardTicket(quarantine_until=self.until, decided=self.decided)

    @activity.defn(name=ENABLE_TENANT)
    async def enable_tenant(self, request: OffboardStep) -> None:
        """Seen."""
        self._seen(ENABLE_TENANT, request, request.actor)

    @activity.defn(name=STOP_WORKFLOWS)
    async def stop_workflows(self, request: OffboardRef) -> Found:
        """The next of `running`."""
        self._seen(STOP_WORKFLOWS, request)
        return Found(executions=self.running.pop(0) if self.running else 0)

    @activity.defn(name=DESTROY_KEYS)
    async def destroy_keys(self, request: OffboardStep) -> None:
        """Seen."""
        self._seen(DESTROY_KEYS, request, request.actor)

    @activity.defn(name=DELETE_ROWS)
    async def delete_rows(self, request: OffboardRef) -> None:
        """Seen."""
        self._seen(DELETE_ROWS, request)

    @activity.defn(name=DELETE_EXECUTIONS)
    async def delete_executions(self, request: OffboardRef) -> Found:
        """The next of `executions`."""
        self._seen(DELETE_EXECUTIONS, request)
        return Found(executions=self.executions.pop(0) if self.executions else 0, refused=self.refused)

    @activity.defn(name=CERTIFY)
    async def certify(self, request: Certify) -> None:
        """Seen."""
        self._seen(CERTIFY, request, request.actor)
        self.left = request.executions_left

    def fail(self, name: str, *errors: ContactSyncError) -> None:
        """Let an activity fail so, then work."""
        self.fails[name] = list(errors) or [DatabaseUnavailable()]

    def _seen(self, name: str, request: OffboardRef, actor: str | None = None) -> None:
        if not self.events or self.events[-1] != name:
            self.events.append(name)
        self.openings.add(request.opening_id)
        if actor is not None:
            self.actors[name] = actor
        if self.fails.get(name):
            raise self.fails[name].pop(0)


@asynccontextmanager
async def offboarding(
    environment: WorkflowEnvironment, script: OffboardScript, **args: object
) -> AsyncGenerator[OffboardHandle]:
    """A worker with the script, and a running offboarding of some tenant with a quarantine of a week."""
    queue, tenant_id = f"queue-{uuid4()}", uuid4()
    activities: list[Callable[..., Awaitable[object]]] = [
        script.disable_tenant,
        script.enable_tenant,
        script.stop_workflows,
        script.destroy_keys,
        script.delete_rows,
        script.delete_executions,
        script.certify,
    ]
    given = {"tenant_id": tenant_id, "quarantine_seconds": WEEK_SECONDS, "actor": "cli/1", **args}
    async with Worker(environment.client, task_queue=queue, workflows=[OffboardTenant], activities=activities):
        handle = await environment.client.start_workflow(
            OffboardTenant.run,
            OffboardArgs.model_validate(given),
            id=offboard_workflow_id(tenant_id),
            task_queue=queue,
        )
        try:
            yield environment.client.get_workflow_handle_for(OffboardTenant.run, handle.id)
        finally:
            with suppress(RPCError):  # most have ended
                await handle.terminate()
