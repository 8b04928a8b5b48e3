"""The codec server as operators use it: over TCP, through the `temporal` command, as its own database user."""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import httpx
import pytest
import trustme
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Worker
from tests.integration.codecs.everything import Failing, Said, echo, planted
from tests.integration.codecs.histories import payloads_in
from tests.unit.codecs.server.people import People

from contactsync.codecs.audit.chain import Soundness
from contactsync.codecs.audit.log import AuditKind
from contactsync.codecs.audit.logs import check_log
from contactsync.codecs.audit.together import SharedLog
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.connect import connect
from contactsync.codecs.server.access import Access, LoopbackAccess, TokenAccess
from contactsync.codecs.server.app import codec_app
from contactsync.codecs.server.rates import DEFAULT_RATE, Rate
from contactsync.codecs.server.roles import Grants, Tenants
from contactsync.codecs.server.serve import Tls, serving
from contactsync.errors import DatabaseRefused, SettingsError
from contactsync.postgres import Database
from contactsync.workers.embedded.installed import temporal_program
from contactsync.workers.embedded.provision import DatabaseUrls
from contactsync.workers.embedded.temporal import TemporalServer

TENANT: Final = uuid4()
TOKEN: Final = "a-token"
MASKED: Final = {"text": "p… e…", "run": 0}


@pytest.fixture
def root(tmp_path: Path) -> FileRootKey:
    """A root key."""
    return FileRootKey.create(tmp_path / "root.key")


@pytest.fixture
async def client(temporal_server: TemporalServer, database: Database, root: FileRootKey) -> Client:
    """A sealing client, with the workers' rights in the key store."""
    ring = KeyRing(PostgresKeyStore(database), root)
    await ring.create_tenant(TENANT)
    return await connect(temporal_server.address, "default", ring)


@pytest.fixture
async def codec_database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """The database, as the codec server's user."""
    connected = await Database.connect(database_urls.codec)
    yield connected
    await connected.close()


