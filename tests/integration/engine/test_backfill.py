"""Backfills through real Temporal into real PostgreSQL, beside the live sync of the same connection."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from temporalio.client import WorkflowHandle
from tests.integration.engine.conftest import Engine

from contactsync.activities.contacts.contact import Contact
from contactsync.activities.contacts.made_up import made_up_contacts
from contactsync.activities.messages import BackfillResult, ConnectionRef, PauseRequest
from contactsync.activities.sources.memory import AddressBook, shared
from contactsync.activities.store.backfills import Backfill as BackfillRow
from contactsync.activities.store.backfills import NewBackfill
from contactsync.workers.backfills import BackfillRun, BackfillRuns
from contactsync.workers.syncs import Sync
from contactsync.workflows.backfill import Backfill

CONTACTS = 600


@dataclass(frozen=True, slots=True)
class Filling:
    """A connection that is backfilled."""

    engine: Engine
    sync: Sync

    @property
    def ref(self) -> ConnectionRef:
        """The connection."""
        return ConnectionRef(tenant_id=self.sync.tenant_id, connection_id=self.sync.connection_id)

    async def start(self, new: NewBackfill | None = None) -> WorkflowHandle[Backfill, BackfillResult]:
        """Request a backfill and start its workflow."""
        syncs = self.engine.syncs
        asked = await self.engine.parts.backfills.request(self.ref, new or NewBackfill(), actor="test")
        run = BackfillRun(self.sync, asked.backfill_id, asked.number)
        await BackfillRuns(syncs.client, syncs.task_queue).start(run)
        return syncs.client.get_workflow_handle_for(Backfill.run, run.workflow_id)

    async def row(self) -> BackfillRow:
        """What the database says of the newest backfill."""
        row = await self.engine.parts.backfills.latest(self.ref)
        assert row is not None
        return row

    async def pages_done(self, pages: int) -> None:
        """Wait until so many pages are committed."""
        async with asyncio.timeout(60):
            while (await self.row()).counts.pages < pages:  # noqa: ASYNC110  # rows tell nobody that they change
                await asyncio.sleep(0.02)

    async def versions(self) -> dict[str, UUID]:
        """The rows there are: source id and contact id."""
        return {held.source_id: held.contact_id async for held in self.engine.parts.contacts.all_of(self.ref)}


def book_of(contacts: list[Contact]) -> AddressBook:
    """An address book with these contacts."""
    return AddressBook({f"{number:05}": contact for number, contact in enumerate(contacts)})


async def test_a_backfill_brings_everything_and_live_sync_goes_on_from_its_baseline(engine: Engine) -> None:
    """A connection that never synced: the parts bring all contacts, and the first live pass brings what came since."""
    *contacts, late, edited = made_up_contacts(CONTACTS + 2, 5)
    book = book_of(contacts)
    with shared(book) as name:
        filling = Filling(engine, await engine.connect(await engine.tenant(), {"shared": name}))
        handle = await filling.start()
        await filling.pages_done(2)
        book.put("late", late)
        book.put("00003", edited)
        book.delete("00004")
        result = await handle.result()
        live = await engine.sync(filling.sync)
        assert set(await filling.versions()) == set(book.ids())
    assert (result.outcome, live.outcome) == ("completed", "completed")
    assert live.counts.pages == 1
    assert live.counts.downloaded <= 2
    row = await filling.row()
    assert (row.state, row.parts_done, row.parts) == ("completed", row.parts, row.parts)
    assert row.counts == result.counts


async def test_a_second_backfill_changes_nothing(engine: Engine) -> None:
    """No row is added, updated or deleted, and every row keeps its contact."""
    filling = Filling(engine, await engine.connect(await engine.tenant(), {"made_up": CONTACTS}))
    await (await filling.start()).result()
    before = await filling.versions()
    again = await (await filling.start()).result()
    assert (again.outcome, again.counts.unchanged) == ("completed", CONTACTS)
    assert (again.counts.added, again.counts.updated, again.counts.deleted) == (0, 0, 0)
    assert await filling.versions() == before


async def test_live_sync_goes_on_beside_a_backfill_and_both_end_equal_to_the_source(engine: Engine) -> None:
    """Edits, deletions and new contacts arrive by live passes while pages are read for the backfill."""
    *contacts, spare = made_up_contacts(CONTACTS + 1, 6)
    book = book_of(contacts)
    with shared(book) as name:
        filling = Filling(engine, await engine.connect(await engine.tenant(), {"shared": name}))
        await engine.sync(filling.sync)
        handle = await filling.start(NewBackfill(rows_per_second=500.0))
        for number in range(4):
            book.delete(f"{number:05}")
            book.put(f"new-{number}", spare)
            book.put(f"{100 + number:05}", contacts[number])
            assert (await engine.sync(filling.sync)).outcome == "completed"
        assert (await handle.result()).outcome == "completed"
        assert set(await filling.versions()) == set(book.ids())
        assert (await engine.sync(filling.sync)).counts.downloaded == 0


async def test_a_backfill_finds_what_no_cursor_tells_of(engine: Engine) -> None:
    """Contacts that vanished without a tombstone are swept when all parts are read, and no others."""
    book = book_of(list(made_up_contacts(CONTACTS, 7)))
    with shared(book) as name:
        filling = Filling(engine, await engine.connect(await engine.tenant(), {"shared": name}))
        await engine.sync(filling.sync)
        for number in (3, 200, 599):
            book.delete(f"{number:05}")
        book.expire_cursors()
        result = await (await filling.start()).result()
        assert set(await filling.versions()) == set(book.ids())
    assert (result.outcome, result.counts.deleted) == ("completed", 3)


async def test_a_dry_run_only_counts(engine: Engine) -> None:
    """It says what it would have added; no row is there after it, and no cursor either."""
    filling = Filling(engine, await engine.connect(await engine.tenant(), {"made_up": 300}))
    result = await (await filling.start(NewBackfill(dry_run=True))).result()
    assert (result.outcome, result.counts.added) == ("completed", 300)
    assert await filling.versions() == {}
    assert not (await engine.parts.passes.progress(filling.ref)).started


async def test_a_paused_backfill_says_so_in_the_database_and_goes_on_where_it_was(engine: Engine) -> None:
    """Pause, resume, and in the end each page was committed once."""
    filling = Filling(engine, await engine.connect(await engine.tenant(), {"made_up": CONTACTS}))
    handle = await filling.start(NewBackfill(window=1))
    await filling.pages_done(1)
    await handle.signal(Backfill.pause, PauseRequest(reason="maintenance"))
    async with asyncio.timeout(30):
        while not (await filling.row()).paused:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.02)
    pages = (await filling.row()).counts.pages
    await handle.signal(Backfill.resume)
    result = await handle.result()
    assert pages < result.counts.pages == CONTACTS / 100
    assert (result.outcome, result.counts.added) == ("completed", CONTACTS)


async def test_a_cancelled_backfill_ends_and_keeps_what_it_brought(engine: Engine) -> None:
    """What was committed stays, nothing is swept, and another backfill may begin."""
    filling = Filling(engine, await engine.connect(await engine.tenant(), {"made_up": CONTACTS}))
    handle = await filling.start(NewBackfill(rows_per_second=100.0))
    await filling.pages_done(1)
    await handle.cancel()
    result = await handle.result()
    assert (result.outcome, (await filling.row()).state) == ("cancelled", "cancelled")
    assert len(await filling.versions()) == result.counts.added >= 100
    assert (await (await filling.start()).result()).outcome == "completed"
    assert len(await filling.versions()) == CONTACTS


async def test_a_terminated_backfill_goes_on_where_it_was(engine: Engine) -> None:
    """A new workflow of the same id opens it anew and commits no page a second time."""
    filling = Filling(engine, await engine.connect(await engine.tenant(), {"made_up": CONTACTS}))
    handle = await filling.start(NewBackfill(rows_per_second=300.0))
    await filling.pages_done(3)
    await handle.terminate()
    result = await (await filling.start()).result()
    assert (result.outcome, result.counts.added, result.counts.pages) == ("completed", CONTACTS, CONTACTS / 100)
    assert (await filling.row()).number == 1
