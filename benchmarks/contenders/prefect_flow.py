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
import tempfile
from typing import Any

os.environ |= {
    "PREFECT_HOME": os.environ.get("PREFECT_HOME") or tempfile.mkdtemp(prefix="prefect-"),
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "DO_NOT_TRACK": "1",
}

import asyncpg
import httpx
import prefect
from protocol import Task, serve

from contactsync.activities.contacts.contact import (
    DEFAULT_FIELDS,
    Address,
    Contact,
    EmailAddress,
    Field,
    Name,
    NameComponent,
    Organization,
    Phone,
    Title,
)
from contactsync.activities.sanitizing.sanitize import Policy, sanitize

TABLE = "CREATE TABLE IF NOT EXISTS contacts (id text PRIMARY KEY, updated_at text, contact jsonb)"
UPSERT = (
    "INSERT INTO contacts SELECT * FROM unnest($1::text[], $2::text[], $3::jsonb[]) "
    "ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at, contact = excluded.contact"
)
POLICY = Policy(fields=DEFAULT_FIELDS | {Field.ADDRESSES}, default_region="DE")
Row = dict[str, Any]
Parts = tuple[str, str, tuple[EmailAddress, ...], tuple[Phone, ...]]


@prefect.task(retries=3, retry_delay_seconds=1)
async def fetch(url: str, params: Row) -> tuple[list[Row], str | None]:
    """A page."""
    async with httpx.AsyncClient() as client:
        page = (await client.get(f"{url}/contacts", params=params)).raise_for_status().json()
    return page["contacts"], page["next"]


@prefect.task
def clean(rows: list[Row]) -> list[tuple[str, str, str]]:
    """The page as contactsync would clean it."""
    return [(row["id"], row["updated_at"], sanitized(row)) for row in rows]


def sanitized(row: Row) -> str:
    """A contact, cleaned, as JSON."""
    given, family, emails, phones = lists(row) if "emails" in row else flat(row)
    name = (NameComponent(kind="given", value=given), NameComponent(kind="surname", value=family))
    contact = Contact(
        name=Name(components=name),
        emails=emails,
        phones=phones,
        organizations=(Organization(name=row["company"]),),
        titles=(Title(name=row["job_title"]),),
        addresses=(Address(locality=row["city"], country_code=row["country"]),),
    )
    return sanitize(contact, POLICY).model_dump_json(exclude_defaults=True)


def lists(row: Row) -> Parts:
    """The parts of a record with lists."""
    emails = tuple(EmailAddress(address=each["address"], contexts=("work",)) for each in row["emails"])
    return row["name"]["given"], row["name"]["family"], emails, tuple(phone(each) for each in row["phones"])


def phone(value: dict[str, str]) -> Phone:
    """A phone number with its type."""
    if value["type"] == "work":
        return Phone(number=value["number"], contexts=("work",))
    return Phone(number=value["number"], features=("mobile",))


def flat(row: Row) -> Parts:
    """The parts of a record that is flat."""
    phones = (Phone(number=row["phone"]), Phone(number=row["mobile"]))
    return row["first_name"], row["last_name"], (EmailAddress(address=row["email"]),), phones


@prefect.task(retries=3, retry_delay_seconds=1)
async def store(database: str, rows: list[tuple[str, str, str]]) -> None:
    """The page's rows."""
    connection = await asyncpg.connect(database)
    await connection.execute(UPSERT, *(list(column) for column in zip(*rows, strict=True)))
    await connection.close()


@prefect.flow
async def sync(url: str, database: str, incremental: bool) -> None:
    """All pages, one after the other."""
    connection = await asyncpg.connect(database)
    await connection.execute(TABLE)
    newest = await connection.fetchval("SELECT max(updated_at) FROM contacts")
    await connection.close()
    params = {"cursor": "0"} | ({"updated_since": newest} if incremental and newest else {})
    following: str | None = "0"
    while following is not None:
        rows, following = await fetch(url, {**params, "cursor": following})
        await store(database, clean(rows))


def load(task: Task) -> None:
    """One run of the flow."""
    asyncio.run(sync(task.url, task.database, task.incremental))


if __name__ == "__main__":
    serve(f"prefect {prefect.__version__}", load)
