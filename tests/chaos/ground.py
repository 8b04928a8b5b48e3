"""A stack on which many connections are synced side by side, each by workers of its own that a test may strike."""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from temporalio.client import Client
from tests.chaos import history
from tests.chaos.armed import Fault
from tests.chaos.ledger import Ledger, differences, edit_of
from tests.chaos.processes import WorkerProcess

from contactsync.activities.contacts.contact import Contact
from contactsync.activities.contacts.vcard_styles import Style
from contactsync.activities.contacts.vcard_writer import to_vcard
from contactsync.activities.messages import ConnectionRef, PassResult
from contactsync.activities.store.directory import NewConnection, TenantPolicy
from contactsync.codecs.audit.log import AuditKind
from contactsync.postgres import owner_connection
from contactsync.workers.bootstrap import Parts, opened, temporal_client
from contactsync.workers.demo.run import settings_of
from contactsync.workers.embedded.carddav import CardDavServer, Delete, Edit, Move, Put
from contactsync.workers.embedded.folders import service_user, temporary_folder
from contactsync.workers.embedded.provision import DATABASE
from contactsync.workers.embedded.stack import Stack
from contactsync.workers.settings import Settings
from contactsync.workers.syncs import Sync, Syncs
from contactsync.workers.worker import make_worker

PEOPLE: Final = 40
PAGE_ROWS: Final = 5
SUGGESTED_AFTER_EVENTS: Final = 60
"""Temporal suggests a new run after so many events, so that a pass of a few pages meets the end of a run."""

_PASSES: Final = "SELECT * FROM contactsync.pass WHERE connection_id = $1"
_LIVE: Final = "SELECT count(*) FROM contactsync.contact WHERE connection_id = $1 AND deleted_at IS NULL"
_ENTRIES: Final = "SELECT entry FROM audit.entry WHERE tenant_id = $1"


@dataclass
class RadicaleBook:
    """One user's address book."""

    server: CardDavServer
    user: str
    edits: list[Edit] = field(default_factory=list[Edit])

    def put(self, source_id: str, contact: Contact) -> None:
        self.edits.append(Put(source_id, to_vcard(contact, Style.RFC4)))

    def delete(self, source_id: str) -> None:
        self.edits.append(Delete(source_id))

    def rename(self, source_id: str, to: str) -> None:
        self.edits.append(Move(source_id, to))

    async def publish(self) -> None:
        await self.server.apply(self.user, self.edits)
        self.edits = []


@dataclass(frozen=True)
class Ground:
    """The stack, and this process's own parts."""

    stack: Stack
    settings: Settings
    parts: Parts
    client: Client
    carddav: CardDavServer

    @property
    def superuser_url(self) -> str:
        """The database, with every right."""
        return self.stack.postgres.url(DATABASE)

    async def place(self, user: str) -> "Place":
        """A new tenant with one connection."""
        tenant = await self.parts.directory.add_tenant("Chaos", TenantPolicy(default_region="DE"))
        new = NewConnection(
            kind="carddav",
            settings={"url": self.carddav.url, "username": user},
            secret_ref=f"file:{self.carddav.password_file(user)}",
            page_rows=PAGE_ROWS,
            interval_seconds=86_400,
            jitter_seconds=0,
        )
        connection = await self.parts.directory.add_connection(tenant.tenant_id, new)
        sync = Sync(tenant.tenant_id, connection.connection_id, new.kind)
        return Place(self, sync, Ledger(RadicaleBook(self.carddav, user)))


@dataclass
class Place:
    """One connection and its source."""

    ground: Ground
    sync: Sync
    ledger: Ledger
    queue: str = field(default_factory=lambda: f"queue-{uuid4()}")

    async def publish(self) -> None:
        """Let the source show its edits."""
        await self.ledger.provider.publish()

    async def first_pass(self) -> None:
        """A pass on another queue, whose workflow ends there: what comes next takes over from it."""
        first = Place(self.ground, self.sync, self.ledger)
        async with first.heir():
            assert (await first.finished()).outcome == "completed"
        await self.ground.client.get_workflow_handle(self.sync.workflow_id).terminate()

    @property
    def ref(self) -> ConnectionRef:
        """The connection."""
        return ConnectionRef(tenant_id=self.sync.tenant_id, connection_id=self.sync.connection_id)

    @property
    def settings(self) -> Settings:
        """Those of its workers."""
        return self.ground.settings.model_copy(update={"task_queue": self.queue})

    def start_worker(self, name: str, fault: Fault | None = None) -> WorkerProcess:
        """A worker process for this connection alone."""
        return WorkerProcess(self.settings, self.ground.stack.folder / f"{name}-{uuid4()}.log", fault)

    @asynccontextmanager
    async def heir(self) -> AsyncGenerator[None]:
        """A worker in this process."""
        parts = Parts(self.settings, self.ground.parts.database, self.ground.parts.ring)
        async with make_worker(parts, self.ground.client):
            yield

    async def finished(self) -> PassResult:
        """Ask for a pass and wait for it."""
        return await (await Syncs(self.ground.client, self.queue).sync_now(self.sync)).result()

    async def held(self) -> dict[str, int]:
        """What the database holds: source id → edit."""
        contacts = [contact async for contact in self.ground.parts.contacts.all_of(self.ref)]
        held = {contact.source_id.rpartition("/")[2]: edit_of(contact.content) for contact in contacts}
        assert len(held) == len(contacts), "one contact is there twice"
        return held

    async def check(self) -> None:
        """Equal to the source, nothing ever went back, and all the counters say the same."""
        assert differences(self.ledger.people, await self.held()) == {}
        assert await history.violations(self.ground.superuser_url, self.ground.parts.ring, self.ref) == []
        await self._check_counters()

    async def _check_counters(self) -> None:
        async with owner_connection(self.ground.superuser_url) as connection:
            passes = await connection.fetch(_PASSES, self.sync.connection_id)
            live = await connection.fetchval(_LIVE, self.sync.connection_id)
            entries = [json.loads(row["entry"]) for row in await connection.fetch(_ENTRIES, self.sync.tenant_id)]
        committed = [entry["detail"] for entry in entries if entry["kind"] == AuditKind.PAGE_COMMITTED]
        assert sum(each["added"] - each["deleted"] for each in passes) == live == len(self.ledger.people)
        for name in ("pages", "downloaded", "added", "updated", "unchanged", "deleted"):
            told = sum(entry.get(name, 0) for entry in committed)
            assert sum(each[name] for each in passes) == told, name
        pages = [(entry["epoch"], entry["page"]) for entry in committed]
        assert len(pages) == len(set(pages)), "a page was committed twice"
        assert not [each for each in passes if each["ended_at"] is None]


@asynccontextmanager
async def running_ground(users: list[str]) -> AsyncGenerator[Ground]:
    """A stack whose database writes down every version of every row."""
    async with AsyncExitStack() as running:
        folder = running.enter_context(temporary_folder(service_user()))
        suggested = {"limit.historyCount.suggestContinueAsNew": str(SUGGESTED_AFTER_EVENTS)}
        stack = await Stack.start(folder / "stack", suggested)
        running.push_async_callback(stack.stop)
        await history.install(stack.postgres.url(DATABASE))
        memory = running.enter_context(temporary_folder(in_memory=True))
        carddav = await CardDavServer.start(memory / "carddav", users)
        running.push_async_callback(carddav.stop)
        settings = settings_of(stack)
        parts = await running.enter_async_context(opened(settings))
        yield Ground(stack, settings, parts, await temporal_client(settings, parts.ring), carddav)
