"""What connections cost that have nothing to do: 10, 100 and 1,000 of them on one worker process.

Each has a contact in the memory of the worker, and passes at an interval that find nothing changed. All are started
together; then the worker is watched for one interval, in which every connection has one pass. Before and during a
flood of other tenants' work, a small tenant asks for a pass of its own. Options: `connections`, `interval` (seconds; a
minute at least, and so many that there are about three passes a second), `flood` (connections of it).
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from benchmarks.cpu import cpu_seconds, resident_mib
from benchmarks.options import Options
from benchmarks.results import Figure, Ratio, Result

from contactsync.activities.store.directory import NewConnection, TenantPolicy
from contactsync.workers.bootstrap import Parts, opened, temporal_client
from contactsync.workers.demo.run import settings_of
from contactsync.workers.embedded.processes import Child
from contactsync.workers.embedded.stack import Stack
from contactsync.workers.syncs import Sync, Syncs

_AT_ONCE: Final = 50
_USUAL_INTERVAL: Final = NewConnection(kind="memory", settings={}).interval_seconds
"""Of connections for which nobody chose another; passes are what costs, so that fewer cost less in proportion."""

_NOTE: Final = "The share of a core at the usual interval is made of what a pass took at the shorter one watched here."
_FLOOD_CONTACTS: Final = 5_000
_ENDED: Final = """
    SELECT count(*) AS passes, count(DISTINCT connection_id) AS connections FROM contactsync.pass
    WHERE tenant_id = $1 AND ended_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """A stack with one worker process."""

    stack: Stack
    worker: Child
    parts: Parts
    syncs: Syncs

    async def tenant(self) -> UUID:
        """A new tenant."""
        return (await self.parts.directory.add_tenant("Measured", TenantPolicy())).tenant_id

    async def connection(self, tenant_id: UUID, contacts: int, interval: int) -> Sync:
        """A new connection; its workflow is not started."""
        made_up = {"made_up": contacts}
        new = NewConnection(kind="memory", settings=made_up, interval_seconds=interval, jitter_seconds=0)
        connection = await self.parts.directory.add_connection(tenant_id, new)
        return Sync(tenant_id, connection.connection_id, new.kind)

    async def ended(self, tenant_id: UUID) -> tuple[int, int]:
        """How many passes of a tenant have ended, and how many of its connections had one."""
        async with self.parts.database.transaction(tenant_id) as connection:
            passes, connections = await connection.fetchrow(_ENDED, tenant_id) or (0, 0)
        return int(passes), int(connections)

    async def pass_of(self, sync: Sync) -> float:
        """Seconds from asking for a pass to its end."""
        began = time.perf_counter()
        await self.syncs.result(sync, await self.syncs.sync_now(sync))
        return time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class Idle:
    """What so many connections took: to start, and in one interval of waiting.

    Cores are those that were busy, memory is in MiB; `alone` is the worker before there was any connection.
    """

    number: int
    starting: float
    cores: float
    temporal: float
    passes: int
    seconds: float
    memory: float
    alone: "Alone"

    @property
    def of_a_pass(self) -> float:
        """Seconds of the worker's CPU for each pass that found nothing."""
        return (self.cores - self.alone.cores) * self.seconds / max(1, self.passes)

    def at_interval(self, seconds: float) -> float:
        """How many of the worker's cores would be busy at another interval."""
        return self.alone.cores + self.of_a_pass * self.number / seconds


@dataclass(frozen=True, slots=True)
class Alone:
    """A worker without connections."""

    cores: float
    memory: float


