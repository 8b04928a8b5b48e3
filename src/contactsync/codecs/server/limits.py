"""Requests of the codec server, read within limits. Bodies are proto3-JSON `temporal.api.common.v1.Payloads`."""

import json
import re
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Iterable, Mapping
from typing import Final, cast

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from pydantic import TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect, Request
from temporalio.api.common.v1 import Payload

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
MAX_PAYLOADS: Final = 1_000
MAX_PLAIN_BYTES: Final = 32 * 1024 * 1024
MAX_DEPTH: Final = 16
_MAX_BRACKETS: Final = 16 * MAX_PAYLOADS
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
# an unfinished string reaches to the end, and nothing backtracks: the time is linear whatever is sent
_STRINGS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKETS: Final = re.compile(rb"[\[\]{}]")

_USUAL: Final = {"metadata", "data"}

JsonPayload = dict[str, object]
_body: Final = TypeAdapter(dict[str, list[JsonPayload]])


class Refused(Exception):
    """A request that is answered with an error; the reason is constant and shows nothing of the request."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status: Final = status
        self.reason: Final = reason
        self.headers: Final = headers


async def read_payloads(request: Request) -> list[JsonPayload]:
    """The payloads of a request, as they stand in its JSON.

    Raises:
        Refused: 415 it is not JSON, 413 over a limit, 400 it is no `Payloads`.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "the body must be application/json")
    return _payloads(await _limited_body(request))


def to_payload(item: JsonPayload) -> Payload:
    """A payload from its JSON.

    Raises:
        Refused: 400, it is none.
    """
    metadata, data = item.get("metadata", {}), item.get("data", "")
    try:
        if item.keys() <= _USUAL and isinstance(metadata, dict) and isinstance(data, str):
            named = cast("JsonPayload", metadata).items()
            return Payload(metadata={name: _bytes(value) for name, value in named}, data=_bytes(data))
        return _unusual(item)
    except (ParseError, ValueError):
        raise Refused(400, "a payload is not proto3 JSON") from None


def _bytes(text: object) -> bytes:
    """What stands for bytes (proto3 JSON: base64 in either alphabet, padded or not); protobuf passes over what is none.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(text, str) or not _BASE64.fullmatch(text):
        raise ValueError("no base64")
    return urlsafe_b64decode(text + "==")


def _unusual(item: JsonPayload) -> Payload:
    """A payload with more than metadata and data, or with other forms of them, such as `null`."""
    metadata = item.get("metadata")
    values: Iterable[object] = cast("JsonPayload", metadata).values() if isinstance(metadata, dict) else ()
    for value in (item.get("data"), *values):
        if isinstance(value, str):
            _bytes(value)
    return ParseDict(item, Payload(), ignore_unknown_fields=True, max_recursion_depth=MAX_DEPTH)


def to_json(payload: Payload) -> JsonPayload:
    """A payload as JSON."""
    if payload.external_payloads:
        return MessageToDict(payload)
    item: JsonPayload = {}
    if payload.metadata:
        item["metadata"] = {name: b64encode(value).decode() for name, value in payload.metadata.items()}
    if payload.data:
        item["data"] = b64encode(payload.data).decode()
    return item


async def _limited_body(request: Request) -> bytes:
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
        raise Refused(413, "the body is too large")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise Refused(413, "the body is too large")
    except ClientDisconnect:
        raise Refused(400, "the body ended early") from None
    return bytes(body)


def _payloads(body: bytes) -> list[JsonPayload]:
    if _depth(body) > MAX_DEPTH:
        raise Refused(400, "the JSON is nested too deeply")
    try:
        content = _body.validate_python(json.loads(body, object_pairs_hook=unique, parse_constant=no_constant))
    except (ValidationError, ValueError, RecursionError):
        raise Refused(400, "the body is no Payloads JSON") from None
    if not content.keys() <= {"payloads"}:
        raise Refused(400, "the body is no Payloads JSON")
    payloads = content.get("payloads", [])
    if len(payloads) > MAX_PAYLOADS:
        raise Refused(413, "there are too many payloads")
    return payloads


def _depth(body: bytes) -> int:
    """How deeply brackets are nested outside strings; counted before parsing, which recurses."""
    structure = _STRINGS.sub(b"", body)
    if structure.count(b"[") + structure.count(b"{") > _MAX_BRACKETS:
        raise Refused(413, "there is too much structure in the JSON")
    depth = deepest = 0
    for bracket in _BRACKETS.findall(structure):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object none of whose keys comes twice: two readers could take different ones (RFC 8259 §4)."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate key")
    return value


def no_constant(_: str) -> object:
    raise ValueError("no JSON number")
