"""A small HTTP API that answers as a test says, and remembers what it was asked."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contactsync.activities.contacts.contact import DEFAULT_FIELDS, Fields
from contactsync.activities.sources.query import QueryPage
from contactsync.activities.sources.replica import Replica
from contactsync.activities.sources.rest import RestSource, open_rest_query
from contactsync.activities.sources.rest_settings import RestSettings
from contactsync.activities.sources.source import Credentials, PageLimits
from contactsync.activities.sources.tokens import MemoryTokens, Tokens
from contactsync.codecs.server.serve import serving
from contactsync.workers.embedded.ports import LOOPBACK

SECRET = "planted-secret"
PLANTED = "Grünewald-Planted"


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes

    def one(self, name: str) -> str | None:
        """The parameter of this name."""
        return dict(self.params).get(name)

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode()))


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `body` is JSON, or bytes as they are."""

    body: JsonValue | bytes = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def response(self) -> Response:
        """For the server."""
        content = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return Response(content, self.status, dict(self.headers), "application/json")


@dataclass(slots=True)
class Api:
    """Where it is, and what it was asked."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list[Seen])


@asynccontextmanager
async def api(answer: Callable[[Seen], Reply]) -> AsyncGenerator[Api]:
    """An API that answers each request with what `answer` makes of it."""
    there = Api()

    async def serve(request: Request) -> Response:
        params = tuple(request.query_params.multi_items())
        seen = Seen(request.method, request.url.path, params, dict(request.headers), await request.body())
        there.seen.append(seen)
        return answer(seen).response()

    app = Starlette(routes=[Route("/{rest:path}", serve, methods=["GET", "POST"])])
    async with serving(app, LOOPBACK, 0, who="the test's API", has_clock=True) as port:
        there.url = f"http://{LOOPBACK}:{port}/"
        yield there


def described(url: str, **tables: object) -> dict[str, object]:
    """Settings of an API at `url` with cursors; `tables` replace or add."""
    return {
        "url": url,
        "list": {
            "path": "contacts",
            "records": "items",
            "pagination": {"kind": "cursor", "param": "after", "next": "next"},
        },
        "fields": {"id": "id", "emails": "email", "changed_at": "at"},
        **tables,
    }


@asynccontextmanager
async def opened(
    settings: Mapping[str, object],
    *,
    secret: str = SECRET,
    fields: Fields = DEFAULT_FIELDS,
    tokens: Tokens | None = None,
    replica: Replica | None = None,
) -> AsyncGenerator[RestSource]:
    """The API, to be asked."""
    chosen = RestSettings.model_validate(settings)
    workbench = replica or Replica(tokens=tokens or MemoryTokens())
    async with open_rest_query(chosen, Credentials(secret=secret), fields, workbench) as source:
        yield source


async def listed(source: RestSource, part: bytes | None = None, *, rows: int = 500) -> list[QueryPage]:
    """The complete listing, page by page."""
    pages: list[QueryPage] = []
    token: bytes | None = None
    while len(pages) < 1000:
        page = await source.list_page(token, part, PageLimits(rows=rows))
        pages.append(page)
        token = page.token
        if token is None:
            return pages
    raise AssertionError("the listing does not end")


def ids(pages: list[QueryPage]) -> list[str]:
    """The ids on all pages."""
    return [record.change.source_id for page in pages for record in page.records]