async def measure(options: Options) -> Result:
    """Each number of connections on servers of its own, then a flood."""
    numbers = options.numbers("connections", usual=(10, 100, 1_000), quick=(5,))
    intervals = [options.number("interval", usual=max(60, each * 3 // 10), quick=10) for each in numbers]
    found: list[Idle] = []
    for number, interval in zip(numbers, intervals, strict=True):
        async with _ground() as ground:
            found.append(await _idle(ground, number, interval))
    async with _ground() as ground:
        alone, flooded = await _flood(ground, options.number("flood", usual=20, quick=2))
    figures = [figure for idle in found for figure in _figures(idle)]
    small = (
        Figure("small tenant alone: a pass", "s", alone),
        Figure("small tenant in a flood: a pass", "s", flooded),
    )
    ratios = (_aimed(max(found, key=lambda idle: idle.number)), _fairness(*small))
    given = {"connections": ", ".join(map(str, numbers)), "intervals": ", ".join(map(str, intervals))}
    return Result("connections", given, (*figures, *small), ratios, (_NOTE,))


def _aimed(idle: Idle) -> Ratio:
    name = f"{idle.number:,} connections, a pass every {_USUAL_INTERVAL} s: worker, % of a core"
    return Ratio(name, 100 * idle.at_interval(_USUAL_INTERVAL), "≤ 5")


def _fairness(alone: Figure, flooded: Figure) -> Ratio:
    return Ratio("small tenant: a pass in a flood / alone", flooded.median / alone.median)


def _figures(idle: Idle) -> list[Figure]:
    measured = (
        ("time to start all", "s", idle.starting),
        ("passes that find nothing", "in an interval", idle.passes),
        ("worker while they wait", "% of a core", 100 * idle.cores),
        ("Temporal while they wait", "% of a core", 100 * idle.temporal),
        ("worker for each of these passes", "ms of CPU", 1e3 * idle.of_a_pass),
        ("worker", "MiB", idle.memory),
        ("worker for each connection", "KiB", 1024 * (idle.memory - idle.alone.memory) / idle.number),
    )
    return [Figure.once(f"{idle.number:,} connections: {name}", unit, value) for name, unit, value in measured]


async def _idle(ground: Ground, number: int, interval: int) -> Idle:
    """Start so many connections, and watch them for an interval once each has had its first pass."""
    cores, _, _ = await _watched(ground, min(10, interval))
    alone = Alone(cores, resident_mib((ground.worker.pid,)))
    tenant_id = await ground.tenant()
    syncs = [await ground.connection(tenant_id, 1, interval) for _ in range(number)]
    began = time.perf_counter()
    await _start(ground, syncs)
    await _until_ended(ground, tenant_id, number)
    starting = time.perf_counter() - began
    await asyncio.sleep(min(30, interval / 2))  # so that passes which began together all fall into the interval
    ended, _ = await ground.ended(tenant_id)
    cores, temporal, seconds = await _watched(ground, interval)
    passes = (await ground.ended(tenant_id))[0] - ended
    print(f"  {number:,} connections: {100 * cores:.1f} % of a core", file=sys.stderr, flush=True)
    memory = resident_mib((ground.worker.pid,))
    return Idle(number, starting, cores, temporal, passes, seconds, memory, alone)


async def _watched(ground: Ground, seconds: float) -> tuple[float, float, float]:
    """How many cores the worker and Temporal keep busy in so many seconds; and how many seconds it were."""
    (worker, temporal), began = _spent(ground), time.perf_counter()
    await asyncio.sleep(seconds)
    took, (later_worker, later_temporal) = time.perf_counter() - began, _spent(ground)
    return (later_worker - worker) / took, (later_temporal - temporal) / took, took


def _spent(ground: Ground) -> tuple[float, float]:
    """Seconds of CPU of the worker and of Temporal."""
    return cpu_seconds((ground.worker.pid,)), cpu_seconds((ground.stack.temporal.child.pid,))


async def _start(ground: Ground, syncs: Sequence[Sync]) -> None:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def start(sync: Sync) -> None:
        async with gate:
            await ground.syncs.start(sync)

    await asyncio.gather(*map(start, syncs))


async def _until_ended(ground: Ground, tenant_id: UUID, connections: int) -> None:
    """Wait until so many connections have had a pass."""
    while (await ground.ended(tenant_id))[1] < connections:  # noqa: ASYNC110  # rows tell nobody that they change
        await asyncio.sleep(0.2)


async def _flood(ground: Ground, connections: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """How long passes of a small tenant take alone, and while another tenant's connections are all read at once."""
    small = await ground.connection(await ground.tenant(), 10, 86_400)
    await ground.pass_of(small)
    alone = tuple([await ground.pass_of(small) for _ in range(5)])
    large = await ground.tenant()
    await _start(ground, [await ground.connection(large, _FLOOD_CONTACTS, 86_400) for _ in range(connections)])
    flooded = [await ground.pass_of(small)]
    while (await ground.ended(large))[1] < connections:
        flooded.append(await ground.pass_of(small))
    return alone, tuple(flooded)


@asynccontextmanager
async def _ground() -> AsyncGenerator[Ground]:
    async with Stack.running() as stack:
        worker = await stack.start_worker()
        try:
            settings = settings_of(stack)
            async with opened(settings) as parts:
                syncs = Syncs(await temporal_client(settings, parts.ring), settings.task_queue)
                while not await syncs.worker_polls():  # noqa: ASYNC110  # Temporal tells nobody
                    await asyncio.sleep(0.1)
                yield Ground(stack, worker, parts, syncs)
        finally:
            await worker.stop()
