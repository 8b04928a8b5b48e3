"""The long processes and what prepares for them, as the installed command runs them."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx
import pytest

from contactsync.postgres import owner_connection
from contactsync.workers.embedded.ports import LOOPBACK, free_port
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.provision import OWNER, DatabaseUrls, drop_database

from .address_books import AddressBook
from .deployment import Deployment

PATIENCE_SECONDS = 60.0


@pytest.fixture
async def empty(
    deployment: Deployment, postgres_server: PostgresServer, database_urls: DatabaseUrls
) -> AsyncGenerator[Deployment]:
    """An installation whose database is still empty."""
    name = f"empty_{uuid4().hex}"
    async with owner_connection(postgres_server.url()) as administrator:
        await administrator.execute(f'CREATE DATABASE "{name}" OWNER {OWNER} TEMPLATE template0')
    owner, app = (f"{url.rpartition('/')[0]}/{name}" for url in (database_urls.owner, database_urls.app))
    yield deployment.with_settings(database_url=app, migrate_database_url=owner)
    await drop_database(postgres_server, name)


async def test_migrate_makes_the_schema_once(empty: Deployment) -> None:
    """Before it every command says what to do; after it they work, and a second time there is nothing to do."""
    assert await empty.refused("tenant", "list") == (5, "NotMigrated")
    applied = (await empty.json("migrate")).at("migrations")
    assert isinstance(applied, list)
    assert "0001_roles" in applied
    assert (await empty.json("migrate", "--database-only")).document == {"migrations": [], "search_attributes": None}
    assert (await empty.json("tenant", "list")).at("tenants") == []


async def test_migrate_without_temporal(empty: Deployment) -> None:
    """The database is made ready all the same; a note says what is not."""
    outcome = await empty.with_settings(temporal_address=f"{LOOPBACK}:{free_port()}").run("migrate", "--json")
    assert (outcome.code, json.loads(outcome.out)["search_attributes"]) == (0, None)
    assert "Temporal does not answer" in outcome.err


async def test_migrate_without_the_owners_rights(empty: Deployment) -> None:
    """The workers' user cannot change the schema."""
    as_app = empty.with_settings(migrate_database_url=empty.settings["CONTACTSYNC_DATABASE_URL"])
    assert await as_app.refused("migrate", "--database-only") == (5, "DatabaseRefused")


async def test_the_codec_server_says_where_it_is(deployment: Deployment, database_urls: DatabaseUrls) -> None:
    """It prints its URL, answers there, and ends with 0 when it is asked to."""
    as_codec = deployment.with_settings(database_url=database_urls.codec, codec_port="0")
    async with _running(as_codec, "codec-server") as process:
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            _, _, url = (await process.stderr.readline()).decode().strip().rpartition(" ")
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{url}/health")).is_success
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await process.wait() == 0


async def test_the_codec_server_does_not_listen_in_clear(deployment: Deployment) -> None:
    """Beyond this machine it wants a token, and TLS or a proxy that does it."""
    assert await deployment.with_settings(codec_host="0.0.0.0").refused_process("codec-server") == 3  # noqa: S104
    token = deployment.folder / "token"
    token.write_text("a-token\n")
    with_token = deployment.with_settings(codec_host="0.0.0.0", codec_token_file=str(token))  # noqa: S104
    assert await with_token.refused_process("codec-server") == 3


async def test_status_can_be_watched(deployment: Deployment) -> None:
    """With `--watch --json` each look is one line, until Ctrl-C."""
    tenant = await deployment.tenant()
    await deployment.connection(tenant, "--kind", "memory", "--set", "made_up=1", "--no-start")
    async with _running(deployment, "status", "--watch", "--json") as process:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            looks = [json.loads(await process.stdout.readline()) for _ in range(2)]
        assert [len(look["connections"]) for look in looks] == [1, 1]
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await process.wait() == 130


async def test_a_stale_connection_can_be_alarmed_on(deployment: Deployment) -> None:
    """`--check` exits with 1 once no pass completed within twice the interval, though no workflow ever ran."""
    tenant = await deployment.tenant()
    options = ("--kind", "memory", "--set", "made_up=1", "--no-start", "--no-check")
    await deployment.json("connection", "add", "--tenant", tenant, "--interval", "1d", *options)
    assert (await deployment.run("status", "--check")).code == 0
    stale = (await deployment.json("connection", "add", "--tenant", tenant, "--interval", "1s", *options)).at(
        "connection", "id"
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (outcome := await deployment.run("status", "--check", "--json")).code == 0:
            pass
    assert outcome.code == 1
    assert [each["id"] for each in json.loads(outcome.out)["connections"] if not each["fresh"]] == [stale]


async def test_only_contacts_shows_anything_personal(deployment: Deployment, book: AddressBook) -> None:
    """No other command prints a value of a contact, a user name, a password or a path of the source."""
    await book.put("Zoë-Quill.vcf", "Zoë Quill", "zoe@quill.example")
    tenant = await deployment.tenant()
    async with deployment.worker() as worker:
        connection = await deployment.connection(tenant, *book.options())
        outcomes = [await deployment.run("sync", "now", connection, "--wait")]
        await book.gate.shut()
        commands = (
            ("sync", "now", connection, "--wait"),
            *(("status",), ("status", connection), ("connection", "show", connection), ("connection", "list")),
            *(("tenant", "show", tenant), ("tenant", "list"), ("contacts", "count", "--tenant", tenant), ("doctor",)),
            *(("watch", "--once"), ("deletes", "list"), ("deletes", "approve", connection)),
            *(("backfill", work, connection) for work in ("start", "status", "pause", "resume", "cancel")),
        )
        for command in commands:
            outcomes += [await deployment.run(*command), await deployment.run(*command, "--json")]
    printed = "".join(outcome.out + outcome.err for outcome in outcomes) + worker.log.read_text()
    planted = ("Zoë", "Quill", "quill.example", "Reed", "123456", "5550123", "amy", "correct horse", "contacts/")
    assert [word for word in planted if word in printed] == []
    found = await deployment.run("contacts", "find", "--tenant", tenant, "--email", "zoe@quill.example")
    assert "Zoë Quill" in found.out


@asynccontextmanager
async def _running(deployment: Deployment, *arguments: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(str(deployment.installed.command), *arguments),
        cwd=deployment.installed.home,
        env=deployment.installed.environment(deployment.settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
