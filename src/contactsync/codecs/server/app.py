"""The codec server: `POST …/decode` and `POST …/encode` for Temporal Web and the `temporal` command.

Answers: 200 with as many payloads as were sent; 401 without a token that is right; 4xx what is no request; 503 when
keys, the audit log or the issuer of tokens cannot be reached, in which case nothing is shown. Whoever is let in and
asks for what cannot be opened, or is not for them, gets it back as it was, whatever the reason: the audit log says it.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from math import ceil
from typing import Final
from uuid import UUID

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.server.access import Access, Operator
from contactsync.codecs.server.guard import Guard
from contactsync.codecs.server.limits import JsonPayload, Refused, read_payloads
from contactsync.codecs.server.masking import CODES
from contactsync.codecs.server.opening import CANNOT_SEAL, Asking, AuditTrail, Desk
from contactsync.codecs.server.rates import DEFAULT_RATE, MAX_WAIT_SECONDS, Buckets, Rate
from contactsync.codecs.server.reasons import reason_of
from contactsync.errors import ContactSyncError, KeysError, NotFound, Retry, SealError, SettingsError

NAMESPACE_HEADER: Final = "x-namespace"
TENANT_HEADER: Final = "x-contactsync-tenant"
HEALTH_PATH: Final = "/health"
OPENAPI_PATH: Final = "/openapi.json"


def codec_app(
    ring: KeyRing,
    trail: AuditTrail,
    access: Access,
    *,
    origins: Sequence[str] = (),
    encode: bool = False,
    codes: frozenset[str] = CODES,
    rate: Rate = DEFAULT_RATE,
) -> Starlette:
    """The application.

    Args:
        ring: opens payload keys; nothing else is asked of it unless `encode`.
        trail: where every opening is written down before it is answered.
        access: who is let in.
        origins: exact origins of Temporal Web, such as `https://temporal.example.com`.
        encode: also seal, for the tenant named in the header `X-ContactSync-Tenant`; needs a token.
        codes: keys whose words stay when masked.
        rate: how fast each subject may go on.

    Raises:
        SettingsError: an origin is none, or encoding is wanted without a token.
    """
    if encode and access.on_loopback_only:
        raise SettingsError("the codec server encodes only for whoever sends a token; set its token file")
    for origin in origins:
        _check_origin(origin)
    endpoints = _Endpoints(Desk(ring, trail, codes), access, encode, Buckets(rate))
    return Starlette(
        routes=[
            Route(HEALTH_PATH, _health, methods=["GET"]),
            Route(OPENAPI_PATH, _openapi(encode=encode), methods=["GET"]),
            Route("/{path:path}", endpoints.codec, methods=["POST"]),
        ],
        middleware=[Middleware(Guard, origins=tuple(origins), loopback_hosts=access.on_loopback_only)],
    )


@dataclass(frozen=True, slots=True)
class _Endpoints:
    desk: Desk
    access: Access
    encode: bool
    buckets: Buckets

    async def codec(self, request: Request) -> Response:
        """Any path; the UI and the command put prefixes of their own before `/decode` and `/encode`."""
        try:
            return await self._answer(request)
        except Refused as refused:
            return PlainTextResponse(refused.reason, refused.status, refused.headers)
        except ContactSyncError as error:
            structlog.get_logger().warning("codec server could not answer", code=error.code)
            return PlainTextResponse("the codec server cannot answer now", 503 if error.retry is Retry.AGAIN else 500)

    async def _answer(self, request: Request) -> Response:
        if request.url.path in {HEALTH_PATH, OPENAPI_PATH}:
            raise Refused(405, "it is only read", {"allow": "GET, HEAD"})
        action = request.url.path.rpartition("/")[2]
        if action not in {"decode", "encode"} or (action == "encode" and not self.encode):
            raise Refused(404, "there is no such endpoint")
        operator = await self.access.operator(request.headers)
        if operator is None:
            raise Refused(401, "a bearer token is needed", {"www-authenticate": "Bearer"})
        asking = Asking(operator, request.headers.get(NAMESPACE_HEADER, ""), reason_of(request))
        items = await read_payloads(request)
        await self._wait(operator, len(items))
        done = self.desk.decode(items, asking) if action == "decode" else self._encoded(request, items, asking)
        return JSONResponse({"payloads": await done})

    async def _wait(self, operator: Operator, payloads: int) -> None:
        seconds = self.buckets.take(operator.subject, payloads)
        if seconds is None:
            raise Refused(429, "too many requests at the same time", {"retry-after": str(ceil(MAX_WAIT_SECONDS))})
        if seconds:
            await asyncio.sleep(seconds)

    async def _encoded(self, request: Request, items: list[JsonPayload], asking: Asking) -> list[JsonPayload]:
        """An error whenever a payload cannot be sealed: an answer in clear would be sent on to Temporal."""
        try:
            tenant_id = UUID(request.headers.get(TENANT_HEADER, ""))
            return await self.desk.encode(items, tenant_id, asking)
        except (ValueError, NotFound, SealError, KeysError) as error:
            if isinstance(error, ContactSyncError) and error.retry is Retry.AGAIN:
                raise
            raise Refused(400, CANNOT_SEAL) from None


def _openapi(*, encode: bool) -> Callable[[Request], Awaitable[Response]]:
    """The description of this server; without `/encode` where there is none."""
    document = json.loads(resources.files("contactsync.codecs.server").joinpath("openapi.json").read_bytes())
    if not encode:
        del document["paths"]["/encode"]

    async def described(_: Request) -> Response:
        return JSONResponse(document)

    return described


async def _health(_: Request) -> Response:
    return PlainTextResponse("ok")


def _check_origin(origin: str) -> None:
    scheme, separator, host = origin.partition("://")
    if scheme not in {"http", "https"} or not separator or not host or set(host) & set("/*?#@ "):
        raise SettingsError("an origin of Temporal Web is scheme://host:port, with nothing after it and no wildcard")
