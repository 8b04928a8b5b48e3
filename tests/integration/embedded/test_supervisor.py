"""Several processes under one."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from contactsync.workers.embedded.processes import Command
from contactsync.workers.supervisor import SHARES_WORK, Patience, Supervisor, cores, worker_command

from .running import process_at

HURRIED = Patience(first_wait_seconds=0.0, longest_wait_seconds=0.0, healthy_seconds=300.0, early_ends=3)
SAYS_ITS_PID = "import os; print(os.getpid(), flush=True)"
STAYS = f"{SAYS_ITS_PID}; import time; time.sleep(600)"  # a child that stays until it is ended
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {STAYS}"
FAILS = "import sys; sys.exit(6)"


def _supervisor(folder: Path, program: str, patience: Patience = HURRIED, grace: float = 10.0) -> Supervisor:
    command = Command((sys.executable, "-c", program), folder / "log", folder, os.environ, grace_seconds=grace)
    return Supervisor(command, patience)


async def _pids(folder: Path, count: int) -> list[int]:
    """The processes that have said their number, once there are so many."""
    log = folder / "log"
    while not log.exists() or len(log.read_text().split()) < count:  # noqa: ASYNC110  # another process writes it
        await asyncio.sleep(0.01)
    return [int(pid) for pid in log.read_text().split()]


def _runs(pid: int) -> bool:
    return process_at(pid) is not None


async def test_all_run_until_sigterm(tmp_path: Path) -> None:
    """So many processes as asked for run, and one signal stops all of them with exit code 0."""
    running = asyncio.create_task(_supervisor(tmp_path, STAYS).run(3))
    pids = await _pids(tmp_path, 3)
    assert len(set(pids)) == 3
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 0
    assert [pid for pid in pids if _runs(pid)] == []


async def test_one_that_ends_is_started_again(tmp_path: Path) -> None:
    """Another takes its place, and a warning tells which ended and how."""
    with capture_logs() as lines:
        running = asyncio.create_task(_supervisor(tmp_path, STAYS).run(2))
        first, second = await _pids(tmp_path, 2)
        os.kill(first, signal.SIGKILL)
        *_, third = await _pids(tmp_path, 3)
        assert _runs(second)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await running == 0
    assert third not in (first, second)
    [warning] = [line for line in lines if line["log_level"] == "warning"]
    assert (warning["exit_code"], warning["process"]) in ((137, "worker-1"), (137, "worker-2"))


async def test_one_that_keeps_ending_ends_all(tmp_path: Path) -> None:
    """After so many early ends in a row its exit code is the supervisor's."""
    with capture_logs() as lines:
        assert await _supervisor(tmp_path, FAILS).run(1) == 6
    assert [line["log_level"] for line in lines if "exit_code" in line] == ["warning", "warning", "error"]


async def test_a_long_life_forgives(tmp_path: Path) -> None:
    """Ends of processes that had run for long enough are not counted."""
    patience = Patience(first_wait_seconds=0.0, longest_wait_seconds=0.0, healthy_seconds=0.0, early_ends=2)
    running = asyncio.create_task(_supervisor(tmp_path, SAYS_ITS_PID, patience).run(1))
    await _pids(tmp_path, 5)
    os.kill(os.getpid(), signal.SIGINT)
    assert await running == 0


async def test_a_deaf_process_is_killed(tmp_path: Path) -> None:
    """One that does not stop within its grace is killed, and the exit code says so."""
    running = asyncio.create_task(_supervisor(tmp_path, DEAF, grace=0.2).run(1))
    [pid] = await _pids(tmp_path, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 137
    assert not _runs(pid)


def test_waits_grow_and_are_bounded() -> None:
    """The wait doubles with each early end, up to a bound; after a long life it is the first one again."""
    patience = Patience()
    assert [patience.wait_seconds(ends) for ends in (0, 1, 2, 3, 6)] == [1.0, 1.0, 2.0, 4.0, 30.0]


def test_a_worker_is_a_whole_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has our environment and standard error, shares the work, and has more time than its activities to stop."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(SHARES_WORK, raising=False)
    command = worker_command(20.0)
    assert command.argv[-3:] == ("-m", "contactsync", "worker")
    assert (command.log, command.env, command.cwd) == (None, {**os.environ, SHARES_WORK: "true"}, tmp_path)
    assert command.grace_seconds > 20.0
    monkeypatch.setenv(SHARES_WORK, "false")
    assert worker_command(20.0).env[SHARES_WORK] == "false"


def test_cores_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's share is rounded up; without one, the cores count that the process may use."""
    usable = len(os.sched_getaffinity(0))
    quota = tmp_path / "cpu.max"
    monkeypatch.setattr("contactsync.workers.supervisor._QUOTA", quota)
    assert cores() == usable
    for text, expected in (("max 100000\n", usable), ("50000 100000\n", 1), ("990000000 100000\n", usable)):
        quota.write_text(text)
        assert cores() == expected
