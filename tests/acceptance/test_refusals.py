"""What goes wrong gives one clear sentence and a documented exit code, and loses nothing.

"Nothing lost": once it is mended, the next pass makes database and source equal.
"""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.postgres import owner_connection
from contactsync.workers.embedded.folders import service_user, temporary_folder
from contactsync.workers.embedded.ports import LOOPBACK, free_port
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.temporal import TemporalServer
from contactsync.workers.settings import PREFIX

from .address_books import AddressBook
from .conftest import Installed
from .deployment import Deployment, deployment_of
from .small_disk import small_disk

MORE_CARDS = 400
ADD = ("connection", "add", "--tenant")


async def _connections(deployment: Deployment) -> object:
    return (await deployment.json("connection", "list")).at("connections")


async def test_a_wrong_url(deployment: Deployment, book: AddressBook) -> None:
    """An address without an address book is refused before anything is kept."""
    tenant = await deployment.tenant()
    refused = await deployment.refused(*ADD, tenant, *book.options("/no/such/thing/"), "--no-start")
    assert refused == (8, "SourceAddressWrong")
    assert await _connections(deployment) == []


async def test_a_url_that_is_none(deployment: Deployment) -> None:
    """What is no address at all is a matter of settings, told before anybody is asked."""
    tenant = await deployment.tenant()
    refused = await deployment.run(*ADD, tenant, "--kind", "carddav", "--url", "dav.example.com", "--json")
    assert (refused.code, refused.error["code"]) == (3, "SettingsError")
    assert "url" in refused.error["message"]
    assert await _connections(deployment) == []


async def test_a_wrong_password(deployment: Deployment, book: AddressBook) -> None:
    """A password that is refused, or not there, is told apart, and nothing is kept."""
    tenant = await deployment.tenant()
    book.give_password("not this one")
    assert await deployment.refused(*ADD, tenant, *book.options(), "--no-start") == (9, "CredentialsRejected")
    missing = book.options(secret="env:NOT_THERE")
    assert await deployment.refused(*ADD, tenant, *missing, "--no-start") == (9, "SecretUnavailable")
    assert await _connections(deployment) == []


async def test_a_server_that_is_down(deployment: Deployment) -> None:
    """A server that does not answer is refused before anything is kept."""
    tenant = await deployment.tenant()
    options = ("--kind", "carddav", "--url", f"http://{LOOPBACK}:{free_port()}/", "--username", "amy", "--no-start")
    assert await deployment.refused(*ADD, tenant, *options) == (8, "SourceUnavailable")
    assert await _connections(deployment) == []


async def test_an_unknown_tenant_or_connection(deployment: Deployment) -> None:
    """Ids that name nothing, whole or shortened, are told so; so is a shortened id that names two things."""
    tenant = await deployment.tenant()
    for unknown in (str(uuid4()), "0bad", "no id at all"):
        assert await deployment.refused("tenant", "show", unknown) == (4, "TenantNotFound")
        assert await deployment.refused("sync", "now", unknown) == (4, "ConnectionNotFound")
    find = ("contacts", "show", str(uuid4()), "--tenant", tenant, "--reason", "T-1")
    assert await deployment.refused(*find) == (4, "ContactNotFound")


async def test_a_password_that_was_changed(deployment: Deployment, book: AddressBook) -> None:
    """A pass whose password is refused pauses the connection; mended and resumed, it catches up."""
    tenant = await deployment.tenant()
    async with deployment.worker():
        connection = await deployment.connection(tenant, *book.options())
        await deployment.sync(connection)
        await book.put("3.vcf", "Cy Penn", "cy@penn.example")
        book.give_password("not this one")
        sync = ("sync", "now", connection, "--wait", "--json")
        refused = await deployment.run(*sync)
        assert (refused.code, refused.error["code"]) == (9, "CredentialsRejected")
        paused = await deployment.run(*sync)
        assert (paused.code, paused.error["code"]) == (10, "ConnectionPaused")
        book.give_password("correct horse")
        await deployment.json("connection", "resume", connection)
        await deployment.sync(connection)
    assert await deployment.held(tenant, connection) == book.cards


async def test_a_server_that_goes_down(deployment: Deployment, book: AddressBook) -> None:
    """A pass waits for its source: the command says why, and the same pass completes once the source is back."""
    tenant = await deployment.tenant()
    async with deployment.worker():
        connection = await deployment.connection(tenant, *book.options())
        await deployment.sync(connection)
        await book.put("3.vcf", "Cy Penn", "cy@penn.example")
        await book.gate.shut()
        assert await deployment.refused("sync", "now", connection, "--wait") == (8, "SourceUnavailable")
        failing = (await deployment.json("status", connection)).at("connection", "live", "failing", "code")
        assert failing == "SourceUnavailable"
        await book.gate.open()
        await deployment.sync(connection)
    assert await deployment.held(tenant, connection) == book.cards


async def test_a_database_that_is_read_only(
    deployment: Deployment, book: AddressBook, postgres_server: PostgresServer
) -> None:
    """Nothing is written while the database takes no writes, and the pass completes once it does."""
    tenant = await deployment.tenant()
    async with deployment.worker():
        connection = await deployment.connection(tenant, *book.options())
        await deployment.sync(connection)
        await book.put("3.vcf", "Cy Penn", "cy@penn.example")
        name = urlsplit(deployment.settings[f"{PREFIX}DATABASE_URL"]).path.strip("/")
        await _set_read_only(postgres_server, name, "on")
        assert await deployment.refused("sync", "now", connection, "--wait") == (5, "DatabaseReadOnly")
        assert await deployment.refused("tenant", "add", "Other") == (5, "DatabaseReadOnly")
        doctor = await deployment.run("doctor", "--json")
        assert doctor.code == 1
        assert "read-only" in doctor.out
        await _set_read_only(postgres_server, name, "off", end_sessions=False)
        await deployment.sync(connection)
    assert await deployment.held(tenant, connection) == book.cards


