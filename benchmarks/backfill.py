"""A backfill beside live sync, killed again and again.

Everything is on: real Temporal, real PostgreSQL (fsync on), sealing, cleaning, audit, the `rest` source. The provider
is simulated in a process of its own, and its users go on editing, adding and deleting all the time. The worker is
killed at even steps of the backfill, and another takes over. At the end provider and rows are compared, contact by
contact. A kill takes ten seconds at least, after which Temporal gives up on the killed worker. Options: `contacts`,
`kills`.
"""

import asyncio
import json
import os
import random
import re
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx
from benchmarks.cpu import resident_mib
from benchmarks.histories import history_bytes, runs
from benchmarks.options import Options
from benchmarks.results import Figure, Result
from benchmarks.served import served
from benchmarks.simulated import folders
from temporalio.client import Client

from contactsync.activities.messages import BackfillResult, ConnectionRef
from contactsync.activities.sources.simulator.records import base_id
from contactsync.activities.sources.simulator.settings_file import rest_settings
from contactsync.activities.store.backfill_rows import Backfill, NewBackfill
from contactsync.activities.store.backfills import Backfills
from contactsync.activities.store.directory import NewConnection, TenantPolicy
from contactsync.workers.backfills import BackfillRun, BackfillRuns
from contactsync.workers.bootstrap import Parts, opened, temporal_client
from contactsync.workers.demo.run import settings_of
from contactsync.workers.embedded.folders import service_user, temporary_folder
from contactsync.workers.embedded.processes import Child
from contactsync.workers.embedded.stack import Stack
from contactsync.workers.syncs import Sync, Syncs
from contactsync.workflows.backfill import Backfill as BackfillWorkflow

PARTS: Final = 8
PAGE_ROWS: Final = 500
LIVE_EVERY_SECONDS: Final = 20
EDITS_A_SECOND: Final = 10
LOOK_EVERY_SECONDS: Final = 0.5
_VERSION: Final = re.compile(r" r(\d+)$")


@dataclass
class Workers:
    """The one worker there is at a time, and how much memory each had, by seconds since the beginning."""

    stack: Stack
    child: Child
    began: float = field(default_factory=time.perf_counter)
    kills: int = 0
    memory: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])  # seconds, MiB

    async def kill(self) -> None:
        """SIGKILL, and another one."""
        os.kill(self.child.pid, signal.SIGKILL)
        await self.child.wait()
        self.kills += 1
        self.child = await self.stack.start_worker(f"worker-{self.kills}")

    def by_tenths(self, seconds: float) -> list[float]:
        """The highest memory in each tenth of so many seconds; a tenth in which nobody looked is left out."""
        tenths = [
            [weight for second, weight in self.memory if int(second / seconds * 10) == each] for each in range(11)
        ]
        return [max(weights) for weights in tenths if weights]

    def weigh(self) -> None:
        """Note the resident memory of the worker's process."""
        self.memory.append((time.perf_counter() - self.began, resident_mib((self.child.pid,))))


