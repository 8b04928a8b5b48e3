"""The delete guard: mass deletes wait for a person, and nothing else does."""

from collections.abc import Sequence
from uuid import uuid4

import pytest
from tests.integration.store.address_book import WHO, Book, Store, bad, gone, moved, seen, upsert

from contactsync.activities.messages import DecideDeletes, PageResult
from contactsync.activities.store.changes import CleanChange
from contactsync.activities.store.directory import TenantPolicy
from contactsync.activities.store.guard import is_over
from contactsync.codecs.audit.log import AuditKind
from contactsync.errors import HoldNotFound

STRICT = TenantPolicy(delete_share=0.2, delete_count=5, delete_floor=1)


def contacts(*numbers: int) -> list[CleanChange]:
    """Contacts of these numbers."""
    return [upsert(f"c{number:02}") for number in numbers]


def tombstones(*numbers: int) -> list[CleanChange]:
    """Tombstones of these numbers."""
    return [gone(f"c{number:02}") for number in numbers]


async def filled(store: Store, count: int, policy: TenantPolicy = STRICT) -> Book:
    """A book with so many contacts, numbered from 0."""
    book = await store.new_book(policy=policy)
    await book.full_pass([contacts(*range(count))], generation=1)
    return book


async def listing(book: Book, generation: int, changes: Sequence[CleanChange]) -> PageResult:
    """A complete listing in one page."""
    (result,) = await book.full_pass([changes], generation)
    return result


async def audit(book: Book) -> list[str]:
    """The kinds of the tenant's audit entries, without those of pages."""
    rows = await book.rows("SELECT entry::jsonb ->> 'kind' AS kind FROM audit.entry ORDER BY seq")
    return [row["kind"] for row in rows if row["kind"].startswith("deletes")]


@pytest.mark.parametrize(
    ("deletions", "live", "over"),
    [(1, 1, False), (2, 10, False), (3, 10, True), (5, 100, False), (6, 100, True), (2, 9, True), (0, 0, False)],
)
def test_what_is_over(deletions: int, live: int, over: bool) -> None:
    """Up to the floor is never over; beyond it, more than the share or more than the count is."""
    assert is_over(STRICT, deletions, live) is over


async def test_few_deletions_are_applied(store: Store) -> None:
    """A listing and tombstones within share and count delete at once, and nothing is held."""
    book = await filled(store, 20)
    result = await listing(book, 2, contacts(*range(18)))
    assert (result.counts.deleted, result.counts.held) == (2, 0)
    result = await book.commit(await book.open(), 1, tombstones(0, 1, 2), done=True)
    assert (result.counts.deleted, result.counts.held) == (3, 0)
    assert len(await book.held()) == 15
    assert await book.store.holds.open_hold(book.ref) is None


async def test_p32_held_deletes_are_visible_and_approvable(store: Store) -> None:
    """P32: a listing that lost 60 % deletes nobody; the rest of it is kept; approved, what is still missing is gone."""
    book = await filled(store, 20)
    result = await listing(book, 2, [*contacts(*range(8)), upsert("new"), upsert("c00", "changed")])
    assert (result.counts.added, result.counts.updated, result.counts.deleted, result.counts.held) == (1, 1, 0, 12)
    assert len(await book.held()) == 21
    (hold,) = await book.store.holds.list(book.ref.tenant_id)
    assert (hold.contacts, hold.live, hold.cause, hold.decision) == (12, 20, "listing", None)
    assert hold in await book.store.holds.list(None)
    assert (await book.store.contacts.counts(book.ref)).held == 12
    assert (await book.open()).holding
    decided = await book.decide(approve=True)
    assert (decided.outcome, decided.contacts) == ("approved", 12)
    assert set(await book.held()) == {"new", *(f"c{number:02}" for number in range(8))}
    assert await book.found("c19@example.com") == set()
    assert await audit(book) == [AuditKind.DELETES_HELD, AuditKind.DELETES_APPROVED]
    assert await book.store.holds.list(None) == ()
    (hold,) = await book.store.holds.list(book.ref.tenant_id, open_only=False)
    assert (hold.decision, hold.contacts) == ("approved", 12)


