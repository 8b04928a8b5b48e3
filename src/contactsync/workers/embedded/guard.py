"""The guard: a tiny program between contactsync and each server it starts, so that none outlives contactsync.

It runs as a script (`python -I -S guard.py …`), imports next to nothing and has one thread. It starts the server,
says so on its standard output, and stops it when contactsync asks by closing the pipe, or is gone, by whatever
signal: politely first, then with SIGKILL. If the guard itself is killed, Linux kills the server (`prctl(2)`,
PR_SET_PDEATHSIG). That signal fires when the *thread* that forked ends and is cleared by setuid, so it is this
program that asks for it: single-threaded, and after the change of user.

Arguments: stop signal, seconds of grace, uid and gid (-1: stay), the parent's pid, then the command. It says
`running PID` or `refused ERRNO`. Exit code: the server's own, 128 + signal when a signal ended it.
"""

import ctypes
import os
import select
import signal
import sys
import time
from types import FrameType

PR_SET_PDEATHSIG = 1
REFUSED = 127
CONTROL, STATUS, LOG = 0, 1, 2


def main(arguments: list[str]) -> int:
    """Run the command until it ends or has to."""
    stop, grace, uid, gid, parent = int(arguments[0]), float(arguments[1]), *map(int, arguments[2:5])
    end_of_parent = _end_of(parent)
    if os.getppid() != parent:  # it ended before it could be watched
        return REFUSED
    wakeup = _wake_on_signals()
    pid, problem = _start(arguments[5:], uid, gid)
    if problem:
        _say(f"refused {problem}")
        return REFUSED
    _say(f"running {pid}")
    return _watch(pid, stop, grace, [CONTROL, wakeup, *end_of_parent])


def _say(line: str) -> None:
    try:
        os.write(STATUS, line.encode() + b"\n")
    except BrokenPipeError:
        return  # contactsync is gone; the control pipe says so too


def _wake_on_signals() -> int:
    """A pipe that gets a byte, the signal's number, for each signal."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _noted)
    return read


def _noted(number: int, frame: FrameType | None) -> None:
    """Python writes the number to the wakeup pipe; that is all there is to do."""


def _end_of(parent: int) -> list[int]:
    """A descriptor that becomes readable when the parent ends, where the system has such a thing.

    The pipe alone would miss it while a fork of the parent holds the pipe's other end.
    """
    try:
        return [os.pidfd_open(parent)]
    except (AttributeError, OSError):  # no such thing here, or not in this sandbox
        return []


def _start(command: list[str], uid: int, gid: int) -> tuple[int, int]:
    """The child's pid and 0, or an errno when it could not be executed."""
    guard = os.getpid()
    report_read, report_write = os.pipe()  # closed by a successful exec
    pid = os.fork()
    if pid == 0:
        _become(command, uid, gid, guard, report_write)
    os.close(report_write)
    problem = os.read(report_read, 16)
    os.close(report_read)
    if problem:
        os.waitpid(pid, 0)
    return pid, int(problem or b"0")


def _become(command: list[str], uid: int, gid: int, guard: int, report: int) -> None:
    try:
        _prepare(uid, gid, guard)
        os.execv(command[0], command)  # noqa: S606  # no shell is what is wanted
    except OSError as error:
        os.write(report, str(error.errno).encode())
    finally:
        os._exit(REFUSED)


def _prepare(uid: int, gid: int, guard: int) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), CONTROL)
    os.dup2(LOG, STATUS)
    os.umask(0o077)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and exec would hand that on
        signal.signal(number, signal.SIG_DFL)
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard:  # it ended before it could be asked about
        os._exit(REFUSED)


def _watch(pid: int, stop: int, grace: float, watched: list[int]) -> int:
    kill_at = None
    while True:
        timeout = None if kill_at is None else max(0.0, kill_at - time.monotonic())
        ready, _, _ = select.select(watched, [], [], timeout)
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if kill_at is None and _stop_asked(ready, watched[1]):
            os.kill(pid, stop)
            kill_at = time.monotonic() + grace
            watched = [watched[1]]
        elif kill_at is not None and time.monotonic() >= kill_at:
            os.kill(pid, signal.SIGKILL)


def _stop_asked(ready: list[int], wakeup: int) -> bool:
    signals = os.read(wakeup, 64) if wakeup in ready else b""
    asked = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    return bool(asked.intersection(signals)) or any(descriptor != wakeup for descriptor in ready)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
