"""How much CPU processes took: what a busy machine changes less than it changes the time on the clock."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes, of all below them, and of those among these that have ended.

    Looking it up takes some ten milliseconds: look before the clock is started, and after it was read.
    """
    table = dict(_stats())
    below: defaultdict[int, list[int]] = defaultdict(list)
    for pid, (parent, _) in table.items():
        below[parent].append(pid)
    return sum(table[pid][1] for pid in _with_all_below(pids, below) if pid in table) / _TICKS


def resident_mib(pids: Iterable[int]) -> float:
    """The resident memory of these processes and of all below them, in MiB; shared pages count for each."""
    below: defaultdict[int, list[int]] = defaultdict(list)
    for pid, (parent, _) in _stats():
        below[parent].append(pid)
    return sum(_resident_pages(pid) for pid in _with_all_below(pids, below)) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _with_all_below(pids: Iterable[int], below: dict[int, list[int]]) -> Iterator[int]:
    for pid in pids:
        yield pid
        yield from _with_all_below(below.get(pid, ()), below)


def _stats() -> Iterator[tuple[int, tuple[int, int]]]:
    """Each process with its parent and its ticks."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        yield int(folder.name), (int(words[1]), sum(int(word) for word in words[11:15]))


def _resident_pages(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
