"""A connection to the simulator: its passes page by page, through the activities and a real store.

Nothing here knows a rule of the engine. It does what a workflow does, and lets a test do things in between.
"""

import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID, uuid4

from temporalio.testing import ActivityEnvironment

from contactsync.activities.cleaning import Cleaning
from contactsync.activities.fetching import Fetching
from contactsync.activities.gathering import Gathering
from contactsync.activities.messages import (
    ConnectionRef,
    Counts,
    FetchRequest,
    OpenPass,
    Page,
    PageResult,
    PassTicket,
)
from contactsync.activities.pages import load_raw
from contactsync.activities.sources.addresses import AddressRules
from contactsync.activities.sources.simulator.clock import VirtualClock
from contactsync.activities.sources.simulator.face import serving
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.activities.sources.simulator.settings_file import Tables, rest_settings
from contactsync.activities.sources.source import PageLimits
from contactsync.activities.store.backfills import Backfills
from contactsync.activities.store.contacts import Contacts
from contactsync.activities.store.directory import Directory, NewConnection, TenantPolicy
from contactsync.activities.store.holds import Holds
from contactsync.activities.store.passes import Passes
from contactsync.activities.storing import Storing
from contactsync.codecs.keys.ring import KeyRing
from contactsync.postgres import Database

Sent = TypeVar("Sent")
Answered = TypeVar("Answered")

LOOPBACK = AddressRules(("127.0.0.0/8",))
MOST_PAGES = 2_000
ONE_BY_ONE = Gathering(seconds=0.0)
"""Each page of the source is a page of the engine's, so that a test can do things in between."""


@dataclass(slots=True)
class Platform:
    """The activities on one database. `hours` moves the engine's own clock on; `gathering` as `Fetching` has it."""

    database: Database
    ring: KeyRing
    hours: float = 0.0
    page_rows: int = 100
    gathering: Gathering = ONE_BY_ONE

    @property
    def directory(self) -> Directory:
        """Tenants and connections."""
        return Directory(self.database, self.ring)

    @property
    def contacts(self) -> Contacts:
        """Contacts."""
        return Contacts(self.database, self.ring)

    @property
    def fetching(self) -> Fetching:
        """The fetching activity."""
        return Fetching(
            self.database,
            self.ring,
            PageLimits(rows=self.page_rows),
            LOOPBACK,
            clock=lambda: time.time() + self.hours * 3600,
            gathering=self.gathering,
        )

    @property
    def storing(self) -> Storing:
        """The writing activities."""
        backfills, holds = Backfills(self.database, self.ring), Holds(self.database)
        return Storing(self.contacts, Passes(self.database), self.directory, backfills, holds)

    @asynccontextmanager
    async def reading(
        self,
        provider: Provider,
        *,
        paging: str = "cursor",
        further: Mapping[str, Tables] | None = None,
        policy: TenantPolicy | None = None,
    ) -> "AsyncGenerator[Link]":
        """A new tenant's connection to this provider, which is served for as long as the block runs."""
        tenant = await self.directory.add_tenant("Tenant of a test", policy or TenantPolicy(default_region="DE"))
        async with serving(provider) as url:
            settings = rest_settings(url, paging, further, page_size=self.page_rows)
            connection = await self.directory.add_connection(
                tenant.tenant_id, NewConnection(kind="rest", settings=settings)
            )
            yield Link(self, provider, tenant.tenant_id, connection.connection_id)


@dataclass(slots=True)
class Synced:
    """What a pass did, or its part until it was broken off."""

    counts: Counts = field(default_factory=Counts)
    pages: list[Page] = field(default_factory=list[Page])

    @property
    def is_done(self) -> bool:
        """Whether it came to its end."""
        return bool(self.pages) and self.pages[-1].head.done


@dataclass(slots=True)
class Link:
    """One connection. `waits`: the times for which source or budget asked; `read`: the ids on the last page."""

    platform: Platform
    provider: Provider
    tenant_id: UUID
    connection_id: UUID
    waits: list[float] = field(default_factory=list[float])
    read: frozenset[str] = frozenset()

    @property
    def ref(self) -> ConnectionRef:
        """Its name."""
        return ConnectionRef(tenant_id=self.tenant_id, connection_id=self.connection_id)

    async def open(self) -> PassTicket:
        """A new pass, as a worker opens it that knows nothing but the database."""
        return await _run(self.platform.storing.open_pass, OpenPass(**self.ref.model_dump(), pass_id=uuid4()))

    async def fetch(self, ticket: PassTicket, number: int, cursor: bytes | None) -> Page:
        """A page, after as many waits as it takes."""
        request = FetchRequest(**self.ref.model_dump(), epoch=ticket.epoch, page=number, cursor=cursor)
        while (page := await _run(self.platform.fetching.fetch_page, request)).head.wait_seconds > 0:
            self.waits.append(page.head.wait_seconds)
            await self.let_pass(page.head.wait_seconds)
        return page

    async def write(self, page: Page) -> PageResult:
        """Cleans and commits a page."""
        self.read = frozenset(record.id for record in load_raw(page.body))
        clean = await _run(Cleaning(self.platform.directory).sanitize_page, page)
        return await _run(self.platform.storing.upsert_page, clean)

    async def sync(self, *, between: Callable[[int], None] | None = None, crash_after: int | None = None) -> Synced:
        """A pass. `between` is called after each page with its number; after `crash_after` pages all is dropped."""
        ticket, synced = await self.open(), Synced()
        cursor = ticket.cursor
        for number in range(1, MOST_PAGES):
            page = await self.fetch(ticket, number, cursor)
            result = await self.write(page)
            synced = Synced(synced.counts.plus(result.counts), [*synced.pages, page])
            cursor = page.head.cursor
            if between is not None:
                between(number)
            if page.head.done or number == crash_after:
                return synced
        raise AssertionError("the pass does not end")

    async def settle(self, *, passes: int = 20) -> None:
        """Passes until one says nothing new."""
        for _ in range(passes):
            counts = (await self.sync()).counts
            if counts.added + counts.updated + counts.deleted + counts.held == 0:
                return
        raise AssertionError("every pass brings something")

    async def copy(self) -> dict[str, int]:
        """What is held: id → version."""
        held = self.platform.contacts.all_of(self.ref)
        return {contact.source_id: version_of(contact.content) async for contact in held}

    async def people(self) -> dict[str, UUID]:
        """What is held: id → the platform's own id of the person."""
        held = self.platform.contacts.all_of(self.ref)
        return {contact.source_id: contact.contact_id async for contact in held}

    def truth(self) -> dict[str, int]:
        """What there is: id → version."""
        return dict(self.provider.live())

    async def let_pass(self, seconds: float) -> None:
        """Time passes: at the provider, and in the budgets."""
        assert isinstance(self.provider.clock, VirtualClock)
        self.provider.clock.advance(seconds)
        async with self.platform.database.transaction(self.tenant_id) as connection:
            await connection.execute(
                "UPDATE contactsync.budget SET blocked_until = blocked_until - $1 * interval '1 second',"
                " counted_at = counted_at - $1 * interval '1 second', windows = '[]'",
                seconds,
            )


async def _run(work: Callable[[Sent], Awaitable[Answered]], argument: Sent) -> Answered:
    """Runs an activity as a worker does."""
    return await ActivityEnvironment().run(work, argument)


def version_of(content: bytes) -> int:
    """The version that the title of a made-up contact ends in."""
    titles: list[dict[str, str]] = json.loads(content)["titles"]
    return int(titles[0]["name"].rpartition("r")[2])
