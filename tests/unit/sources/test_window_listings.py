"""Listings, pages, parts and baselines of sources that are asked by time; docs/sync.md tells the rules."""

import pytest
from tests.unit.sources.queried import SECOND, Habits
from tests.unit.sources.window_story import habits_of, story

from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sources.replica import Replica
from contactsync.activities.sources.source import Changed, PageLimits
from contactsync.activities.sources.windows import windowed
from contactsync.errors import SourceMisbehaved


async def test_a_listing_looks_back_before_it_ends() -> None:
    """A contact that moved past the reader of a listing is seen before the listing sweeps, so it is never dropped."""
    told = story(Habits(listing="newest"), names=12)
    await told.follow()
    told.replica.cursor = None
    await told.page()
    told.put("0000", text="moved to the front, unread")
    rest = await told.follow()
    assert rest.full
    assert told.is_equal()


async def test_a_listing_with_an_end_before_its_end_is_an_error() -> None:
    """A complete listing that is capped is none: nothing is swept."""
    told = story(names=12)
    await told.follow()
    told.provider.listing_cap = 10
    told.replica.cursor = None
    with pytest.raises(SourceMisbehaved, match="name parts"):
        await told.follow()
    assert told.is_equal()


@pytest.mark.parametrize("paging", ["offset", "pages"])
@pytest.mark.parametrize("leaving", [("0000",), ("0000", "0001", "0002", "0003"), ("0004",), ("0003", "0004")])
async def test_a_listing_by_offset_notices_that_records_shift(paging: str, leaving: tuple[str, ...]) -> None:
    """Records that were read and go, or move to the end, make no unread one be left out; the last one read is no
    exception."""
    for is_edit in (True, False):
        told = story(habits_of(paging=paging, listing="time"), names=14)
        await told.follow()
        told.replica.cursor = None
        await told.page()
        for name in leaving:
            told.provider.put(name, "moved" if is_edit else None)
            told.provider.now += 1_000
        await told.follow()
        assert told.is_equal()


async def test_a_record_that_moved_to_the_end_is_no_place_to_go_on() -> None:
    """The last record read comes again at the end of the next answer: those before it there are unread."""
    told = story(Habits(paging="offset", listing="time"), names=9)
    await told.page()
    told.put("0004", text="moved to the end")
    await told.follow()
    assert told.is_equal()


async def test_a_listing_by_offset_that_lost_its_place_begins_again() -> None:
    """When nothing that was read is where it was, the listing starts over and says so."""
    told = story(Habits(paging="offset", page=3), names=9)
    await told.page()
    for name in ("0000", "0001", "0002"):
        told.provider.put(name, None)
    rest = await told.follow()
    assert rest.restarts == 1
    assert told.is_equal()


async def test_an_expired_token_in_a_listing_starts_another() -> None:
    """The listing begins again, as a new one: what the first part named counts no more."""
    told = story(names=12)
    await told.page()
    told.provider.life += 1
    told.provider.put("0000", None)
    page = await told.page()
    assert page.restarted
    await told.follow()
    assert told.is_equal()


async def test_long_answers_are_cut_into_pages() -> None:
    """The source answers with more than a page may hold: the rest is stashed, and nothing is asked for twice."""
    told = story(Habits(page=50), names=40)
    told.limits = PageLimits(rows=7)
    first = await told.follow()
    assert [len(page.changes) for page in first.pages[:6]] == [7, 7, 7, 7, 7, 5]
    assert told.provider.asked == 2
    assert told.is_equal()


async def test_a_page_is_bounded_in_bytes() -> None:
    """Contacts are counted by their text; one that fits into no page is set aside."""
    told = story(Habits(page=50))
    told.put(*(f"{number}" for number in range(10)), text="x" * 300)
    told.put("large", text="x" * 2_000)
    told.limits = PageLimits(bytes=1_500)
    first = await told.follow()
    assert max(sum(isinstance(change, Changed) for change in page.changes) for page in first.pages) == 3
    assert told.replica.unreadable == {"large": QuarantineReason.TOO_LARGE}
    assert len(told.replica.contacts) == 10


