"""What the store's tests speak in: a connection to commit pages to, and its contacts as a dictionary."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.messages import (
    BackfillRef,
    BackfillResult,
    BackfillTicket,
    CloseBackfill,
    ConnectionRef,
    DecideDeletes,
    DeletesDecided,
    OpenBackfill,
    OpenPass,
    PageHead,
    PageResult,
    PartRef,
    PassTicket,
)
from contactsync.activities.sources.addresses import AddressRules
from contactsync.activities.sources.meter import Meter
from contactsync.activities.store.backfills import Backfills, NewBackfill
from contactsync.activities.store.changes import Alias, CleanChange, Quarantine, Seen, Tombstone, Upsert
from contactsync.activities.store.contacts import Contacts
from contactsync.activities.store.cursors import Cursor, open_cursor, seal_cursor
from contactsync.activities.store.directory import DEFAULT_POLICY, Directory, NewConnection, TenantPolicy
from contactsync.activities.store.holds import Hold, Holds
from contactsync.activities.store.passes import Passes
from contactsync.activities.store.workbench import StoreWorkbench
from contactsync.codecs.keys.ring import KeyRing
from contactsync.postgres import Database, Row

WHO = {"actor": "tester", "reason": "test"}


def upsert(name: str, text: str = "", *, etag: str | None = None, version: int | None = None) -> Upsert:
    """A contact whose content is `text`, with an address made of its name and a phone of its text's length."""
    email, phone = f"{name}@example.com", f"+4930{len(text):06}"
    contact = {"name": {"full": text or name}, "emails": [{"address": email}], "phones": [{"number": phone}]}
    content = json.dumps(contact, separators=(",", ":")).encode()
    return Upsert(name, content, etag=etag, version=version, emails=(email,), phones=(phone,))


def gone(name: str, version: int | None = None) -> Tombstone:
    """A tombstone."""
    return Tombstone(name, version)


def seen(name: str) -> Seen:
    """Listed and unchanged."""
    return Seen(name)


def moved(name: str, to: str, version: int | None = None) -> Alias:
    """Renamed or merged."""
    return Alias(name, to, version)


def bad(name: str, reason: QuarantineReason = QuarantineReason.UNREADABLE) -> Quarantine:
    """Listed and not readable."""
    return Quarantine(name, reason)