async def _set_read_only(server: PostgresServer, database: str, state: str, *, end_sessions: bool = True) -> None:
    async with owner_connection(server.url()) as administrator:
        await administrator.execute(f'ALTER DATABASE "{database}" SET default_transaction_read_only = {state}')
        if end_sessions:
            await administrator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database
            )


async def test_a_database_that_is_full(
    installed_contactsync: Installed, temporal_server: TemporalServer, book: AddressBook, tmp_path: Path
) -> None:
    """A page that finds no room is written by no part of it, and the pass completes once there is room."""
    with temporary_folder(service_user()) as folder:
        async with small_disk(folder / "postgres") as disk:
            deployment = deployment_of(installed_contactsync, tmp_path, disk.urls, temporal_server)
            tenant = await deployment.tenant()
            async with deployment.worker():
                connection = await deployment.connection(tenant, *book.options())
                await deployment.sync(connection)
                for number in range(3, MORE_CARDS):
                    await book.put(f"{number}.vcf", f"Cy Penn {number}", f"cy{number}@penn.example")
                await disk.fill()
                assert await deployment.refused("sync", "now", connection, "--wait") == (5, "DatabaseFull")
                assert (await deployment.json("contacts", "count", "--tenant", tenant)).at("contacts") == 2
                await disk.make_room()
                await deployment.sync(connection)
            assert await deployment.held(tenant, connection) == book.cards


async def test_a_database_that_is_down(deployment: Deployment) -> None:
    """A database that does not answer is told so, by every command that needs it."""
    nowhere = deployment.with_settings(database_url=f"postgresql://amy:secret@{LOOPBACK}:{free_port()}/contactsync")
    assert await nowhere.refused("tenant", "list") == (5, "DatabaseUnavailable")
    assert await nowhere.refused_process("worker") == 5


async def test_a_temporal_that_is_down(deployment: Deployment, book: AddressBook) -> None:
    """Without Temporal no connection is kept half: it is told before anything is stored."""
    tenant = await deployment.tenant()
    nowhere = deployment.with_settings(temporal_address=f"{LOOPBACK}:{free_port()}")
    assert await nowhere.refused(*ADD, tenant, *book.options()) == (6, "TemporalUnavailable")
    assert await nowhere.refused_process("worker") == 6
    assert await _connections(deployment) == []
    connection = await deployment.connection(tenant, *book.options(), "--no-start")
    assert await nowhere.refused("connection", "pause", connection) == (6, "TemporalUnavailable")
    assert (await deployment.json("connection", "show", connection)).at("connection", "paused") == "operator"


async def test_no_worker(deployment: Deployment) -> None:
    """Without a worker the command says so; what was asked for happens once one comes."""
    tenant = await deployment.tenant()
    connection = await deployment.connection(tenant, "--kind", "memory", "--set", "made_up=10", "--no-start")
    assert await deployment.refused("sync", "now", connection, "--wait") == (6, "NoWorker")
    async with deployment.worker():
        await deployment.sync(connection)
    assert len(await deployment.held(tenant, connection)) == 10


async def test_a_key_file_that_is_missing(deployment: Deployment, book: AddressBook) -> None:
    """Without the root key nothing is sealed, opened or started; with it back, all is as before."""
    await _without_root_key(deployment, book, lambda file: file.rename(file.with_suffix(".away")), "RootKeyUnavailable")


async def test_a_key_file_that_was_tampered_with(deployment: Deployment, book: AddressBook) -> None:
    """An altered root key is refused, and so is another one; with the right one back, all is as before."""
    await _without_root_key(deployment, book, _flip_a_digit, "RootKeyRefused")


async def test_a_key_file_of_another_installation(deployment: Deployment, book: AddressBook) -> None:
    """A root key that is sound but another one is refused."""
    await _without_root_key(deployment, book, _replace, "RootKeyRefused")


def _flip_a_digit(file: Path) -> None:
    text = file.read_text()
    place = text.index('"key"') + len('"key": "') + 4
    file.write_text(text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1 :])


def _replace(file: Path) -> None:
    file.unlink()
    FileRootKey.create(file)


async def _without_root_key(
    deployment: Deployment, book: AddressBook, harm: Callable[[Path], object], expected: str
) -> None:
    tenant = await deployment.tenant()
    async with deployment.worker():
        connection = await deployment.connection(tenant, *book.options())
        await deployment.sync(connection)
    await book.put("3.vcf", "Cy Penn", "cy@penn.example")
    file = Path(deployment.settings[f"{PREFIX}ROOT_KEY_FILE"])
    right = file.read_bytes()
    harm(file)
    for command in (("sync", "now", connection), ("tenant", "add", "Other")):
        assert await deployment.refused(*command) == (7, expected)
    assert await deployment.refused_process("worker") == 7
    assert (await deployment.run("doctor", "--json")).code == 1
    file.write_bytes(right)
    file.chmod(0o600)
    async with deployment.worker():
        await deployment.sync(connection)
    assert await deployment.held(tenant, connection) == book.cards
