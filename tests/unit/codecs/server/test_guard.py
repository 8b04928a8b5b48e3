"""Who the codec server answers, and with which headers."""

import httpx
import pytest
from tests.unit.codecs.server.asking import AUTHORIZED, MASKED, NAMESPACE, UI, sealed, shown
from tests.unit.codecs.server.trails import MemoryTrail

from contactsync.codecs.keys.ring import KeyRing


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
