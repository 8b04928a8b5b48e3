"""Backfills beside live sync: resumable, repeatable, and always older than what live sync writes."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from tests.integration.store.address_book import Book, Store, bad, gone, upsert

from contactsync.activities.messages import BackfillRef, Counts, PartRef
from contactsync.activities.sources.addresses import AddressRules
from contactsync.activities.sources.meter import Meter
from contactsync.activities.store.backfills import NewBackfill
from contactsync.activities.store.changes import CleanChange
from contactsync.activities.store.cursors import open_cursor
from contactsync.activities.store.directory import TenantPolicy
from contactsync.activities.store.workbench import StoreWorkbench
from contactsync.errors import BackfillNotFound, ConnectionNotFound, CursorExpired, StalePass
from contactsync.postgres import Row

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


async def live(book: Book, changes: Sequence[CleanChange]) -> None:
    """A pass of one page."""
    await book.commit(await book.open(), 1, changes, done=True)


async def test_a_backfill_from_its_request_to_its_end(book: Book) -> None:
    """Requested, opened, planned, committed part by part, closed: its counts are the sum of its pages and its sweep."""
    await book.full_pass([[upsert("ada"), upsert("ben"), upsert("cid")]], generation=1)
    requested = await book.store.backfills.request(book.ref, NewBackfill(window=2), actor="tester")
    assert (requested.number, requested.state, requested.is_new) == (1, "requested", True)
    filling = await book.backfill(parts=[None, b"second"])
    assert filling.ref.backfill_id == requested.backfill_id
    first = await filling.commit(1, [upsert("ada"), upsert("ben", "changed")])
    last = await filling.commit(2, [upsert("new")], done=True)
    other = await filling.commit(1, [bad("odd")], part=1, done=True)
    result = await filling.close()
    sum_of_pages = first.counts.plus(last.counts).plus(other.counts)
    assert result.counts == sum_of_pages.plus(Counts(deleted=1))
    assert sum_of_pages == Counts(pages=3, downloaded=3, added=1, updated=1, unchanged=1, quarantined=1)
    backfill = await book.store.backfills.get(book.ref, requested.backfill_id)
    assert (backfill.state, backfill.parts, backfill.parts_done, backfill.window) == ("completed", 2, 2, 2)
    assert backfill.counts == result.counts
    assert await book.held() == {"ada": "ada", "ben": "changed", "new": "new"}
    assert await filling.close() == result
    assert await filling.close("cancelled") == result


async def test_one_backfill_at_a_time(book: Book) -> None:
    """While one is under way a request answers with it; after its end the next has the next number."""
    filling = await book.backfill()
    again = await book.store.backfills.request(book.ref, NewBackfill(dry_run=True), actor="tester")
    assert (again.backfill_id, again.is_new, again.dry_run) == (filling.ref.backfill_id, False, False)
    await filling.close("cancelled")
    new = await book.store.backfills.request(book.ref, NewBackfill(dry_run=True), actor="tester")
    assert (new.number, new.is_new) == (2, True)
    assert [each.state for each in await book.store.backfills.list(book.ref)] == ["requested", "cancelled"]
    latest = await book.store.backfills.latest(book.ref)
    assert latest is not None
    assert latest.backfill_id == new.backfill_id


async def test_a_page_twice_is_one_page(book: Book) -> None:
    """The last page of a part answers the same again; pages out of order, and pages of no part, are refused."""
    filling = await book.backfill(parts=[None, None])
    first = await filling.commit(1, [upsert("ada")])
    assert await filling.commit(1, [upsert("ben")]) == first
    with pytest.raises(StalePass):
        await filling.commit(3, [upsert("ben")])
    await filling.commit(2, [], done=True)
    for page, part in ((1, 0), (3, 0), (1, 2)):
        with pytest.raises(StalePass):
            await filling.commit(page, [upsert("ben")], part=part)
    assert await book.held() == {"ada": "ada"}
    with pytest.raises(StalePass):
        await book.store.backfills.commit(await book.head(await book.open(), 1), [])


async def test_another_opening_takes_over(book: Book) -> None:
    """What still runs for an older opening is refused; its parts go on where the last commits were."""
    filling = await book.backfill(parts=[None, b"x"])
    opening = uuid4()
    ticket = await filling.open(opening)
    head = await filling.head(1)
    await filling.commit(1, [upsert("ada")])
    assert (await filling.open(opening)).epoch == ticket.epoch
    newer = await filling.open()
    assert newer.epoch == ticket.epoch + 1
    assert [(each.page, each.done) for each in newer.parts] == [(1, False), (0, False)]
    with pytest.raises(StalePass):
        await book.store.backfills.commit(head, [upsert("ben")])
    with pytest.raises(StalePass):
        await filling.open(opening)
    filling.epoch = ticket.epoch
    for refused in (filling.plan(), filling.close(), filling.close("cancelled")):
        with pytest.raises(StalePass):
            await refused


async def test_the_first_plan_wins(book: Book) -> None:
    """A second plan answers with the first; parts have the source's cursors, sealed, and none where none was given."""
    filling = await book.backfill(parts=[None, b"secret cursor"])
    ticket = await filling.plan([b"another"])
    assert len(ticket.parts) == 2
    assert ticket.parts[0].cursor is None
    sealed = ticket.parts[1].cursor
    assert sealed is not None
    assert b"secret" not in sealed
    sealer = await book.store.ring.tenant_sealer(book.ref.tenant_id)
    cursor = open_cursor(sealer, book.ref.connection_id, sealed)
    assert (cursor.source, cursor.full) == (b"secret cursor", True)


