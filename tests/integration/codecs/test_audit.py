"""The audit log in PostgreSQL itself: append-only, chained, without gaps, one chain a tenant."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from contactsync.codecs.audit.chain import FIRST, Entry, Soundness, link
from contactsync.codecs.audit.log import AuditKind, append
from contactsync.codecs.audit.logs import check_log
from contactsync.errors import DatabaseRefused
from contactsync.postgres import Database
from contactsync.workers.embedded.provision import DatabaseUrls

TENANT, OTHER = uuid4(), UUID("7b1a4e57-0d0c-4c4e-9df6-c3b3a1a5d6e2")
AT = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)


@pytest.fixture
async def codec_database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """The database, as the codec server's user."""
    connected = await Database.connect(database_urls.codec)
    yield connected
    await connected.close()


async def write(database: Database, number: int, tenant: UUID = TENANT) -> int:
    """Append an entry in a transaction of its own."""
    async with database.transaction(tenant) as connection:
        return await append(connection, tenant, AuditKind.PAYLOADS_OPENED, "token", {"payloads": number})


async def tamper(urls: DatabaseUrls, sql: str) -> None:
    """Change the log as an owner can who switches the triggers off."""
    owner = await asyncpg.connect(urls.owner)
    try:
        await owner.execute("ALTER TABLE audit.entry DISABLE TRIGGER ALL")
        await owner.execute("ALTER TABLE audit.entry NO FORCE ROW LEVEL SECURITY")
        await owner.execute(sql)
    finally:
        await owner.close()


async def soundness(database: Database, tenant: UUID = TENANT) -> tuple[Soundness, int]:
    """The verdict, and how many entries are sound."""
    async with database.transaction(tenant) as connection:
        verdict = await check_log(connection, tenant, [])
    return verdict.soundness, verdict.entries


async def test_concurrent_writers_make_one_chain_without_gaps(database: Database, codec_database: Database) -> None:
    """Workers and codec server append at once; numbers are 1 to 40, and every tenant has its own."""
    writers = [write(each, number) for number in range(20) for each in (database, codec_database)]
    assert sorted(await asyncio.gather(*writers)) == list(range(1, 41))
    assert await write(codec_database, 1, OTHER) == 1
    assert await soundness(database) == (Soundness.SOUND, 40)
    assert await soundness(database, OTHER) == (Soundness.SOUND, 1)
    assert await soundness(database, uuid4()) == (Soundness.SOUND, 0)


async def test_an_entry_says_what_it_was_given(database: Database) -> None:
    """The stored text is canonical JSON, and its hash follows the one before."""
    async with database.transaction(TENANT) as connection:
        detail = {"z": "é", "a": 1}
        await append(connection, TENANT, AuditKind.PAGE_COMMITTED, "worker", detail, clock=lambda: AT)
        row = await connection.fetchrow("SELECT entry, hash FROM audit.entry")
    assert row is not None
    assert row["entry"] == (
        '{"actor":"worker","at":"2026-11-21T12:30:00Z","detail":{"a":1,"z":"é"},"kind":"page_committed","seq":1,'
        f'"tenant":"{TENANT}"}}'
    )
    assert row["hash"] == link(FIRST, row["entry"])
    assert Entry.model_validate_json(row["entry"]).detail == detail


async def test_what_is_rolled_back_leaves_no_gap(database: Database) -> None:
    """An entry belongs to its transaction: both happen, or neither does."""

    async def write_and_fail() -> None:
        async with database.transaction(TENANT) as connection:
            await append(connection, TENANT, AuditKind.KEY_MADE, "worker", {})
            await connection.execute("SELECT 1/0")

    with pytest.raises(DatabaseRefused):
        await write_and_fail()
    assert await write(database, 1) == 1


FORGERIES = (
    "UPDATE audit.entry SET entry = 'x'",
    "DELETE FROM audit.entry",
    "TRUNCATE audit.entry",
    "INSERT INTO audit.entry SELECT current_setting('app.tenant_id')::uuid, 3, 'x', sha256('x')",
    "INSERT INTO audit.entry SELECT current_setting('app.tenant_id')::uuid, 2, 'x', sha256('x')",
    "INSERT INTO audit.entry SELECT gen_random_uuid(), 1, 'x', sha256(decode(repeat('00', 32), 'hex') || 'x')",
)


@pytest.mark.parametrize("user", ["app", "codec", "owner"])
async def test_only_the_next_link_can_be_written(database: Database, database_urls: DatabaseUrls, user: str) -> None:
    """Neither worker, codec server nor owner can change, remove or forge an entry, or write for another tenant."""
    await write(database, 1)
    as_user = await Database.connect(getattr(database_urls, user))

    async def execute(sql: str) -> None:
        async with as_user.transaction(TENANT) as connection:
            await connection.execute(sql)

    try:
        for sql in FORGERIES:
            with pytest.raises(DatabaseRefused):
                await execute(sql)
    finally:
        await as_user.close()
    assert await soundness(database) == (Soundness.SOUND, 1)


async def test_the_codec_server_cannot_read_the_log(database: Database, codec_database: Database) -> None:
    """It appends and no more."""
    await write(database, 1)
    async with database.transaction(TENANT) as connection:
        assert len(await connection.fetch("SELECT entry FROM audit.entry")) == 1
    with pytest.raises(DatabaseRefused):
        async with codec_database.transaction(TENANT) as connection:
            await connection.fetch("SELECT entry FROM audit.entry")


async def test_a_tenants_log_is_seen_by_that_tenants_transactions_only(database: Database) -> None:
    """Row-level security holds for the log too."""
    await write(database, 1)
    for tenant in (OTHER, None):
        async with database.transaction(tenant) as connection:
            assert await connection.fetch("SELECT entry FROM audit.entry") == []


@pytest.mark.parametrize(
    ("sql", "verdict"),
    [
        ("UPDATE audit.entry SET entry = replace(entry, ':3}', ':4}') WHERE seq = 3", (Soundness.ALTERED, 2)),
        ("UPDATE audit.entry SET hash = sha256('x') WHERE seq = 3", (Soundness.ALTERED, 2)),
        (
            "UPDATE audit.entry e SET entry = 'x', hash = sha256((SELECT hash FROM audit.entry WHERE seq = 4) || 'x')"
            " WHERE seq = 5",
            (Soundness.ALTERED, 4),
        ),
        ("DELETE FROM audit.entry WHERE seq = 3", (Soundness.INCOMPLETE, 2)),
        ("DELETE FROM audit.entry WHERE seq = 1", (Soundness.INCOMPLETE, 0)),
        ("UPDATE audit.entry SET tenant_id = '7b1a4e57-0d0c-4c4e-9df6-c3b3a1a5d6e2'", (Soundness.INCOMPLETE, 0)),
    ],
    ids=["entry", "hash", "last, chained anew", "taken out", "first taken out", "given to another"],
)
async def test_tampering_shows(
    database: Database, database_urls: DatabaseUrls, sql: str, verdict: tuple[Soundness, int]
) -> None:
    """Whoever switches the triggers off and changes the log is found out, up to the entry that is still sound."""
    for number in range(1, 6):
        await write(database, number)
    assert await soundness(database) == (Soundness.SOUND, 5)
    await tamper(database_urls, sql)
    assert await soundness(database) == verdict
    if "tenant_id" in sql:
        assert (await soundness(database, OTHER))[0] is Soundness.ALTERED
