"""A whole stack of processes, each of which a test may kill and start again."""

import os
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import pytest
from temporalio.client import Client
from tests.chaos.ground import Ground, SideBySide, asked_for, running_ground
from tests.chaos.relays import RELAYS, run_relay
from tests.chaos.waiting import WAITING, wait_in_vain
from tests.chaos.zombies import ZOMBIES, stand_still

from contactsync.activities.messages import ConnectionRef, PassResult
from contactsync.activities.store.directory import NewConnection, TenantPolicy
from contactsync.errors import TemporalUnavailable
from contactsync.workers.bootstrap import opened, temporal_client
from contactsync.workers.demo.book import Book
from contactsync.workers.demo.comparison import Difference, compare, held_contacts
from contactsync.workers.demo.run import settings_of
from contactsync.workers.embedded.carddav import CardDavServer
from contactsync.workers.embedded.folders import service_user, temporary_folder
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.processes import Child
from contactsync.workers.embedded.stack import Stack
from contactsync.workers.embedded.temporal import TemporalOptions, TemporalServer
from contactsync.workers.syncs import Sync, Syncs

USER = "chaos"
CONTACTS = 150
PAGE_ROWS = 10


@dataclass
class Machine:
    """Servers, a worker, one tenant's address book and its connection."""

    stack: Stack
    carddav: CardDavServer
    worker: Child
    client: Client
    sync: Sync
    postgres: PostgresServer
    temporal: TemporalServer
    book: Book = field(default_factory=lambda: Book(seed=77, size=CONTACTS))
    workers: int = 1

    async def kill(self, victim: str) -> None:
        """SIGKILL it, and start it again."""
        await {"worker": self._kill_worker, "postgres": self._kill_postgres, "temporal": self._kill_temporal}[victim]()

    async def finished(self) -> PassResult:
        """Ask for a pass and wait for it, however often Temporal goes away meanwhile."""
        syncs = Syncs(self.client, "contactsync")
        while True:
            try:
                return await (await syncs.sync_now(self.sync)).result(rpc_timeout=timedelta(seconds=60))
            except TemporalUnavailable:
                continue

    async def difference(self) -> Difference:
        """The address book beside the rows."""
        ref = ConnectionRef(tenant_id=self.sync.tenant_id, connection_id=self.sync.connection_id)
        async with opened(settings_of(self.stack)) as parts:
            rows = parts.contacts.all_of(ref)
            held = await held_contacts((row.source_id, row.content) async for row in rows)
        return compare(self.book.cards, held)

    async def _kill_worker(self) -> None:
        os.kill(self.worker.pid, signal.SIGKILL)
        await self.worker.wait()
        self.workers += 1
        self.worker = await self.stack.start_worker(f"worker-{self.workers}")

    async def _kill_postgres(self) -> None:
        os.kill(self.postgres.child.pid, signal.SIGKILL)
        await self.postgres.child.wait()
        await self.postgres.stop()
        self.postgres = await PostgresServer.start(self.postgres.folder, port=self.postgres.port)

    async def _kill_temporal(self) -> None:
        os.kill(self.temporal.child.pid, signal.SIGKILL)
        await self.temporal.child.wait()
        await self.temporal.stop()
        options = TemporalOptions(port=self.temporal.port, ui_port=self.temporal.ui_port)
        self.temporal = await TemporalServer.start(self.temporal.folder, options)


@pytest.fixture(scope="session")
async def ground() -> AsyncGenerator[Ground]:
    """A stack on which many connections are synced side by side."""
    async with running_ground() as running:
        yield running


@pytest.fixture(scope="session")
async def stories(request: pytest.FixtureRequest, ground: Ground) -> AsyncGenerator[SideBySide]:
    """The stories of the tests that were asked for, all of which begin now."""
    told = {name: partial(run_relay, ground, relay) for name, relay in RELAYS.items()}
    still = {point: partial(stand_still, ground, point) for point in ZOMBIES}
    turns = {story: partial(wait_in_vain, ground, story) for story in WAITING}
    asked = asked_for(request, "stories", "story")
    running = SideBySide({name: story for name, story in {**told, **still, **turns}.items() if name in asked})
    yield running
    await running.stop()


@pytest.fixture
async def machine() -> AsyncGenerator[Machine]:
    """A running machine whose first pass is over."""
    async with AsyncExitStack() as running:
        folder = running.enter_context(temporary_folder(service_user()))
        stack = await Stack.start(folder / "stack")
        running.callback(stack.lock.release)
        carddav = await CardDavServer.start(folder / "carddav", [USER])
        running.push_async_callback(carddav.stop)
        settings = settings_of(stack)
        async with opened(settings) as parts:
            tenant = await parts.directory.add_tenant("Chaos", TenantPolicy(default_region="DE"))
            new = NewConnection(
                kind="carddav",
                settings={"url": carddav.url, "username": USER},
                secret_ref=f"file:{carddav.password_file(USER)}",
                page_rows=PAGE_ROWS,
            )
            connection = await parts.directory.add_connection(tenant.tenant_id, new)
            client = await temporal_client(settings, parts.ring)
            sync = Sync(tenant.tenant_id, connection.connection_id, "carddav")
            worker = await stack.start_worker()
            made = Machine(stack, carddav, worker, client, sync, stack.postgres, stack.temporal)
            await carddav.apply(USER, made.book.fill())
            try:
                yield made
            finally:
                await made.worker.stop()
                await made.temporal.stop()
                await made.postgres.stop()
