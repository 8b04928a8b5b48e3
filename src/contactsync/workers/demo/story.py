"""The demo's story: three passes, edits between them, a killed worker, a comparison and a search for leaks."""

import asyncio
import os
import signal
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final
from uuid import UUID

from temporalio.client import Client, WorkflowUpdateHandle

from contactsync.activities.contacts.made_up import personal_strings
from contactsync.activities.messages import ConnectionRef, PassResult
from contactsync.activities.store.directory import NewConnection, TenantPolicy
from contactsync.codecs.payloads import framing
from contactsync.errors import ProcessEnded
from contactsync.workers.bootstrap import Parts
from contactsync.workers.demo.book import Book, Expected
from contactsync.workers.demo.comparison import compare, held_contacts
from contactsync.workers.demo.history import show_page
from contactsync.workers.demo.planted import PlantedStrings
from contactsync.workers.demo.report import ComparisonReport, DemoReport, LeakReport, PassReport, as_expected
from contactsync.workers.demo.screen import Screen
from contactsync.workers.embedded.carddav import CardDavServer
from contactsync.workers.embedded.processes import Child
from contactsync.workers.embedded.stack import Stack
from contactsync.workers.syncs import Sync, Syncs

CONTACTS: Final = 500
_PAGE_ROWS: Final = 50
"""Small pages, so that a pass has a middle to kill the worker in."""

_KILL_AT_PAGE: Final = 2
_POLL_SECONDS: Final = 0.05
TENANTS: Final = (("Nordwind", "DE", "nordwind"), ("Bluebird", "US", "bluebird"))
"""Label, region, and user of the CardDAV server."""


Asked = WorkflowUpdateHandle[PassResult]


@dataclass(frozen=True, slots=True)
class TenantOfDemo:
    """A tenant, its address book on the server, and what that should hold."""

    label: str
    user: str
    sync: Sync
    book: Book

    @property
    def ref(self) -> ConnectionRef:
        """Its connection."""
        return ConnectionRef(tenant_id=self.sync.tenant_id, connection_id=self.sync.connection_id)


