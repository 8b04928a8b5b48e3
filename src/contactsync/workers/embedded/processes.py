"""Servers as child processes: started under a guard, awaited until ready, stopped politely and then firmly."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from contactsync.errors import ContactSyncError, SettingsError

T = TypeVar("T")

GUARD = Path(__file__).with_name("guard.py")
STDERR = Path("/dev/stderr")
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
    """What to run and how to stop it. `argv[0]` is an absolute path; a server gets no secret in `argv` or `env`.

    `log` gets its output; None is our own standard error.
    """

    argv: tuple[str, ...]
    log: Path | None
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    user: RunAs | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 10.0
    keep_open: tuple[int, ...] = ()


class Child:
    """A running server and its guard."""

    def __init__(self, command: Command, guard: "_Guard", pid: int) -> None:
        self._command = command
        self._guard = guard
        self.pid = pid

    @classmethod
    async def start(cls, command: Command) -> "Child":
        """Start it; output is appended to the log, which only its owner may read.

        Raises:
            SettingsError: it cannot be executed, or not as that user.
        """
        guard = _Guard(command)
        try:
            word, _, value = (await asyncio.shield(guard.said)).partition(" ")
        except asyncio.CancelledError:  # nothing may be left running
            guard.ask_to_stop()
            await asyncio.shield(guard.ended)
            raise
        if word != "running":
            await asyncio.shield(guard.ended)
            raise SettingsError(_refusal(command, int(value or 0)))
        return cls(command, guard, int(value))

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self._command.log or STDERR

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._guard.ended.done()

    async def wait(self) -> int:
        """Its exit code, once it has ended; 128 + signal when a signal ended it."""
        return await asyncio.shield(self._guard.ended)

    async def until(self, ready: Callable[[], Awaitable[bool]], seconds: float) -> None:
        """Return as soon as `ready()` says so.

        Raises:
            ChildEnded: it ended first.
            ChildNotReady: it took longer than `seconds`.
        """
        try:
            async with asyncio.timeout(seconds):
                while not await ready():
                    await asyncio.wait({self._guard.ended}, timeout=POLL_SECONDS)
                    if self.ended:
                        raise ChildEnded(f"{self._name} ended while it was starting; its log is {self.log}")
        except TimeoutError:
            raise ChildNotReady(f"{self._name} was not ready in {seconds:g} s; its log is {self.log}") from None

    async def stop(self) -> int:
        """Ask it to stop, after its grace kill it; returns its exit code. Stopping twice is fine."""
        self._guard.ask_to_stop()
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


class _Guard:
    """The guard's process. `said` becomes its one line, `ended` its exit code.

    Not asyncio's own subprocesses: those hang when they are cancelled while they start, or when the loop ends.
    """

    def __init__(self, command: Command) -> None:
        loop = asyncio.get_running_loop()
        self.said: asyncio.Future[str] = loop.create_future()
        self.ended: asyncio.Future[int] = loop.create_future()
        self._process = _popen(command)
        threading.Thread(target=self._watch, args=(loop,), name=f"guard-{self._process.pid}", daemon=True).start()

    def ask_to_stop(self) -> None:
        """Close the pipe. Doing it twice is fine."""
        assert self._process.stdin is not None  # noqa: S101  # it is a pipe
        self._process.stdin.close()

    def kill(self) -> None:
        """Make an end of it."""
        self._process.kill()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self._process.stdout is not None  # noqa: S101  # it is a pipe
        with self._process.stdout as said:
            self._tell(loop, self.said, said.readline().decode())
        code = self._process.wait()
        self.ask_to_stop()
        self._tell(loop, self.ended, code)

    @staticmethod
    def _tell(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[T]", value: T) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, nobody waits any more
            loop.call_soon_threadsafe(future.set_result, value)


def _popen(command: Command) -> "subprocess.Popen[bytes]":
    user = command.user or RunAs(-1, -1)
    options = (command.stop_signal.value, command.grace_seconds, user.uid, user.gid, os.getpid())
    with _opened(command.log) as log:
        return subprocess.Popen(  # noqa: S603  # no shell; what runs is the caller's affair
            (sys.executable, "-I", "-S", str(GUARD), *map(str, options), *command.argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=command.cwd,
            env=dict(command.env),
            pass_fds=command.keep_open,
            start_new_session=True,  # Ctrl-C in the terminal is for contactsync, which then stops things in order
        )


@contextlib.contextmanager
def _opened(log: Path | None) -> Generator[int | None]:
    """The log's descriptor, which only its owner may read; None for our own standard error."""
    if log is None:
        yield None
        return
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        yield descriptor
    finally:
        os.close(descriptor)


def _refusal(command: Command, problem: int) -> str:
    name, reason = Path(command.argv[0]).name, os.strerror(problem).lower() if problem else "no reason given"
    as_user = f" as uid {command.user.uid}" if command.user else ""
    return f"{name} cannot be started{as_user} ({reason}); its log is {command.log or STDERR}"
