"""A tenant with a thousand queued pages, and a gate that lets its pages end one by one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    Worker,
)
from tests.integration.engine.flood_workflow import PAGES, Flood, FloodArgs

from contactsync.activities.heartbeat import heartbeating
from contactsync.activities.messages import ConnectionRef
from contactsync.identifiers import sync_workflow_id, tenant_of_workflow
from contactsync.workers.bootstrap import Parts
from contactsync.workers.worker import make_worker


class Turnstile(Interceptor):
    """Notes whose activity begins when, and holds those of one tenant until they are let through."""

    def __init__(self, held: UUID) -> None:
        self.held = held
        self.begun: list[UUID] = []
        self._passes = asyncio.Semaphore(0)
        self._is_open = False
        self._news = asyncio.Condition()

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """See `Interceptor`."""
        return _Gate(next, self)

    def count(self, tenant_id: UUID) -> int:
        """How many activities of the tenant have begun."""
        return self.begun.count(tenant_id)

    def let_one_through(self) -> None:
        """One of those that are held ends."""
        self._passes.release()

    def open(self) -> None:
        """Nobody is held any more."""
        self._is_open = True
        for _ in range(PAGES):
            self._passes.release()

    async def until_begun(self, activities: int) -> None:
        """Wait until so many activities have begun in all."""
        async with asyncio.timeout(60), self._news:
            await self._news.wait_for(lambda: len(self.begun) >= activities)

    async def passed(self) -> None:
        """An activity comes to the gate."""
        tenant_id = tenant_of_workflow(activity.info().workflow_id or "")
        async with self._news:
            self.begun.append(tenant_id)
            self._news.notify_all()
        if tenant_id == self.held and not self._is_open:
            async with heartbeating():
                await self._passes.acquire()


class _Gate(ActivityInboundInterceptor):
    def __init__(self, next_: ActivityInboundInterceptor, turnstile: Turnstile) -> None:
        super().__init__(next_)
        self._turnstile = turnstile

    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002
        await self._turnstile.passed()
        return await super().execute_activity(input)


@asynccontextmanager
async def flooded(parts: Parts, client: Client, ref: ConnectionRef) -> AsyncGenerator[Turnstile]:
    """A worker whose every place is taken by the tenant's pages, with the rest of the thousand queued behind them."""
    turnstile, queue = Turnstile(ref.tenant_id), f"flood-{uuid4()}"
    args = FloodArgs(**ref.model_dump(), task_queue=parts.settings.task_queue)
    async with Worker(client, task_queue=queue, workflows=[Flood]), make_worker(parts, client, [turnstile]):
        flood = await client.start_workflow(
            Flood.run, args, id=sync_workflow_id(ref.tenant_id, uuid4()), task_queue=queue
        )
        try:
            await until_queued(flood, PAGES)
            await turnstile.until_begun(parts.settings.max_activities)
            yield turnstile
        finally:
            await flood.terminate()
            turnstile.open()


async def until_queued(handle: WorkflowHandle[Flood, None], activities: int) -> None:
    """Wait until so many activities of a workflow are queued or run."""
    async with asyncio.timeout(60):
        while True:
            pending = (await handle.describe()).raw_description.pending_activities
            if len(pending) >= activities:
                return
            await asyncio.sleep(0.05)
