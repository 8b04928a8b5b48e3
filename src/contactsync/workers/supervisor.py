"""Several worker processes under one: started, kept going and stopped together. They share nothing.

    contactsync worker --processes 2 ─┬▶ guard ─▶ contactsync worker
                                      └▶ guard ─▶ contactsync worker

Each is a whole worker under a guard of its own (`embedded/guard.py`), so that none outlives this process, whatever
ends it; and this process does no work of its own that could end it.
"""

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

import structlog

from contactsync.workers.embedded.processes import Child, Command
from contactsync.workers.settings import PREFIX
from contactsync.workers.stopping import stop_requested

SHARES_WORK: Final = f"{PREFIX}SHARE_WORK"
STOPPED_WHILE_STARTING: Final = 128 + signal.SIGTERM
_GRACE_MARGIN_SECONDS: Final = 5.0
_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a process is started again: each end within `healthy_seconds` of its start is an early one, after which
    the wait doubles; with `early_ends` of them in a row, all is given up."""

    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 30.0
    healthy_seconds: float = 60.0
    early_ends: int = 6

    def wait_seconds(self, early_ends: int) -> float:
        """How long to wait after so many early ends in a row."""
        return min(self.first_wait_seconds * 2 ** max(0, early_ends - 1), self.longest_wait_seconds)


@dataclass(frozen=True, slots=True)
class Supervisor:
    """Keeps processes of one command running."""

    command: Command
    patience: Patience = Patience()

    async def run(self, count: int) -> int:
        """Keep `count` processes running until SIGINT or SIGTERM, then stop them.

        Returns an exit code: 0, or that of the process that kept ending early, or that was killed when it had to stop.
        """
        kept = [asyncio.create_task(self._keep(f"worker-{number}")) for number in range(1, count + 1)]
        stop = asyncio.create_task(stop_requested())
        try:
            await asyncio.wait({*kept, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*kept, stop):
                task.cancel()
        return max(code if code != STOPPED_WHILE_STARTING else 0 for code in await asyncio.gather(*kept))

    async def _keep(self, name: str) -> int:
        """One process after the other; the exit code of the last, once they keep ending or are to stop."""
        early_ends = 0
        while True:
            began = time.monotonic()
            code, is_stopped = await self._run_one(name)
            if is_stopped:
                return code
            is_early = time.monotonic() - began < self.patience.healthy_seconds
            early_ends = early_ends + 1 if is_early else 0
            if early_ends >= self.patience.early_ends:
                log.error("a worker process keeps ending, so all are stopped", process=name, exit_code=code)
                return code or 1
            wait = self.patience.wait_seconds(early_ends)
            log.warning("a worker process ended, another one is started", process=name, exit_code=code, seconds=wait)
            try:
                await asyncio.sleep(wait)
            except asyncio.CancelledError:
                return 0

    async def _run_one(self, name: str) -> tuple[int, bool]:
        """Its exit code, and whether it ended because it was asked to."""
        try:
            child = await Child.start(self.command)
        except asyncio.CancelledError:
            return 0, True
        log.info("worker process started", process=name, pid=child.pid)
        try:
            return await child.wait(), False
        except asyncio.CancelledError:
            return await child.stop(), True


def worker_command(shutdown_seconds: float) -> Command:
    """A worker with this process's environment and standard error, and as long to stop as its activities have. It
    shares the work with its neighbours unless the environment says otherwise."""
    return Command(
        argv=(sys.executable, "-P", "-m", "contactsync", "worker"),  # -P: nothing is imported from where it stands
        log=None,
        cwd=Path.cwd(),
        env={SHARES_WORK: "true", **os.environ},
        grace_seconds=shutdown_seconds + _GRACE_MARGIN_SECONDS,
    )


def cores() -> int:
    """How many cores this process may use: those it is bound to, or as much as its container is given, rounded up."""
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(usable, _quota() or usable))


def _quota() -> int | None:
    try:
        limit, period = _QUOTA.read_text().split()
    except (OSError, ValueError):
        return None  # no such thing here
    return None if limit == "max" else ceil(int(limit) / int(period))
