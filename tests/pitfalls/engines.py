"""A whole engine that reads a simulator: real Temporal, a worker, a real store."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from contactsync.activities.messages import BackfillResult, ConnectionRef, PassResult
from contactsync.activities.sources.simulator.face import serving
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.activities.sources.simulator.settings_file import Tables, rest_settings
from contactsync.activities.store.backfills import NewBackfill
from contactsync.activities.store.directory import NewConnection
from contactsync.workers.backfills import BackfillRun, BackfillRuns
from contactsync.workers.bootstrap import Parts
from contactsync.workers.syncs import Sync, Syncs
from contactsync.workflows.backfill import Backfill

from .links import version_of

PAGE_ROWS = 100


@dataclass(frozen=True, slots=True)
class Engine:
    """What runs."""

    parts: Parts
    client: Client

    @asynccontextmanager
    async def reading(
        self, provider: Provider, further: Mapping[str, Tables] | None = None
    ) -> "AsyncGenerator[Connected]":
        """A new tenant's connection to this provider."""
        tenant = await self.parts.directory.add_tenant("Tenant of a test")
        async with serving(provider) as url:
            settings = rest_settings(url, further=further, page_size=PAGE_ROWS)
            new = NewConnection(kind="rest", settings=settings, interval_seconds=3600, jitter_seconds=0)
            connection = await self.parts.directory.add_connection(tenant.tenant_id, new)
            yield Connected(self, Sync(tenant.tenant_id, connection.connection_id, connection.kind))


@dataclass(frozen=True, slots=True)
class Connected:
    """One connection."""

    engine: Engine
    sync: Sync

    @property
    def ref(self) -> ConnectionRef:
        """Its name."""
        return ConnectionRef(tenant_id=self.sync.tenant_id, connection_id=self.sync.connection_id)

    @property
    def syncs(self) -> Syncs:
        """Live syncs."""
        return Syncs(self.engine.client, self.engine.parts.settings.task_queue)

    async def pass_now(self) -> PassResult:
        """A pass, awaited."""
        return await (await self.syncs.sync_now(self.sync)).result()

    async def backfill(self, new: NewBackfill) -> "UnderWay":
        """Starts a backfill."""
        wanted = await self.engine.parts.backfills.request(self.ref, new, actor="test")
        runs = BackfillRuns(self.engine.client, self.engine.parts.settings.task_queue)
        run = BackfillRun(self.sync, wanted.backfill_id, wanted.number)
        await runs.start(run)
        return UnderWay(self.engine.client, run)

    async def copy(self) -> dict[str, int]:
        """What is held: id → version."""
        held = self.engine.parts.contacts.all_of(self.ref)
        return {contact.source_id: version_of(contact.content) async for contact in held}

    async def events(self) -> list[EventType.ValueType]:
        """What happened in the live sync's workflow."""
        handle = self.engine.client.get_workflow_handle(self.sync.workflow_id)
        return [event.event_type async for event in handle.fetch_history_events()]


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A backfill that was started."""

    client: Client
    run: BackfillRun

    async def result(self) -> BackfillResult:
        """Its end."""
        return await self.client.get_workflow_handle_for(Backfill.run, self.run.workflow_id).result()


def task_queue() -> str:
    """A queue that no other test's worker polls."""
    return f"pitfalls-{uuid4()}"
