"""What stands before every request and every answer of the codec server: origin, host, headers, time, errors."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contactsync.codecs.server.access import is_loopback

REQUEST_SECONDS: Final = 30.0
ALLOWED_HEADERS: Final = "content-type, x-namespace, authorization, authorization-extras"
_PREFLIGHT_SECONDS: Final = "600"
_SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "cross-origin",
    "referrer-policy": "no-referrer",
    "vary": "Origin",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Guard:
    """ASGI middleware.

    An origin is allowed if it is exactly one of `origins` (Fetch standard, "CORS protocol"), on error answers too;
    any other is refused. With `loopback_hosts` the Host header must name this machine, or a web page whose name
    somebody made point here could read what needs no token ("DNS rebinding").
    """

    app: ASGIApp
    origins: Sequence[str]
    loopback_hosts: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        answering = _Answering(send, origin if origin in self.origins else None)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, answering)
            return
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                await self.app(scope, receive, answering)
        except TimeoutError:
            await answering.fail(scope, receive, 503)
        except Exception as error:  # noqa: BLE001  # the server's own handler would print the error's text
            structlog.get_logger().error("codec server failed", code=type(error).__name__)
            await answering.fail(scope, receive, 500)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to what never reaches the server: strangers, and a browser's preflight."""
        origin = headers.get("origin")
        if self.loopback_hosts and not is_loopback(_host_name(headers.get("host", ""))):
            return PlainTextResponse("this server is for this machine only", 421)
        if origin is not None and origin not in self.origins:
            return PlainTextResponse("this origin is not allowed", 403)
        if scope["method"] == "OPTIONS":
            return _preflight(known=origin is not None)
        return None


class _Answering:
    """`send`, with our headers on whatever is answered."""

    def __init__(self, send: Send, origin: str | None) -> None:
        self._send = send
        self._origin = origin
        self._started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            headers = MutableHeaders(scope=message)
            for name, value in _SECURITY_HEADERS.items():
                headers[name] = value
            if self._origin is not None:
                headers["access-control-allow-origin"] = self._origin
        await self._send(message)

    async def fail(self, scope: Scope, receive: Receive, status: int) -> None:
        """Answer with a constant error, unless an answer has begun."""
        if not self._started:
            await PlainTextResponse("the codec server failed", status)(scope, receive, self)


def _preflight(*, known: bool) -> Response:
    if not known:
        return Response(status_code=405, headers={"allow": "POST"})
    return Response(
        status_code=204,
        headers={
            "access-control-allow-methods": "POST, OPTIONS",
            "access-control-allow-headers": ALLOWED_HEADERS,
            "access-control-max-age": _PREFLIGHT_SECONDS,
        },
    )


def _host_name(host: str) -> str:
    """The Host header without its port (RFC 9110 §7.2)."""
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
