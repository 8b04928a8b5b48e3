"""How many cards are asked for at a time, and for how long."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import pytest
from tests.dav.cards import card
from tests.dav.odd import BOOK, ROOT, Oddities, OddServer

from contactsync.activities.contacts.contact import DEFAULT_FIELDS
from contactsync.activities.sources.carddav import CardDavSource
from contactsync.activities.sources.carddav_batches import BatchSize, batches
from contactsync.activities.sources.carddav_cards import Cards
from contactsync.activities.sources.carddav_cursor import Book
from contactsync.activities.sources.carddav_listing import Listed
from contactsync.activities.sources.carddav_settings import CardDavSettings
from contactsync.activities.sources.replica import Replica
from contactsync.activities.sources.source import Credentials, PageLimits
from contactsync.activities.sources.transport import Answer, open_transport


@asynccontextmanager
async def opened(server: OddServer, replica: Replica) -> AsyncGenerator[CardDavSource]:
    """The server as a source, in the server's own time."""
    chosen = CardDavSettings(url=ROOT + BOOK)
    async with open_transport(chosen.endpoint(Credentials(), replica.addresses, replica.meter), server) as transport:
        yield CardDavSource(transport, chosen, DEFAULT_FIELDS, replica, timer=lambda: server.now)


def filled(count: int, oddities: Oddities) -> OddServer:
    """A server with so many cards."""
    server = OddServer(oddities)
    for number in range(count):
        server.put(f"c{number}.vcf", card(number))
    return server


def asked(server: OddServer) -> list[int]:
    """The cards of each multiget."""
    return [seen.body.count("<d:href>") for seen in server.seen if "addressbook-multiget" in seen.body]


@pytest.mark.parametrize(
    ("seconds", "size", "then"),
    [(0.1, 50_000, 200), (1.0, 50_000, 100), (3.0, 50_000, 50), (0.1, 3 << 20, 100), (0.1, 9 << 20, 50), (0.1, 0, 100)],
)
def test_the_next_request_goes_by_the_last_answer(seconds: float, size: int, then: int) -> None:
    """More after a quick and small answer, fewer after a slow or large one, as many after one that gave nothing."""
    batch = BatchSize(400)
    batch.answered(100, seconds, size)
    assert batch.cards == then


def test_it_stays_within_its_bounds() -> None:
    """Never more than the setting allows, never so few that a server is asked for ever; a rest tells nothing."""
    batch = BatchSize(300)
    batch.answered(20, 0.1, 1000)
    assert batch.cards == 100
    for _ in range(5):
        batch.answered(batch.cards, 0.1, 1000)
    assert batch.cards == 300
    for _ in range(9):
        batch.answered(batch.cards, 9.0, 1000)
    assert batch.cards == 10
    assert BatchSize(3).within(100) == 3


def test_a_few_more_than_fit() -> None:
    """Where a page has little room, what probably fits is asked for and a little more."""
    batch = BatchSize(400)
    assert [batch.within(fitting) for fitting in (1000, 80, 0)] == [100, 82, 10]


def test_runs_end_with_the_room() -> None:
    """Each run has as many cards to download as it may, and none comes once there is no room."""
    listed = [Listed(f"/{number}", f"/{number}") for number in range(9)]
    sizes = iter([2, 3, 0])
    runs = list(batches(listed, frozenset({"/1"}), lambda _: next(sizes)))
    assert [[item.path for item in batch.run] for batch in runs] == [["/0", "/1", "/2"], ["/3", "/4", "/5"]]
    assert [len(batch.wanted) for batch in runs] == [2, 3]


async def test_a_quick_server_is_asked_for_more_at_a_time() -> None:
    """A server that answers at once is asked for twice as many each time, up to the setting."""
    server, replica = filled(1200, Oddities()), Replica()
    async with opened(server, replica) as source:
        await replica.follow(source)
    assert asked(server) == [100, 200, 400, 400, 100]
    assert len(replica.contacts) == 1200


async def test_a_slow_server_is_given_small_pages() -> None:
    """Of a server that takes its time no page is more work than a few seconds, and nothing is asked for twice."""
    server, replica = filled(300, Oddities(card_seconds=0.05)), Replica()
    async with opened(server, replica) as source:
        pages = [await source.fetch(None, PageLimits())]
        while not pages[-1].done:
            pages.append(await source.fetch(pages[-1].cursor, PageLimits()))
    assert asked(server) == [100, 50, 25, 25, 25, 25, 25, 25]
    assert [len(page.changes) for page in pages] == [100, 100, 100]
    assert server.fetched == 300


class Watched(list[Answer]):
    """Answers that tell when they are read."""

    def __init__(self, log: list[str]) -> None:
        super().__init__([Answer(207, ROOT, {}, b"")])
        self._log = log

    def __iter__(self) -> Iterator[Answer]:
        """Their reading begins."""
        self._log.append("read")
        return super().__iter__()


async def test_a_request_leaves_before_cards_are_read() -> None:
    """What was asked for ahead takes some turns of the loop to be sent, which the thread that reads would prolong."""
    server, replica, log = OddServer(), Replica(), list[str]()

    async def sent() -> None:
        for _ in range(4):
            await asyncio.sleep(0)
        log.append("sent")

    settings = CardDavSettings(url=ROOT + BOOK)
    async with open_transport(settings.endpoint(Credentials(), replica.addresses, replica.meter), server) as transport:
        asking = asyncio.create_task(sent())
        await Cards(transport, settings, DEFAULT_FIELDS).read(Book(path=BOOK, url=ROOT + BOOK), [], Watched(log))
        await asking
    assert log == ["sent", "read"]
