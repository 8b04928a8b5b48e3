"""Planted personal strings are found nowhere outside sealed bytes; without the codec the same search finds them."""

import logging
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from temporalio.client import Client
from temporalio.converter import DataConverter

from contactsync.activities.contacts.made_up import made_up_contacts, personal_strings
from contactsync.activities.messages import ConnectionRef
from contactsync.activities.sources.memory import AddressBook, shared
from contactsync.activities.store.directory import NewConnection, TenantPolicy
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads import framing
from contactsync.codecs.payloads.converter import MessageConverter
from contactsync.postgres import Database
from contactsync.workers.bootstrap import Parts, temporal_client
from contactsync.workers.demo.planted import PlantedStrings
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.temporal import TemporalServer
from contactsync.workers.logs import configure_logging
from contactsync.workers.settings import Settings
from contactsync.workers.syncs import Sync, Syncs
from contactsync.workers.worker import make_worker

CONTACTS = [contact for contact in made_up_contacts(100, seed=9_001) if contact.emails][:60]
BROKEN = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Broken Planted-Person\r\nbroken.planted@leak.example\r\n"
PLANTED = PlantedStrings(
    [*(text for contact in CONTACTS for text in personal_strings(contact)), "Planted-Person", "planted@leak.example"]
)
UNSEALED = PlantedStrings([framing.ENCODING])
"""What a page's body is called in a payload; under seal nobody reads it, compressed or not."""


@pytest.fixture(autouse=True)
def as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies of pages stand in their payloads as they are: in compressed ones nothing would be found, sealed or not."""
    monkeypatch.setattr(framing, "COMPRESS_FROM_BYTES", sys.maxsize)


@pytest.fixture
def parts(database: Database, temporal_server: TemporalServer, tmp_path: Path) -> Parts:
    """The parts of a worker."""
    settings = Settings.model_validate(
        {
            "temporal_address": temporal_server.address,
            "temporal_namespace": temporal_server.namespace,
            "task_queue": f"leaks-{uuid4()}",
            "page_rows": 25,
        }
    )
    return Parts(settings, database, KeyRing(PostgresKeyStore(database), FileRootKey.create(tmp_path / "root.key")))


async def sync_everything(parts: Parts, client: Client, *, refuse: bool = True) -> None:
    """Passes that succeed, meet a broken card, fail for want of credentials, and a look-up of a contact."""
    tenant = await parts.directory.add_tenant("Tenant", TenantPolicy(default_region="DE"))
    book = AddressBook({contact.emails[0].address: contact for contact in CONTACTS}, password="right")
    book.put("broken.planted@leak.example", BROKEN)
    with shared(book) as name:
        secret = Path(tempfile.mkdtemp()) / "secret"
        secret.write_text("right")
        new = NewConnection(kind="memory", settings={"shared": name}, secret_ref=f"file:{secret}")
        connection = await parts.directory.add_connection(tenant.tenant_id, new)
        sync = Sync(tenant.tenant_id, connection.connection_id, "memory")
        syncs = Syncs(client, parts.settings.task_queue)
        async with make_worker(parts, client):
            first = await (await syncs.sync_now(sync)).result()
            assert (first.outcome, first.counts.added, first.counts.quarantined) == ("completed", 60, 1)
            book.delete(CONTACTS[0].emails[0].address)
            if refuse:
                book.password = "changed"
                refused = await (await syncs.sync_now(sync)).result()
                assert refused.outcome == "CredentialsRejected"
            await syncs.progress(sync)
    await parts.contacts.find(tenant.tenant_id, email=CONTACTS[1].emails[0].address, actor="test", reason="test")
    await parts.contacts.quarantined(
        ConnectionRef(tenant_id=tenant.tenant_id, connection_id=sync.connection_id), actor="test", reason="test"
    )


async def test_planted_strings_are_in_no_channel(
    parts: Parts,
    temporal_server: TemporalServer,
    postgres_server: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Temporal's database and log, PostgreSQL's folder and log, our own log at DEBUG, temporary files, our title."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    configure_logging("json", "DEBUG")
    try:
        await sync_everything(parts, await temporal_client(parts.settings, parts.ring))
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
    await _flush(postgres_server)
    output = capfd.readouterr()
    log = (output.out + output.err).encode()
    assert b"fetch_page" in log  # the log is the one that is searched
    assert PLANTED.in_bytes(log) == 0
    told = b"".join(Path(f"/proc/self/{name}").read_bytes() for name in ("cmdline", "comm"))  # what every user may read
    assert PLANTED.in_bytes(told) == 0
    for folder in (temporal_server.folder, postgres_server.folder, temporary):
        assert PLANTED.in_tree(folder) == {}
        assert UNSEALED.in_tree(folder) == {}


async def test_without_the_codec_the_search_finds_them(parts: Parts, tmp_path: Path) -> None:
    """The positive control: the same passes through a client without a codec leave them in Temporal's database."""
    server = await TemporalServer.start(tmp_path / "temporal")
    try:
        plain = await Client.connect(
            server.address,
            namespace=server.namespace,
            data_converter=DataConverter(payload_converter_class=MessageConverter),
        )
        await sync_everything(parts, plain, refuse=False)  # a verdict on retries needs our failure converter
    finally:
        await server.stop()
    found = PLANTED.in_tree(server.folder)
    assert sum(count for path, count in found.items() if path.name.startswith(server.db_file.name)) > 100
    assert UNSEALED.in_tree(server.folder)  # by which the demo knows a body that is not sealed


async def test_the_search_reads_postgresql_s_files(postgres_server: PostgresServer) -> None:
    """The control for the data folder: a planted string in a table of its own is found there."""
    needle = f"control-{uuid4()}@leak.example"
    connection = await asyncpg.connect(postgres_server.url())
    try:
        await connection.execute("CREATE TABLE planted (value text)")
        await connection.execute("INSERT INTO planted VALUES ($1)", needle)
        await _flush(postgres_server)
        assert PlantedStrings([needle]).in_tree(postgres_server.folder)
    finally:
        await connection.execute("DROP TABLE planted")
        await connection.close()


async def _flush(server: PostgresServer) -> None:
    connection = await asyncpg.connect(server.url())
    await connection.execute("CHECKPOINT")
    await connection.close()