async def test_p32_held_deletes_block_nothing(store: Store) -> None:
    """P32: while deletions are held, contacts are added and changed, few deletions applied, and passes complete."""
    book = await filled(store, 20)
    await listing(book, 2, contacts(*range(8)))
    page = [upsert("new"), upsert("c01", "changed"), gone("c02")]
    result = await book.commit(await book.open(), 1, page, done=True)
    assert (result.counts.added, result.counts.updated, result.counts.deleted) == (1, 1, 1)
    held = await book.held()
    assert (held["new"], held["c01"], "c02" in held) == ("new", "changed", False)
    latest = await book.store.passes.latest(book.ref)
    assert latest is not None
    assert latest.outcome == "completed"


async def test_rejected_deletes_stay_until_a_listing_raises_them_again(store: Store) -> None:
    """Rejected, the contacts stay; the next complete listing without them holds them anew."""
    book = await filled(store, 20)
    await listing(book, 2, contacts(*range(8)))
    decided = await book.decide(approve=False)
    assert (decided.outcome, decided.contacts) == ("rejected", 12)
    await book.commit(await book.open(), 1, [], done=True)
    assert len(await book.held()) == 20
    assert await book.store.holds.open_hold(book.ref) is None
    assert (await listing(book, 3, contacts(*range(8)))).counts.held == 12
    assert await audit(book) == [AuditKind.DELETES_HELD, AuditKind.DELETES_REJECTED, AuditKind.DELETES_HELD]


async def test_a_decision_is_made_once(store: Store) -> None:
    """The same decision has the same answer and does nothing more; another one, or one on no hold, is refused."""
    book = await filled(store, 20)
    await listing(book, 2, contacts(*range(8)))
    hold = await book.store.holds.open_hold(book.ref)
    assert hold is not None
    first = await book.decide(approve=True)
    await listing(book, 3, contacts(0))
    assert await book.decide(approve=True, hold=hold) == first
    assert len(await book.held()) == 8
    with pytest.raises(HoldNotFound):
        await book.decide(approve=False, hold=hold)
    unknown = DecideDeletes(**book.ref.model_dump(), hold_id=uuid4(), approve=True, actor="tester")
    with pytest.raises(HoldNotFound):
        await book.store.holds.decide(unknown)
    other = await store.new_book(book.ref.tenant_id)
    with pytest.raises(HoldNotFound):
        await other.decide(approve=True, hold=hold)


@pytest.mark.parametrize("sign", [upsert("c15", "changed"), seen("c15"), bad("c15"), upsert("c15")])
async def test_a_contact_that_is_seen_again_is_no_longer_held(store: Store, sign: CleanChange) -> None:
    """Changed, unchanged, seen or unreadable: who is listed is there, and approval does not delete it."""
    book = await filled(store, 20)
    await listing(book, 2, contacts(*range(8)))
    await book.commit(await book.open(), 1, [sign], done=True)
    hold = await book.store.holds.open_hold(book.ref)
    assert hold is not None
    assert hold.contacts == 11
    assert (await book.decide(approve=True)).contacts == 11
    assert "c15" in await book.held()


@pytest.mark.parametrize(
    ("page", "is_there", "waits"),
    [
        ([upsert("c15"), gone("c15")], False, False),
        ([seen("c15"), gone("c15")], False, False),
        ([gone("c15"), seen("c15")], True, False),
        ([gone("c15"), upsert("c15", "again")], True, False),
        ([gone("c15"), gone("c15")], True, True),
    ],
)
async def test_a_page_that_says_more_of_a_held_contact(
    store: Store, page: list[CleanChange], is_there: bool, waits: bool
) -> None:
    """Seen and then gone, or the other way round: a page means what its entries mean one after the other."""
    book = await filled(store, 20)
    await listing(book, 2, contacts(*range(8)))
    await book.commit(await book.open(), 1, page, done=True)
    hold = await book.store.holds.open_hold(book.ref)
    assert hold is not None
    assert ("c15" in await book.held(), hold.contacts) == (is_there, 12 if waits else 11)


