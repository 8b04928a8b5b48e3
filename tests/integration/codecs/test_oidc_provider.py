"""The codec server under a real OpenID provider, over TCP, with its own database user and a real audit log."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import httpx
import pytest
from temporalio.api.common.v1 import Payload
from tests.oidc.server import AUDIENCE, Algorithm, Provider, installed, private_key
from tests.unit.codecs.server.trails import MemoryTrail

from contactsync.codecs.audit.log import AuditKind
from contactsync.codecs.audit.together import SharedLog
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.sealed import seal_payload
from contactsync.codecs.server.app import codec_app
from contactsync.codecs.server.issuer import HttpFetch, IssuerKeys, KeyTimes
from contactsync.codecs.server.limits import JsonPayload, to_json, to_payload
from contactsync.codecs.server.oidc import OidcAccess, OidcRules
from contactsync.codecs.server.roles import RoleRules
from contactsync.codecs.server.serve import serving
from contactsync.postgres import Database
from contactsync.workers.embedded.folders import temporary_folder
from contactsync.workers.embedded.provision import DatabaseUrls

TENANT, OTHER = uuid4(), uuid4()
PEOPLE: Final[dict[str, dict[str, object]]] = {
    "operator": {"roles": ["operator"], "amr": ["pwd", "mfa"]},
    "operator-without-mfa": {"roles": ["operator"], "amr": ["pwd"]},
    "reader": {"roles": [f"reader:{TENANT}"], "amr": ["mfa"]},
    "privacy": {"roles": ["privacy"], "amr": ["mfa"]},
    "encoder": {"roles": ["encoder"], "tenants": [str(TENANT)]},
    "nobody": {},
}
PLAIN: Final = Payload(metadata={"encoding": b"json/plain"}, data=b'{"name":"Anna Schmidt"}')
WHOLE, MASKED = b'{"name":"Anna Schmidt"}', '{"name": "A… S…"}'.encode()
WHY: Final = {"x-contactsync-reason": "incident:OPS-1"}
TIMES: Final = KeyTimes(pause=0.2)


@pytest.fixture(scope="module")
async def provider(pytestconfig: pytest.Config) -> AsyncIterator[Provider]:
    """A running provider that knows `PEOPLE`."""
    assert pytestconfig.cache is not None
    packages = await installed(pytestconfig.cache.mkdir("oidc"))
    with temporary_folder() as folder:
        provider = Provider(folder, packages, PEOPLE)
        await provider.start([private_key("first", "ES256")])
        yield provider
        await provider.stop()


@pytest.fixture
async def ring(database: Database, tmp_path: Path) -> KeyRing:
    """The workers' keys, of two tenants."""
    ring = KeyRing(PostgresKeyStore(database), FileRootKey.create(tmp_path / "root.key"))
    for tenant in (TENANT, OTHER):
        await ring.create_tenant(tenant)
    return ring


