"""A stack on which many connections are synced side by side, each by workers of its own that a test may strike."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from uuid import uuid4

import pytest
from temporalio.client import Client
from tests.chaos import history
from tests.chaos.armed import Fault
from tests.chaos.ledger import Ledger, differences, version_of
from tests.chaos.processes import WorkerProcess

from contactsync.activities.messages import BackfillResult, ConnectionRef, PassResult
from contactsync.activities.sources.simulator.face import serving
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.activities.sources.simulator.settings_file import rest_settings
from contactsync.activities.store.backfill_rows import NewBackfill
from contactsync.activities.store.backfills import Backfills
from contactsync.activities.store.directory import NewConnection, TenantPolicy
from contactsync.codecs.audit.log import AuditKind
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import TemporalUnavailable
from contactsync.postgres import owner_connection
from contactsync.workers.backfills import BackfillRun, BackfillRuns
from contactsync.workers.bootstrap import Parts, opened, temporal_client
from contactsync.workers.demo.run import settings_of
from contactsync.workers.embedded.folders import service_user, temporary_folder
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.provision import DATABASE
from contactsync.workers.embedded.stack import Stack
from contactsync.workers.embedded.temporal import TemporalOptions, TemporalServer
from contactsync.workers.refusals import temporal_errors
from contactsync.workers.settings import Settings
from contactsync.workers.syncs import Sync, Syncs
from contactsync.workers.worker import make_worker
from contactsync.workflows.backfill import Backfill

Result = TypeVar("Result")

PEOPLE: Final = 16
PAGE_ROWS: Final = 4
FOLDERS: Final = ("a", "b", "c")
"""The parts of a backfill."""

SUGGESTED: Final = {"limit.historyCount.suggestContinueAsNew": "60"}
"""Temporal suggests a new run after so many events, so that a pass of a few pages meets the end of a run."""

ALWAYS: Final = 1e-9
"""Hours between complete listings: each pass is one."""

_LIVE: Final = "SELECT count(*) FROM contactsync.contact WHERE connection_id = $1 AND deleted_at IS NULL"
_PASSES: Final = "SELECT * FROM contactsync.pass WHERE connection_id = $1"
_BACKFILLS: Final = "SELECT * FROM contactsync.backfill WHERE connection_id = $1"
_ENTRIES: Final = "SELECT entry FROM audit.entry WHERE tenant_id = $1"
_COUNTED: Final = ("pages", "downloaded", "added", "updated", "unchanged", "deleted", "held")


@dataclass
class Ground:
    """The stack, and this process's own parts. Its servers may be killed; they are started again on what is left."""

    stack: Stack
    settings: Settings
    parts: Parts
    client: Client
    postgres: PostgresServer
    temporal: TemporalServer
    workers: list[WorkerProcess] = field(default_factory=list[WorkerProcess])

    @property
    def superuser_url(self) -> str:
        """The database, with every right."""
        return self.postgres.url(DATABASE)

    async def kill_postgres(self) -> None:
        """SIGKILL PostgreSQL, and start it again."""
        os.kill(self.postgres.child.pid, signal.SIGKILL)
        await self.postgres.child.wait()
        await self.postgres.stop()
        self.postgres = await PostgresServer.start(self.postgres.folder, port=self.postgres.port)

    async def kill_temporal(self) -> None:
        """SIGKILL Temporal, and start it again."""
        os.kill(self.temporal.child.pid, signal.SIGKILL)
        await self.temporal.child.wait()
        await self.temporal.stop()
        options = TemporalOptions(self.temporal.port, self.temporal.ui_port, dynamic_config=SUGGESTED)
        self.temporal = await TemporalServer.start(self.temporal.folder, options)

    @asynccontextmanager
    async def place(
        self, people: int = PEOPLE, *, page_rows: int = PAGE_ROWS, reconcile_hours: float = 24.0
    ) -> AsyncGenerator["Place"]:
        """A new tenant with one connection to a provider with so many people."""
        provider = Provider(people, folders=FOLDERS)
        further = {
            "capabilities": {"reconcile_hours": reconcile_hours},
            "parts": {"params": {"folder": "{value}"}, "values": FOLDERS},
        }
        policy = TenantPolicy(default_region="DE", delete_floor=people * 10)
        tenant = await self.parts.directory.add_tenant("Chaos", policy)
        async with serving(provider) as url:
            new = NewConnection(
                kind="rest",
                settings=rest_settings(url, further=further, page_size=page_rows),
                page_rows=page_rows,
                interval_seconds=86_400,
                jitter_seconds=0,
            )
            connection = await self.parts.directory.add_connection(tenant.tenant_id, new)
            place = Place(self, Sync(tenant.tenant_id, connection.connection_id, new.kind), Ledger(provider))
            try:
                yield place
            finally:
                await place.give_up()


