"""`contactsync up`: the whole stack on one machine, kept in a folder."""

import asyncio
import json
import os
import shlex
import signal
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from contactsync.workers.embedded.folders import service_user, temporary_folder

from .conftest import Installed
from .deployment import Deployment

START_SECONDS = 120.0
STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Up:
    """A running `contactsync up`."""

    process: asyncio.subprocess.Process
    banner: dict[str, str]
    elsewhere: Deployment

    async def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(STOP_SECONDS):
            return await self.process.wait()


@asynccontextmanager
async def _up(installed: Installed, data: Path) -> AsyncGenerator[Up]:
    process = await asyncio.create_subprocess_exec(
        *(str(installed.command), "up", "--data", str(data), "--json"),
        cwd=installed.home,
        env=installed.environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            banner = json.loads(await _document(process))
        settings = _exports(Path(banner["environment"]))
        yield Up(process, banner, Deployment(installed, settings, data))
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()


async def _document(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or lines[-1] != "}\n":
        line = (await process.stdout.readline()).decode()
        assert line, lines
        lines.append(line)
    return "".join(lines)


def _exports(file: Path) -> dict[str, str]:
    words = [shlex.split(line) for line in file.read_text().splitlines()]
    assert all(word == "export" for word, _ in words)
    return {name: value for name, _, value in (pair.partition("=") for _, pair in words)}


async def test_up_serves_other_terminals_and_keeps_what_it_holds(installed_contactsync: Installed) -> None:
    """Everything is reachable with the environment it writes; stopped and started again, it holds the same."""
    with temporary_folder(service_user()) as folder:
        data = folder / "data"
        async with _up(installed_contactsync, data) as up:
            assert stat.S_IMODE(Path(up.banner["environment"]).stat().st_mode) == 0o600
            assert (await up.elsewhere.json("doctor")).at("problems") == 0
            tenant = await up.elsewhere.tenant()
            connection = await up.elsewhere.connection(tenant, "--kind", "memory", "--set", "made_up=50")
            await up.elsewhere.sync(connection)
            async with httpx.AsyncClient() as client:
                assert (await client.get(up.banner["temporal_web"])).is_success
                assert (await client.get(f"{up.banner['codec_server']}/health")).is_success
            second = await up.elsewhere.run("up", "--data", str(data), "--json")
            assert (second.code, second.out, second.error["code"]) == (3, "", "SettingsError")
            assert "another contactsync uses" in second.error["message"]
            assert await up.interrupt() == 0
        async with _up(installed_contactsync, data) as up:
            assert len(await up.elsewhere.held(tenant, connection)) == 50
            counts = await up.elsewhere.sync(connection)
            assert (counts["added"], counts["deleted"]) == (0, 0)


async def test_up_says_when_one_of_its_processes_ends(installed_contactsync: Installed) -> None:
    """A process that ends by itself ends the stack, with its log named."""
    with temporary_folder(service_user()) as folder:
        async with _up(installed_contactsync, folder / "data") as up:
            os.kill(_worker_of(up.process.pid), signal.SIGKILL)
            async with asyncio.timeout(STOP_SECONDS):
                assert await up.process.wait() == 70


def _worker_of(pid: int) -> int:
    """The worker below this process: a guard stands between them."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        for grandchild in Path(f"/proc/{child}/task/{child}/children").read_text().split():
            if "worker" in Path(f"/proc/{grandchild}/cmdline").read_text().split("\0"):
                return int(grandchild)
    pytest.fail("no worker below it")