async def test_a_hold_ends_when_all_are_seen_again(store: Store) -> None:
    """A source that lost contacts for a night and has them again in the morning asks nobody anything."""
    book = await filled(store, 20)
    await listing(book, 2, contacts(*range(8)))
    hold = await book.store.holds.open_hold(book.ref)
    await listing(book, 3, contacts(*range(20)))
    assert await book.store.holds.open_hold(book.ref) is None
    assert await audit(book) == [AuditKind.DELETES_HELD, AuditKind.DELETES_RESOLVED]
    with pytest.raises(HoldNotFound):
        await book.decide(approve=True, hold=hold)
    assert len(await book.held()) == 20


async def test_tombstones_are_counted_over_the_pages_of_a_pass(store: Store) -> None:
    """Pages of few tombstones each are held from where they pass the threshold, and a new pass counts anew."""
    book = await filled(store, 20)
    ticket = await book.open()
    first = await book.commit(ticket, 1, tombstones(0, 1))
    second = await book.commit(ticket, 2, tombstones(2, 3))
    third = await book.commit(ticket, 3, tombstones(4))
    assert [(each.counts.deleted, each.counts.held) for each in (first, second, third)] == [(2, 0), (2, 0), (0, 1)]
    result = await book.commit(await book.open(), 1, tombstones(5), done=True)
    assert (result.counts.deleted, result.counts.held) == (1, 0)
    hold = await book.store.holds.open_hold(book.ref)
    assert hold is not None
    assert (hold.cause, hold.contacts, hold.live) == ("tombstones", 1, 20)


async def test_what_a_pass_adds_is_no_reason_to_delete_more(store: Store) -> None:
    """The share is one of the contacts at the pass's start, whatever the pass has added and deleted by then."""
    book = await filled(store, 10)
    ticket = await book.open()
    await book.commit(ticket, 1, contacts(*range(10, 30)))
    result = await book.commit(ticket, 2, tombstones(0, 1, 2))
    assert result.counts.held == 3
    hold = await book.store.holds.open_hold(book.ref)
    assert hold is not None
    assert hold.live == 10


async def test_a_sweep_counts_with_the_tombstones_of_its_pass(store: Store) -> None:
    """Tombstones and sweep of one listing together pass the threshold: the sweep is held."""
    book = await filled(store, 20)
    result = await listing(book, 2, [*tombstones(0, 1), *contacts(*range(5, 20))])
    assert (result.counts.deleted, result.counts.held) == (2, 3)


async def test_more_deletes_join_an_open_hold(store: Store) -> None:
    """Those over the threshold join, none is counted twice, those below it are applied; one decision is for all."""
    book = await filled(store, 20)
    await listing(book, 2, contacts(*range(8)))
    assert (await listing(book, 3, contacts(*range(7)))).counts.deleted == 1
    again = await book.commit(await book.open(), 1, tombstones(19), done=True)
    assert (again.counts.deleted, again.counts.held) == (0, 0)
    assert (await listing(book, 4, contacts(0))).counts.held == 6
    hold = await book.store.holds.open_hold(book.ref)
    assert hold is not None
    assert hold.contacts == 18
    assert (await book.decide(approve=True)).contacts == 18
    assert set(await book.held()) == {"c00"}


@pytest.mark.parametrize("count", [1, 3, 20])
async def test_an_empty_listing_is_never_believed_at_once(store: Store, count: int) -> None:
    """P10, P12: a listing of nothing is held, however few contacts there are; quarantine stays as it was too."""
    book = await filled(store, count, TenantPolicy(delete_share=1.0))
    await book.commit(await book.open(), 1, [bad("odd")], done=True)
    result = await listing(book, 2, [])
    assert (result.counts.deleted, result.counts.held) == (0, count)
    hold = await book.store.holds.open_hold(book.ref)
    assert hold is not None
    assert hold.cause == "empty"
    assert await book.set_aside() != {}
    assert (await listing(book, 3, [])).counts.held == 0
    assert (await book.decide(approve=True)).contacts == count
    assert await book.held() == {}


