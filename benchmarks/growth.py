"""Whether it stays as it is while it grows: first passes of 10,000, 100,000 and 1,000,000 contacts.

Each size has servers, a worker process and a source of its own, so that no size profits from the one before. The peak
of the worker's memory is the kernel's (VmHWM); history is the sum over all runs of the workflow, and activities are
counted in the worker's log. A million contacts take about 5 GB of disk while they are there. Option: `sizes`.
"""

import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.cpu import cpu_seconds
from benchmarks.end_to_end import standing, turned
from benchmarks.histories import history_bytes
from benchmarks.options import Options
from benchmarks.results import Figure, Ratio, Result
from benchmarks.sides import Subject, contactsync_side

_PEAK: Final = re.compile(r"VmHWM:\s+(\d+) kB")


@dataclass(frozen=True, slots=True)
class Grown:
    """A first pass: seconds, those of CPU of all processes, the worker's peak in MiB, bytes of history, activities."""

    contacts: int
    seconds: float
    cpu: float
    peak: float
    history: float
    activities: int


async def measure(options: Options) -> Result:
    """A first pass of each size, in turns."""
    sizes = options.numbers("sizes", usual=(10_000, 100_000, 1_000_000), quick=(1_000, 2_000))
    times = options.times(1)
    grown = [[await _pass_of(size) for size in sizes] for _ in range(times)]
    figures = [figure for index, size in enumerate(sizes) for figure in _figures(size, [run[index] for run in grown])]
    listed = ", ".join(f"{size:,}" for size in sizes)
    return Result("growth", {"sizes": listed, "runs": times}, tuple(figures), _ratios(tuple(figures), sizes))


def _figures(size: int, runs: list[Grown]) -> tuple[Figure, ...]:
    def each(name: str, unit: str, values: list[float]) -> Figure:
        return Figure(f"{size:,} contacts: {name}", unit, tuple(values))

    return (
        each("speed", "contacts/s", [size / run.seconds for run in runs]),
        each("CPU", "µs a contact", [1e6 * run.cpu / size for run in runs]),
        each("worker's peak", "MiB", [run.peak for run in runs]),
        each("history", "bytes a contact", [run.history / size for run in runs]),
        each("activities", "for 1,000 contacts", [1_000 * run.activities / size for run in runs]),
    )


def _ratios(figures: tuple[Figure, ...], sizes: tuple[int, ...]) -> tuple[Ratio, ...]:
    least, most = (f"{size:,} contacts" for size in (min(sizes), max(sizes)))
    median = {figure.name: figure.median for figure in figures}
    return (
        Ratio(f"speed at {most} / at {least}", median[f"{most}: speed"] / median[f"{least}: speed"], "≥ 0.9"),
        Ratio(
            f"worker's peak at {most} / at {least}",
            median[f"{most}: worker's peak"] / median[f"{least}: worker's peak"],
            "≤ 1.2",
        ),
        Ratio(f"worker's peak at {most}, MiB", median[f"{most}: worker's peak"], "≤ 350"),
        Ratio(f"history at {most}, bytes a contact", median[f"{most}: history"], "≤ 400"),
        Ratio(f"activities at {most}, for 1,000 contacts", median[f"{most}: activities"], "≤ 3.5"),
    )


async def _pass_of(contacts: int) -> Grown:
    async with standing(contacts, "lists", 1) as ground, contactsync_side(ground) as side:
        warm = Subject("warm", f"{ground.url}/small", incremental=False)
        await side.begin(warm)
        await side.run(warm)
        known, log = await turned(ground.url), ground.stack.folder / "worker.log"
        subject, before = Subject("growth", ground.url, incremental=False), _activities(log)
        await side.begin(subject)
        pids = (*side.pids, ground.stack.postgres.child.pid)
        cpu, began = cpu_seconds(pids), time.perf_counter()
        await side.run(subject)
        seconds, spent = time.perf_counter() - began, cpu_seconds(pids) - cpu
        print(f"  {contacts:,} contacts: {seconds:.1f} s, CPU {spent:.1f} s", file=sys.stderr, flush=True)
        if await side.held(subject, known) != (contacts, known.job_title):
            raise SystemExit("not everything arrived")
        made = _activities(log) - before
        history = await history_bytes(side.client, side.sync(subject).workflow_id)
        return Grown(contacts, seconds, spent, _peak(side.pids[0]), history, made)


def _activities(log: Path) -> int:
    """How many activities the worker has done."""
    return log.read_text().count('"activity done"')


def _peak(pid: int) -> float:
    """The most memory that a process ever had, in MiB."""
    found = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0