async def test_a_stash_that_is_gone_is_asked_for_again() -> None:
    """Without the rest of an answer the question is asked again; what was lost with it is found."""
    told = story(Habits(page=50), names=40)
    told.limits = PageLimits(rows=7)
    await told.page()
    told.replica.lose_stashes()
    await told.page()
    await told.page()
    told.replica.lose_stashes()
    await told.follow()
    assert told.is_equal()


async def test_parts_make_up_the_listing() -> None:
    """A listing in parts is read part by part by one pass, or side by side by a backfill, each to its own end."""
    told = story(names=25)
    told.provider.parts = (b"000", b"001", b"002")
    first = await told.follow()
    assert (first.full, first.restarts) == (True, 1)
    assert told.is_equal()
    source = windowed(told.provider, Replica(), told.provider.clock)
    held = [Replica(cursor=cursor) for cursor in await source.partitions(None)]
    passes = [await each.follow(source) for each in held]
    assert [len(each.contacts) for each in held] == [10, 10, 5]
    assert all(each.full for each in passes)


async def test_parts_that_grow_while_they_are_listed_are_all_read() -> None:
    """The last part is split under way, as one that is open to the present: what is behind the cut is read too."""
    told = story(names=25)
    told.provider.parts = (b"000", b"001")
    await told.page()
    told.provider.parts = (b"000", b"001", b"002")
    await told.follow()
    assert told.is_equal()


async def test_a_part_whose_token_expired_begins_again_as_that_part() -> None:
    """An expired token leads to the part's first page, not into the other parts."""
    told = story(names=25)
    told.provider.parts = (b"000", b"001", b"002")
    source = windowed(told.provider, told.replica, told.provider.clock)
    part = Replica(cursor=(await source.partitions(None))[1])
    part.apply(await source.fetch(part.cursor, PageLimits()))
    told.provider.life += 1
    again = await part.follow(source)
    assert again.restarts == 1
    assert set(part.contacts) == {f"001{number}" for number in range(10)}


async def test_a_part_of_what_changed_since_a_time() -> None:
    """With a time, a backfill reads what changed since then, and no listing."""
    told = story(names=9)
    since = told.provider.now
    told.put("0003", "0004", text="changed")
    source = windowed(told.provider, told.replica, told.provider.clock)
    (cursor,) = await source.partitions(since / SECOND)
    part = Replica(cursor=cursor)
    read = await part.follow(source)
    assert (set(part.contacts), read.full) == ({"0003", "0004"}, False)


async def test_a_baseline_needs_no_listing() -> None:
    """From a baseline a pass finds what changed after it, and lists nothing."""
    told = story(Habits(lag=30 * SECOND), names=9)
    told.provider.put("late", "committed after the baseline, at a time before it")
    source = windowed(told.provider, told.replica, told.provider.clock)
    told.replica.cursor = await source.baseline()
    told.provider.settle()
    told.put("0003", text="changed")
    told.provider.settle()
    first = await told.follow()
    assert (set(told.replica.contacts), first.restarts) == ({"late", "0003"}, 0)


async def test_a_source_that_knows_no_changes_is_listed_each_time() -> None:
    """Each pass is a complete listing; there is no baseline."""
    told = story(Habits(changes=False), names=9)
    source = windowed(told.provider, told.replica, told.provider.clock)
    assert await source.baseline() is None
    for _ in range(2):
        told.provider.put("0000", None)
        counted = await told.follow()
        assert (counted.full, counted.restarts, told.is_equal()) == (True, 1, True)


@pytest.mark.parametrize("cursor", [b"", b"{}", b"\x00\xff", b'{"format":99}', b'{"format":1}'])
async def test_a_foreign_cursor_starts_a_listing(cursor: bytes) -> None:
    """A cursor that is none of ours is no reason to stop."""
    told = story(names=3)
    told.replica.cursor = cursor
    counted = await told.follow()
    assert (counted.restarts, told.is_equal()) == (1, True)
