"""A contender: a script with an environment of its own, in a process of its own, that does passes when it is asked."""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

SCRIPTS: Final = Path(__file__).with_name("contenders")
READY_SECONDS: Final = 600.0
"""The first start installs the script's packages."""


@dataclass(frozen=True, slots=True)
class Task:
    """What `contenders/protocol.py` reads: a pass, see there."""

    url: str
    database: str
    subject: str
    incremental: bool
    folder: str


class Contender:
    """A running contender. `version` is what it says that it is."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self.version = ""

    @classmethod
    @asynccontextmanager
    async def running(cls, script: str, folder: Path) -> "AsyncGenerator[Contender]":
        """Start `contenders/SCRIPT.py`; its log is in the folder."""
        log = folder / f"{script}.log"
        with log.open("ab") as written:
            process = await asyncio.create_subprocess_exec(
                *_command(script), stdin=-1, stdout=-1, stderr=written, cwd=folder, start_new_session=True
            )
        contender = cls(process, log)
        try:
            contender.version = str((await contender._answer(READY_SECONDS))["ready"])
            yield contender
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    @property
    def pid(self) -> int:
        """The process above all of its own."""
        return self._process.pid

    async def run(self, task: Task, seconds: float = 3_600.0) -> None:
        """Have it do a pass."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(task)).encode() + b"\n")
        answer = await self._answer(seconds)
        if "done" not in answer:
            raise SystemExit(f"a contender failed: {answer.get('error')}; its log is {self._log}")

    async def _answer(self, seconds: float) -> Mapping[str, object]:
        assert self._process.stdout is not None
        async with asyncio.timeout(seconds):
            line = await self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a contender ended; its log said last: {self._log.read_text()[-1000:]}")
        return cast("Mapping[str, object]", json.loads(line))


def _command(script: str) -> tuple[str, ...]:
    uv = shutil.which("uv")
    if uv is None:
        raise SystemExit("contenders are run with uv, which is not on the PATH")
    return (uv, "run", "--quiet", "--no-project", "--python", sys.executable, "--script", str(SCRIPTS / f"{script}.py"))
