"""The servers that integration tests share, and a fresh database for each test."""

import signal
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from contactsync.postgres import Database
from contactsync.workers.embedded.folders import service_user, temporary_folder
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.provision import DatabaseUrls, drop_database, make_database, make_logins, provision
from contactsync.workers.embedded.temporal import TemporalServer

from .moto_server import CREDENTIALS, REGION, MotoServer
from .openbao import OpenBao

pytest_plugins = ["tests.no_skips", "tests.hangs"]

TEMPLATE = "contactsync_template"

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")  # how busy a machine is decides no test


def pytest_configure() -> None:
    """Let Ctrl-C reach the commands under test, also where a shell started the tests in the background.

    Such a shell has SIGINT ignored, and what is ignored is inherited; a handler is not.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
async def postgres_server() -> AsyncIterator[PostgresServer]:
    """A running PostgreSQL; `url()` is its superuser's."""
    with temporary_folder(service_user()) as folder:
        server = await PostgresServer.start(folder / "postgres")
        yield server
        await server.stop()


@pytest.fixture(scope="session")
async def database_template(postgres_server: PostgresServer) -> str:
    """The name of a migrated database without rows."""
    await provision(postgres_server, TEMPLATE)
    return TEMPLATE


@pytest.fixture
async def database_urls(postgres_server: PostgresServer, database_template: str) -> AsyncIterator[DatabaseUrls]:
    """The URLs of a fresh, migrated database: `.owner`, `.app`, `.codec`."""
    name = f"test_{uuid4().hex}"
    await make_database(postgres_server, name, template=database_template)
    yield (await make_logins(postgres_server)).urls(postgres_server.port, name)
    await drop_database(postgres_server, name)


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """The fresh database, as the app's user."""
    connected = await Database.connect(database_urls.app)
    yield connected
    await connected.close()


@pytest.fixture(scope="session")
async def temporal_server() -> AsyncIterator[TemporalServer]:
    """A running Temporal: `address`, `namespace`, `ui_url`, `db_file`, `log`; fairness is on."""
    with temporary_folder() as folder:
        server = await TemporalServer.start(folder / "temporal")
        yield server
        await server.stop()


@pytest.fixture(scope="session")
async def openbao() -> AsyncIterator[OpenBao]:
    """A running OpenBao: `client`, `address`, `token_file`, `ca_file`; `transit/` and `secret/` are mounted."""
    with temporary_folder() as folder:
        server = await OpenBao.start(folder)
        yield server
        await server.stop()


@pytest.fixture(scope="session")
async def moto_server() -> AsyncIterator[MotoServer]:
    """A running moto: `endpoint`."""
    with temporary_folder() as folder:
        server = await MotoServer.start(folder)
        yield server
        await server.stop()


@pytest.fixture
def aws(moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The endpoint of AWS; credentials and region are in the environment."""
    for name, value in {**CREDENTIALS, "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    return moto_server.endpoint
