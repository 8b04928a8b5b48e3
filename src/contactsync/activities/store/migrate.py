"""Brings a database's schema to the one this version needs, and checks that it is there.

Migrations are the files `migrations/NNNN_name.sql`, run in order as the owner, each in a transaction of its own and
recorded with its SHA-256. A file that was run is never changed again: what changes is a new file.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Final

from contactsync.errors import DatabaseRefused, NotMigrated
from contactsync.postgres import Database, database_errors, owner_connection

if TYPE_CHECKING:
    import asyncpg

_LOCK: Final = 0x636F6E74  # any number, the same for every migrator: only one at a time
_BOOKKEEPING: Final = """
CREATE SCHEMA IF NOT EXISTS contactsync;
CREATE TABLE IF NOT EXISTS contactsync.migration (
    name text PRIMARY KEY,
    sha256 bytea NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `name` without its ending, and what it does."""

    name: str
    sql: str

    @property
    def sha256(self) -> bytes:
        """The digest of the file, 32 bytes."""
        return hashlib.sha256(self.sql.encode()).digest()


def bundled_migrations() -> tuple[Migration, ...]:
    """The migrations of this version, in their order."""
    folder = resources.files("contactsync.activities.store").joinpath("migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(Migration(file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files)


async def migrate(url: str, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Runs what has not been run yet, as the owner at `url`; returns the names of what it ran.

    A second migrator waits for the first, then finds nothing to do.

    Raises:
        DatabaseRefused: a file was changed after it was run, or a statement was refused; nothing of that file stays.
        DatabaseError: as always.
    """
    async with owner_connection(url) as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(_BOOKKEEPING)
        done = await _applied(connection)
        migrations = bundled_migrations() if migrations is None else migrations
        _refuse_changed(migrations, done)
        todo = [migration for migration in migrations if migration.name not in done]
        for migration in todo:
            await _run(connection, migration)
    return [migration.name for migration in todo]


async def check_schema(database: Database) -> None:
    """Compares the database's migrations with this version's. One that is newer than this version is no problem.

    Raises:
        NotMigrated: some are missing, or are not the same.
        DatabaseError: as always.
    """
    async with database.transaction() as connection:
        rows = await connection.fetch("SELECT name, sha256 FROM contactsync.migration")
    done: dict[str, bytes] = {row["name"]: row["sha256"] for row in rows}
    if any(done.get(migration.name) != migration.sha256 for migration in bundled_migrations()):
        raise NotMigrated


async def _applied(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, bytes]:
    rows = await connection.fetch("SELECT name, sha256 FROM contactsync.migration")
    return {row["name"]: row["sha256"] for row in rows}


def _refuse_changed(migrations: Sequence[Migration], done: dict[str, bytes]) -> None:
    for migration in migrations:
        if done.get(migration.name, migration.sha256) != migration.sha256:
            raise DatabaseRefused(
                f"migration {migration.name} was changed after it was run on this database; "
                "put the file back and write a new one"
            )


async def _run(connection: "asyncpg.Connection[asyncpg.Record]", migration: Migration) -> None:
    try:
        with database_errors():
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO contactsync.migration (name, sha256) VALUES ($1, $2)", migration.name, migration.sha256
                )
    except (DatabaseRefused, NotMigrated) as refusal:
        raise DatabaseRefused(f"migration {migration.name} failed and left nothing behind: {refusal}") from None
