"""How fast contacts travel from memory, where no HTTP is in the way.

The code path of `contactsync demo`, with everything on: real Temporal, real PostgreSQL (fsync on), sealing, cleaning,
row sealing, audit, one worker process. The source makes its contacts up in memory, so what is measured is contactsync.
Each run syncs a connection of its own for the first time, then once more with nothing changed. Option: `contacts`.
"""

import time
from dataclasses import dataclass

from benchmarks.options import Options
from benchmarks.results import Figure, Result

from contactsync.activities.messages import PassResult
from contactsync.activities.store.directory import NewConnection, TenantPolicy
from contactsync.workers.bootstrap import Parts, opened, temporal_client
from contactsync.workers.demo.run import settings_of
from contactsync.workers.embedded.stack import Stack
from contactsync.workers.syncs import Sync, Syncs


@dataclass(frozen=True, slots=True)
class Timed:
    """A pass and how long it took, in seconds, from asking to the answer."""

    result: PassResult
    seconds: float


async def timed_pass(syncs: Syncs, sync: Sync) -> Timed:
    """Ask for a pass and wait for its counts."""
    began = time.perf_counter()
    result = await syncs.result(sync, await syncs.sync_now(sync))
    if result.outcome != "completed":
        raise SystemExit(f"a pass ended with {result.outcome}")
    return Timed(result, time.perf_counter() - began)


async def new_sync(parts: Parts, contacts: int, seed: int) -> Sync:
    """A connection of a new tenant to made-up contacts."""
    tenant = await parts.directory.add_tenant("Measured", TenantPolicy(default_region="DE"))
    new = NewConnection(kind="memory", settings={"made_up": contacts, "seed": seed}, interval_seconds=86_400)
    connection = await parts.directory.add_connection(tenant.tenant_id, new)
    return Sync(tenant.tenant_id, connection.connection_id, new.kind)


async def measure(options: Options) -> Result:
    """First and unchanged second passes, after one small pass that warms the worker up."""
    contacts, runs = options.number("contacts", usual=20_000, quick=1_000), options.times(3)
    async with Stack.running() as stack:
        worker = await stack.start_worker()
        try:
            settings = settings_of(stack)
            async with opened(settings) as parts:
                syncs = Syncs(await temporal_client(settings, parts.ring), settings.task_queue)
                measured = await _passes(parts, syncs, contacts, runs)
        finally:
            await worker.stop()
    speeds = [tuple(contacts / each.seconds for each in passes) for passes in zip(*measured, strict=True)]
    figures = (Figure("first pass", "contacts/s", speeds[0]), Figure("unchanged pass", "contacts/s", speeds[1]))
    return Result("engine", {"contacts": contacts, "runs": runs}, figures)


async def _passes(parts: Parts, syncs: Syncs, contacts: int, runs: int) -> list[tuple[Timed, Timed]]:
    # the worker makes the contacts up once for each seed; that is no part of a sync
    await timed_pass(syncs, await new_sync(parts, 500, 0))
    await timed_pass(syncs, await new_sync(parts, contacts, 1))
    measured: list[tuple[Timed, Timed]] = []
    for _ in range(runs):
        sync = await new_sync(parts, contacts, 1)
        measured.append((await timed_pass(syncs, sync), await timed_pass(syncs, sync)))
    return measured