@dataclass(frozen=True, slots=True)
class Histories:
    """All runs of a workflow together."""

    runs: int
    events: int
    bytes: float
    longest_events: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run of the benchmark found."""

    seconds: float
    result: BackfillResult
    workers: Workers
    histories: Histories
    live_passes: int
    edits: int
    pages_asked: int
    differing: int
    contacts: int


@dataclass(frozen=True, slots=True)
class Scene:
    """Who takes part."""

    parts: Parts
    workers: Workers
    simulated: Child
    url: str


class Users:
    """Edit, add and delete contacts without end."""

    def __init__(self, url: str, contacts: int) -> None:
        self._url = f"{url}/_control"
        self._contacts = contacts
        self._chance = random.Random(7)  # noqa: S311  # the same edits in each run
        self.edits = 0

    async def work(self) -> None:
        """Ten changes a second: eight edits, one new contact, one that goes."""
        async with httpx.AsyncClient() as client:
            while True:
                edited, gone = [self._somebody() for _ in range(8)], [self._somebody()]
                added = {"do": "add", "folder": self._chance.choice(folders(PARTS))}
                for order in ({"do": "edit", "ids": edited}, added, {"do": "delete", "ids": gone}):
                    answer = await client.post(self._url, json=order)
                    self.edits += answer.is_success  # what is gone cannot be edited
                await asyncio.sleep(1)

    def _somebody(self) -> str:
        return base_id(self._chance.randrange(self._contacts))


async def truth(url: str) -> dict[str, int]:
    """What the provider has: source id → version."""
    there: dict[str, int] = {}
    after: str | None = ""
    async with httpx.AsyncClient(timeout=60) as client:
        while after is not None:
            answer = await client.get(f"{url}/_control/truth", params={"after": after, "limit": 10_000})
            page = answer.raise_for_status().json()
            there |= dict(page["contacts"])
            after = page["after"]
    return there


async def held(parts: Parts, ref: ConnectionRef) -> dict[str, int]:
    """What the rows hold; the simulator writes a contact's version into its title."""
    found: dict[str, int] = {}
    async for contact in parts.contacts.all_of(ref):
        version = _VERSION.search(json.loads(contact.content)["titles"][0]["name"])
        found[contact.source_id] = int(version[1]) if version else -1
    return found


async def histories(client: Client, workflow_id: str) -> Histories:
    """The histories of all runs of a workflow."""
    events = [(await run.describe()).history_length async for run in runs(client, workflow_id)]
    return Histories(len(events), sum(events), await history_bytes(client, workflow_id), max(events))


async def new_connection(parts: Parts, url: str) -> Sync:
    """A connection that never synced; live sync is to go on from now."""
    tenant = await parts.directory.add_tenant("Measured", TenantPolicy(default_region="DE"))
    further: Mapping[str, Mapping[str, object]] = {
        "parts": {"params": {"folder": "{value}"}, "values": list(folders(PARTS))}
    }
    new = NewConnection(
        kind="rest",
        settings=rest_settings(url, further=further, page_size=PAGE_ROWS),
        interval_seconds=LIVE_EVERY_SECONDS,
        jitter_seconds=0,
        page_rows=PAGE_ROWS,
    )
    connection = await parts.directory.add_connection(tenant.tenant_id, new)
    return Sync(tenant.tenant_id, connection.connection_id, new.kind)


async def planned(backfills: Backfills, ref: ConnectionRef, run: BackfillRun) -> Backfill:
    """The backfill, once its parts are known and live sync has its baseline."""
    while True:
        backfill = await backfills.get(ref, run.backfill_id)
        if backfill.parts:
            return backfill
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def strike(scene: Scene, run: BackfillRun, contacts: int, kills: int) -> None:
    """Kill the worker at even steps of the backfill, and say how far it is."""
    workers, backfills = scene.workers, Backfills(scene.parts.database, scene.parts.ring)
    ref = ConnectionRef(tenant_id=run.sync.tenant_id, connection_id=run.sync.connection_id)
    while True:
        workers.weigh()
        backfill = await backfills.get(ref, run.backfill_id)
        if backfill.ended_at is not None:
            return
        counts = backfill.counts
        done = (counts.added + counts.updated + counts.unchanged) / contacts
        if workers.kills < kills and done >= (workers.kills + 1) / (kills + 1):
            await workers.kill()
            seconds = time.perf_counter() - workers.began
            print(f"{seconds:7.1f} s  {done:6.1%}  worker killed ({workers.kills})", file=sys.stderr, flush=True)
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def measure(options: Options) -> Result:
    """The story once.

    Raises:
        SystemExit: something differs at the end, or the backfill did not complete.
    """
    contacts = options.number("contacts", usual=200_000, quick=5_000)
    kills = options.number("kills", usual=10, quick=1)
    measured = await story(contacts, kills)
    if measured.differing or measured.result.outcome != "completed":
        raise SystemExit(f"{measured.differing} contacts differ, the backfill is {measured.result.outcome}")
    return Result("backfill", {"contacts": contacts, "kills": kills}, figures(measured, contacts))