@pytest.mark.parametrize(
    ("new", "is_set"),
    [(NewBackfill(), True), (NewBackfill(dry_run=True), False), (NewBackfill(since=SINCE), False)],
)
async def test_live_sync_begins_at_the_baseline(book: Book, new: NewBackfill, is_set: bool) -> None:
    """A connection without a cursor gets the baseline, but not from a backfill that brings less than everything."""
    await book.backfill(new, baseline=b"the present")
    ticket = await book.open()
    assert (ticket.cursor is not None) is is_set
    assert not is_set or await book.cursor() == "the present"


async def test_a_connection_that_has_a_cursor_keeps_it(book: Book) -> None:
    """Live sync goes on where it was, whatever a backfill's baseline."""
    await live(book, [])
    await book.backfill(baseline=b"the present")
    assert await book.cursor() == "1/1"


async def test_p13_a_backfill_never_overwrites_a_newer_live_row(book: Book) -> None:
    """P13: what a live pass wrote that ran, or began, since the plan stays; what stood there before is replaced."""
    await live(book, [upsert("ada", "old"), upsert("ben", "old"), upsert("cid", "old")])
    running = await book.open()
    await book.commit(running, 1, [upsert("ada", "of the running pass")])
    filling = await book.backfill()
    page = [upsert(name, "of the backfill") for name in ("ada", "ben", "cid", "dan")]
    head = await filling.head(1, done=True)
    await book.commit(running, 2, [gone("dan")], done=True)
    await live(book, [upsert("ben", "of the next pass")])
    result = await book.store.backfills.commit(head, page)
    assert await book.held() == {"ada": "of the running pass", "ben": "of the next pass", "cid": "of the backfill"}
    assert (result.counts.updated, result.counts.added) == (1, 0)


async def test_p13_versions_decide_before_anything_else(book: Book) -> None:
    """P13: a newer version wins though the backfill read it, and stays when an older live page comes after it."""
    await live(book, [upsert("ada", "5", version=5), upsert("ben", "5", version=5)])
    running = await book.open()
    filling = await book.backfill()
    await filling.commit(1, [upsert("ada", "7", version=7), upsert("ben", "4", version=4)])
    await book.commit(running, 1, [upsert("ada", "6", version=6)], done=True)
    assert await book.held() == {"ada": "7", "ben": "5"}


