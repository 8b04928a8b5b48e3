"""PostgreSQL with its database on a small disk of its own, so that it can really run full.

The disk is a tmpfs in a mount namespace that only the server sees (user_namespaces(7): no right of root's is needed).
"""

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from contactsync.errors import DatabaseError
from contactsync.postgres import owner_connection
from contactsync.workers.embedded.folders import service_user
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.processes import Child, Command, plain_environment
from contactsync.workers.embedded.provision import DATABASE, DatabaseUrls, provision

DISK = "48m"
START_SECONDS = 30.0
_MOUNT = 'mount -t tmpfs -o size="$1",mode=0700 tmpfs "$2" && shift 2 && exec "$@"'
_INSERT = """
INSERT INTO filler
SELECT string_agg(gen_random_uuid()::text, '')
FROM generate_series(1, $1::integer) AS row, generate_series(1, 50)
GROUP BY row
"""
_BIG_ROWS, _SMALL_ROWS = 2000, 1


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A server whose database `contactsync` is on the small disk."""

    urls: DatabaseUrls
    administrator: str

    async def fill(self) -> None:
        """Write until not one more row fits."""
        async with owner_connection(self.administrator) as connection:
            await connection.execute("CREATE TABLE filler (junk text)")
        # the first session after a change of schema writes that cache file
        async with owner_connection(self.administrator) as connection:
            for rows in (_BIG_ROWS, _SMALL_ROWS):
                await _until_full(connection, rows)

    async def make_room(self) -> None:
        """Take away what filled it."""
        async with owner_connection(self.administrator) as connection:
            await connection.execute("DROP TABLE filler")


async def _until_full(connection: "asyncpg.Connection[asyncpg.Record]", rows: int) -> None:
    while True:
        try:
            await connection.execute(_INSERT, rows)
        except asyncpg.DiskFullError:
            return


@asynccontextmanager
async def small_disk(folder: Path) -> AsyncGenerator[SmallDisk]:
    """Such a server, migrated and empty."""
    server = await PostgresServer.start(folder)
    try:
        urls = await provision(server)
        argv = Path(f"/proc/{server.child.pid}/cmdline").read_text().rstrip("\0").split("\0")
    finally:
        await server.stop()
    child = await _on_small_disk(server, argv)
    try:
        await child.until(lambda: _answers(server.url()), START_SECONDS)
        await _move_database(server, _disk(folder))
        yield SmallDisk(urls, server.url(DATABASE))
    finally:
        await child.stop()


def _disk(folder: Path) -> Path:
    return folder / "disk"


async def _on_small_disk(server: PostgresServer, argv: list[str]) -> Child:
    user, disk = service_user(), _disk(server.folder)
    disk.mkdir()
    if user is not None:
        shutil.chown(disk, user.uid, user.gid)
    unshare = shutil.which("unshare")
    assert unshare, "this test needs unshare(1) of util-linux"
    namespace = (unshare, "--user", "--map-current-user", "--keep-caps", "--mount")
    # vacuuming the catalogue outdates a cache file of it; a session that must write it anew cannot begin on a full disk
    postgres = (*argv, "-c", "autovacuum=off")
    command = Command(
        argv=(*namespace, "/bin/sh", "-c", _MOUNT, "sh", DISK, str(disk), *postgres),
        log=server.folder / "small-disk.log",
        cwd=server.folder / "data",
        env=plain_environment(server.folder / "data"),
        user=user,
    )
    return await Child.start(command)


async def _answers(url: str) -> bool:
    try:
        async with owner_connection(url):
            return True
    except DatabaseError:
        return False


async def _move_database(server: PostgresServer, disk: Path) -> None:
    async with owner_connection(server.url()) as administrator:
        await administrator.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
        await administrator.execute(f"ALTER DATABASE {DATABASE} SET TABLESPACE small")
