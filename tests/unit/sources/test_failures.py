"""Every request of a CardDAV pass fails in every way: nothing is lost by it, and no error says anything of a person."""

import traceback
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from tests.dav.cards import card
from tests.dav.odd import BOOK, ROOT, Oddities, OddServer

from contactsync.activities.contacts.contact import DEFAULT_FIELDS
from contactsync.activities.sources.carddav import CardDavSource
from contactsync.activities.sources.carddav_settings import CardDavSettings
from contactsync.activities.sources.replica import Replica
from contactsync.activities.sources.source import Credentials, PageLimits
from contactsync.activities.sources.transport import open_transport
from contactsync.errors import CredentialsRejected, SourceError, SourceThrottled, SourceUnavailable

PLANTED = "Quellenthal"
LIMITS = PageLimits(rows=4)


class Cut(httpx.AsyncByteStream):
    """A body that ends in the middle, as httpx says it does."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body[: len(self._body) // 2]
        raise httpx.RemoteProtocolError(f"peer closed connection: {PLANTED}")


class Failing(httpx.AsyncBaseTransport):
    """Passes requests on to a server; the one whose turn it is fails in the given way."""

    def __init__(self, server: OddServer, way: str, turn: int) -> None:
        self._server = server
        self._way = way
        self._turn = turn
        self.count = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answers one request."""
        self.count += 1
        answer = await self._server.handle_async_request(request)
        if self.count != self._turn:
            return answer
        body = await answer.aread()
        match self._way:
            case "cut":
                return httpx.Response(answer.status_code, stream=Cut(body))
            case "half":
                return httpx.Response(answer.status_code, content=body[: len(body) // 2])
            case "reset":
                raise httpx.ReadError(f"{PLANTED} {request.url}")
            case "html":
                return httpx.Response(200, html=f"<p>{PLANTED}</p>")
            case status:
                return httpx.Response(int(status), text=PLANTED, headers={"x-note": PLANTED, "retry-after": "3"})


def filled(oddities: Oddities) -> OddServer:
    """A server full of the planted name: in file names, cards and ETags."""
    server = OddServer(oddities)
    for number in range(10):
        server.put(f"{PLANTED} {number}.vcf", card(number, name=f"{PLANTED} {number}"))
    return server


@asynccontextmanager
async def opened(wire: httpx.AsyncBaseTransport, replica: Replica) -> AsyncGenerator[CardDavSource]:
    """The server as a source, signed in as the planted name."""
    settings = CardDavSettings(url=ROOT + BOOK, username=PLANTED)
    credentials = Credentials(PLANTED, f"{PLANTED}-secret")
    async with open_transport(settings.endpoint(credentials, replica.addresses, replica.meter), wire) as transport:
        yield CardDavSource(transport, settings, DEFAULT_FIELDS, replica)


async def follow(wire: httpx.AsyncBaseTransport, replica: Replica) -> SourceError | None:
    """Runs passes until one ends in an error; None where two go well."""
    try:
        async with opened(wire, replica) as source:
            await replica.follow(source, LIMITS)
            await replica.follow(source, LIMITS)
    except SourceError as error:
        return error
    return None


WAYS = ("cut", "half", "reset", "html", "401", "403", "404", "410", "429", "500", "503", "507")


@pytest.mark.parametrize("has_sync", [True, False], ids=["tokens", "etags"])
@pytest.mark.parametrize("way", WAYS)
async def test_p24_p34_any_request_fails_in_any_way(way: str, has_sync: bool) -> None:
    """P24, P34: whichever request of a pass fails and however, no contact is lost and no error names a person."""
    turn = 0
    while True:
        turn += 1
        server, replica = filled(Oddities(has_sync=has_sync, has_ctag=False)), Replica()
        wire = Failing(server, way, turn)
        error = await follow(wire, replica)
        if wire.count < turn:
            break
        if error is not None:
            shown = "".join(traceback.format_exception(error)) + repr(error)
            assert PLANTED not in shown
        server.delete(f"{PLANTED} 0.vcf")
        assert await follow(server, replica) is None
        assert len(replica.contacts) == 9
    assert turn > 5


@pytest.mark.parametrize(
    ("way", "expected"),
    [("401", CredentialsRejected), ("429", SourceThrottled), ("503", SourceThrottled), ("reset", SourceUnavailable)],
)
async def test_failures_in_the_middle_keep_their_kind(way: str, expected: type[SourceError]) -> None:
    """A refusal in the middle of a pass is what it would be at its start."""
    for turn in range(1, 5):
        error = await follow(Failing(filled(Oddities()), way, turn), Replica())
        assert type(error) is expected


async def test_p34_cut_multiget_loses_no_card() -> None:
    """P34: an answer with cards that is cut off sets no card aside and deletes none; the page is asked for again."""
    server, replica = filled(Oddities()), Replica()
    multigets = [turn for turn in range(1, 6) if await _is_multiget(turn)]
    assert multigets
    error = await follow(Failing(server, "cut", multigets[0]), replica)
    assert isinstance(error, SourceError)
    assert replica.unreadable == {}
    assert await follow(server, replica) is None
    assert len(replica.contacts) == 10


async def _is_multiget(turn: int) -> bool:
    server = filled(Oddities())
    await follow(server, Replica())
    return "addressbook-multiget" in server.seen[turn - 1].body


def test_p24_credentials_are_not_shown() -> None:
    """P24: neither user name nor secret is in the text of credentials."""
    assert PLANTED not in repr(Credentials(PLANTED, PLANTED))