async def test_a_late_page_brings_nothing_back_that_a_listing_found_gone(book: Book) -> None:
    """A page read before a complete listing swept is asked for again, and nothing of it is written."""
    filling = await book.backfill()
    head = await filling.head(1)
    generation = await book.store.passes.next_generation(book.ref)
    await book.full_pass([[upsert("ben")]], generation)
    result = await book.store.backfills.commit(head, [upsert("deleted meanwhile")])
    assert (result.redo, result.done, result.counts) == (True, False, Counts())
    assert await book.held() == {"ben": "ben"}
    again = await filling.commit(1, [upsert("ben")], done=True)
    assert (again.redo, again.counts.unchanged) == (False, 1)


async def test_a_sweep_spares_what_live_sync_saw(book: Book) -> None:
    """At its end a backfill sweeps what it did not list, unless live sync observed it since the plan."""
    await live(book, [upsert("ada"), upsert("ben")])
    filling = await book.backfill()
    await filling.commit(1, [upsert("ada")], done=True)
    await live(book, [upsert("new")])
    assert (await filling.close()).counts.deleted == 1
    assert set(await book.held()) == {"ada", "new"}


async def test_a_live_listing_spares_what_a_younger_backfill_saw(book: Book) -> None:
    """A listing that began before the backfill does not sweep what the backfill added, and its pages do not make
    those contacts older."""
    await live(book, [upsert("ada", version=9)])
    generation = await book.store.passes.next_generation(book.ref)
    ticket = await book.open()
    filling = await book.backfill()
    await filling.commit(1, [upsert("ada", version=9), upsert("ben")])
    await book.commit(ticket, 1, [upsert("ada", "stale", version=8)], full=True, generation=generation)
    await book.commit(ticket, 2, [], done=True, full=True, generation=generation)
    assert set(await book.held()) == {"ada", "ben"}
    await filling.commit(2, [], done=True)
    assert (await filling.close()).counts.deleted == 0
    assert set(await book.held()) == {"ada", "ben"}


async def test_generations_are_given_out_once(book: Book) -> None:
    """Listings and backfills draw from one counter, which a page of an older listing does not turn back."""
    first = await book.store.passes.next_generation(book.ref)
    await book.backfill()
    third = await book.store.passes.next_generation(book.ref)
    assert (first, third) == (1, 3)
    await book.full_pass([[upsert("ada")]], generation=first)
    assert await book.store.passes.next_generation(book.ref) == 4
    assert await book.store.passes.swept_generation(book.ref) == first
    other = book.ref.model_copy(update={"connection_id": uuid4()})
    for ask in (book.store.passes.next_generation, book.store.passes.swept_generation):
        with pytest.raises(ConnectionNotFound):
            await ask(other)


@pytest.mark.parametrize(
    ("new", "outcome"),
    [(NewBackfill(since=SINCE), "completed"), (NewBackfill(dry_run=True), "completed"), (None, "cancelled")],
)
async def test_only_a_complete_listing_sweeps(book: Book, new: NewBackfill | None, outcome: str) -> None:
    """One `since`, a dry run and one that was cancelled delete nothing."""
    await live(book, [upsert("ada"), upsert("ben")])
    filling = await book.backfill(new)
    await filling.commit(1, [upsert("ada")], done=True)
    result = await filling.close(outcome)
    assert (result.outcome, result.counts.deleted) == (outcome, 0)
    assert set(await book.held()) == {"ada", "ben"}


async def test_a_backfill_with_open_parts_is_not_completed(book: Book) -> None:
    """Neither one that was never planned nor one with an unfinished part can be completed; nothing is swept."""
    await live(book, [upsert("ada")])
    filling = await book.backfill(parts=[None, None])
    await filling.commit(1, [], done=True)
    with pytest.raises(StalePass):
        await filling.close()
    assert set(await book.held()) == {"ada"}