async def test_an_empty_book_may_stay_empty(store: Store) -> None:
    """A listing of nothing, where nothing is held, holds nothing."""
    book = await store.new_book()
    await listing(book, 1, [])
    assert await book.store.holds.open_hold(book.ref) is None


async def test_what_is_older_than_a_held_deletion_does_not_clear_it(store: Store) -> None:
    """A backfill's page that was read before the deletion is no sign of life; approved, it stays gone."""
    book = await filled(store, 20)
    ticket = await book.open()
    filling = await book.backfill()
    await book.commit(ticket, 1, tombstones(*range(10)), done=True)
    await filling.commit(1, contacts(*range(20)))
    hold = await book.store.holds.open_hold(book.ref)
    assert hold is not None
    assert hold.contacts == 10
    await book.decide(approve=True)
    await filling.commit(2, contacts(*range(20)), done=True)
    assert len(await book.held()) == 10


async def test_renamed_and_merged_contacts_are_no_deletes(store: Store) -> None:
    """Any number of merges is applied at once, and leaves the threshold for real deletions as it was."""
    book = await filled(store, 20)
    page: list[CleanChange] = [moved(f"c{number:02}", "c00") for number in range(1, 11)]
    result = await book.commit(await book.open(), 1, [*page, *tombstones(11, 12)], done=True)
    assert (result.counts.deleted, result.counts.held) == (12, 0)


async def test_a_held_contact_may_be_renamed_or_merged(store: Store) -> None:
    """Who turns out to be somewhere else is held no longer."""
    book = await filled(store, 20)
    await listing(book, 2, contacts(*range(8)))
    await book.commit(await book.open(), 1, [moved("c18", "new"), moved("c19", "c00")], done=True)
    hold = await book.store.holds.open_hold(book.ref)
    assert hold is not None
    assert hold.contacts == 10
    await book.decide(approve=True)
    assert {"new", "c00"} < set(await book.held())


async def test_the_guard_goes_by_the_policy_of_the_day(store: Store) -> None:
    """A tenant's new policy holds for the next page; the change is in the audit log, once."""
    book = await filled(store, 20)
    lenient = TenantPolicy(delete_share=1.0)
    for _ in range(2):
        tenant = await store.directory.set_policy(book.ref.tenant_id, lenient)
        assert tenant.policy == lenient
    assert (await listing(book, 2, contacts(0))).counts.deleted == 19
    rows = await book.rows("SELECT 1 FROM audit.entry WHERE entry::jsonb ->> 'kind' = 'policy_changed'")
    assert len(rows) == 1


async def test_a_pass_that_is_answered_again_holds_nothing_more(store: Store) -> None:
    """The page that held deletions, committed again, has the same answer and the hold the same size."""
    book = await filled(store, 20)
    ticket = await book.open()
    results = [await book.commit(ticket, 1, contacts(0), done=True, full=True, generation=2) for _ in range(2)]
    assert results[0] == results[1]
    hold = await book.store.holds.open_hold(book.ref)
    assert hold is not None
    assert hold.contacts == results[0].counts.held == 19


async def test_other_tenants_holds_are_not_theirs(store: Store) -> None:
    """A tenant lists its own holds only, and decides on no other's."""
    book = await filled(store, 20)
    await listing(book, 2, contacts(0))
    other = await store.new_book()
    assert await store.holds.list(other.ref.tenant_id) == ()
    hold = await store.holds.open_hold(book.ref)
    with pytest.raises(HoldNotFound):
        await other.decide(approve=True, hold=hold)
    assert len(await book.held()) == 20
    assert (await store.contacts.find(book.ref.tenant_id, email="c19@example.com", **WHO))[0].source_id == "c19"
