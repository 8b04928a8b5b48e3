"""The codec server's protocol, limits and guards, without a network."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from starlette.applications import Starlette
from temporalio.api.common.v1 import Payload
from tests.rings import ring_of
from tests.unit.codecs.server.trails import MemoryTrail

from contactsync.codecs.audit.log import AuditKind
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.sealed import read_sealed, seal_payload
from contactsync.codecs.server import guard, limits, opening
from contactsync.codecs.server.access import Access, LoopbackAccess, TokenAccess
from contactsync.codecs.server.app import codec_app
from contactsync.codecs.server.limits import MAX_BODY_BYTES, MAX_DEPTH, MAX_PAYLOADS, JsonPayload, to_json, to_payload
from contactsync.errors import RootKeyUnavailable, SettingsError
from contactsync.identifiers import PLATFORM_TENANT

TENANT, OTHER = uuid4(), uuid4()
UI = "http://localhost:8233"
NAMESPACE = {"x-namespace": "default"}
AUTHORIZED = {**NAMESPACE, "authorization": "Bearer a-token"}
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"name":"Anna Schmidt","rows":3}')
MASKED = {"name": "A… S…", "rows": 3}


@pytest.fixture
async def ring(tmp_path: Path) -> KeyRing:
    """Keys of two tenants."""
    return await ring_of(tmp_path, TENANT, OTHER)


@pytest.fixture
def trail() -> MemoryTrail:
    """An empty audit trail."""
    return MemoryTrail()


Ask = Callable[[str], httpx.AsyncClient]


def asking(app: Starlette, **options: Any) -> httpx.AsyncClient:
    """A client of the app."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8081", **options)


@pytest.fixture
async def client(ring: KeyRing, trail: MemoryTrail) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the embedded mode: loopback, masked, one allowed origin."""
    async with asking(codec_app(ring, trail, LoopbackAccess(), origins=[UI]), headers=NAMESPACE) as asked:
        yield asked


@pytest.fixture
async def secured(ring: KeyRing, trail: MemoryTrail) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server with a token, which may also encode; no token is sent by itself."""
    async with asking(codec_app(ring, trail, TokenAccess("a-token"), origins=[UI], encode=True)) as asked:
        yield asked


async def sealed(
    ring: KeyRing, tenant: UUID = TENANT, payload: Payload = PLAIN, namespace: str = "default"
) -> JsonPayload:
    """A sealed payload as JSON."""
    return to_json(seal_payload(await ring.payload_key(tenant), namespace, "", payload))


def shown(answer: httpx.Response) -> list[Any]:
    """The data of the answer's payloads."""
    assert answer.status_code == 200, answer.text
    return [json.loads(to_payload(item).data) for item in answer.json()["payloads"]]


@pytest.mark.parametrize("path", ["/decode", "/api/v1/decode", "/decode?preserveStorageRefs=true"])
async def test_sealed_payloads_are_shown_masked(
    client: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail, path: str
) -> None:
    """Any prefix, several tenants, any order; every tenant's log says what was opened and by whom."""
    items = [await sealed(ring), await sealed(ring, OTHER), await sealed(ring)]
    assert shown(await client.post(path, json={"payloads": items})) == [MASKED] * 3
    assert trail.kinds() == [(TENANT, AuditKind.PAYLOADS_OPENED), (OTHER, AuditKind.PAYLOADS_OPENED)]
    _, _, actor, detail = trail.entries[0]
    kid = read_sealed(to_payload(items[0])).kid.hex()
    assert (actor, detail["payloads"], detail["keys"], detail["shown"]) == ("loopback", 2, kid, "masked")


async def test_plain_payloads_pass_unchanged(client: httpx.AsyncClient, trail: MemoryTrail) -> None:
    """Search attributes and Core's markers come back as the very JSON that was sent; nothing is written down."""
    items = [
        {"metadata": {"encoding": "anNvbi9wbGFpbg==", "type": "S2V5d29yZA=="}, "data": "IngiCg=="},
        {
            "metadata": {"encoding": "anNvbi9wbGFpbg=="},
            "data": "e30=",
            "externalPayloads": [{"sizeBytes": "5"}],
            "x": 1,
        },
        {},
    ]
    answer = await client.post("/decode", json={"payloads": items})
    assert answer.json() == {"payloads": items}
    assert trail.entries == []


async def test_no_payloads_are_no_problem(client: httpx.AsyncClient) -> None:
    """An empty request has an empty answer."""
    for body in ("{}", '{"payloads":[]}'):
        answer = await client.post("/decode", content=body, headers={"content-type": "application/json"})
        assert answer.json() == {"payloads": []}