async def test_a_backfills_sweep_asks_the_guard(store: Store) -> None:
    """Deletions of a backfill, tombstones and sweep together, are held beyond the threshold; it completes all the
    same, and approval deletes them."""
    book = await store.new_book(policy=TenantPolicy(delete_floor=1, delete_count=3))
    await live(book, [upsert(f"c{number}") for number in range(20)])
    filling = await book.backfill()
    first = await filling.commit(1, [gone("c0"), gone("c1")])
    assert first.counts.deleted == 2
    await filling.commit(2, [upsert(f"c{number}") for number in range(4, 20)], done=True)
    result = await filling.close()
    assert (result.outcome, result.counts.deleted, result.counts.held) == ("completed", 2, 2)
    assert len(await book.held()) == 18
    assert (await book.decide(approve=True)).contacts == 2
    assert len(await book.held()) == 16


async def everything(book: Book) -> list[list[Row]]:
    """The rows of live sync, and where they stand in their files."""
    return [
        await book.rows("SELECT ctid::text, t::text FROM contactsync.contact t ORDER BY 1"),
        await book.rows("SELECT ctid::text, t::text FROM contactsync.contact_lookup t ORDER BY 1"),
        await book.rows("SELECT ctid::text, t::text FROM contactsync.quarantine t ORDER BY 1"),
        await book.rows("SELECT ctid::text, t::text FROM contactsync.progress t ORDER BY 1"),
        await book.rows("SELECT ctid::text, t::text FROM contactsync.delete_hold t ORDER BY 1"),
    ]


async def test_a_dry_run_touches_nothing(book: Book) -> None:
    """It counts what it would do; contacts, look-ups, quarantine, progress, holds and audit stay as they were."""
    await live(book, [upsert("ada"), upsert("ben", "old"), bad("odd")])
    before = await everything(book)
    filling = await book.backfill(NewBackfill(dry_run=True))
    page = [upsert("ada"), upsert("ben", "new"), upsert("cid"), upsert("odd"), gone("x"), bad("ada")]
    result = await filling.commit(1, page, done=True)
    assert await filling.commit(1, page, done=True) == result
    expected = Counts(pages=1, downloaded=1, added=2, updated=1, unchanged=1, quarantined=1)
    assert result.counts == expected
    assert (await filling.close()).counts == expected
    assert await everything(book) == before


async def test_running_it_twice_changes_nothing(book: Book) -> None:
    """A second backfill of an unchanged source finds everything unchanged."""
    page = [upsert("ada"), upsert("ben", version=3), bad("odd")]
    for expected in (Counts(pages=1, downloaded=1, added=2, quarantined=1), None):
        filling = await book.backfill()
        await filling.commit(1, page, done=True)
        result = await filling.close()
        if expected:
            assert result.counts == expected
    assert result.counts == Counts(pages=1, downloaded=1, unchanged=2, quarantined=1)
    assert (await book.store.backfills.latest(book.ref)) is not None


async def test_a_backfill_leaves_newer_quarantine_alone(book: Book) -> None:
    """What a live page could not read since is still set aside when the backfill brings an older state of it, and
    what live sync read well is not set aside because the backfill could not."""
    await live(book, [upsert("ada", "old"), upsert("ben")])
    filling = await book.backfill()
    await live(book, [bad("ada"), upsert("ben", "new")])
    await filling.commit(1, [upsert("ada", "older than its trouble"), bad("ben")], done=True)
    assert set(await book.set_aside()) == {"ada"}


