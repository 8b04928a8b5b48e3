# /// script
# requires-python = ">=3.11"
# dependencies = ["prefect==3.8.8", "fastapi==0.139.2", "asyncpg==0.32.0", "httpx==0.28.1", "contactsync"]
# [tool.uv]
# exclude-newer = "2026-11-20T00:00:00Z"
# [tool.uv.sources]
# contactsync = { path = "../..", editable = true }
# ///
"""A Prefect 3 flow: three tasks a page with retries, the same cleaning as contactsync's, rows by asyncpg, unsealed."""

import asyncio
import os
from pathlib import Path

os.environ |= {
    "PREFECT_HOME": str(Path.cwd() / "prefect"),  # the benchmark's folder, which goes with it
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "DO_NOT_TRACK": "1",
}

import asyncpg
import httpx
import prefect
from cleaning import Row, cleaned
from prefect.utilities.annotations import quote
from protocol import Task, serve

TABLE = "CREATE TABLE IF NOT EXISTS contacts (id text PRIMARY KEY, updated_at text, contact jsonb)"
UPSERT = (
    "INSERT INTO contacts SELECT * FROM unnest($1::text[], $2::text[], $3::jsonb[]) "
    "ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at, contact = excluded.contact"
)


@prefect.task(retries=3, retry_delay_seconds=1)
async def fetch(url: str, params: Row) -> tuple[list[Row], str | None]:
    """A page."""
    async with httpx.AsyncClient() as client:
        page = (await client.get(f"{url}/contacts", params=params)).raise_for_status().json()
    return page["contacts"], page["next"]


@prefect.task
def clean(rows: list[Row]) -> list[tuple[str, str, str]]:
    """The page as contactsync would clean it."""
    return [(row["id"], row["updated_at"], cleaned(row)) for row in rows]


@prefect.task(retries=3, retry_delay_seconds=1)
async def store(database: str, rows: list[tuple[str, str, str]]) -> None:
    """The page's rows."""
    connection = await asyncpg.connect(database)
    await connection.execute(UPSERT, *(list(column) for column in zip(*rows, strict=True)))
    await connection.close()


@prefect.flow
async def sync(url: str, database: str, incremental: bool) -> None:
    """All pages, one after the other. `quote`: Prefect need not look for futures in every row."""
    connection = await asyncpg.connect(database)
    await connection.execute(TABLE)
    newest = await connection.fetchval("SELECT max(updated_at) FROM contacts")
    await connection.close()
    params = {"cursor": "0"} | ({"updated_since": newest} if incremental and newest else {})
    following: str | None = "0"
    while following is not None:
        rows, following = await fetch(url, {**params, "cursor": following})
        await store(database, quote(clean(quote(rows))))


def load(task: Task) -> None:
    """One run of the flow."""
    asyncio.run(sync(task.url, task.database, task.incremental))


if __name__ == "__main__":
    serve(f"prefect {prefect.__version__}", load)
