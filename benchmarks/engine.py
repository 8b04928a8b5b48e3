"""How fast contacts travel: `uv run python -m benchmarks.engine [CONTACTS] [--runs 3]`.

The code path of `contactsync demo`, with everything on: real Temporal, real PostgreSQL (fsync on), sealing, cleaning,
row sealing, audit, one worker process. The source makes its contacts up in memory, so what is measured is contactsync.
Each run syncs a connection of its own for the first time, then once more with nothing changed. Medians are printed.
"""

import argparse
import asyncio
import time
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table

from contactsync.activities.messages import PassResult
from contactsync.activities.store.directory import NewConnection, TenantPolicy
from contactsync.workers.bootstrap import Parts, opened, temporal_client
from contactsync.workers.demo.run import settings_of
from contactsync.workers.embedded.folders import service_user, temporary_folder
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
    return Timed(result, time.perf_counter() - began)


async def new_sync(parts: Parts, contacts: int, seed: int) -> Sync:
    """A connection of a new tenant to made-up contacts."""
    tenant = await parts.directory.add_tenant("Measured", TenantPolicy(default_region="DE"))
    new = NewConnection(kind="memory", settings={"made_up": contacts, "seed": seed}, interval_seconds=86_400)
    connection = await parts.directory.add_connection(tenant.tenant_id, new)
    return Sync(tenant.tenant_id, connection.connection_id, new.kind)


async def measure(contacts: int, runs: int) -> list[tuple[Timed, Timed]]:
    """First and unchanged second passes, after one small pass that warms the worker up."""
    with temporary_folder(service_user()) as folder:
        stack = await Stack.start(folder / "stack")
        worker = await stack.start_worker()
        try:
            settings = settings_of(stack)
            async with opened(settings) as parts:
                syncs = Syncs(await temporal_client(settings, parts.ring), settings.task_queue)
                await timed_pass(syncs, await new_sync(parts, 500, 0))
                measured: list[tuple[Timed, Timed]] = []
                for run in range(runs):
                    # the worker makes the contacts up once for each seed; that is no part of a sync
                    sync = await new_sync(parts, contacts, 1)
                    if run == 0:
                        await timed_pass(syncs, sync)
                        sync = await new_sync(parts, contacts, 1)
                    measured.append((await timed_pass(syncs, sync), await timed_pass(syncs, sync)))
                return measured
        finally:
            await worker.stop()
            await stack.stop()


def table(contacts: int, measured: list[tuple[Timed, Timed]]) -> Table:
    """Medians, and the range."""
    drawn = Table(title=f"{contacts:,} contacts, one worker process, {len(measured)} runs", title_justify="left")
    for column in ("pass", "contacts/s", "seconds (median)", "fastest", "slowest", "pages"):
        drawn.add_column(column, justify="right")
    for index, name in enumerate(("first", "unchanged")):
        passes = [run[index] for run in measured]
        seconds = [one.seconds for one in passes]
        middle = median(seconds)
        drawn.add_row(
            name,
            f"{contacts / middle:,.0f}",
            f"{middle:.2f}",
            f"{min(seconds):.2f}",
            f"{max(seconds):.2f}",
            str(passes[0].result.counts.pages),
        )
    return drawn


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("contacts", type=int, nargs="?", default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    measured = asyncio.run(measure(arguments.contacts, arguments.runs))
    if any(one.result.outcome != "completed" for run in measured for one in run):
        raise SystemExit("a pass did not complete")
    Console().print(table(arguments.contacts, measured))


if __name__ == "__main__":
    main()