@asynccontextmanager
async def codec_server(
    database: Database, root: FileRootKey, access: Access, *, encode: bool = False, rate: Rate = DEFAULT_RATE
) -> AsyncGenerator[str]:
    """A running codec server; its URL."""
    ring = KeyRing(PostgresKeyStore(database), root)
    app = codec_app(ring, SharedLog(database), access, encode=encode, rate=rate)
    async with serving(app, "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


async def temporal(server: TemporalServer, *arguments: str) -> tuple[int, str]:
    """Run the `temporal` command; exit code and output."""
    process = await asyncio.create_subprocess_exec(
        temporal_program(),
        *arguments,
        "--address",
        server.address,
        env={**os.environ, "HOME": "/nonexistent"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def failed_workflow(client: Client) -> str:
    """The id of a workflow that took an argument, ran an activity and failed."""
    queue = f"queue-{uuid4()}"
    async with Worker(client, task_queue=queue, workflows=[Failing], activities=[echo]):
        handle = await client.start_workflow(
            "Failing", Said(text=planted(1)), id=f"sync/{TENANT}/{uuid4()}", task_queue=queue, memo={"memo": planted(2)}
        )
        await handle.fetch_history()
        async with asyncio.timeout(30):
            while (await handle.describe()).close_time is None:  # noqa: ASYNC110  # the result would raise
                await asyncio.sleep(0.05)
    return handle.id


async def kinds_of(database: Database, tenant: UUID) -> set[str]:
    """The kinds of entries in a tenant's log, which must be sound."""
    async with database.transaction(tenant) as connection:
        assert (await check_log(connection, tenant, [])).soundness is Soundness.SOUND
        rows = await connection.fetch("SELECT entry::jsonb ->> 'kind' AS kind FROM audit.entry")
    return {row["kind"] for row in rows}


def shown_in(output: str) -> list[bytes]:
    """The data of every payload that `temporal workflow show -o json` printed, in their order."""
    events = WorkflowHistory.from_json("x", output).events
    return [payload.data for event in events for payload in payloads_in(event)]


async def test_the_temporal_command_shows_masked_bodies(
    temporal_server: TemporalServer, client: Client, database: Database, codec_database: Database, root: FileRootKey
) -> None:
    """`temporal workflow show --codec-endpoint` shows structure and no person; what was opened is in the log."""
    workflow_id = await failed_workflow(client)
    show = ("workflow", "show", "--workflow-id", workflow_id, "-o", "json")
    code, sealed_output = await temporal(temporal_server, *show)
    assert code == 0, sealed_output
    async with codec_server(codec_database, root, LoopbackAccess()) as url:
        code, output = await temporal(temporal_server, *show, "--codec-endpoint", url)
    assert code == 0, output
    shown = shown_in(output)
    assert MASKED in [json.loads(data) for data in shown]
    assert b"unexpected: temporalio.exceptions.ApplicationError" in b"".join(shown)
    assert all(data.startswith(b"CS1") for data in shown_in(sealed_output))
    everything = b"".join(shown) + output.encode()
    assert [number for number in range(40) if planted(number).encode() in everything] == []
    assert await kinds_of(database, TENANT) == {AuditKind.PAYLOADS_OPENED}


async def test_the_temporal_command_sends_the_token(
    temporal_server: TemporalServer, client: Client, codec_database: Database, root: FileRootKey
) -> None:
    """With `--codec-auth` payloads open; without it the command fails and shows nothing."""
    workflow_id = await failed_workflow(client)
    show = ("workflow", "show", "--workflow-id", workflow_id, "-o", "json", "--codec-endpoint")
    async with codec_server(codec_database, root, TokenAccess(TOKEN)) as url:
        code, output = await temporal(temporal_server, *show, url, "--codec-auth", f"Bearer {TOKEN}")
        assert code == 0, output
        assert MASKED in [json.loads(data) for data in shown_in(output)]
        code, output = await temporal(temporal_server, *show, url)
        assert code != 0
        assert "payloads" not in output


async def test_the_temporal_command_gives_a_reason(
    temporal_server: TemporalServer, client: Client, codec_database: Database, root: FileRootKey
) -> None:
    """A reader who says why in a header sees bodies whole; without the header masked; another's stay ciphertext."""
    workflow_id = await failed_workflow(client)
    reader = Grants(Tenants(frozenset({TENANT})), Tenants(frozenset({TENANT})))
    access = People({"reader": reader, "stranger": Grants()})
    show = ("workflow", "show", "--workflow-id", workflow_id, "-o", "json", "--codec-endpoint")
    async with codec_server(codec_database, root, access) as url:
        as_reader = (*show, url, "--codec-auth", "Bearer reader")
        code, whole = await temporal(temporal_server, *as_reader, "--codec-header", "X-ContactSync-Reason=test:OPS-1")
        assert (code, planted(1) in b"".join(shown_in(whole)).decode()) == (0, True)
        code, in_path = await temporal(temporal_server, *show, f"{url}/reason/test", *as_reader[-2:])
        assert (code, shown_in(in_path)) == (0, shown_in(whole))
        code, masked = await temporal(temporal_server, *as_reader)
        assert (code, planted(1) in masked, MASKED in [json.loads(data) for data in shown_in(masked)]) == (
            0,
            False,
            True,
        )
        code, sealed = await temporal(temporal_server, *show, url, "--codec-auth", "Bearer stranger")
        assert code == 0, sealed
        assert all(data.startswith(b"CS1") for data in shown_in(sealed))


async def test_the_temporal_command_only_waits_when_it_is_too_fast(
    temporal_server: TemporalServer, client: Client, codec_database: Database, root: FileRootKey
) -> None:
    """It sends one request after the other: over its rate it is slower, and still shows everything."""
    workflow_id = await failed_workflow(client)
    show = ("workflow", "show", "--workflow-id", workflow_id, "-o", "json", "--codec-endpoint")
    async with codec_server(codec_database, root, LoopbackAccess(), rate=Rate(50, 1)) as url:
        code, output = await temporal(temporal_server, *show, url)
    assert code == 0, output
    assert not any(data.startswith(b"CS1") for data in shown_in(output))


async def test_the_temporal_command_seals_what_it_sends(
    temporal_server: TemporalServer, client: Client, database: Database, root: FileRootKey
) -> None:
    """With encoding on and a tenant named, a workflow started by the command runs; its input was sealed."""
    queue, workflow_id = f"queue-{uuid4()}", f"sync/{TENANT}/{uuid4()}"
    start = ("workflow", "start", "--type", "Failing", "--task-queue", queue, "--workflow-id", workflow_id)
    given = ("--input", json.dumps({"text": planted(3)}))
    authorized = ("--codec-auth", f"Bearer {TOKEN}", "--codec-header", f"X-ContactSync-Tenant={TENANT}")
    async with codec_server(database, root, TokenAccess(TOKEN), encode=True) as url:
        code, output = await temporal(temporal_server, *start, *given, "--codec-endpoint", url, *authorized)
        assert code == 0, output
        code, output = await temporal(temporal_server, *start, *given, "--codec-endpoint", url, *authorized[:2])
        assert code != 0, output
    async with Worker(client, task_queue=queue, workflows=[Failing], activities=[echo]):
        async with asyncio.timeout(30):
            handle = client.get_workflow_handle(workflow_id)
            while (await handle.describe()).close_time is None:  # noqa: ASYNC110  # the result would raise
                await asyncio.sleep(0.05)
    history = (await handle.fetch_history()).to_json()
    assert "EVENT_TYPE_ACTIVITY_TASK_COMPLETED" in history
    assert planted(3) not in history
    assert await kinds_of(database, TENANT) == {AuditKind.PAYLOADS_SEALED}


async def test_the_codec_servers_own_user_cannot_make_keys(
    client: Client, codec_database: Database, root: FileRootKey
) -> None:
    """The user that decodes has no right to make a payload key: encoding needs the key store's role."""
    assert client.namespace == "default"
    with pytest.raises(DatabaseRefused):
        await KeyRing(PostgresKeyStore(codec_database), root).payload_key(TENANT)


async def test_connections_are_kept_alive(codec_database: Database, root: FileRootKey) -> None:
    """The `temporal` command sends one request after the other: they need not each connect anew."""
    async with codec_server(codec_database, root, LoopbackAccess()) as url, httpx.AsyncClient() as asked:
        for _ in range(3):
            answer = await asked.post(f"{url}/decode", json={"payloads": []}, headers={"x-namespace": "default"})
            assert answer.status_code == 200
            assert answer.headers.get("connection", "keep-alive") == "keep-alive"
            assert "server" not in answer.headers


async def test_tls_with_a_certificate_of_ones_own(codec_database: Database, root: FileRootKey, tmp_path: Path) -> None:
    """With certificate and key files it speaks TLS; with wrong ones it says so."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    app = codec_app(KeyRing(PostgresKeyStore(codec_database), root), SharedLog(codec_database), LoopbackAccess())
    async with serving(app, "127.0.0.1", 0, Tls(certificate, key)) as port:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        async with httpx.AsyncClient(verify=context) as asked:
            assert (await asked.get(f"https://127.0.0.1:{port}/health")).text == "ok"
    with pytest.raises(SettingsError):
        async with serving(app, "127.0.0.1", 0, Tls(key, certificate)):
            pass


async def test_a_port_that_is_taken_is_one_sentence(codec_database: Database, root: FileRootKey) -> None:
    """Two servers on one port: the second says what is wrong."""
    app = codec_app(KeyRing(PostgresKeyStore(codec_database), root), SharedLog(codec_database), LoopbackAccess())
    async with serving(app, "127.0.0.1", 0) as port:
        with pytest.raises(SettingsError, match="is the port taken"):
            async with serving(app, "127.0.0.1", port):
                pass
