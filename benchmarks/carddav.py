"""contactsync and vdirsyncer read the same address books of one Radicale.

vdirsyncer copies cards to a folder as they are; contactsync does all that it does: Temporal, sealed payloads, cleaning,
sealed rows, audit. Each side has users of its own, so that neither finds what the server kept for the other. Before the
first pass the server has read its cards and noted what sync tokens go by. After each pass the copies are looked at.

Options: `cards`.
"""

import sys
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Final, Protocol

import httpx
from benchmarks.contender import Contender, Task
from benchmarks.cpu import cpu_seconds
from benchmarks.options import Options
from benchmarks.results import Figure, Ratio, Result

from contactsync.activities.contacts.contact import Contact, Title
from contactsync.activities.contacts.made_up import made_up_contacts
from contactsync.activities.contacts.vcard_styles import Style
from contactsync.activities.contacts.vcard_writer import to_vcard
from contactsync.activities.messages import ConnectionRef
from contactsync.activities.store.contacts import Contacts
from contactsync.activities.store.directory import NewConnection, TenantPolicy
from contactsync.workers.bootstrap import Parts, opened, temporal_client
from contactsync.workers.demo.run import settings_of
from contactsync.workers.embedded.carddav import CardDavServer, Put
from contactsync.workers.embedded.folders import service_user, temporary_folder
from contactsync.workers.embedded.stack import Stack
from contactsync.workers.syncs import Sync, Syncs

FIRST, UNCHANGED, CHANGED = "first pass", "unchanged pass", "1 % changed pass"
_AIMS: Final[Mapping[str, str]] = {FIRST: "≥ 1.0", UNCHANGED: "≥ 3.0"}
_STYLES: Final = (Style.RFC3, Style.APPLE, Style.GOOGLE, Style.NEXTCLOUD)


@dataclass(frozen=True, slots=True)
class Known:
    """How many cards there are, and what a changed one must show: found by `email`, with this title."""

    cards: int
    email: str
    title: str


@dataclass(frozen=True, slots=True)
class Book:
    """A user's address book on the server."""

    server: CardDavServer
    user: str
    contacts: Sequence[Contact]

    async def fill(self) -> Known:
        """Put all cards there, and have the server read them: all properties are asked for, its sync token too."""
        await self._put(self.contacts, range(len(self.contacts)))
        auth = httpx.BasicAuth(self.user, self.server.password(self.user))
        async with httpx.AsyncClient(auth=auth, timeout=600) as client:
            listing = await client.request("PROPFIND", self.server.book_url(self.user), headers={"depth": "1"})
            listing.raise_for_status()
        return self._known(self.contacts[0])

    async def change(self, word: str) -> Known:
        """Change one card in a hundred."""
        numbers = range(0, len(self.contacts), 100)
        changed = [self.contacts[each].model_copy(update={"titles": (Title(name=word),)}) for each in numbers]
        await self._put(changed, numbers)
        return self._known(changed[0])

    async def _put(self, contacts: Sequence[Contact], numbers: Sequence[int]) -> None:
        cards = zip(numbers, contacts, cycle(_STYLES), strict=False)
        edits = [Put(f"card-{number:05}.vcf", to_vcard(contact, style)) for number, contact, style in cards]
        await self.server.apply(self.user, edits)

    def _known(self, contact: Contact) -> Known:
        return Known(len(self.contacts), contact.emails[0].address, contact.titles[0].name if contact.titles else "")