async def test_whatever_cannot_be_opened_is_answered_alike(
    client: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail
) -> None:
    """Unknown key, destroyed key, bad tag, other namespace, odd metadata: 200, the payload as sent, one entry."""
    good = to_payload(await sealed(ring))
    gone = await sealed(ring, OTHER)
    await ring.destroy_tenant(OTHER)
    unknown = Payload(metadata={**good.metadata, "cs-kid": b"0" * 32}, data=good.data)
    altered = Payload(metadata=good.metadata, data=good.data[:-1] + bytes([good.data[-1] ^ 1]))
    odd = Payload(metadata={**good.metadata, "cs-x": b"1"}, data=good.data)
    foreign = await sealed(ring, namespace="staging")
    renamed = Payload(metadata={**good.metadata, "cs-ns": b"staging"}, data=good.data)
    for item in (gone, to_json(unknown), to_json(altered), to_json(odd), foreign, to_json(renamed)):
        trail.entries.clear()
        answer = await client.post("/decode", json={"payloads": [item]})
        assert (answer.status_code, answer.json()) == (200, {"payloads": [item]})
        assert trail.kinds() == [(PLATFORM_TENANT, AuditKind.ACCESS_REFUSED)]


@pytest.mark.parametrize("headers", [{"x-namespace": "staging"}, {"x-namespace": ""}])
async def test_the_namespace_asked_for_must_be_the_payloads(
    client: httpx.AsyncClient, ring: KeyRing, headers: dict[str, str]
) -> None:
    """A UI of one namespace does not open another's payloads."""
    item = await sealed(ring)
    assert (await client.post("/decode", json={"payloads": [item]}, headers=headers)).json() == {"payloads": [item]}


async def test_nothing_is_shown_that_is_not_written_down(
    client: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail
) -> None:
    """If the entry cannot be committed, the answer is 503 and empty."""
    trail.broken = True
    answer = await client.post("/decode", json={"payloads": [await sealed(ring)]})
    assert answer.status_code == 503
    assert "A…" not in answer.text


