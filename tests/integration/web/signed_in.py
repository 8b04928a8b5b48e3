"""Temporal Web behind TLS, as somebody sees it who has signed in to it.

The development server's Web has no sign-in, so this stands in for one: a proxy whose answer to the Web's question for
its settings says that there is a sign-in and a codec server that gets its token. What the Web then does with the token
is its own code, unchanged.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contactsync.codecs.server.serve import Tls, serving
from contactsync.workers.embedded.ports import LOOPBACK

SETTINGS = "/api/v1/settings"
NOT_PASSED = frozenset(
    {"content-length", "content-encoding", "transfer-encoding", "connection", "content-security-policy"}
)


@dataclass(frozen=True, slots=True)
class _Proxy:
    http: httpx.AsyncClient
    codec: dict[str, object]

    async def answer(self, request: Request) -> Response:
        """The Web's own answer; about its settings, with a sign-in and a codec server."""
        given = {name: value for name, value in request.headers.items() if name not in {"host", "accept-encoding"}}
        url = self.http.base_url.copy_with(raw_path=request.scope["raw_path"] + b"?" + request.scope["query_string"])
        answer = await self.http.request(request.method, url, headers=given, content=await request.body())
        kept = {name: value for name, value in answer.headers.items() if name not in NOT_PASSED}
        body = self._settings(answer.json()) if request.url.path == SETTINGS else answer.content
        return Response(body, answer.status_code, kept)

    def _settings(self, settings: dict[str, Any]) -> bytes:
        return json.dumps({**settings, "Auth": {"Enabled": True, "Options": []}, "Codec": self.codec}).encode()


def certificate(folder: Path) -> Tls:
    """A certificate for this machine, of an authority of its own."""
    issued = trustme.CA().issue_cert(LOOPBACK, "localhost")
    tls = Tls(folder / "certificate.pem", folder / "key.pem")
    issued.private_key_pem.write_to_path(tls.key)
    for number, part in enumerate(issued.cert_chain_pems):
        part.write_to_path(tls.certificate, append=number > 0)
    return tls


@asynccontextmanager
async def signed_in(ui_url: str, codec_url: str, port: int, tls: Tls) -> AsyncGenerator[str]:
    """Temporal Web at the URL that is given, decoding through `codec_url` with the token of whoever signed in."""
    codec: dict[str, object] = {"Endpoint": codec_url, "PassAccessToken": True, "IncludeCredentials": False}
    async with httpx.AsyncClient(base_url=ui_url, trust_env=False, timeout=30) as http:
        proxy = Route("/{path:path}", _Proxy(http, codec).answer, methods=["GET", "POST", "PUT", "DELETE"])
        async with serving(Starlette(routes=[proxy]), LOOPBACK, port, tls, who="the proxy"):
            yield f"https://{LOOPBACK}:{port}"
