"""P30: a tenant with a thousand queued pages, and a small tenant beside it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client
from temporalio.service import RPCError
from tests.integration.engine.conftest import Engine
from tests.integration.engine.flood import Turnstile, flooded
from tests.integration.engine.flood_workflow import Flood

from contactsync.activities.messages import ConnectionRef, PassResult
from contactsync.activities.sources.addresses import ANY_LOOPBACK
from contactsync.activities.store.directory import NewConnection
from contactsync.workers.bootstrap import Parts, temporal_client
from contactsync.workers.embedded.ports import LOOPBACK
from contactsync.workers.syncs import Sync, Syncs
from contactsync.workers.worker import make_worker

PLACES = 6
"""Activities the worker runs at a time, and the bound: no more of the big tenant's begin before one of the small's."""


NETWORKS = ",".join(ANY_LOOPBACK.allowed)


def beside(engine: Engine, **settings: object) -> Parts:
    """The engine's database with another worker's settings, and a task queue of its own."""
    mine = {"task_queue": f"{engine.parts.settings.task_queue}-beside", **settings}
    return Parts(engine.parts.settings.model_copy(update=mine), engine.parts.database, engine.parts.ring)


async def test_p30_a_small_tenant_waits_for_few_activities(engine: Engine) -> None:
    """P30: each activity of a small tenant begins before so many of the thousand that are queued in front of it."""
    parts = beside(engine, max_activities=PLACES)
    client = await temporal_client(parts.settings, parts.ring, Flood)
    big = await engine.connect(await engine.tenant(), {"made_up": 1})
    small = await engine.connect(await engine.tenant(), {"made_up": 350})
    ref = ConnectionRef(tenant_id=big.tenant_id, connection_id=big.connection_id)
    async with flooded(parts, client, ref) as turnstile:
        asked = asyncio.create_task(pass_of(Syncs(client, parts.settings.task_queue), small))
        waited = 0
        while await queued(client, small, asked):
            await let_through(turnstile, small, asked)
            waited += 1
        result = await asked
    assert (result.outcome, result.counts.added) == ("completed", 350)
    assert waited >= 10  # of the three activities of each of four pages


async def pass_of(syncs: Syncs, sync: Sync) -> PassResult:
    """A pass, awaited."""
    return await (await syncs.sync_now(sync)).result()


async def queued(client: Client, sync: Sync, asked: "asyncio.Task[PassResult]") -> bool:
    """Wait until an activity of the connection is queued; False: its pass has ended."""
    handle = client.get_workflow_handle(sync.workflow_id)
    async with asyncio.timeout(60):
        while not asked.done():
            try:
                pending = (await handle.describe()).raw_description.pending_activities
            except RPCError:  # it has not begun yet
                pending = ()
            if any(each.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED for each in pending):
                return True
            await asyncio.sleep(0.02)
    return False


async def let_through(turnstile: Turnstile, small: Sync, asked: "asyncio.Task[PassResult]") -> None:
    """Let activities of the big tenant end, one by one, until one of the small's begins: soon."""
    begun, let = turnstile.count(small.tenant_id), 0
    while turnstile.count(small.tenant_id) == begun and not asked.done():
        before = len(turnstile.begun)
        turnstile.let_one_through()
        let += 1
        assert let <= PLACES
        await turnstile.until_begun(before + 1)


@dataclass
class Silent:
    """A server that takes connections and says nothing."""

    url: str = ""
    now: int = 0
    most: int = 0
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Waits until the client goes away."""
        self.now += 1
        self.most = max(self.most, self.now)
        async with self._news:
            self._news.notify_all()
        try:
            while await reader.read(1000):
                pass
        except ConnectionError:
            pass
        finally:
            self.now -= 1
            writer.close()

    async def until(self, clients: int) -> None:
        """Wait until so many clients wait for an answer."""
        async with asyncio.timeout(60), self._news:
            await self._news.wait_for(lambda: self.now >= clients)


@asynccontextmanager
async def silent() -> AsyncGenerator[Silent]:
    """A server that says nothing."""
    here = Silent()
    server = await asyncio.start_server(here.serve, LOOPBACK, 0)
    try:
        here.url = f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}/"
        yield here
    finally:
        server.close()


async def test_p30_a_silent_source_never_takes_every_place(engine: Engine) -> None:
    """P30: a tenant whose source lets every page wait has its places, and a small tenant's pass goes by beside it."""
    parts = beside(engine, max_activities=4, tenant_pages=50, shutdown_seconds=0.0, source_networks=NETWORKS)
    client = await temporal_client(parts.settings, parts.ring, Flood)
    syncs = Syncs(client, parts.settings.task_queue)
    tenant = await engine.tenant()
    async with silent() as source:
        new = NewConnection(kind="carddav", settings={"url": source.url}, interval_seconds=3600, jitter_seconds=0)
        many = [await parts.directory.add_connection(tenant, new) for _ in range(10)]
        async with make_worker(parts, client):
            for each in many:
                await syncs.start(Sync(tenant, each.connection_id, each.kind))
            await source.until(3)
            small = await engine.connect(await engine.tenant(), {"made_up": 350})
            async with asyncio.timeout(60):
                result = await pass_of(syncs, small)
            for each in many:
                await client.get_workflow_handle(Sync(tenant, each.connection_id, each.kind).workflow_id).terminate()
    assert (result.outcome, result.counts.added) == ("completed", 350)
    assert source.most == 3  # one place fewer than the worker has, whatever the setting says