@dataclass(slots=True)
class Story:
    """Tells the story on running servers."""

    stack: Stack
    carddav: CardDavServer
    parts: Parts
    client: Client
    screen: Screen
    worker: Child
    tenants: list[TenantOfDemo] = field(default_factory=list[TenantOfDemo])
    passes: list[PassReport] = field(default_factory=list[PassReport])
    killed_at_page: int = 0
    _started: float = field(default_factory=time.monotonic)

    async def tell(self) -> DemoReport:
        """All of it."""
        self.screen.step(f"writing {len(TENANTS)} times {CONTACTS} made-up contacts into the CardDAV server")
        await self._add_tenants()
        await self._first_pass()
        await self._second_pass()
        await self._third_pass()
        self.screen.step("comparing source and database, contact by contact")
        comparisons = [await self._compare(tenant) for tenant in self.tenants]
        self.screen.step("opening one payload of Temporal's history through the codec server")
        history = await show_page(
            self.client,
            self.tenants[0].sync.workflow_id,
            self.stack.codec_url,
            self.stack.temporal.namespace,
        )
        self.screen.step("looking for planted personal strings")
        leaks = await asyncio.to_thread(self._leaks)
        return DemoReport(
            passes=tuple(self.passes),
            worker_killed_at_page=self.killed_at_page,
            comparisons=tuple(comparisons),
            history=history,
            leaks=leaks,
            seconds=time.monotonic() - self._started,
        )

    async def stop_worker(self) -> None:
        """Stop the worker that runs now."""
        await self.worker.stop()

    async def _add_tenants(self) -> None:
        for seed, (label, region, user) in enumerate(TENANTS, start=1):
            book = Book(seed, CONTACTS)
            await self.carddav.apply(user, book.fill())
            tenant = await self.parts.directory.add_tenant(label, TenantPolicy(default_region=region))
            connection_id = await self._connect(tenant.tenant_id, user)
            self.tenants.append(TenantOfDemo(label, user, Sync(tenant.tenant_id, connection_id, "carddav"), book))

    async def _connect(self, tenant_id: UUID, user: str) -> UUID:
        new = NewConnection(
            kind="carddav",
            settings={"url": self.carddav.url, "username": user},
            secret_ref=f"file:{self.carddav.password_file(user)}",
            page_rows=_PAGE_ROWS,
        )
        return (await self.parts.directory.add_connection(tenant_id, new)).connection_id

    async def _first_pass(self) -> None:
        self.screen.step("first pass: everything is new")
        everything = Expected(added=CONTACTS, downloaded=CONTACTS)
        await self._pass("first", [everything] * len(self.tenants))

    async def _second_pass(self) -> None:
        self.screen.step("adding, editing, renaming and deleting at the source")
        expected: list[Expected] = []
        for tenant in self.tenants:
            edits, expects = tenant.book.change()
            await self.carddav.apply(tenant.user, edits)
            expected.append(expects)
        self.screen.step("second pass: only what changed is downloaded")
        await self._pass("second", expected)

    async def _third_pass(self) -> None:
        self.screen.step("editing three of five contacts at the source")
        expected: list[Expected] = []
        for tenant in self.tenants:
            edits, expects = tenant.book.change_many()
            await self.carddav.apply(tenant.user, edits)
            expected.append(expects)
        self.screen.step("third pass: the worker is killed in the middle of it, and another takes over")
        await self._pass("third", expected, kill=True)

    async def _pass(self, name: str, expected: Sequence[Expected], *, kill: bool = False) -> None:
        syncs = self._syncs()
        began = time.monotonic()
        asked = [await self._while_worker_runs(syncs.sync_now(tenant.sync)) for tenant in self.tenants]
        waiting = [
            asyncio.ensure_future(syncs.result(tenant.sync, handle))
            for tenant, handle in zip(self.tenants, asked, strict=True)
        ]
        if kill:
            await self._kill_worker_in_the_middle(waiting)
        await self._watch(waiting)
        seconds = time.monotonic() - began
        for tenant, task, expects in zip(self.tenants, waiting, expected, strict=True):
            result = await task
            self.passes.append(
                PassReport(
                    name=name,
                    tenant=tenant.label,
                    outcome=result.outcome,
                    counts=result.counts,
                    seconds=seconds,
                    as_expected=as_expected(result.outcome, result.counts, expects),
                )
            )

    async def _while_worker_runs(self, asking: Coroutine[object, object, Asked]) -> Asked:
        """The answer, which would never come if the worker ended by itself."""
        task, ended = asyncio.ensure_future(asking), asyncio.ensure_future(self.worker.wait())
        await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not task.done():
            task.cancel()
        self._require_worker()
        return await task

    def _require_worker(self) -> None:
        if self.worker.ended:
            raise ProcessEnded("the worker ended by itself; `contactsync up` starts one whose log is kept")

    async def _watch(self, waiting: Sequence[asyncio.Future[PassResult]]) -> None:
        """Show progress until all passes are over."""
        while not all(task.done() for task in waiting):
            self._require_worker()
            for tenant in self.tenants:
                await self._show_progress(tenant)
            await asyncio.wait(waiting, timeout=_POLL_SECONDS)

    async def _show_progress(self, tenant: TenantOfDemo) -> int:
        progress = await self._syncs().progress(tenant.sync)
        if progress is None:
            return 0
        self.screen.progress(tenant.label, progress)
        return progress.page if progress.state == "syncing" else 0

    async def _kill_worker_in_the_middle(self, waiting: Sequence[asyncio.Future[PassResult]]) -> None:
        while not any(task.done() for task in waiting):
            self._require_worker()
            self.killed_at_page = await self._show_progress(self.tenants[0])
            if self.killed_at_page >= _KILL_AT_PAGE:
                break
            await asyncio.wait(waiting, timeout=_POLL_SECONDS)
        os.kill(self.worker.pid, signal.SIGKILL)
        await self.worker.wait()
        self.screen.step(f"worker killed after page {self.killed_at_page}; another one takes over")
        self.worker = await self.stack.start_worker("second-worker")

    async def _compare(self, tenant: TenantOfDemo) -> ComparisonReport:
        rows = self.parts.contacts.all_of(tenant.ref, actor="demo")
        held = await held_contacts((row.source_id, row.content) async for row in rows)
        found = compare(tenant.book.cards, held)
        return ComparisonReport(
            tenant=tenant.label,
            equal=found.equal,
            missing=found.missing,
            surplus=found.surplus,
            different=found.different,
        )

    def _leaks(self) -> LeakReport:
        written = (contact for tenant in self.tenants for contact in tenant.book.written)
        # a page's body is compressed before it is sealed: of one that is not sealed, its encoding would be found
        planted = PlantedStrings(chain([framing.ENCODING], *map(personal_strings, written)))
        channels = {
            "Temporal's database": [self.stack.temporal.db_file],
            "Temporal's log": [self.stack.temporal.log],
            "the workers' logs": sorted(self.stack.folder.glob("*worker.log")),
            "the codec server's log": [self.stack.folder / "codec-server.log"],
        }
        found = {
            channel: sum(sum(planted.in_tree(path.parent, path.name + "*").values()) for path in paths)
            for channel, paths in channels.items()
        }
        return LeakReport(strings=planted.count, found=found)

    def _syncs(self) -> Syncs:
        return Syncs(self.client, self.parts.settings.task_queue)
