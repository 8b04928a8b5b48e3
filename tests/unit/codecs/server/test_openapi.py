"""The server's own description."""

import json
import re
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate
from starlette.routing import Route
from tests.unit.codecs.server.asking import TENANT, asking
from tests.unit.codecs.server.people import People, as_
from tests.unit.codecs.server.trails import MemoryTrail

from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.server.access import LoopbackAccess
from contactsync.codecs.server.app import codec_app
from contactsync.codecs.server.limits import MAX_PAYLOADS
from contactsync.codecs.server.rates import Rate
from contactsync.codecs.server.reasons import ReasonCode

JSON = {"content-type": "application/json"}
MANY, FEWER = (json.dumps({"payloads": [{}] * count}) for count in (MAX_PAYLOADS + 1, 99))


@pytest.fixture
async def document(secured: httpx.AsyncClient) -> dict[str, Any]:
    """What a server with encoding says of itself, to whoever asks."""
    answer = await secured.get("/openapi.json")
    assert answer.status_code == 200
    content: dict[str, Any] = answer.json()
    return content


async def test_it_is_an_openapi_document(document: dict[str, Any]) -> None:
    """Valid as such, and its lists and limits are those of the code."""
    validate(document)
    schemas = document["components"]["schemas"]
    assert schemas["ReasonCode"]["enum"] == list(ReasonCode)
    assert schemas["Payloads"]["properties"]["payloads"]["maxItems"] == MAX_PAYLOADS
    for code in ReasonCode:
        assert re.fullmatch(schemas["Reason"]["pattern"], f"{code}:OPS-123")


async def test_it_names_every_path(document: dict[str, Any], ring: KeyRing, trail: MemoryTrail) -> None:
    """Those that routes have, those of the protocol, and no other; encoding only where there is any."""
    routes = {route.path for route in codec_app(ring, trail, LoopbackAccess()).routes if isinstance(route, Route)}
    protocol = {"/decode", "/encode", "/reason/{code}/decode", "/reason/{code}/{ticket}/decode"}
    assert set(document["paths"]) == (routes - {"/{path:path}"}) | protocol
    async with asking(codec_app(ring, trail, LoopbackAccess())) as client:
        assert "/encode" not in (await client.get("/openapi.json")).json()["paths"]


@pytest.mark.parametrize("path", ["/health", "/openapi.json"])
async def test_what_is_only_read(secured: httpx.AsyncClient, path: str) -> None:
    """Nothing can be sent there."""
    answer = await secured.post(path, headers=JSON, content="{}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_answers_are_among_those_described(document: dict[str, Any], ring: KeyRing, trail: MemoryTrail) -> None:
    """Each kind of answer that a request can get, with its content type."""
    app = codec_app(ring, trail, People(), encode=True, rate=Rate(1, 1))
    responses: dict[str, dict[str, Any]] = document["paths"]["/decode"]["post"]["responses"]
    wanted: dict[int, tuple[dict[str, str], str]] = {
        200: (as_("operator"), '{"payloads":[]}'),
        400: (as_("operator", **{"x-contactsync-reason": "x"}), "{}"),
        401: (as_("stranger"), "{}"),
        403: (as_("operator", origin="https://evil.example.com"), "{}"),
        413: (as_("operator"), MANY),
        415: (as_("operator", **{"content-type": "text/plain"}), "{}"),
    }
    async with asking(app) as client:
        for status, (headers, body) in wanted.items():
            answer = await client.post("/decode", headers=JSON | headers, content=body)
            assert answer.status_code == status
            _check(document, responses[str(status)], answer)
        two = [await client.post("/decode", headers=JSON | as_("privacy"), content=FEWER) for _ in range(2)]
        assert [answer.status_code for answer in two] == [200, 429]
        _check(document, responses["429"], two[1])
        unknown = await client.post("/reason/%0A/decode", headers=JSON | as_("operator"), content="{}")
        assert unknown.status_code == 404
        _check(document, document["paths"]["/reason/{code}/decode"]["post"]["responses"]["404"], unknown)
        tenant = {"x-contactsync-tenant": str(TENANT)}
        refused = await client.post("/encode", headers=JSON | as_("encoder", **tenant), content='{"payloads":[{}]}')
        _check(document, document["paths"]["/encode"]["post"]["responses"]["400"], refused)


def _check(document: dict[str, Any], response: dict[str, Any], answer: httpx.Response) -> None:
    described = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    assert answer.headers["content-type"].partition(";")[0] in described["content"], json.dumps(described)
    assert all(name.lower() in answer.headers for name in described.get("headers", {}))
