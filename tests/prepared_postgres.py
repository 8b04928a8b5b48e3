"""A PostgreSQL prepared as the image prepares it: psql runs the files of `deploy/postgres/` as the superuser."""

import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from contactsync.workers.embedded.folders import service_user, temporary_folder
from contactsync.workers.embedded.installed import postgres_programs
from contactsync.workers.embedded.postgres import PostgresServer

DEPLOY = Path(__file__).resolve().parents[1] / "deploy" / "postgres"
PASSWORDS = ("owner_db_password", "worker_db_password", "codec_db_password", "temporal_db_password")


def password(name: str) -> str:
    """The made-up password in the secret file of this name; one that needs quoting."""
    return f"pass'word-of-{name}"


@asynccontextmanager
async def prepared_postgres(secrets: Path) -> AsyncGenerator[PostgresServer]:
    """The server, with its passwords in files of the folder `secrets`."""
    for name in PASSWORDS:
        (secrets / name).write_text(f"{password(name)}\n")
    with temporary_folder(service_user()) as folder:
        server = await PostgresServer.start(folder / "postgres")
        for file in ("contactsync.sql", "temporal.sql"):
            text = (DEPLOY / file).read_text().replace("/run/secrets", str(secrets))
            _psql(postgres_programs(folder, None) / "psql", server.url(), text)
        yield server
        await server.stop()


def _psql(program: Path, url: str, text: str) -> None:
    done = subprocess.run(  # noqa: S603  # psql as the image calls it
        [str(program), "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname", url],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
