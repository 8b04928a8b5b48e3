"""What sealing costs: `uv run python -m benchmarks.sealing [CONTACTS] [--runs 5]`.

First passes of the in-memory source through real Temporal and real PostgreSQL, with the payload codec and without it,
in turns within one run; rows at rest are sealed in both. The ratio of the medians is printed. Clients without the codec
are made here and in tests only: nothing in contactsync can make one.
"""

import argparse
import asyncio
from dataclasses import replace
from statistics import median

from benchmarks.engine import Timed, new_sync, timed_pass
from rich.console import Console
from rich.table import Table
from temporalio.client import Client
from temporalio.converter import DataConverter

from contactsync.codecs.payloads.converter import MessageConverter
from contactsync.codecs.payloads.failures import SealedFailureConverter
from contactsync.workers.bootstrap import Parts, opened, temporal_client
from contactsync.workers.demo.run import settings_of
from contactsync.workers.embedded.folders import service_user, temporary_folder
from contactsync.workers.embedded.stack import Stack
from contactsync.workers.logs import configure_logging
from contactsync.workers.settings import Settings
from contactsync.workers.syncs import Syncs
from contactsync.workers.worker import make_worker


async def unsealed_client(settings: Settings) -> Client:
    """A client like ours, but for the codec."""
    converter = DataConverter(
        payload_converter_class=MessageConverter, failure_converter_class=SealedFailureConverter, payload_codec=None
    )
    return await Client.connect(
        settings.temporal_address, namespace=settings.temporal_namespace, data_converter=converter
    )


async def passes(parts: Parts, client: Client, contacts: int, seed: int) -> Timed:
    """One first pass, on a worker of its own in this process."""
    queue = parts.settings.task_queue
    async with make_worker(parts, client):
        return await timed_pass(Syncs(client, queue), await new_sync(parts, contacts, seed))


async def measure(contacts: int, runs: int) -> dict[str, list[Timed]]:
    """Passes with and without the codec, in turns, after one of each that warms everything up."""
    with temporary_folder(service_user()) as folder:
        stack = await Stack.start(folder / "stack")
        try:
            async with opened(settings_of(stack)) as parts:
                measured: dict[str, list[Timed]] = {"sealed": [], "unsealed": []}
                for run in range(runs + 1):
                    for name, found in measured.items():
                        named = replace(parts, settings=_on_queue(parts.settings, f"{name}-{run}"))
                        client = await (
                            temporal_client(named.settings, named.ring)
                            if name == "sealed"
                            else unsealed_client(named.settings)
                        )
                        timed = await passes(named, client, contacts, 1)
                        if run:
                            found.append(timed)
                return measured
        finally:
            await stack.stop()


def _on_queue(settings: Settings, queue: str) -> Settings:
    return settings.model_copy(update={"task_queue": queue})


def table(contacts: int, measured: dict[str, list[Timed]]) -> Table:
    """Medians, the range, and the ratio."""
    middles = {name: median(one.seconds for one in found) for name, found in measured.items()}
    ratio = middles["sealed"] / middles["unsealed"]
    drawn = Table(title=f"{contacts:,} contacts, first pass: sealed / unsealed = {ratio:.3f}", title_justify="left")
    for column in ("payloads", "seconds (median)", "fastest", "slowest", "contacts/s"):
        drawn.add_column(column, justify="right")
    for name, found in measured.items():
        seconds = [one.seconds for one in found]
        drawn.add_row(
            name,
            f"{middles[name]:.2f}",
            f"{min(seconds):.2f}",
            f"{max(seconds):.2f}",
            f"{contacts / middles[name]:,.0f}",
        )
    return drawn


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("contacts", type=int, nargs="?", default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    configure_logging("json", "WARNING")
    measured = asyncio.run(measure(arguments.contacts, arguments.runs))
    if any(one.result.outcome != "completed" for found in measured.values() for one in found):
        raise SystemExit("a pass did not complete")
    Console().print(table(arguments.contacts, measured))


if __name__ == "__main__":
    main()
