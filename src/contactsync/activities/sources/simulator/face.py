"""The provider's HTTP face: what the `rest` source reads.

    GET /{paging}/contacts   the listing: ?limit=&folder=&created_from=&created_until=
    GET /{paging}/changes    what changed: ?since=&until=&after_id=&limit=
    GET /me                  who one is
    POST /token              access tokens (RFC 6749)

`paging` says how the next page is asked for: `cursor` (?cursor=), `page` (?page=, from 1), `offset` (?offset=), `link`
(a Link header, RFC 8288), `next_url` (in the body). Times are RFC 3339, or seconds, milliseconds or microseconds since
the epoch. `control.py` adds the hands of whoever plays the provider's users.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from email.utils import formatdate
from typing import Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from contactsync.activities.sources.query import Instant
from contactsync.activities.sources.simulator.answering import Refusing
from contactsync.activities.sources.simulator.clock import SECOND
from contactsync.activities.sources.simulator.control import control_routes
from contactsync.activities.sources.simulator.faults import Cut, Failure, Garbage, HalfBody, Refused
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.activities.sources.simulator.questions import Position, Question, Records, What
from contactsync.activities.sources.simulator.records import document, iso
from contactsync.codecs.server.serve import serving as listening

PAGINGS: Final = ("cursor", "page", "offset", "link", "next_url")
_BAD_REQUEST: Final = Refused(400, body=b'{"error": {"code": "bad_request"}}')
_UNKNOWN: Final = Refused(401, body=b'{"error": {"code": "unauthorized"}}')
_DIGITS_OF_MILLISECONDS: Final = 12
_DIGITS_OF_MICROSECONDS: Final = 15


@asynccontextmanager
async def serving(provider: Provider, *, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[str]:
    """Serves the provider for as long as the block runs; gives its address, without a slash at the end.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    async with listening(provider_app(provider), host, port, who="the simulator", has_clock=True) as chosen:
        yield f"http://{host}:{chosen}"


def provider_app(provider: Provider) -> Starlette:
    """The provider as an application."""
    face = _Face(provider)
    routes = [
        Route("/{paging}/contacts", face.contacts),
        Route("/{paging}/changes", face.changes),
        Route("/me", face.me),
        Route("/token", face.token, methods=["POST"]),
        *control_routes(provider),
    ]
    return Starlette(routes=routes)


class _Face:
    """The endpoints."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def contacts(self, request: Request) -> Response:
        return self._records("contacts", request)

    async def changes(self, request: Request) -> Response:
        return self._records("changes", request)

    async def me(self, request: Request) -> Response:
        failure = self._meet("me", request)
        folders = json.dumps({"folders": self._provider.folders, "now": iso(self._provider.clock.now())})
        return self._deliver(folders.encode(), failure)

    async def token(self, request: Request) -> Response:
        failure = self._provider.meet("token", {})
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        granted = self._provider.gate.grant(form)
        if granted is None:
            failure = failure or Refused(400, body=b'{"error": "invalid_grant"}')
        return self._deliver(json.dumps(granted).encode(), failure)

    def _meet(self, what: What, request: Request) -> Failure | None:
        failure = self._provider.meet(what, request.query_params)
        return failure or (None if self._provider.gate.admits(request.headers) else _UNKNOWN)

    def _records(self, what: What, request: Request) -> Response:
        failure = self._meet(what, request)
        paging = str(request.path_params["paging"])
        question = _question(what, paging, request.query_params)
        if isinstance(failure, Refused | Garbage) or question is None:
            return self._deliver(b"", failure or _BAD_REQUEST)
        try:
            records = self._provider.answer(question)
        except Refusing as refusing:
            return self._deliver(b"", refusing.refused)
        following = _following(request, paging, question, records)
        headers = {"link": f'<{following}>; rel="next"'} if paging == "link" and following else {}
        return self._deliver(self._body(records, following), failure, headers)

    def _body(self, records: Records, following: str | None) -> bytes:
        """The listing's JSON; every way of paging finds its own member in it."""
        tail = {
            "next": records.position.token() if records.position else None,
            "next_url": following,
            "has_more": records.position is not None,
            "total": records.total,
            "now": iso(self._provider.clock.now()),
        }
        listed = b",".join(map(document, records.entries))
        return b'{"records":[' + listed + b"]," + json.dumps(tail).encode()[1:]

    def _deliver(self, body: bytes, failure: Failure | None, headers: Mapping[str, str] | None = None) -> Response:
        own = {"date": formatdate(self._provider.clock.now() / SECOND, usegmt=True), **(headers or {})}
        own |= dict(self._provider.limit_headers)
        match failure:
            case Refused():
                own |= {**self._patience(failure), **dict(failure.headers)}
                return Response(failure.body, failure.status, own, "application/json")
            case Garbage():
                return Response(failure.body, 200, own, failure.content_type)
            case HalfBody():
                return Response(body[: int(len(body) * failure.share)], 200, own, "application/json")
            case Cut():
                return _CutResponse(body, int(len(body) * failure.share), own)
            case None:
                return Response(body, 200, own, "application/json")

    def _patience(self, refused: Refused) -> dict[str, str]:
        if refused.retry_after is None:
            return {}
        at = self._provider.clock.now() / SECOND + refused.retry_after
        return {"retry-after": formatdate(at, usegmt=True) if refused.as_date else f"{refused.retry_after:.0f}"}


class _CutResponse(Response):
    """Promises the whole body and ends the connection within it."""

    def __init__(self, body: bytes, kept: int, headers: Mapping[str, str]) -> None:
        super().__init__(body, 200, headers, "application/json")
        self._kept = kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # it is what it overrides
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(self.body)[: self._kept], "more_body": True})


def _question(what: What, paging: str, params: Mapping[str, str]) -> Question | None:
    """What the parameters ask for; None: they are none of ours."""
    try:
        position = Position.of(params["cursor"]) if params.get("cursor") else None
        limit = int(params.get("limit", "100"))
        if paging not in PAGINGS or what not in ("contacts", "changes") or (params.get("cursor") and not position):
            return None
        return Question(
            what,
            limit=limit,
            position=position,
            offset=_offset(paging, limit, params),
            since=_instant(params.get("since")) or 0,
            until=_instant(params.get("until")),
            after_id=params.get("after_id") or None,
            folder=params.get("folder") or None,
            created_from=_instant(params.get("created_from")),
            created_until=_instant(params.get("created_until")),
        )
    except (ValueError, OverflowError):
        return None


def _offset(paging: str, limit: int, params: Mapping[str, str]) -> int | None:
    if paging == "offset":
        return int(params.get("offset") or "0")
    return (int(params.get("page") or "1") - 1) * limit if paging == "page" else None


def _instant(text: str | None) -> Instant | None:
    if not text:
        return None
    number = text.lstrip("-")
    if not number.isdigit():
        at = datetime.fromisoformat(text)
        return int(at.replace(microsecond=0).timestamp()) * SECOND + at.microsecond
    if len(number) >= _DIGITS_OF_MICROSECONDS:
        return int(text)
    return int(text) * (1000 if len(number) >= _DIGITS_OF_MILLISECONDS else SECOND)


def _following(request: Request, paging: str, question: Question, records: Records) -> str | None:
    """The address of the next page."""
    if records.position is None:
        return None
    if question.offset is None:
        return str(request.url.include_query_params(cursor=records.position.token()))
    return str(request.url.include_query_params(offset=records.position.sent)) if paging == "offset" else None
