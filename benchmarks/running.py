"""Runs benchmarks, each in a process of its own.

So none finds what another left in memory, and one that fails does not keep the others from running. However the runner
ends, the benchmark that it waits for ends as if interrupted, and stops its servers.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing import get_context, parent_process

from benchmarks.options import Options
from benchmarks.registry import benchmark
from benchmarks.results import save, table
from rich.console import Console


def run_all(names: Sequence[str], options: Options, notes: Sequence[str]) -> list[str]:
    """Run these benchmarks one after the other; gives the names of those that failed. `notes` go with the results."""
    return [name for name in names if not _succeeds(name, options.of(name), notes)]


def _succeeds(name: str, options: Options, notes: Sequence[str]) -> bool:
    process = get_context("spawn").Process(target=_run, args=(name, options, notes))
    process.start()
    process.join()
    return process.exitcode == 0


def _run(name: str, options: Options, notes: Sequence[str]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has it ignored in what runs behind its back
    threading.Thread(target=_end_with_the_runner, daemon=True).start()
    print(f"{name} …", file=sys.stderr, flush=True)
    measured = asyncio.run(benchmark(name).measure(options))
    result = replace(measured, notes=(*measured.notes, *notes))
    Console().print(table(result))
    print(save(result, options.folder), file=sys.stderr)


def _end_with_the_runner() -> None:
    runner = parent_process()
    if runner is not None:
        runner.join()
        os.kill(os.getpid(), signal.SIGINT)