async def test_keys_that_cannot_be_reached_are_503(
    client: httpx.AsyncClient, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporal Web asks again on 5xx, and shows ciphertext meanwhile."""

    async def unavailable(kid: bytes) -> None:
        raise RootKeyUnavailable(kid.hex())

    item = await sealed(ring)
    monkeypatch.setattr(ring, "open_payload_key", unavailable)
    assert (await client.post("/decode", json={"payloads": [item]})).status_code == 503


async def test_a_bug_is_500_without_its_text(
    client: httpx.AsyncClient, ring: KeyRing, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An unexpected error's text is neither answered nor logged; the answer still carries its CORS headers."""

    async def broken(kid: bytes) -> None:
        raise RuntimeError(f"planted {kid.hex()}")

    item = await sealed(ring)
    monkeypatch.setattr(ring, "open_payload_key", broken)
    answer = await client.post("/decode", json={"payloads": [item]}, headers={"origin": UI})
    assert (answer.status_code, answer.text) == (500, "the codec server failed")
    assert answer.headers["access-control-allow-origin"] == UI
    assert "planted" not in "".join(capfd.readouterr())


async def test_a_request_that_takes_too_long_is_503(
    client: httpx.AsyncClient, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request has thirty seconds, its body included."""

    async def for_ever(_: bytes) -> None:
        await asyncio.Event().wait()

    item = await sealed(ring)
    monkeypatch.setattr(guard, "REQUEST_SECONDS", 0.05)
    monkeypatch.setattr(ring, "open_payload_key", for_ever)
    assert (await client.post("/decode", json={"payloads": [item]})).status_code == 503


# limits


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"payloads":1}',
        b'{"payloads":[1]}',
        b'{"payloads":[],"more":[]}',
        b'{"payloads":[],"payloads":[]}',
        b'{"payloads":[{"data":"","data":""}]}',
        b'{"payloads":[{"data":1}]}',
        b'{"payloads":[{"metadata":[]}]}',
        b'{"payloads":[{"x":NaN}]}',
        b'{"payloads":[{"x":' + b"9" * 5000 + b"}]}",
        b"\xff\xfe",
        b'{"payloads":' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}",
        b"[" * 1000,
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
async def test_what_is_no_payloads_json_is_400(client: httpx.AsyncClient, body: bytes) -> None:
    """Cut off, of the wrong shape, ambiguous (duplicate keys), or nested too deeply."""
    answer = await client.post("/decode", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400


@pytest.mark.parametrize(("levels", "status"), [(MAX_DEPTH - 3, 200), (MAX_DEPTH - 2, 400)])
async def test_depth_is_limited_wherever_it_is(client: httpx.AsyncClient, levels: int, status: int) -> None:
    """Sixteen levels are read, one more is not, even in a member that nobody reads."""
    body = b'{"payloads":[{"x":' + b"[" * levels + b"]" * levels + b"}]}"
    answer = await client.post("/decode", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status


async def test_brackets_in_strings_are_no_depth(client: httpx.AsyncClient) -> None:
    """Only structure counts as depth."""
    items = [{"x": "[" * 100 + '\\"' + "{" * 100}]
    assert (await client.post("/decode", json={"payloads": items})).json() == {"payloads": items}


@pytest.mark.parametrize(
    "unit", [b"[", b"[]", b'"', b'\\"', b'{"', b'"\\', b"\\"], ids=lambda unit: unit.decode("latin-1")
)
async def test_hostile_structure_is_refused_at_once(client: httpx.AsyncClient, unit: bytes) -> None:
    """Eight megabytes of nothing but structure take no more time than eight megabytes of anything."""
    body = b'{"payloads":[' + unit * ((MAX_BODY_BYTES - 20) // len(unit))
    async with asyncio.timeout(5):
        answer = await client.post("/decode", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 413}


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_only_json_is_read(client: httpx.AsyncClient, content_type: str) -> None:
    """A web page may send other kinds anywhere without asking first (Fetch standard, "CORS-safelisted")."""
    answer = await client.post("/decode", content=b'{"payloads":[]}', headers={"content-type": content_type})
    assert answer.status_code == 415


async def test_payloads_are_limited_in_number(client: httpx.AsyncClient) -> None:
    """A thousand are answered, one more is not."""
    for count, status in ((MAX_PAYLOADS, 200), (MAX_PAYLOADS + 1, 413)):
        items: list[JsonPayload] = [{}] * count
        assert (await client.post("/decode", json={"payloads": items})).status_code == status


async def test_the_body_is_limited_with_a_length_and_without(client: httpx.AsyncClient) -> None:
    """8 MiB are read, one byte more is not, whether announced or sent in chunks."""
    frame = b'{"payloads":[{"x":""}]}'
    for over, status in ((0, 200), (1, 413)):
        body = frame[:18] + b'"' + b"x" * (MAX_BODY_BYTES - len(frame) + over) + frame[19:]
        assert len(body) == MAX_BODY_BYTES + over

        async def chunks(whole: bytes = body) -> AsyncIterator[bytes]:
            for start in range(0, len(whole), 65536):
                yield whole[start : start + 65536]

        for content in (body, chunks()):
            answer = await client.post("/decode", content=content, headers={"content-type": "application/json"})
            assert answer.status_code == status


async def test_what_opens_to_too_much_is_413(
    client: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small ciphertexts that open to more than 32 MiB together are refused before anything is shown."""
    assert opening.MAX_PLAIN_BYTES == limits.MAX_PLAIN_BYTES == 32 * 1024 * 1024
    large = Payload(metadata={"encoding": b"binary/plain"}, data=bytes(11 * 1024 * 1024))
    item = await sealed(ring, payload=large)
    assert (await client.post("/decode", json={"payloads": [item] * 2})).status_code == 200
    trail.entries.clear()
    assert (await client.post("/decode", json={"payloads": [item] * 3})).status_code == 413
    assert trail.entries == []
    monkeypatch.setattr(opening, "MAX_PLAIN_BYTES", 1)
    assert (await client.post("/decode", json={"payloads": [item]})).status_code == 413


# guards


async def test_the_preflight_is_exact(client: httpx.AsyncClient, trail: MemoryTrail) -> None:
    """Temporal Web's origin is allowed POST with its four headers, no credentials."""
    asked = {
        "origin": UI,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-namespace",
    }
    answer = await client.options("/decode", headers=asked)
    assert answer.status_code == 204
    cors = {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}
    assert cors == {
        "access-control-allow-origin": UI,
        "access-control-allow-methods": "POST, OPTIONS",
        "access-control-allow-headers": "content-type, x-namespace, authorization, authorization-extras",
        "access-control-max-age": "600",
    }
    assert answer.headers["vary"] == "Origin"
    assert trail.entries == []


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:8234",
        "https://localhost:8233",
        "http://localhost:8233.example.org",
        "http://LOCALHOST:8233",
        "null",
        "*",
        "",
    ],
)
@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
async def test_other_origins_are_refused_and_never_reflected(
    client: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail, origin: str, method: str
) -> None:
    """Only the exact origin is answered; nothing is opened for another."""
    body = {"payloads": [await sealed(ring)]}
    answer = await client.request(method, "/decode", json=body, headers={"origin": origin})
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert trail.entries == []


async def test_errors_carry_the_cors_headers_too(client: httpx.AsyncClient, secured: httpx.AsyncClient) -> None:
    """Or Temporal Web could not tell an error from a server that is down."""
    for answer in (
        await client.post("/decode", content=b"{", headers={"origin": UI, "content-type": "application/json"}),
        await client.post("/nothing", json={}, headers={"origin": UI}),
        await client.get("/decode", headers={"origin": UI}),
        await secured.post("/decode", json={}, headers={"origin": UI}),
    ):
        assert answer.status_code in {400, 401, 404, 405}
        assert answer.headers["access-control-allow-origin"] == UI