class Side(Protocol):
    """Somebody who reads an address book."""

    @property
    def name(self) -> str:
        """What it is called in the results."""
        ...

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes above all of its own."""
        ...

    async def run(self, book: Book) -> None:
        """A pass."""
        ...

    async def held(self, book: Book, known: Known) -> tuple[int, bool]:
        """How many contacts it holds, and whether the known one is among them as it is now."""
        ...


class ContactSyncSide:
    """contactsync with a worker of one process; each address book is a connection of a tenant of its own."""

    name = "contactsync"

    def __init__(self, pids: tuple[int, ...], parts: Parts, syncs: Syncs) -> None:
        self.pids = pids
        self._parts = parts
        self._syncs = syncs
        self._open: dict[str, Sync] = {}

    async def run(self, book: Book) -> None:
        """See `Side.run`."""
        sync = self._open.get(book.user) or await self._begun(book)
        result = await self._syncs.result(sync, await self._syncs.sync_now(sync))
        if result.outcome != "completed":
            raise SystemExit(f"a pass of contactsync ended with {result.outcome}")

    async def held(self, book: Book, known: Known) -> tuple[int, bool]:
        """See `Side.held`."""
        sync = self._open[book.user]
        contacts = Contacts(self._parts.database, self._parts.ring)
        counts = await contacts.counts(ConnectionRef(tenant_id=sync.tenant_id, connection_id=sync.connection_id))
        found = await contacts.find(sync.tenant_id, email=known.email, actor="benchmark", reason="comparison")
        titles = [Contact.model_validate_json(each.content).titles for each in found]
        return counts.live, any((held[0].name if held else "") == known.title for held in titles)

    async def _begun(self, book: Book) -> Sync:
        tenant = await self._parts.directory.add_tenant("Measured", TenantPolicy(default_region="DE"))
        settings = {"url": book.server.book_url(book.user), "username": book.user}
        secret = f"file:{book.server.password_file(book.user)}"
        new = NewConnection(kind="carddav", settings=settings, secret_ref=secret, interval_seconds=86_400)
        connection = await self._parts.directory.add_connection(tenant.tenant_id, new)
        self._open[book.user] = Sync(tenant.tenant_id, connection.connection_id, new.kind)
        return self._open[book.user]


class VdirsyncerSide:
    """vdirsyncer; each address book is a folder."""

    name = "vdirsyncer"

    def __init__(self, contender: Contender, folder: Path) -> None:
        self.pids = (contender.pid,)
        self._contender = contender
        self._folder = folder

    async def run(self, book: Book) -> None:
        """See `Side.run`."""
        scheme, rest = book.server.book_url(book.user).split("://", 1)
        url = f"{scheme}://{book.user}:{book.server.password(book.user)}@{rest}"
        await self._contender.run(Task(url, "", book.user, incremental=True, folder=str(self._folder)))

    async def held(self, book: Book, known: Known) -> tuple[int, bool]:
        """See `Side.held`."""
        cards = [each.read_text() for each in (self._folder / book.user / "cards").glob("*.vcf")]
        return len(cards), any(known.email in card and known.title in card for card in cards)


@dataclass(frozen=True, slots=True)
class Taken:
    """A pass: seconds on the clock, of the side's CPU, and of the server's."""

    seconds: float
    cpu: float
    server: float


@dataclass
class Race:
    """What is measured, and what was found: passes by side and name."""

    server: CardDavServer
    contacts: Sequence[Contact]
    found: defaultdict[tuple[str, str], list[Taken]] = field(default_factory=lambda: defaultdict(list[Taken]))

    async def run(self, side: Side, user: str, contacts: Sequence[Contact], *, counts: bool) -> None:
        """A side's three passes over an address book of its own."""
        book = Book(self.server, user, contacts)
        known = await book.fill()
        await self._pass(side, book, known, FIRST, counts=counts)
        await self._pass(side, book, known, UNCHANGED, counts=counts)
        known = await book.change(f"Changed for {user}")
        await self._pass(side, book, known, CHANGED, counts=counts)

    async def _pass(self, side: Side, book: Book, known: Known, name: str, *, counts: bool) -> None:
        pids, server = side.pids, (self.server.child.pid,)
        before, served, began = cpu_seconds(pids), cpu_seconds(server), time.perf_counter()
        await side.run(book)
        taken = Taken(time.perf_counter() - began, cpu_seconds(pids) - before, cpu_seconds(server) - served)
        told = f"{taken.seconds:.2f} s, CPU {taken.cpu:.2f} s, the server's {taken.server:.2f} s"
        print(f"  {side.name}, {name}: {told}", file=sys.stderr, flush=True)
        if await side.held(book, known) != (known.cards, True):
            raise SystemExit(f"{side.name} does not hold what there is after its {name}")
        if counts:
            self.found[side.name, name].append(taken)


