"""CardDAV servers, started when the first test asks for them, and a fresh account of each kind of source."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Final, TypeVar, cast

import pytest
from tests.dav.cyrus import MISSING, Cyrus, cyrus, is_installed
from tests.dav.radicale import radicale
from tests.dav.server import PASSWORD, DavServer, Hand
from tests.dav.xandikos import USER, xandikos
from tests.integration.sources.worlds import DavWorld, MemoryWorld, World

from contactsync.activities.sources.memory import AddressBook, shared
from contactsync.activities.sources.replica import Replica
from contactsync.workers.embedded.folders import temporary_folder

USERS: Final = tuple(f"user{number:03}" for number in range(200))
KINDS: Final = ("memory", "radicale", "xandikos", "cyrus", "etags")

Server = TypeVar("Server", bound=DavServer)


class Servers:
    """The servers of this test session, each started once and on demand."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._running: dict[str, DavServer] = {}
        self._users = (USERS[number] for number in count())

    def next_user(self) -> str:
        """A user whom no other test has."""
        return next(self._users)

    async def radicale(self) -> DavServer:
        """Radicale."""
        if "radicale" not in self._running:
            folder = self._stack.enter_context(temporary_folder())
            self._running["radicale"] = await self._stack.enter_async_context(radicale(folder, USERS))
        return self._running["radicale"]

    async def xandikos(self) -> DavServer:
        """xandikos."""
        if "xandikos" not in self._running:
            folder = self._stack.enter_context(temporary_folder())
            self._running["xandikos"] = await self._stack.enter_async_context(xandikos(folder))
        return self._running["xandikos"]

    async def cyrus(self) -> Cyrus:
        """Cyrus; where it is not installed the test is skipped, which CI counts as a failure."""
        if "cyrus" not in self._running:
            if not is_installed():
                pytest.skip(MISSING)  # a person sees it; CI takes it for a failure
            self._running["cyrus"] = await self._stack.enter_async_context(cyrus(USERS))
        return cast("Cyrus", self._running["cyrus"])


@pytest.fixture(scope="session")
async def servers() -> AsyncIterator[Servers]:
    """The CardDAV servers."""
    async with AsyncExitStack() as stack:
        yield Servers(stack)


@asynccontextmanager
async def radicale_world(servers: Servers) -> AsyncGenerator[DavWorld]:
    """A fresh account on Radicale."""
    server, user = await servers.radicale(), servers.next_user()
    async with server.client(user) as client:
        world = DavWorld(server, user, Hand(client, f"/{user}/contacts/"))
        await world.hand.make()
        yield world


@asynccontextmanager
async def xandikos_world(servers: Servers) -> AsyncGenerator[DavWorld]:
    """A fresh address book on xandikos, which has but one account: the connection points to the book itself."""
    server = await servers.xandikos()
    path = f"/{USER}/contacts/{servers.next_user()}/"
    async with server.client(USER) as client:
        world = DavWorld(server, USER, Hand(client, path), path)
        await world.hand.make()
        yield world


@asynccontextmanager
async def cyrus_world(servers: Servers) -> AsyncGenerator[DavWorld]:
    """A fresh account on Cyrus."""
    server, user = await servers.cyrus(), servers.next_user()
    async with server.client(user) as client:
        # it refuses cards in vCard 2.1
        yield DavWorld(server, user, Hand(client, f"/dav/addressbooks/user/{user}/Default/"), versions=("3.0", "4.0"))


@pytest.fixture(params=KINDS)
async def world(request: pytest.FixtureRequest, servers: Servers) -> AsyncIterator[World]:
    """A fresh account of each kind of source; `etags` is Radicale without its sync tokens."""
    kind: str = request.param
    if kind == "memory":
        book = AddressBook(password=PASSWORD)
        with shared(book) as name:
            yield MemoryWorld(book, name)
        return
    worlds = {
        "radicale": radicale_world,
        "xandikos": xandikos_world,
        "cyrus": cyrus_world,
        "etags": radicale_world,
    }
    async with worlds[kind](servers) as opened:
        if kind == "etags":
            opened.further["sync"] = "listing"
        yield opened


@pytest.fixture
def replica() -> Replica:
    """An empty replica."""
    return Replica()
