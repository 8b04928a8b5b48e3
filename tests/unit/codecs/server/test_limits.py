"""What the codec server does not read."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import cast

import httpx
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from tests.unit.codecs.server.asking import sealed
from tests.unit.codecs.server.trails import MemoryTrail

from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.server import limits, opening
from contactsync.codecs.server.limits import MAX_BODY_BYTES, MAX_DEPTH, MAX_PAYLOADS, JsonPayload, to_json, to_payload

_BASE64 = st.text("Az09+/-_=", max_size=9)
_VALUES = _BASE64 | st.text(max_size=5) | st.none() | st.integers() | st.booleans()
_ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.dictionaries(st.text(max_size=5), _VALUES, max_size=3) | _VALUES,
        "data": _VALUES,
        "externalPayloads": st.just([{"sizeBytes": "5"}]),
        "x": _VALUES,
    },
)


def _by_protobuf(item: JsonPayload) -> Payload | None:
    """What protobuf makes of a payload's JSON; None for what is none, or holds text that is no base64."""
    metadata = item.get("metadata")
    held = [item.get("data"), *(cast("JsonPayload", metadata).values() if isinstance(metadata, dict) else ())]
    if not all(re.fullmatch(r"[A-Za-z0-9+/_-]*={0,2}", each) for each in held if isinstance(each, str)):
        return None
    try:
        return ParseDict(item, Payload(), ignore_unknown_fields=True)
    except (ParseError, ValueError):
        return None


@given(_ITEMS)
@settings(max_examples=500)
def test_payloads_are_read_as_protobuf_reads_them(item: JsonPayload) -> None:
    """The usual form is read in fewer steps; whatever the form, the payload or the refusal is the same."""
    try:
        got = to_payload(item)
    except limits.Refused:
        got = None
    assert got == _by_protobuf(item)


@given(st.dictionaries(st.text(max_size=5), st.binary(max_size=9), max_size=3), st.binary(max_size=9), st.booleans())
def test_payloads_are_written_as_protobuf_writes_them(metadata: dict[str, bytes], data: bytes, external: bool) -> None:
    """The same JSON, and it reads back as what it was."""
    payload = Payload(metadata=metadata, data=data)
    if external:
        payload.external_payloads.add(size_bytes=5)
    assert to_json(payload) == MessageToDict(payload)
    assert to_payload(to_json(payload)) == payload


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
        b'{"payloads":[{"data":"e30=!"}]}',
        b'{"payloads":[{"data":"e30 ="}]}',
        b'{"payloads":[{"data":"\\u0084"}]}',
        b'{"payloads":[{"metadata":{"encoding":"anNv\\n"}}]}',
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