async def measure(options: Options) -> Result:
    """Both sides' passes, in turns, after small ones that warm everything up."""
    cards = options.number("cards", usual=5_000, quick=300)
    times = options.times(5)
    async with _race(times, cards) as (race, sides, version):
        for side in sides:
            await race.run(side, _user(side, 0), race.contacts[:100], counts=False)
        for run in range(1, times + 1):
            for side in sides if run % 2 else reversed(sides):
                await race.run(side, _user(side, run), race.contacts, counts=True)
    given = {"cards": cards, "runs": times, "vdirsyncer is": version}
    return Result("carddav", given, tuple(_figures(race.found)), tuple(_ratios(race.found)), _NOTES)


def _figures(found: Mapping[tuple[str, str], Sequence[Taken]]) -> list[Figure]:
    figures: list[Figure] = []
    for (side, name), taken in found.items():
        figures.append(Figure(f"{side}: {name}", "s", tuple(each.seconds for each in taken)))
        figures.append(Figure(f"{side}: {name}, CPU", "s", tuple(each.cpu for each in taken)))
        figures.append(Figure(f"{side}: {name}, CPU of Radicale", "s", tuple(each.server for each in taken)))
    return figures


def _ratios(found: Mapping[tuple[str, str], Sequence[Taken]]) -> list[Ratio]:
    ratios: list[Ratio] = []
    for name in (FIRST, UNCHANGED, CHANGED):
        ours, theirs = found["contactsync", name], found["vdirsyncer", name]
        clock = median(each.seconds for each in theirs) / median(each.seconds for each in ours)
        cpu = median(each.cpu + each.server for each in theirs) / median(each.cpu + each.server for each in ours)
        ratios.append(Ratio(f"{name}: contactsync / vdirsyncer", clock, _AIMS.get(name, "")))
        ratios.append(Ratio(f"{name}: contactsync / vdirsyncer, by CPU, Radicale's too", cpu))
    return ratios


def _user(side: Side, run: int) -> str:
    return f"{side.name}{run}"


_NOTES: Final = (
    "Ratios are of speeds. vdirsyncer's start (half a second a run of its command) is left out.",
    "CPU of contactsync is that of its worker, Temporal and PostgreSQL.",
)


@asynccontextmanager
async def _race(times: int, cards: int) -> AsyncGenerator[tuple[Race, tuple[Side, ...], str]]:
    """Servers, a worker and the contender, until the block ends."""
    async with AsyncExitStack() as running:
        folder = running.enter_context(temporary_folder(service_user()))
        memory = running.enter_context(temporary_folder(in_memory=True))  # Radicale writes many small files
        users = [f"{side}{run}" for side in ("contactsync", "vdirsyncer") for run in range(times + 1)]
        server = await CardDavServer.start(memory / "carddav", users)
        running.push_async_callback(server.stop)
        stack = await running.enter_async_context(Stack.running(folder / "stack"))
        worker = await stack.start_worker()
        running.push_async_callback(worker.stop)
        settings = settings_of(stack)
        parts = await running.enter_async_context(opened(settings))
        syncs = Syncs(await temporal_client(settings, parts.ring), settings.task_queue)
        copies = folder / "copies"
        copies.mkdir()
        contender = await running.enter_async_context(Contender.running("vdirsyncer_folder", copies))
        postgres = stack.postgres.child.pid
        ours = ContactSyncSide((worker.pid, stack.temporal.child.pid, postgres), parts, syncs)
        race = Race(server, made_up_contacts(cards, 1))
        yield race, (ours, VdirsyncerSide(contender, copies)), contender.version
