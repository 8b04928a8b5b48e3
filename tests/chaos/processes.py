"""Worker processes for tests: forked from one that has imported everything, so that each starts in no time."""

import asyncio
import os
import signal
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from tests.chaos.armed import FINISHED, HELD, REACHED, Fault, work

from contactsync.workers.settings import Settings

STRIKES_WITHIN_SECONDS: Final = 200.0
LAST_SAID: Final = 4_000
"""Characters of its log that a worker's unexpected end is explained with."""

_forks = get_context("forkserver")
_forks.set_forkserver_preload(["tests.chaos.armed"])


class WorkerProcess:
    """A worker in a process of its own, perhaps armed."""

    def __init__(self, settings: Settings, log: Path, fault: Fault | None = None) -> None:
        self._hears, said = _forks.Pipe(duplex=False)
        self._log = log
        values = {name: getattr(settings, name) for name in settings.model_fields_set}
        self._process = _forks.Process(target=work, args=(values, fault, log, said), daemon=True)
        self._process.start()
        said.close()

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process.pid is not None
        return self._process.pid

    async def strikes(self) -> None:
        """Wait until it has reached its point; a page that it holds came before that."""
        while (word := await self._word()) == HELD:
            pass
        assert word == REACHED

    async def holds(self) -> bool:
        """Wait until it holds a page, or has reached its point."""
        return await self._word() == HELD

    async def died(self) -> None:
        """Wait until it has reached its point and died of it."""
        await self.strikes()
        await _readable(self._process.sentinel)
        self._process.join()
        assert self._process.exitcode == -signal.SIGKILL

    def go_on(self) -> None:
        """Let it run on where it stood still."""
        os.kill(self.pid, signal.SIGCONT)

    async def finished_late(self) -> str:
        """Wait for the end of the activity that stood still: `well`, `lost` (cancelled), or the code of its error."""
        word = await self._word()
        assert word.startswith(FINISHED)
        return word.removeprefix(f"{FINISHED} ")

    async def kill(self) -> None:
        """Make an end of it, if it has not come to one."""
        if self._process.is_alive():
            self._process.kill()
            await _readable(self._process.sentinel)
            self._process.join()
        self._hears.close()

    async def _word(self) -> str:
        async with asyncio.timeout(STRIKES_WITHIN_SECONDS):
            await _readable(self._hears)
        try:
            word: object = self._hears.recv()
        except EOFError:
            raise AssertionError(f"the worker ended, and never was at its point:\n{self._last_said()}") from None
        return str(word)

    def _last_said(self) -> str:
        return self._log.read_text(errors="replace")[-LAST_SAID:] if self._log.exists() else "and said nothing"


async def _readable(thing: "Connection | int") -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    descriptor = thing if isinstance(thing, int) else thing.fileno()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
