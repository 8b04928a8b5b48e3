"""`contactsync source simulate` as a process of its own, and `source test` on what it prints."""

import asyncio
import json
import os
import signal
import sys
import tomllib
from pathlib import Path

import httpx

SECONDS = 60.0


async def _start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "contactsync", "source", *arguments),
        env={**os.environ, "CONTACTSYNC_SOURCE_NETWORKS": "127.0.0.0/8"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _changed(client: httpx.AsyncClient) -> None:
    """Returns once its users have changed something."""
    untouched = [[f"{number:09}", 1] for number in range(30)]
    while (await client.get("/_control/truth")).json()["contacts"] == untouched:
        pass


async def test_a_simulator_is_read_by_the_settings_that_it_prints(tmp_path: Path) -> None:
    """It serves, changes contacts at its pace, and ends with Ctrl-C; `source test` reads it by its file."""
    file = tmp_path / "people.toml"
    process = await _start("simulate", "--contacts", "30", "--changes", "50", "--write", str(file), "--json")
    assert process.stdout is not None
    started = json.loads(await asyncio.wait_for(process.stdout.readline(), SECONDS))
    assert file.read_text() == started["settings"]
    assert tomllib.loads(started["settings"])["url"].startswith(started["url"])
    async with httpx.AsyncClient(base_url=started["url"]) as client:
        await asyncio.wait_for(_changed(client), SECONDS)
    tried = await _start("test", str(file), "--json")
    told, _ = await asyncio.wait_for(tried.communicate(), SECONDS)
    assert tried.returncode == 0
    assert json.loads(told)["samples"]
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == 0


async def test_a_port_that_is_taken_is_told() -> None:
    """One sentence, exit code 3."""
    first = await _start("simulate", "--json")
    assert first.stdout is not None
    url = json.loads(await asyncio.wait_for(first.stdout.readline(), SECONDS))["url"]
    second = await _start("simulate", "--port", url.rpartition(":")[2])
    _, told = await asyncio.wait_for(second.communicate(), SECONDS)
    assert (second.returncode, b"the simulator cannot listen" in told) == (3, True)
    first.send_signal(signal.SIGTERM)
    await asyncio.wait_for(first.communicate(), SECONDS)
