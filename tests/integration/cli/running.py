"""A deployment in this process whose workers come and go: real PostgreSQL, real Temporal, sources in memory."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from contactsync.activities.messages import ConnectionRef
from contactsync.activities.store.directory import NewConnection, TenantPolicy
from contactsync.workers.bootstrap import Parts, opened, temporal_client
from contactsync.workers.cli.output import Report, dump
from contactsync.workers.settings import Settings
from contactsync.workers.syncs import Sync, Syncs
from contactsync.workers.worker import make_worker

LONG = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Site:
    """What the tests drive; there is no worker but inside `worker`."""

    settings: Settings
    parts: Parts
    syncs: Syncs
    _tenants: list[UUID] = field(default_factory=list[UUID])

    @asynccontextmanager
    async def worker(self) -> AsyncGenerator[None]:
        """A worker for as long as the block runs."""
        async with make_worker(self.parts, self.syncs.client):
            yield

    async def tenant(self, policy: TenantPolicy | None = None) -> UUID:
        """A new tenant."""
        tenant = await self.parts.directory.add_tenant("Tenant of a test", policy or TenantPolicy())
        return tenant.tenant_id

    async def connect(self, settings: dict[str, object], *, tenant_id: UUID | None = None, **more: object) -> Sync:
        """A new connection to a source in memory; it has no pass but those that are asked for."""
        new = NewConnection.model_validate(
            {"kind": "memory", "settings": settings, "interval_seconds": 900, "jitter_seconds": 0, **more}
        )
        connection = await self.parts.directory.add_connection(tenant_id or await self.tenant(), new)
        return Sync(connection.tenant_id, connection.connection_id, connection.kind)

    async def age(self, sync: Sync, by: timedelta = LONG) -> None:
        """Make all that happened to a connection older."""
        async with self.parts.database.transaction(sync.tenant_id) as connection:
            for statement in (
                "UPDATE contactsync.connection SET created_at = created_at - $3::interval"
                " WHERE tenant_id = $1 AND connection_id = $2",
                "UPDATE contactsync.pass SET started_at = started_at - $3::interval,"
                " ended_at = ended_at - $3::interval WHERE tenant_id = $1 AND connection_id = $2",
            ):
                await connection.execute(statement, sync.tenant_id, sync.connection_id, by)


def ref_of(sync: Sync) -> ConnectionRef:
    """The connection as the store names it."""
    return ConnectionRef(tenant_id=sync.tenant_id, connection_id=sync.connection_id)


def printed(report: Report) -> dict[str, Any]:
    """The document that `--json` prints, as a program reads it."""
    return json.loads(dump(report.document))


@asynccontextmanager
async def running_site(settings: Settings) -> AsyncGenerator[Site]:
    """A site with these settings."""
    async with opened(settings) as parts:
        client = await temporal_client(settings, parts.ring)
        yield Site(settings, parts, Syncs(client, settings.task_queue))


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition holds, at most 30 seconds."""
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110  # what Temporal shows; nobody signals it
            await asyncio.sleep(0.05)
