"""Child processes and their guard."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path

import pytest

from contactsync.errors import SettingsError
from contactsync.workers.embedded.folders import service_user, temporary_folder
from contactsync.workers.embedded.processes import (
    GUARD,
    Child,
    ChildEnded,
    ChildNotReady,
    Command,
    RunAs,
    plain_environment,
    run,
)

from .running import Living, descendants, gone, process_at

PROGRAM = Path(__file__).with_name("forking_program.py")
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
USERS = (None, service_user()) if os.geteuid() == 0 else (None,)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in which a service's user may start."""
    with temporary_folder(service_user()) as path:
        yield path


def _command(folder: Path, *argv: str, user: RunAs | None = None, grace: float = 10.0) -> Command:
    return Command(argv, folder / "log", folder, plain_environment(folder), user, grace_seconds=grace)


async def _never() -> bool:
    return False


def _living(pid: int) -> Living:
    process = process_at(pid)
    assert process is not None
    return process


def _guard_of(child: Child) -> Living:
    fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    return _living(int(fields[1]))


async def test_exit_code_and_log(folder: Path) -> None:
    """A command's exit code comes back, and its output stands in a log for its owner only."""
    assert await run(_command(folder, "/bin/sh", "-c", "echo out; echo err >&2; exit 3")) == 3
    assert (folder / "log").read_text() == "out\nerr\n"
    assert (folder / "log").stat().st_mode & 0o777 == 0o600


async def test_a_signal_shows_in_the_exit_code(folder: Path) -> None:
    """A child that a signal ended has 128 plus its number as exit code."""
    child = await Child.start(_command(folder, "/bin/sleep", "600"))
    os.kill(child.pid, signal.SIGKILL)
    assert await child.wait() == 128 + signal.SIGKILL


async def test_stop_is_polite(folder: Path) -> None:
    """A child is asked by its own signal first, and stopping twice is no error."""
    child = await Child.start(_command(folder, "/bin/sleep", "600"))
    assert await child.stop() == 128 + signal.SIGTERM
    assert await child.stop() == 128 + signal.SIGTERM


async def test_stop_is_firm(folder: Path) -> None:
    """A child that does not listen is killed after its grace."""
    child = await Child.start(_command(folder, sys.executable, "-c", STUBBORN, grace=0.2))
    await child.until(lambda: _says(folder / "log", "deaf"), 30)
    assert await child.stop() == 128 + signal.SIGKILL


async def _says(log: Path, word: str) -> bool:
    return word in log.read_text()


async def test_a_killed_parent_takes_its_child_along(folder: Path) -> None:
    """Even when a fork of the parent lives on and holds the pipe to the guard open."""
    parent = await asyncio.create_subprocess_exec(sys.executable, str(PROGRAM), str(folder), stdout=PIPE)
    assert parent.stdout is not None
    child, fork = map(int, (await parent.stdout.readline()).split())
    process = _living(child)
    parent.kill()
    await gone([process])
    os.kill(fork, signal.SIGKILL)
    assert await parent.stdout.read() == b""
    await parent.wait()


@pytest.mark.parametrize("user", USERS)
async def test_a_killed_guard_takes_its_child_along(folder: Path, user: RunAs | None) -> None:
    """The kernel kills the child when its guard is killed, also after a change of user."""
    child = await Child.start(_command(folder, "/bin/sleep", "600", user=user))
    process = _living(child.pid)
    os.kill(_guard_of(child).pid, signal.SIGKILL)
    await gone([process])
    await child.stop()


async def test_a_parent_that_is_gone_already_gets_no_child() -> None:
    """A guard whose parent ended before it could be watched starts nothing."""
    arguments = (signal.SIGTERM.value, 1.0, -1, -1, os.getppid(), "/bin/sh", "-c", "echo started >&2")
    guard = await asyncio.create_subprocess_exec(
        sys.executable, str(GUARD), *map(str, arguments), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    assert await guard.communicate() == (b"", b"")
    assert guard.returncode == 127


async def test_a_cancelled_start_leaves_nothing_running(folder: Path) -> None:
    """A start that is cancelled before the child is known ends the child."""
    before = descendants(os.getpid())
    starting = asyncio.ensure_future(Child.start(_command(folder, "/bin/sleep", "600")))
    async with asyncio.timeout(30):
        while set(descendants(os.getpid())) <= set(before):  # noqa: ASYNC110  # another process begins
            await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert set(descendants(os.getpid())) <= set(before)


async def test_the_terminal_does_not_reach_children(folder: Path) -> None:
    """Ctrl-C goes to contactsync alone, which stops its children in order."""
    child = await Child.start(_command(folder, "/bin/sleep", "600"))
    assert os.getsid(child.pid) != os.getsid(0)
    await child.stop()


async def test_a_missing_program_is_told(folder: Path) -> None:
    """What cannot be executed gives a sentence with its name and the system's reason."""
    with pytest.raises(SettingsError, match=r"no-such-server cannot be started \(no such file"):
        await Child.start(_command(folder, "/no-such-server"))


async def test_an_end_before_ready_is_told(folder: Path) -> None:
    """Waiting stops at once when the child ends."""
    child = await Child.start(_command(folder, "/bin/sh", "-c", "exit 1"))
    with pytest.raises(ChildEnded, match="its log is"):
        await child.until(_never, 600)
    await child.stop()


async def test_waiting_has_an_end(folder: Path) -> None:
    """A child that does not become ready in time is told from one that ended."""
    child = await Child.start(_command(folder, "/bin/sleep", "600"))
    with pytest.raises(ChildNotReady, match=r"not ready in 0\.05 s"):
        await child.until(_never, 0.05)
    await child.stop()


async def test_children_get_no_foreign_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the caller's environment but what finds programs, so no secret either; new files are private."""
    monkeypatch.setenv("SOME_TOKEN", "planted")
    assert await run(_command(folder, "/bin/sh", "-c", "env; umask")) == 0
    seen = (folder / "log").read_text()
    assert "planted" not in seen
    assert f"HOME={folder}" in seen
    assert seen.splitlines()[-1].endswith("77")


def test_a_loop_that_ends_does_not_hang(folder: Path) -> None:
    """A start that is still under way when its event loop ends is cancelled, and leaves nothing running."""

    async def leave() -> None:
        starting.append(asyncio.ensure_future(Child.start(_command(folder, "/bin/sleep", "600"))))
        await asyncio.sleep(0)

    before = descendants(os.getpid())
    starting: list[asyncio.Future[Child]] = []
    asyncio.run(leave())
    assert starting[0].cancelled()
    assert set(descendants(os.getpid())) <= set(before)
