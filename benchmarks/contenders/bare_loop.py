# /// script
# requires-python = ">=3.11"
# dependencies = ["httpx==0.28.1", "asyncpg==0.32.0"]
# [tool.uv]
# exclude-newer = "2026-11-20T00:00:00Z"
# ///
"""The least code that brings the contacts over: fetch a page, upsert it, go on. No durability, cleaning or sealing."""

import asyncio
import json

import asyncpg
import httpx
from protocol import Task, serve

Row = dict[str, object]


def table(row: Row) -> str:
    """A table for rows like this one."""
    columns = ", ".join(f"{name} {'text' if isinstance(value, str) else 'jsonb'}" for name, value in row.items())
    return f"CREATE TABLE IF NOT EXISTS contacts ({columns}, PRIMARY KEY (id))"


def upsert(row: Row) -> str:
    """The statement that writes a page of rows like this one, given as arrays, one for each column."""
    types = ["text[]" if isinstance(value, str) else "jsonb[]" for value in row.values()]
    arrays = ", ".join(f"${number}::{each}" for number, each in enumerate(types, 1))
    news = ", ".join(f"{name} = excluded.{name}" for name in row if name != "id")
    return (
        f"INSERT INTO contacts ({', '.join(row)}) SELECT * FROM unnest({arrays}) "  # noqa: S608 # names of columns
        f"ON CONFLICT (id) DO UPDATE SET {news}"
    )


def arrays_of(rows: list[Row]) -> list[list[object]]:
    """The columns of a page."""
    return [
        [row[name] if isinstance(row[name], str) else json.dumps(row[name], ensure_ascii=False) for row in rows]
        for name in rows[0]
    ]


async def since(connection: asyncpg.Connection) -> dict[str, str]:
    """The filter for what changed since the newest row."""
    known = await connection.fetchval("SELECT to_regclass('contacts')")
    newest = await connection.fetchval("SELECT max(updated_at) FROM contacts") if known else None
    return {"updated_since": newest} if newest else {}


async def load(task: Task) -> None:
    """All pages, one after the other."""
    connection = await asyncpg.connect(task.database)
    params = {"cursor": "0"} | (await since(connection) if task.incremental else {})
    async with httpx.AsyncClient() as client:
        while params["cursor"] is not None:
            page = (await client.get(f"{task.url}/contacts", params=params)).raise_for_status().json()
            rows = page["contacts"]
            if params["cursor"] == "0":
                await connection.execute(table(rows[0]))
            await connection.execute(upsert(rows[0]), *arrays_of(rows))
            params["cursor"] = page["next"]
    await connection.close()


if __name__ == "__main__":
    serve(f"httpx {httpx.__version__}, asyncpg {asyncpg.__version__}", lambda task: asyncio.run(load(task)))
