"""What sealing costs a whole run, and what external storage does to it.

First passes of the in-memory source through real Temporal and real PostgreSQL, by one worker in this process: with the
payload codec (`sealed`), without it (`unsealed`), and with it and the pages kept beside Temporal (`staged`), in turns
within one run. Rows at rest are sealed in all. Clients without the codec are made here and in tests only: nothing in
contactsync can make one. Option: `contacts`.
"""

import logging
import time
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.engine import new_sync, timed_pass
from benchmarks.options import Options
from benchmarks.results import Figure, Ratio, Result
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.service import GrpcCompression
from temporalio.worker import UnsandboxedWorkflowRunner

from contactsync.codecs.payloads.client_plugin import CORE_LOGGER, quiet_runtime
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

KINDS: Final = ("sealed", "unsealed", "staged")
_STAGED_FROM_BYTES: Final = 16 * 1024
_WARM_UP_CONTACTS: Final = 500


@dataclass(frozen=True, slots=True)
class Taken:
    """What a pass took: seconds from asking to the answer, and seconds of CPU of the worker."""

    seconds: float
    cpu: float


async def measure(options: Options) -> Result:
    """Passes of each kind in turns, after a small one of each that warms everything up."""
    contacts = options.number("contacts", usual=20_000, quick=500)
    times = options.times(5)
    configure_logging("json", "WARNING")
    logging.getLogger(CORE_LOGGER).setLevel(logging.ERROR)  # it warns of unsealed pages: they are not compressed
    found: dict[str, list[Taken]] = {kind: [] for kind in KINDS}
    with temporary_folder(service_user()) as folder:
        stack = await Stack.start(folder / "stack")
        try:
            async with opened(settings_of(stack)) as parts:
                for run in range(times + 1):
                    for kind, taken in found.items():
                        one = await taken_by(kind, parts, f"{kind}-{run}", contacts if run else _WARM_UP_CONTACTS)
                        if run:
                            taken.append(one)
        finally:
            await stack.stop()
    return _result(contacts, times, found)


async def taken_by(kind: str, parts: Parts, queue: str, contacts: int) -> Taken:
    """One first pass of a new connection, on a worker and a task queue of its own."""
    update: dict[str, str | int] = {"task_queue": queue}
    if kind == "staged":
        update["external_storage_bytes"] = _STAGED_FROM_BYTES
    own = replace(parts, settings=parts.settings.model_copy(update=update))
    client = await client_of(kind, own)
    async with make_worker(own, client, runner=UnsandboxedWorkflowRunner()):  # as worker processes have it
        sync = await new_sync(own, contacts, 1)
        began = time.process_time()
        timed = await timed_pass(Syncs(client, queue), sync)
        return Taken(timed.seconds, time.process_time() - began)


async def client_of(kind: str, parts: Parts) -> Client:
    """A client of ours, or one like it but for the codec."""
    if kind == "unsealed":
        return await unsealed_client(parts.settings)
    return await temporal_client(parts.settings, parts.ring, stage=parts.stage)


async def unsealed_client(settings: Settings) -> Client:
    """A client like ours, but for the codec."""
    converter = DataConverter(
        payload_converter_class=MessageConverter, failure_converter_class=SealedFailureConverter, payload_codec=None
    )
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        data_converter=converter,
        grpc_compression=GrpcCompression.NONE,  # as ours, or what is measured would be gzip
        runtime=quiet_runtime(),
    )


def _result(contacts: int, times: int, found: dict[str, list[Taken]]) -> Result:
    seconds = {kind: Figure(f"{kind}: first pass", "s", tuple(one.seconds for one in found[kind])) for kind in KINDS}
    cpu = {
        kind: Figure(
            f"{kind}: CPU of the worker", "µs a contact", tuple(one.cpu / contacts * 1e6 for one in found[kind])
        )
        for kind in KINDS
    }
    ratios = (
        Ratio("sealed / unsealed, time", seconds["sealed"].median / seconds["unsealed"].median, "≤ 1.10"),
        Ratio("sealed / unsealed, CPU of the worker", cpu["sealed"].median / cpu["unsealed"].median),
        Ratio("staged / sealed, time", seconds["staged"].median / seconds["sealed"].median),
        Ratio("staged / sealed, CPU of the worker", cpu["staged"].median / cpu["sealed"].median),
    )
    noted = f"staged: payloads of {_STAGED_FROM_BYTES // 1024} KiB and more are kept in PostgreSQL, not in the history"
    return Result(
        "sealing",
        {"contacts": contacts, "runs": times},
        (*seconds.values(), *cpu.values()),
        ratios,
        (noted,),
    )
