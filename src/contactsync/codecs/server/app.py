"""The codec server: `POST …/decode` and `POST …/encode` for Temporal Web and the `temporal` command.

Answers: 200 with as many payloads as were sent; 401 without a token that is right; 4xx what is no request; 503 when
keys or the audit log cannot be reached, in which case nothing is shown. Whoever is let in and asks for what cannot be
opened gets it back as it was, whatever the reason.
"""

from collections.abc import Sequence
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
from contactsync.codecs.server.opening import AuditTrail, Desk
from contactsync.errors import ContactSyncError, KeysError, NotFound, Retry, SealError, SettingsError

NAMESPACE_HEADER: Final = "x-namespace"
TENANT_HEADER: Final = "x-contactsync-tenant"
HEALTH_PATH: Final = "/health"


def codec_app(
    ring: KeyRing, trail: AuditTrail, access: Access, *, origins: Sequence[str] = (), encode: bool = False
) -> Starlette:
    """The application.

    Args:
        ring: opens payload keys; nothing else is asked of it unless `encode`.
        trail: where every opening is written down before it is answered.
        access: who is let in.
        origins: exact origins of Temporal Web, such as `https://temporal.example.com`.
        encode: also seal, for the tenant named in the header `X-ContactSync-Tenant`; needs a token.

    Raises:
        SettingsError: an origin is none, or encoding is wanted without a token.
    """
    if encode and access.on_loopback_only:
        raise SettingsError("the codec server encodes only for whoever sends a token; set its token file")
    for origin in origins:
        _check_origin(origin)
    endpoints = _Endpoints(Desk(ring, trail), access, encode)
    return Starlette(
        routes=[
            Route(HEALTH_PATH, _health, methods=["GET"]),
            Route("/{path:path}", endpoints.codec, methods=["POST"]),
        ],
        middleware=[Middleware(Guard, origins=tuple(origins), loopback_hosts=access.on_loopback_only)],
    )


class _Endpoints:
    def __init__(self, desk: Desk, access: Access, encode: bool) -> None:
        self._desk = desk
        self._access = access
        self._encode = encode

    async def codec(self, request: Request) -> Response:
        """Any path; the UI and the command put prefixes of their own before `/decode` and `/encode`."""
        try:
            return await self._answer(request)
        except Refused as refused:
            return PlainTextResponse(refused.reason, refused.status)
        except ContactSyncError as error:
            structlog.get_logger().warning("codec server could not answer", code=error.code)
            return PlainTextResponse("the codec server cannot answer now", 503 if error.retry is Retry.AGAIN else 500)

    async def _answer(self, request: Request) -> Response:
        action = request.url.path.rpartition("/")[2]
        if action not in {"decode", "encode"} or (action == "encode" and not self._encode):
            raise Refused(404, "there is no such endpoint")
        operator = await self._access.operator(request.headers)
        if operator is None:
            return PlainTextResponse("a bearer token is needed", 401, {"www-authenticate": "Bearer"})
        items = await read_payloads(request)
        done = await (self._decoded if action == "decode" else self._encoded)(request, items, operator)
        return JSONResponse({"payloads": done})

    async def _decoded(self, request: Request, items: list[JsonPayload], operator: Operator) -> list[JsonPayload]:
        return await self._desk.decode(items, request.headers.get(NAMESPACE_HEADER, ""), operator)

    async def _encoded(self, request: Request, items: list[JsonPayload], operator: Operator) -> list[JsonPayload]:
        """An error whenever a payload cannot be sealed: an answer in clear would be sent on to Temporal."""
        namespace = request.headers.get(NAMESPACE_HEADER, "")
        try:
            tenant_id = UUID(request.headers.get(TENANT_HEADER, ""))
            return await self._desk.encode(items, namespace, tenant_id, operator)
        except (ValueError, NotFound, SealError, KeysError) as error:
            if isinstance(error, ContactSyncError) and error.retry is Retry.AGAIN:
                raise
            raise Refused(400, "nothing can be sealed for this tenant") from None


async def _health(_: Request) -> Response:
    return PlainTextResponse("ok")


def _check_origin(origin: str) -> None:
    scheme, separator, host = origin.partition("://")
    if scheme not in {"http", "https"} or not separator or not host or set(host) & set("/*?#@ "):
        raise SettingsError("an origin of Temporal Web is scheme://host:port, with nothing after it and no wildcard")