class Store:
    """The store's classes on one database."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self.database = database
        self.ring = ring
        self.directory = Directory(database, ring)
        self.passes = Passes(database)
        self.contacts = Contacts(database, ring)
        self.holds = Holds(database)
        self.backfills = Backfills(database, ring)

    async def new_book(self, tenant_id: UUID | None = None, policy: TenantPolicy = DEFAULT_POLICY) -> "Book":
        """A new connection, of a new tenant or of this one."""
        if tenant_id is None:
            tenant_id = (await self.directory.add_tenant("a tenant", policy)).tenant_id
        new = NewConnection(kind="memory", settings={"url": "https://contacts.example/"})
        connection = await self.directory.add_connection(tenant_id, new)
        return Book(self, ConnectionRef(tenant_id=tenant_id, connection_id=connection.connection_id))


@dataclass(frozen=True)
class Book:
    """One connection."""

    store: Store
    ref: ConnectionRef

    async def open(self, pass_id: UUID | None = None) -> PassTicket:
        """A new pass, or the one of this id."""
        request = OpenPass(**self.ref.model_dump(), pass_id=pass_id or uuid4())
        return await self.store.passes.open(request)

    async def head(
        self, ticket: PassTicket, page: int, *, done: bool = False, full: bool = False, generation: int = 1
    ) -> PageHead:
        """The head of a page; its cursor says which page it follows."""
        sealer = await self.store.ring.tenant_sealer(self.ref.tenant_id)
        cursor = Cursor(generation=generation, full=full, source=f"{ticket.epoch}/{page}".encode())
        return PageHead(
            **self.ref.model_dump(),
            epoch=ticket.epoch,
            page=page,
            cursor=seal_cursor(sealer, self.ref.connection_id, cursor),
            done=done,
            full=full,
            generation=generation,
            changes=0,
            downloaded=1,
        )

    async def commit(
        self,
        ticket: PassTicket,
        page: int,
        changes: Sequence[CleanChange],
        *,
        done: bool = False,
        full: bool = False,
        generation: int = 1,
    ) -> PageResult:
        """Commit a page."""
        head = await self.head(ticket, page, done=done, full=full, generation=generation)
        return await self.store.contacts.commit(head, changes)

    async def full_pass(self, pages: Sequence[Sequence[CleanChange]], generation: int) -> list[PageResult]:
        """A complete listing, page by page, to its end."""
        ticket = await self.open()
        return [
            await self.commit(ticket, number, changes, done=number == len(pages), full=True, generation=generation)
            for number, changes in enumerate(pages, 1)
        ]

    async def decide(self, *, approve: bool, hold: Hold | None = None) -> DeletesDecided:
        """Decide on the deletions that are held now, or on these."""
        hold = hold or await self.store.holds.open_hold(self.ref)
        assert hold is not None
        request = DecideDeletes(**self.ref.model_dump(), hold_id=hold.hold_id, approve=approve, actor="tester")
        return await self.store.holds.decide(request)

    async def backfill(
        self,
        new: NewBackfill | None = None,
        *,
        parts: Sequence[bytes | None] = (None,),
        baseline: bytes | None = None,
    ) -> "Filling":
        """A new backfill, opened and planned."""
        backfill = await self.store.backfills.request(self.ref, new or NewBackfill(), actor="tester")
        filling = Filling(self, BackfillRef(**self.ref.model_dump(), backfill_id=backfill.backfill_id))
        await filling.open()
        await filling.plan(parts, baseline=baseline)
        return filling

    async def held(self) -> dict[str, str]:
        """Every live contact's text by source id, as it opens."""
        contacts = self.store.contacts.all_of(self.ref)
        return {each.source_id: json.loads(each.content)["name"]["full"] async for each in contacts}

    async def cursor(self) -> str:
        """The source's own cursor, as the next pass would be given it."""
        ticket = await self.open()
        assert ticket.cursor is not None
        sealer = await self.store.ring.tenant_sealer(self.ref.tenant_id)
        return open_cursor(sealer, self.ref.connection_id, ticket.cursor).source.decode()

    async def found(self, email: str) -> set[str]:
        """The source ids of those that have an e-mail address."""
        contacts = await self.store.contacts.find(self.ref.tenant_id, email=email, **WHO)
        return {contact.source_id for contact in contacts}

    async def set_aside(self) -> dict[str, QuarantineReason]:
        """The quarantine, by source id."""
        entries = await self.store.contacts.quarantined(self.ref, **WHO)
        return {entry.source_id: entry.reason for entry in entries}

    async def rows(self, query: str, *arguments: object) -> list[Row]:
        """What a query finds inside the tenant."""
        async with self.store.database.transaction(self.ref.tenant_id) as connection:
            return await connection.fetch(query, *arguments)

    def workbench(self) -> StoreWorkbench:
        """The connection's workbench."""
        return StoreWorkbench(self.store.database, self.store.ring, self.ref, Meter(), AddressRules())


@dataclass
class Filling:
    """One backfill of a book, and its newest opening."""

    book: Book
    ref: BackfillRef
    epoch: int = 0

    async def open(self, opening_id: UUID | None = None) -> BackfillTicket:
        """A new opening, or the one of this id."""
        request = OpenBackfill(**self.ref.model_dump(), opening_id=opening_id or uuid4())
        ticket = await self.book.store.backfills.open(request)
        self.epoch = ticket.epoch
        return ticket

    async def plan(
        self, parts: Sequence[bytes | None] = (None,), *, baseline: bytes | None = None, total: int | None = None
    ) -> BackfillTicket:
        """Plan it."""
        return await self.book.store.backfills.plan(self.ref, self.epoch, parts, baseline=baseline, total=total)

    async def head(self, page: int, *, part: int = 0, done: bool = False, as_of: int | None = None) -> PageHead:
        """The head of a page of a part, fetched now, or when that generation had swept last."""
        swept = await self.book.store.passes.swept_generation(self.book.ref) if as_of is None else as_of
        return PageHead(
            **self.book.ref.model_dump(),
            epoch=0,
            page=page,
            cursor=b"sealed elsewhere",
            done=done,
            full=True,
            generation=0,
            changes=0,
            downloaded=1,
            part=PartRef(backfill_id=self.ref.backfill_id, epoch=self.epoch, part=part),
            as_of=swept,
        )

    async def commit(
        self, page: int, changes: Sequence[CleanChange], *, part: int = 0, done: bool = False, as_of: int | None = None
    ) -> PageResult:
        """Commit a page of a part."""
        head = await self.head(page, part=part, done=done, as_of=as_of)
        return await self.book.store.backfills.commit(head, changes)

    async def close(self, outcome: str = "completed") -> BackfillResult:
        """End it."""
        request = CloseBackfill(**self.ref.model_dump(), epoch=self.epoch, outcome=outcome)
        return await self.book.store.backfills.close(request)
