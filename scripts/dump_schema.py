"""Writes docs/schema.sql: what all migrations together make. Run it after adding a migration.

A test compares the file with a migrated database, so that a migration shows in review as what it changes.
"""

import asyncio
import subprocess
from pathlib import Path

from contactsync.workers.embedded.folders import service_user, temporary_folder
from contactsync.workers.embedded.installed import postgres_programs
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.provision import provision

SCHEMA_FILE = Path(__file__).parents[1] / "docs" / "schema.sql"
_HEAD = "-- What all migrations together make, as pg_dump writes it. scripts/dump_schema.py made it; nothing runs it.\n"
_VARIES = ("--", "SET ", "SELECT pg_catalog.set_config", "\\restrict", "\\unrestrict")


def schema_of(url: str) -> str:
    """The schema of a database as SQL, without what varies from run to run or only sets up a session."""
    program = postgres_programs(Path(), None) / "pg_dump"
    dumped = subprocess.run(  # our own program, our own database
        [program, "--schema-only", "--no-owner", f"--dbname={url}"], check=True, capture_output=True, text=True
    ).stdout
    kept = [line for line in dumped.splitlines() if line.strip() and not line.startswith(_VARIES)]
    return _HEAD + "".join(f"{line}\n\n" if _ends_statement(line) else f"{line}\n" for line in kept)


def _ends_statement(line: str) -> bool:
    return line.endswith(";") and not line.startswith(" ")


async def main() -> None:
    """Migrate an empty database and write its schema down."""
    with temporary_folder(service_user()) as folder:
        server = await PostgresServer.start(folder / "postgres")
        try:
            urls = await provision(server)
            SCHEMA_FILE.write_text(await asyncio.to_thread(schema_of, urls.owner))
        finally:
            await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