@dataclass
class Place:
    """One connection and its source."""

    ground: Ground
    sync: Sync
    ledger: Ledger
    queue: str = field(default_factory=lambda: f"queue-{uuid4()}")
    older: list[TenantSealer] = field(default_factory=list[TenantSealer])
    """What opened the tenant's rows before each rotation of its keys."""

    _waits: list["asyncio.Task[Any]"] = field(default_factory=list["asyncio.Task[Any]"])

    @property
    def ref(self) -> ConnectionRef:
        """The connection."""
        return ConnectionRef(tenant_id=self.sync.tenant_id, connection_id=self.sync.connection_id)

    @property
    def settings(self) -> Settings:
        """Those of its workers."""
        return self.ground.settings.model_copy(update={"task_queue": self.queue})

    async def first_pass(self) -> None:
        """A pass on another queue, whose workflow ends there: what comes next takes over from it."""
        first = Place(self.ground, self.sync, self.ledger)
        async with first.heir():
            assert (await first.finished()).outcome == "completed"
        await self.ground.client.get_workflow_handle(self.sync.workflow_id).terminate()

    def start_worker(self, name: str, fault: Fault | None = None, **settings: int) -> WorkerProcess:
        """A worker process for this connection alone, with these settings beside those of all."""
        log = self.ground.stack.folder / f"{name}-{uuid4()}.log"
        worker = WorkerProcess(self.settings.model_copy(update=settings), log, fault)
        self.ground.workers.append(worker)
        return worker

    @asynccontextmanager
    async def heir(self) -> AsyncGenerator[None]:
        """A worker in this process."""
        parts = Parts(self.settings, self.ground.parts.database, self.ground.parts.ring)
        async with make_worker(parts, self.ground.client):
            yield

    def beside(self, waiting: Coroutine[Any, Any, Result]) -> "asyncio.Task[Result]":
        """Wait for this beside what else there is to do, while the place is there and no longer."""
        task = asyncio.create_task(waiting)
        self._waits.append(task)
        return task

    async def give_up(self) -> None:
        """Wait for nothing any more."""
        for task in self._waits:
            task.cancel()
        await asyncio.gather(*self._waits, return_exceptions=True)

    async def finished(self) -> PassResult:
        """Ask for a pass and wait for it, however many runs the workflow needs, and wherever Temporal is meanwhile."""
        syncs = Syncs(self.ground.client, self.queue)
        while True:
            try:
                return await syncs.result(self.sync, await syncs.sync_now(self.sync))
            except TemporalUnavailable:
                continue

    async def backfill(self) -> BackfillRun:
        """A new backfill, or the one under way; started."""
        backfills = Backfills(self.ground.parts.database, self.ground.parts.ring)
        backfill = await backfills.request(self.ref, NewBackfill(window=2), actor="test")
        run = BackfillRun(self.sync, backfill.backfill_id, backfill.number)
        await BackfillRuns(self.ground.client, self.queue).start(run)
        return run

    async def filled(self, run: BackfillRun) -> BackfillResult:
        """Wait for a backfill, wherever Temporal is meanwhile."""
        handle = self.ground.client.get_workflow_handle_for(Backfill.run, run.workflow_id)
        while True:
            try:
                with temporal_errors():
                    return await handle.result()
            except TemporalUnavailable:
                continue

    async def held(self) -> dict[str, int]:
        """What the database holds: source id → version."""
        contacts = [contact async for contact in self.ground.parts.contacts.all_of(self.ref)]
        held = {contact.source_id: version_of(contact.content) for contact in contacts}
        assert len(held) == len(contacts), "one contact is there twice"
        return held

    async def check(self) -> None:
        """Equal to the source, nothing ever went back, and all the counters say the same."""
        found = differences(self.ledger.people(), await self.held())
        assert not found, found
        await self.check_history()
        await self.check_counters()

    async def check_history(self) -> None:
        """Nothing ever went back."""
        found = await self.went_back()
        assert not found, found

    async def went_back(self) -> list[str]:
        """What ever did."""
        sealers = [*self.older, await self.ground.parts.ring.tenant_sealer(self.ref.tenant_id)]
        return await history.violations(self.ground.superuser_url, sealers, self.ref)

    async def check_counters(self) -> None:
        """Passes, backfills and approvals add up to what there is, and the audit log tells the same, page by page."""
        async with owner_connection(self.ground.superuser_url) as connection:
            live = await connection.fetchval(_LIVE, self.sync.connection_id)
            passes = await connection.fetch(_PASSES, self.sync.connection_id)
            backfills = await connection.fetch(_BACKFILLS, self.sync.connection_id)
            rows = await connection.fetch(_ENTRIES, self.sync.tenant_id)
        assert not [row for row in (*passes, *backfills) if row["ended_at"] is None], "something was never ended"
        told = Told([json.loads(row["entry"]) for row in rows])
        passed = _sum(dict(row) for row in passes)
        real = {str(row["backfill_id"]): json.loads(row["counts"]) for row in backfills if not row["dry_run"]}
        filled = _sum(real.values())
        assert told.of_passes() == passed, (told.of_passes(), passed)
        assert told.of_backfills(real) == filled, (told.of_backfills(real), filled)
        done = sum(each["added"] - each["deleted"] for each in (passed, filled)) - told.approved()
        assert done == live, (passed, filled, live)
        pages = told.pages()
        assert len(pages) == len(set(pages)), "a page was committed twice"


