"""How long one waits at first: for `contactsync --help`, for the demo, and from a worker's start to its first row.

Everything is installed already. Options: `demo` (0: leave it out).
"""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.options import Options
from benchmarks.results import Figure, Ratio, Result

from contactsync.activities.messages import ConnectionRef
from contactsync.activities.store.directory import NewConnection, TenantPolicy
from contactsync.workers.bootstrap import opened, temporal_client
from contactsync.workers.demo.run import settings_of
from contactsync.workers.embedded.stack import Stack
from contactsync.workers.syncs import Sync, Syncs

_COMMAND: Final = (str(Path(sys.executable).with_name("contactsync")),)


async def measure(options: Options) -> Result:
    """Each of them so many times; the demo once in a quick run, unless it is left out."""
    times = options.times(5)
    helped = tuple(_seconds("--help") for _ in range(times))
    rows = tuple([await _first_row() for _ in range(options.times(3))])
    told = tuple(_seconds("demo", "--once") for _ in range(options.number("demo", usual=3, quick=0)))
    figures = [Figure("contactsync --help", "s", helped), Figure("worker's start to the first row", "s", rows)]
    ratios = [Ratio("contactsync --help, s", figures[0].median, "≤ 0.3")]
    if told:
        figures.append(Figure("contactsync demo --once", "s", told))
        ratios.append(Ratio("contactsync demo --once, s", figures[-1].median, "≤ 30"))
    return Result("cold_start", {"runs": times}, tuple(figures), tuple(ratios))


def _seconds(*arguments: str) -> float:
    """How long a command takes, which must succeed."""
    began = time.perf_counter()
    subprocess.run([*_COMMAND, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    return time.perf_counter() - began


async def _first_row() -> float:
    """From the start of a worker's process to a contact in the database; its sync was asked for before."""
    async with Stack.running() as stack:
        settings = settings_of(stack)
        async with opened(settings) as parts:
            tenant = await parts.directory.add_tenant("Measured", TenantPolicy())
            new = NewConnection(kind="memory", settings={"made_up": 1})
            connection = await parts.directory.add_connection(tenant.tenant_id, new)
            sync = Sync(tenant.tenant_id, connection.connection_id, new.kind)
            await Syncs(await temporal_client(settings, parts.ring), settings.task_queue).start(sync)
            ref = ConnectionRef(tenant_id=sync.tenant_id, connection_id=sync.connection_id)
            began = time.perf_counter()
            worker = await stack.start_worker()
            try:
                while (await parts.contacts.counts(ref)).live == 0:  # noqa: ASYNC110  # rows tell nobody
                    await asyncio.sleep(0.02)
                return time.perf_counter() - began
            finally:
                await worker.stop()