async def test_pause_is_recorded(book: Book) -> None:
    """A paused backfill says so, in its ticket too; one that has ended is not paused any more."""
    filling = await book.backfill()
    await book.store.backfills.set_paused(filling.ref, True, actor="tester")
    await book.store.backfills.set_paused(filling.ref, True, actor="tester")
    paused = await book.store.backfills.get(book.ref, filling.ref.backfill_id)
    assert (paused.state, paused.paused, paused.is_under_way) == ("paused", True, True)
    assert (await filling.open()).state == "paused"
    await book.store.backfills.set_paused(filling.ref, False, actor="tester")
    assert (await filling.open()).state == "running"
    await book.store.backfills.set_paused(filling.ref, True, actor="tester")
    await filling.close("cancelled")
    await book.store.backfills.set_paused(filling.ref, True, actor="tester")
    ended = await book.store.backfills.get(book.ref, filling.ref.backfill_id)
    assert (ended.state, ended.paused) == ("cancelled", False)
    assert (await filling.open()).state == "cancelled"
    rows = await book.rows("SELECT entry::jsonb ->> 'kind' AS kind FROM audit.entry ORDER BY seq")
    kinds = [row["kind"] for row in rows if row["kind"].startswith("backfill")]
    assert kinds == [
        "backfill_requested",
        "backfill_paused",
        "backfill_resumed",
        "backfill_paused",
        "backfill_ended",
    ]


async def test_what_is_not_there(store: Store) -> None:
    """Unknown backfills, other connections' and other tenants' are not found."""
    book, other = await store.new_book(), await store.new_book()
    filling = await book.backfill()
    for ref in (book.ref.model_copy(update={"connection_id": uuid4()}), other.ref):
        with pytest.raises(BackfillNotFound):
            await store.backfills.get(ref, filling.ref.backfill_id)
    with pytest.raises(BackfillNotFound):
        await store.backfills.set_paused(
            BackfillRef(**other.ref.model_dump(), backfill_id=filling.ref.backfill_id), True, actor="tester"
        )
    nobody = book.ref.model_copy(update={"connection_id": uuid4()})
    with pytest.raises(ConnectionNotFound):
        await store.backfills.request(nobody, NewBackfill(), actor="tester")
    assert await store.backfills.list(other.ref) == ()
    assert await store.backfills.latest(other.ref) is None


async def test_stashes_of_parts_are_their_own(book: Book) -> None:
    """Neither the end of a live pass nor many listings of another part drop a part's listing; its own end does, and
    the backfill's end drops the rest."""
    filling = await book.backfill(parts=[None, None, None])

    def bench(part: int) -> StoreWorkbench:
        ref = PartRef(backfill_id=filling.ref.backfill_id, epoch=filling.epoch, part=part)
        return StoreWorkbench(book.store.database, book.store.ring, book.ref, Meter(), AddressRules(), part=ref)

    handles = [await bench(part).stash([b"listing"]) for part in range(3)]
    for _ in range(10):
        await bench(1).stash([b"another"])
        await book.workbench().stash([b"live"])
    await live(book, [])
    assert await bench(0).stashed(handles[0], 0) == b"listing"
    await filling.commit(1, [], part=0, done=True)
    with pytest.raises(CursorExpired):
        await bench(0).stashed(handles[0], 0)
    assert await bench(2).stashed(handles[2], 0) == b"listing"
    await filling.close("cancelled")
    assert await book.rows("SELECT 1 FROM contactsync.stash") == []


async def test_a_part_downloads_every_body(book: Book) -> None:
    """For a backfill nothing counts as unchanged: it reads everything again."""
    await live(book, [upsert("ada", etag="1")])
    part = PartRef(backfill_id=uuid4(), epoch=1, part=0)
    bench = StoreWorkbench(book.store.database, book.store.ring, book.ref, Meter(), AddressRules(), part=part)
    assert await book.workbench().unchanged({"ada": "1"}) == {"ada"}
    assert await bench.unchanged({"ada": "1"}) == frozenset()


async def test_the_total_is_what_the_source_said_last(book: Book) -> None:
    """The plan may bring a total, and pages may correct it."""
    filling = await book.backfill()
    head = await filling.head(1)
    await book.store.backfills.commit(head.model_copy(update={"total": 12}), [])
    await filling.commit(2, [])
    backfill = await book.store.backfills.get(book.ref, filling.ref.backfill_id)
    assert backfill.total == 12