async def story(contacts: int, kills: int) -> Measured:
    """The whole story."""
    with temporary_folder(service_user()) as folder:
        place = folder / "provider"
        place.mkdir()
        serving = served("benchmarks.simulated", str(contacts), str(PARTS), folder=place)
        async with serving as (simulated, url), Stack.running(folder / "stack") as stack:
            settings = settings_of(stack)
            async with opened(settings) as parts:
                workers = Workers(stack, await stack.start_worker())
                try:
                    return await _backfilled(Scene(parts, workers, simulated, url), contacts, kills)
                finally:
                    await workers.child.stop()


async def _backfilled(scene: Scene, contacts: int, kills: int) -> Measured:
    parts, workers, url = scene.parts, scene.workers, scene.url
    client = await temporal_client(parts.settings, parts.ring)
    syncs, runs = Syncs(client, parts.settings.task_queue), BackfillRuns(client, parts.settings.task_queue)
    backfills = Backfills(parts.database, parts.ring)
    sync = await new_connection(parts, url)
    ref = ConnectionRef(tenant_id=sync.tenant_id, connection_id=sync.connection_id)
    requested = await backfills.request(ref, NewBackfill(), actor="benchmark")
    run = BackfillRun(sync, requested.backfill_id, requested.number)
    users = Users(url, contacts)
    editing = asyncio.create_task(users.work())
    began = time.perf_counter()
    await runs.start(run)
    await planned(backfills, ref, run)
    await syncs.start(sync)
    await strike(scene, run, contacts, kills)
    result = await client.get_workflow_handle_for(BackfillWorkflow.run, run.workflow_id).result()
    seconds = time.perf_counter() - began
    editing.cancel()
    await asyncio.wait([editing])
    live = await _caught_up(syncs, sync)
    there, here = await truth(url), await held(parts, ref)
    differing = sum(there.get(each) != here.get(each) for each in there.keys() | here.keys())
    told = await histories(client, run.workflow_id)
    await scene.simulated.stop()
    asked = json.loads((scene.simulated.log.parent / "asked.json").read_text())
    return Measured(
        seconds, result, workers, told, live, users.edits, asked["contacts"], differing, contacts=len(there)
    )


async def _caught_up(syncs: Syncs, sync: Sync) -> int:
    """Let live sync take in the last edits; gives the number of its passes."""
    await asyncio.sleep(3)  # the source's lag: a pass reads up to two seconds ago
    result = await syncs.result(sync, await syncs.sync_now(sync))
    if result.outcome != "completed":
        raise SystemExit(f"the last pass ended with {result.outcome}")
    progress = await syncs.progress(sync)
    return progress.passes if progress else 0


def figures(measured: Measured, contacts: int) -> tuple[Figure, ...]:
    """What was found."""
    weights = measured.workers.by_tenths(measured.seconds)
    told, pages = measured.histories, measured.result.counts.pages
    return (
        Figure.once("contacts that differ at the end", "contacts", measured.differing),
        Figure.once("contacts at the end", "contacts", measured.contacts),
        Figure.once("in all, kills included", "contacts/s", contacts / measured.seconds),
        Figure.once("workers killed", "workers", measured.workers.kills),
        Figure.once("edits meanwhile", "edits", measured.edits),
        Figure.once("live passes meanwhile", "passes", measured.live_passes),
        Figure("worker's memory, highest of each tenth of the time", "MiB", tuple(weights)),
        Figure.once("runs of the workflow", "runs", told.runs),
        Figure.once("events of all runs", "events", told.events),
        Figure.once("events of the longest run", "events", told.longest_events),
        Figure.once("history", "bytes a contact", told.bytes / contacts),
        Figure.once("pages committed", "pages", pages),
        Figure.once("pages asked for again", "pages", measured.pages_asked - pages),
    )