async def test_every_answer_has_the_security_headers(client: httpx.AsyncClient, ring: KeyRing) -> None:
    """Nothing is stored by a browser or run by it."""
    for answer in (
        await client.post("/decode", json={"payloads": [await sealed(ring)]}),
        await client.post("/nothing"),
        await client.get("/health"),
        await client.options("/decode", headers={"origin": UI}),
    ):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("host", ["evil.example.org", "evil.example.org:8081", "10.0.0.1", "localhost.example.org", ""])
async def test_embedded_it_answers_to_this_machines_names_only(
    client: httpx.AsyncClient, ring: KeyRing, host: str
) -> None:
    """A web page whose name was made to point to 127.0.0.1 is its own origin: the Host header gives it away."""
    answer = await client.post("/decode", json={"payloads": [await sealed(ring)]}, headers={"host": host})
    assert answer.status_code == 421


@pytest.mark.parametrize("host", ["localhost:8081", "127.0.0.1", "[::1]:8081"])
async def test_embedded_it_answers_to_each_of_this_machines_names(client: httpx.AsyncClient, host: str) -> None:
    """IPv4, IPv6 and `localhost`."""
    assert (await client.post("/decode", json={}, headers={"host": host})).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "a-token"}])
async def test_without_the_token_nobody_is_let_in(
    secured: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail, headers: dict[str, str]
) -> None:
    """401 for decode and encode alike, before the body is read, and nothing is opened."""
    body = {"payloads": [await sealed(ring)]}
    for path in ("/decode", "/encode"):
        answer = await secured.post(path, json=body, headers={**NAMESPACE, **headers})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert trail.entries == []


async def test_with_the_token_payloads_are_shown_masked(secured: httpx.AsyncClient, ring: KeyRing) -> None:
    """The token opens the door, not the contacts."""
    answer = await secured.post("/decode", json={"payloads": [await sealed(ring)]}, headers=AUTHORIZED)
    assert shown(answer) == [MASKED]


# encode


async def test_encode_is_off_unless_wanted(client: httpx.AsyncClient) -> None:
    """By default there is no such endpoint."""
    assert (await client.post("/encode", json={"payloads": []})).status_code == 404


def test_encode_needs_a_token(ring: KeyRing, trail: MemoryTrail) -> None:
    """Without one, anybody on the machine could seal commands for any tenant."""
    with pytest.raises(SettingsError):
        codec_app(ring, trail, LoopbackAccess(), encode=True)


async def test_encode_seals_for_the_tenant_named(secured: httpx.AsyncClient, ring: KeyRing, trail: MemoryTrail) -> None:
    """What is sealed opens again, and the tenant's log says so."""
    headers = {**AUTHORIZED, "x-contactsync-tenant": str(TENANT)}
    answer = await secured.post("/encode", json={"payloads": [to_json(PLAIN)]}, headers=headers)
    [item] = answer.json()["payloads"]
    sealed_payload = to_payload(item)
    assert (await ring.open_payload_key(read_sealed(sealed_payload).kid)).tenant_id == TENANT
    assert shown(await secured.post("/decode", json={"payloads": [item]}, headers=AUTHORIZED)) == [MASKED]
    assert trail.kinds()[0] == (TENANT, AuditKind.PAYLOADS_SEALED)


@pytest.mark.parametrize("tenant", [None, "", "x", str(uuid4())])
async def test_p26_encode_without_a_tenant_is_an_error(secured: httpx.AsyncClient, tenant: str | None) -> None:
    """Missing, malformed or unknown: 400, never the payload in clear, which would be sent on to Temporal."""
    headers = AUTHORIZED | ({} if tenant is None else {"x-contactsync-tenant": tenant})
    answer = await secured.post("/encode", json={"payloads": [to_json(PLAIN)]}, headers=headers)
    assert answer.status_code == 400
    assert "payloads" not in answer.text


async def test_encode_seals_nothing_twice(secured: httpx.AsyncClient, ring: KeyRing) -> None:
    """A sealed payload is refused."""
    headers = {**AUTHORIZED, "x-contactsync-tenant": str(TENANT)}
    answer = await secured.post("/encode", json={"payloads": [await sealed(ring)]}, headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("origin", ["*", "http://*", "localhost:8233", "http://a/", "ftp://a", "http://", "null", ""])
@pytest.mark.parametrize("access", [LoopbackAccess(), TokenAccess("a-token")], ids=["loopback", "token"])
def test_an_origin_that_is_none_is_a_settings_error(
    ring: KeyRing, trail: MemoryTrail, origin: str, access: Access
) -> None:
    """Wildcards and paths are refused at the start."""
    with pytest.raises(SettingsError):
        codec_app(ring, trail, access, origins=[origin])
