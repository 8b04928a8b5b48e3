"""What `contactsync doctor` finds, on a real database and a real Temporal."""

from pathlib import Path
from uuid import uuid4

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.integration.keys.roots import kms_key, transit_key
from tests.moto_server import REGION
from tests.openbao import OpenBao

from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.server.serve import serving
from contactsync.postgres import owner_connection
from contactsync.workers.cli.checks import State, examine
from contactsync.workers.embedded.ports import LOOPBACK, free_port
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.provision import DatabaseUrls, drop_database
from contactsync.workers.embedded.temporal import TemporalServer
from contactsync.workers.settings import PREFIX


class Environment:
    """The settings of this process, changed one by one."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def set(self, **settings: str) -> None:
        """Change settings."""
        for name, value in settings.items():
            self._patch.setenv(f"{PREFIX}{name.upper()}", value)

    def unset(self, name: str) -> None:
        """Take a setting away."""
        self._patch.delenv(f"{PREFIX}{name.upper()}")


@pytest.fixture
def environment(
    monkeypatch: pytest.MonkeyPatch, database_urls: DatabaseUrls, temporal_server: TemporalServer, tmp_path: Path
) -> Environment:
    """Settings with which all is well, but for a worker."""
    FileRootKey.create(tmp_path / "root.key")
    environment = Environment(monkeypatch)
    environment.set(
        database_url=database_urls.app,
        root_key_file=str(tmp_path / "root.key"),
        temporal_address=temporal_server.address,
        temporal_namespace=temporal_server.namespace,
        task_queue=f"doctor-{uuid4()}",
    )
    return environment


async def _problems() -> dict[str, str]:
    return {each.check: each.detail for each in await examine() if each.state is State.PROBLEM}


async def _skipped() -> set[str]:
    return {each.check for each in await examine() if each.state is State.SKIPPED}


async def test_only_the_worker_is_missing(environment: Environment) -> None:
    """All is well but for the worker, which the advice names."""
    assert environment
    assert list(await _problems()) == ["worker"]
    assert "start `contactsync worker`" in (await _problems())["worker"]


async def test_missing_settings_are_told_together(environment: Environment) -> None:
    """Every missing setting is named at once, and what needs them is skipped."""
    environment.unset("database_url")
    environment.unset("root_key_file")
    problems = await _problems()
    assert list(problems) == ["settings"]
    assert f"{PREFIX}DATABASE_URL" in problems["settings"]
    assert f"{PREFIX}ROOT_KEY_FILE" in problems["settings"]
    assert await _skipped() >= {"database", "schema", "keys", "temporal", "worker"}


async def test_a_user_above_row_level_security(
    environment: Environment, database_urls: DatabaseUrls, postgres_server: PostgresServer
) -> None:
    """A superuser is no user for workers."""
    environment.set(database_url=postgres_server.url(database_urls.app.rpartition("/")[2]))
    assert "stands above row-level security" in (await _problems())["roles"]


async def test_a_user_who_owns_the_tables(environment: Environment, database_urls: DatabaseUrls) -> None:
    """The owner could switch row-level security off."""
    environment.set(database_url=database_urls.owner)
    assert "owns the tables" in (await _problems())["roles"]


async def test_a_user_without_the_roles(environment: Environment, database_urls: DatabaseUrls) -> None:
    """The codec server's user is not the workers'; the advice is the statement that mends it."""
    environment.set(database_url=database_urls.codec)
    assert "GRANT contactsync_app, contactsync_keys TO" in (await _problems())["roles"]


async def test_a_database_without_the_schema(
    environment: Environment, database_urls: DatabaseUrls, postgres_server: PostgresServer
) -> None:
    """A fresh database is to be migrated."""
    name = f"empty_{uuid4().hex}"
    async with owner_connection(postgres_server.url()) as administrator:
        await administrator.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    environment.set(database_url=f"{database_urls.app.rpartition('/')[0]}/{name}")
    problems = await _problems()
    await drop_database(postgres_server, name)
    assert "contactsync migrate" in problems["schema"]


async def test_a_root_key_that_others_may_read(environment: Environment, tmp_path: Path) -> None:
    """The root key's file is its owner's alone."""
    assert environment
    (tmp_path / "root.key").chmod(0o644)
    assert list(await _problems()) == ["root key", "worker"]


async def test_a_root_key_in_openbao(environment: Environment, openbao: OpenBao) -> None:
    """Doctor says of which kind the root key is, and its version; with a mistyped name, what is wrong."""
    environment.unset("root_key_file")
    environment.set(
        vault_address=openbao.address,
        vault_token_file=str(openbao.token_file),
        vault_ca_file=str(openbao.ca_file),
        root_key=f"vault:transit/{await transit_key(openbao)}",
    )
    said = {each.check: each.detail for each in await examine()}
    assert said["root key"] == "a transit key of Vault: wraps and unwraps; version 1"
    environment.set(root_key="vault:transit/mistyped")
    assert "not there" in (await _problems())["root key"]
    environment.set(vault_address=f"https://{LOOPBACK}:{free_port()}")
    assert "Vault does not answer" in (await _problems())["root key"]
    environment.unset("vault_token_file")
    assert f"{PREFIX}VAULT_TOKEN_FILE" in (await _problems())["settings"]


async def test_a_root_key_in_kms(environment: Environment, aws: str) -> None:
    """The same for AWS KMS."""
    environment.unset("root_key_file")
    environment.set(root_key=f"aws-kms:{await kms_key(aws)}", aws_endpoint=aws, aws_region=REGION)
    said = {each.check: each.detail for each in await examine()}
    assert said["root key"] == "a key of AWS KMS: wraps and unwraps; version 1"
    environment.set(root_key="aws-kms:6b4a3a5c-0000-4000-8000-000000000000")
    assert "no such key" in (await _problems())["root key"]


async def test_nothing_answers(environment: Environment) -> None:
    """Each server that is down is a problem of its own, and what needs it is skipped."""
    environment.set(
        database_url=f"postgresql://amy:secret@{LOOPBACK}:{free_port()}/contactsync",
        temporal_address=f"{LOOPBACK}:{free_port()}",
    )
    assert list(await _problems()) == ["database", "temporal"]
    assert await _skipped() == {"schema", "roles", "clock", "keys", "search attributes", "worker"}


async def test_a_namespace_that_is_not_there(environment: Environment) -> None:
    """Temporal answers, but not for this namespace."""
    environment.set(temporal_namespace="not-there")
    assert "namespace" in (await _problems())["temporal"]


async def test_an_issuer_that_cannot_be_asked(environment: Environment) -> None:
    """Where the codec server lets in the people of an OpenID provider, it is asked for its keys."""
    environment.set(codec_oidc_issuer=f"http://{LOOPBACK}:{free_port()}", codec_oidc_audience="codec")
    assert "does not answer" in (await _problems())["issuer"]
    environment.set(codec_oidc_issuer="https://issuer.example.com?x")
    assert "https://host/path" in (await _problems())["issuer"]


async def test_an_issuer_that_answers(environment: Environment) -> None:
    """It is who it is said to be, and publishes keys; a slash more is another issuer."""
    issuer = f"http://{LOOPBACK}:{(port := free_port())}"

    async def document(request: Request) -> Response:
        found = {"issuer": issuer, "jwks_uri": f"{issuer}/keys"}
        return JSONResponse({"keys": []} if request.url.path == "/keys" else found)

    app = Starlette(routes=[Route("/{path:path}", document)])
    async with serving(app, LOOPBACK, port):
        environment.set(codec_oidc_issuer=issuer, codec_oidc_audience="codec")
        [finding] = [each for each in await examine() if each.check == "issuer"]
        assert (finding.state, finding.detail) == (State.OK, "answers, and publishes 0 keys")
        environment.set(codec_oidc_issuer=f"{issuer}/")
        assert "another issuer" in (await _problems())["issuer"]