@pytest.fixture
async def server(
    provider: Provider, ring: KeyRing, database_urls: DatabaseUrls, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a codec server that lets the provider's people in."""
    await ring.payload_key(TENANT)
    rules = OidcRules(provider.issuer, AUDIENCE, RoleRules(amr=frozenset({"mfa"})))
    access = OidcAccess(rules, IssuerKeys(provider.issuer, HttpFetch.trusting(None), times=TIMES))
    database = await Database.connect(database_urls.codec)
    own_ring = KeyRing(PostgresKeyStore(database), FileRootKey(tmp_path / "root.key"))
    app = codec_app(own_ring, SharedLog(database), access)
    async with serving(app, "127.0.0.1", 0) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield client
    await database.close()


async def ask(
    server: httpx.AsyncClient, items: list[JsonPayload], token: str, **headers: str
) -> tuple[int, list[bytes | None]]:
    """Decode: the status, and the data of each payload that was opened."""
    given = {"x-namespace": "default", "authorization": f"Bearer {token}", **headers}
    answer = await server.post("/decode", json={"payloads": items}, headers=given)
    if answer.status_code != 200:
        return answer.status_code, []
    got = zip(answer.json()["payloads"], items, strict=True)
    return 200, [None if one == item else to_payload(one).data for one, item in got]


async def sealed_of_each(ring: KeyRing) -> list[JsonPayload]:
    """A payload of each tenant."""
    return [to_json(seal_payload(await ring.payload_key(tenant), "default", "", PLAIN)) for tenant in (TENANT, OTHER)]


async def last_entry(database: Database, tenant: UUID) -> dict[str, str]:
    """What the last entry of a tenant's log says."""
    async with database.transaction(tenant) as connection:
        row = await connection.fetchrow(
            "SELECT entry::jsonb ->> 'kind' AS kind, entry::jsonb ->> 'actor' AS actor,"
            " entry::jsonb -> 'detail' ->> 'shown' AS shown, entry::jsonb -> 'detail' ->> 'ticket' AS ticket"
            " FROM audit.entry ORDER BY seq DESC LIMIT 1"
        )
    assert row is not None
    return dict(row)


async def test_people_see_what_their_roles_say(
    provider: Provider, server: httpx.AsyncClient, ring: KeyRing, database: Database
) -> None:
    """Tokens that the provider issued: masked, whole with a reason, or nothing; and the log says who."""
    items = await sealed_of_each(ring)
    tokens = {name: await provider.token(name) for name in PEOPLE}
    assert await ask(server, items, tokens["operator"], **WHY) == (200, [MASKED, MASKED])
    assert await ask(server, items, tokens["operator-without-mfa"]) == (200, [None, None])
    assert await ask(server, items, tokens["encoder"]) == (200, [None, None])
    assert await ask(server, items, tokens["nobody"]) == (200, [None, None])
    refused = await last_entry(database, OTHER)
    assert refused["kind"] == AuditKind.ACCESS_REFUSED
    assert await ask(server, items, tokens["reader"]) == (200, [MASKED, None])
    assert await ask(server, items, tokens["reader"], **WHY) == (200, [WHOLE, None])
    assert await ask(server, items, tokens["privacy"], **WHY) == (200, [WHOLE, WHOLE])
    opened = await last_entry(database, OTHER)
    assert (opened["kind"], opened["shown"], opened["ticket"]) == (AuditKind.PAYLOADS_OPENED, "whole", "OPS-1")
    assert opened["actor"].startswith("oidc/")
    assert opened["actor"] != refused["actor"]


async def test_a_token_for_another_service_is_nobodys(
    provider: Provider, server: httpx.AsyncClient, ring: KeyRing
) -> None:
    """The provider signed it, for somebody else."""
    token = await provider.token("privacy", "urn:another:service")
    assert await ask(server, await sealed_of_each(ring), token, **WHY) == (401, [])


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "EdDSA"])
async def test_rotated_keys(provider: Provider, server: httpx.AsyncClient, ring: KeyRing, algorithm: Algorithm) -> None:
    """A provider started anew with another key, of another algorithm: its tokens are let in at once, without a
    restart; and the old key's end with it."""
    items = await sealed_of_each(ring)
    before = await provider.token("operator")
    assert await ask(server, items, before) == (200, [MASKED, MASKED])
    await provider.start([private_key(uuid4().hex, algorithm)])
    after = await provider.token("operator")
    assert await ask(server, items, after) == (200, [MASKED, MASKED])
    assert await ask(server, items, before) == (401, [])


async def test_the_provider_is_down(provider: Provider, server: httpx.AsyncClient, ring: KeyRing) -> None:
    """Whoever has a token under keys that are known goes on; a server that never saw them says 503."""
    items, token = await sealed_of_each(ring), await provider.token("operator")
    again = await provider.token("operator")
    assert await ask(server, items, token) == (200, [MASKED, MASKED])
    key = private_key("later", "ES256")
    await provider.stop()
    try:
        assert await ask(server, items, token) == (200, [MASKED, MASKED])
        assert await ask(server, items, again) == (200, [MASKED, MASKED])
        keys = IssuerKeys(provider.issuer, HttpFetch.trusting(None))
        fresh = codec_app(ring, MemoryTrail(), OidcAccess(OidcRules(provider.issuer, AUDIENCE), keys))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(fresh), base_url="http://x") as client:
            assert await ask(client, items, token) == (503, [])
    finally:
        await provider.start([key])
