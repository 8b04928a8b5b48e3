"""Servers as child processes: started under a guard, awaited until ready, stopped politely and then firmly."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contactsync.errors import ContactSyncError, SettingsError

GUARD = Path(__file__).with_name("guard.py")
POLL_SECONDS = 0.01
KEPT = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # some Pythons need the last two to start
GUARD_MARGIN_SECONDS = 5.0


class ChildEnded(ContactSyncError):
    """a server ended while it was starting"""


class ChildNotReady(ContactSyncError):
    """a server did not become ready in time"""


@dataclass(frozen=True, slots=True)
class RunAs:
    """The user a child runs as, when contactsync itself is root."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Command:
    """What to run and how to stop it. `argv[0]` is an absolute path; no secret belongs into `argv` or `env`."""

    argv: tuple[str, ...]
    log: Path
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    user: RunAs | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 10.0
    keep_open: tuple[int, ...] = ()


class Child:
    """A running server and its guard."""

    def __init__(self, command: Command, process: Process, pid: int) -> None:
        self._command = command
        self._guard = process
        self._ended = asyncio.ensure_future(process.wait())
        self.pid = pid

    @classmethod
    async def start(cls, command: Command) -> "Child":
        """Start it; output is appended to the log, which only its owner may read.

        Raises:
            SettingsError: it cannot be executed, or not as that user.
        """
        guard = await _start_guard(command)
        assert guard.stdout is not None  # noqa: S101  # it is a pipe
        word, _, value = (await guard.stdout.readline()).decode().partition(" ")
        if word != "running":
            await guard.wait()
            raise SettingsError(_refusal(command, int(value or 0)))
        return cls(command, guard, int(value))

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self._command.log

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._ended.done()

    async def wait(self) -> int:
        """Its exit code, once it has ended; 128 + signal when a signal ended it."""
        return await asyncio.shield(self._ended)

    async def until(self, ready: Callable[[], Awaitable[bool]], seconds: float) -> None:
        """Return as soon as `ready()` says so.

        Raises:
            ChildEnded: it ended first.
            ChildNotReady: it took longer than `seconds`.
        """
        try:
            async with asyncio.timeout(seconds):
                while not await ready():
                    await asyncio.wait({self._ended}, timeout=POLL_SECONDS)
                    if self.ended:
                        raise ChildEnded(f"{self._name} ended while it was starting; its log is {self.log}")
        except TimeoutError:
            raise ChildNotReady(f"{self._name} was not ready in {seconds:g} s; its log is {self.log}") from None

    async def stop(self) -> int:
        """Ask it to stop, after its grace kill it; returns its exit code. Stopping twice is fine."""
        assert self._guard.stdin is not None  # noqa: S101  # it is a pipe
        self._guard.stdin.close()
        try:
            async with asyncio.timeout(self._command.grace_seconds + GUARD_MARGIN_SECONDS):
                return await self.wait()
        except TimeoutError:
            self._guard.kill()
            return await self.wait()

    @property
    def _name(self) -> str:
        return Path(self._command.argv[0]).name


async def run(command: Command) -> int:
    """Run a command to its end, under a guard too; returns its exit code."""
    child = await Child.start(command)
    try:
        return await child.wait()
    finally:
        await child.stop()


def plain_environment(home: Path) -> dict[str, str]:
    """The environment servers get: of the caller's, only what it takes to find and load programs."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, "HOME": str(home), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


async def _start_guard(command: Command) -> Process:
    user = command.user or RunAs(-1, -1)
    options = (command.stop_signal.value, command.grace_seconds, user.uid, user.gid, os.getpid())
    log = os.open(command.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.fchmod(log, 0o600)
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(GUARD), *map(str, options), *command.argv),
            stdin=PIPE,
            stdout=PIPE,
            stderr=log,
            cwd=command.cwd,
            env=dict(command.env),
            pass_fds=command.keep_open,
            start_new_session=True,  # Ctrl-C in the terminal is for contactsync, which then stops things in order
        )
    finally:
        os.close(log)


def _refusal(command: Command, problem: int) -> str:
    name, reason = Path(command.argv[0]).name, os.strerror(problem).lower() if problem else "no reason given"
    as_user = f" as uid {command.user.uid}" if command.user else ""
    return f"{name} cannot be started{as_user} ({reason}); its log is {command.log}"
