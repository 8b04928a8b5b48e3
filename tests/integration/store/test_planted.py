"""Strings of a person, planted in contacts, looked for wherever PostgreSQL keeps anything."""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.integration.store.address_book import WHO, Book, Store, bad, gone, upsert

from contactsync.activities.store.changes import Upsert
from contactsync.activities.store.directory import NewConnection
from contactsync.codecs.keys.ring import KeyRing
from contactsync.errors import StalePass
from contactsync.postgres import Database, owner_connection
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.provision import DatabaseUrls

PLANTED = ("Zwyrtekplanted", "zwyrtekplanted@example.com", "+4930901820222", "planted-card-name", "planted-etag-7f3a")
CONTROL = "planted-positive-control"


def forms(text: str) -> tuple[bytes, ...]:
    """How a string may lie in a file: as it is, in hex as PostgreSQL prints it, in base 64."""
    raw = text.encode()
    return raw, raw.hex().encode(), base64.b64encode(raw).rstrip(b"=")[:-1]


def files_with(folder: Path, texts: Iterable[str]) -> set[str]:
    """Those of the texts that stand in any file below the folder."""
    contents = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    return {text for text in texts if any(form in content for form in forms(text) for content in contents)}


async def live_through_everything(book: Book) -> None:
    """Everything that is done with contacts, errors too."""
    name, email, phone, source_id, etag = PLANTED
    content = json.dumps({"name": {"full": name}, "emails": [{"address": email}]}).encode()
    person = Upsert(source_id, content, etag=etag, emails=(email,), phones=(phone,))
    settings = {"url": f"https://contacts.example/{source_id}/", "username": email}
    await book.store.directory.add_connection(book.ref.tenant_id, NewConnection(kind="memory", settings=settings))
    ticket = await book.open()
    await book.workbench().stash([content])
    await book.commit(ticket, 1, [person, upsert("other")])
    await book.commit(ticket, 2, [bad(source_id)])
    await book.workbench().unchanged({source_id: etag})
    assert [each.source_id for each in await book.store.contacts.find(book.ref.tenant_id, email=email, **WHO)] == [
        source_id
    ]
    assert [each.source_id for each in await book.store.contacts.find(book.ref.tenant_id, phone=phone, **WHO)] == [
        source_id
    ]
    with pytest.raises(StalePass):
        await book.commit(ticket, 9, [person])
    await book.commit(ticket, 3, [person], done=True)
    other = await book.store.new_book(book.ref.tenant_id)
    await other.full_pass([[person], [gone(source_id)]], generation=1)


async def test_p24_nothing_of_a_person_in_the_databases_files(
    book: Book, ring: KeyRing, database_urls: DatabaseUrls, postgres_server: PostgresServer
) -> None:
    """P24: with all statements and parameters logged, no planted string is in data, WAL or log; the control is."""
    database = urlsplit(database_urls.app).path.removeprefix("/")
    async with owner_connection(postgres_server.url()) as administrator:
        for setting in ("log_statement = 'all'", "log_min_duration_statement = 0", "log_parameter_max_length = -1"):
            await administrator.execute(f'ALTER DATABASE "{database}" SET {setting}')
        sessions_that_log = await Database.connect(database_urls.app)
        await live_through_everything(Book(Store(sessions_that_log, ring), book.ref))
        async with owner_connection(database_urls.owner) as owner:
            await owner.execute("CREATE TABLE public.control AS SELECT $$" + CONTROL + "$$ AS text")
        statements = await administrator.fetch("SELECT query FROM pg_stat_activity WHERE datname = $1", database)
        await sessions_that_log.close()
        await administrator.execute("CHECKPOINT")
    assert files_with(postgres_server.folder, [CONTROL]) == {CONTROL}
    assert "set_config" in postgres_server.log.read_text()
    assert files_with(postgres_server.folder, PLANTED) == set()
    assert not any(text in str(statements) for text in PLANTED)