@dataclass(frozen=True)
class Told:
    """What a tenant's audit log says."""

    entries: list[dict[str, Any]]

    def of(self, kind: AuditKind) -> list[dict[str, Any]]:
        """The details of the entries of this kind."""
        return [entry["detail"] for entry in self.entries if entry["kind"] == kind]

    def of_passes(self) -> dict[str, int]:
        """Counts of the pages of passes."""
        return _sum(detail for detail in self.of(AuditKind.PAGE_COMMITTED) if "backfill" not in detail)

    def of_backfills(self, real: Collection[str]) -> dict[str, int]:
        """Counts of these backfills; those of their pages are among them. A dry run commits no page."""
        told = _sum(detail for detail in self.of(AuditKind.BACKFILL_ENDED) if detail["backfill"] in real)
        paged = _sum(detail for detail in self.of(AuditKind.PAGE_COMMITTED) if "backfill" in detail)
        assert all(told[name] == paged[name] for name in ("pages", "downloaded", "added", "updated", "unchanged"))
        return told

    def approved(self) -> int:
        """Contacts that were deleted because somebody agreed."""
        return sum(detail["contacts"] for detail in self.of(AuditKind.DELETES_APPROVED))

    def pages(self) -> list[tuple[object, ...]]:
        """Each page that was committed."""
        names = ("backfill", "epoch", "part", "page")
        return [tuple(detail.get(name) for name in names) for detail in self.of(AuditKind.PAGE_COMMITTED)]


def _sum(parts: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    total: dict[str, int] = dict.fromkeys(_COUNTED, 0)
    for part in parts:
        total = {name: total[name] + part.get(name, 0) for name in _COUNTED}
    return total


@asynccontextmanager
async def running_ground() -> AsyncGenerator[Ground]:
    """A stack whose database writes down every version of every row."""
    async with AsyncExitStack() as running:
        folder = running.enter_context(temporary_folder(service_user()))
        stack = await Stack.start(folder / "stack", SUGGESTED)
        running.callback(stack.lock.release)
        await history.install(stack.postgres.url(DATABASE))
        settings = settings_of(stack)
        async with opened(settings) as parts:
            client = await temporal_client(settings, parts.ring)
            ground = Ground(stack, settings, parts, client, stack.postgres, stack.temporal)
            try:
                yield ground
            finally:
                await asyncio.gather(*(worker.kill() for worker in ground.workers))
                await asyncio.gather(ground.temporal.stop(), ground.postgres.stop())


Story = Callable[[], Awaitable[None]]


class SideBySide:
    """Stories that all begin at once and are awaited one by one: what takes their time is waiting."""

    def __init__(self, stories: Mapping[str, Story]) -> None:
        self.ends = {name: asyncio.create_task(_told(story)) for name, story in stories.items()}

    async def over(self) -> None:
        """Wait until none runs any more, however they end."""
        await asyncio.gather(*self.ends.values(), return_exceptions=True)

    async def stop(self) -> None:
        """End what nobody waits for."""
        for end in self.ends.values():
            end.cancel()
        await self.over()


async def _told(story: Story) -> None:
    await story()


def asked_for(request: pytest.FixtureRequest, fixture: str, param: str) -> list[str]:
    """The values of `param` in those tests of this run that use the fixture."""
    return [
        str(item.callspec.params[param])
        for item in request.session.items
        if isinstance(item, pytest.Function) and fixture in item.fixturenames and param in item.callspec.params
    ]
