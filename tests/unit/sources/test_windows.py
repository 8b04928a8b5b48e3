"""Cursor rules for sources that are asked by windows of time, one story a test; docs/sync.md tells them."""

from dataclasses import dataclass, field

import pytest
from pydantic import TypeAdapter
from tests.unit.sources.queried import SECOND, START, Habits, Provider

from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sources.replica import Pass, Replica
from contactsync.activities.sources.source import FetchedPage, PageLimits
from contactsync.activities.sources.windows import windowed
from contactsync.errors import SourceMisbehaved

HOUR = 3_600 * SECOND


@dataclass(slots=True)
class Story:
    """A provider, its source and a replica."""

    provider: Provider
    replica: Replica = field(default_factory=Replica)
    limits: PageLimits = field(default_factory=PageLimits)

    def put(self, *names: str, text: str = "first", tick: int = 1_000) -> None:
        """Edits, one after the other."""
        for name in names:
            self.provider.put(name, text)
            self.provider.now += tick

    async def page(self) -> FetchedPage:
        """One page, taken in."""
        source = windowed(self.provider, self.replica, self.provider.clock)
        page = await source.fetch(self.replica.cursor, self.limits)
        self.replica.apply(page)
        return page

    async def follow(self) -> Pass:
        """A pass."""
        source = windowed(self.provider, self.replica, self.provider.clock)
        return await self.replica.follow(source, self.limits, max_pages=500)

    def is_equal(self) -> bool:
        """Whether the replica holds what the provider does."""
        held = {name: contact.name.full if contact.name else "" for name, contact in self.replica.contacts.items()}
        return held == self.provider.contents()


def habits_of(**chosen: object) -> Habits:
    """Habits by name."""
    return TypeAdapter(Habits).validate_python(chosen)


def story(habits: Habits | None = None, *, names: int = 0) -> Story:
    """A story that begins with so many contacts."""
    begun = Story(Provider(habits or Habits()))
    begun.put(*(f"{number:04}" for number in range(names)))
    begun.provider.now += HOUR
    return begun


async def test_an_edit_behind_the_reader_arrives_with_the_next_pass() -> None:
    """A contact read on the first page and edited before the last one is found again: the mark is that of page one."""
    told = story(names=12)
    await told.page()
    told.put("0001", text="behind")
    told.provider.now += HOUR
    told.put("0011", text="ahead")
    await told.follow()
    await told.follow()
    assert told.is_equal()


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


@pytest.mark.parametrize("order", ["time", "time_id"])
@pytest.mark.parametrize("paging", ["keyset", "offset", "pages"])
async def test_equal_times_at_page_edges(order: str, paging: str) -> None:
    """120 contacts of one instant in pages of seven: none is left out, whichever way the source pages."""
    told = story(habits_of(order=order, paging=paging, page=7), names=10)
    await told.follow()
    told.put(*(f"tie-{number:03}" for number in range(120)), tick=0)
    told.put("after")
    counted = await told.follow()
    assert told.is_equal()
    assert counted.restarts == 0


@pytest.mark.parametrize("order", ["none", "time", "time_id"])
async def test_a_cap_ends_no_pass(order: str) -> None:
    """A source that answers ten changes at most is asked again for what is left, in order or without one."""
    told = story(habits_of(order=order, page=5, cap=10), names=4)
    await told.follow()
    told.put(*(f"{number:04}" for number in range(64)), text="changed")
    counted = await told.follow()
    assert told.is_equal()
    assert counted.restarts == 0


@pytest.mark.parametrize("resolution", [1, 1_000, SECOND])
async def test_an_instant_larger_than_a_cap_is_drained_by_id(resolution: int) -> None:
    """More contacts of one instant than the source answers: those behind the last id are asked for, then what follows,
    also where the source rounds windows down."""
    told = story(Habits(page=5, cap=10, resolution=resolution), names=4)
    await told.follow()
    told.provider.now += -told.provider.now % SECOND
    told.put(*(f"tie-{number:03}" for number in range(57)), tick=0)
    told.provider.now += 2 * SECOND
    told.put("after", "and-after", tick=SECOND)
    counted = await told.follow()
    assert told.is_equal()
    assert counted.restarts == 0
    assert len(counted.pages) < 60


async def test_what_follows_a_drained_instant_closely_is_not_skipped() -> None:
    """Contacts one microsecond after an instant that filled a cap arrive with the same pass."""
    told = story(Habits(page=5, cap=10), names=2)
    await told.follow()
    told.provider.now += -told.provider.now % SECOND
    told.put(*(f"tie-{number:03}" for number in range(23)), tick=0)
    told.provider.now += 1
    told.put(*(f"next-{number:03}" for number in range(23)), tick=0)
    await told.follow()
    assert told.is_equal()


async def test_an_instant_that_cannot_be_drained_is_an_error() -> None:
    """Without an order by id there is no way past a full instant: the pass says so, and nothing is passed over."""
    told = story(Habits(order="time", page=5, cap=10), names=2)
    await told.follow()
    told.put(*(f"tie-{number:03}" for number in range(23)), tick=0)
    with pytest.raises(SourceMisbehaved, match="one instant"):
        await told.follow()
    told.provider.habits = Habits(order="time", page=5)
    await told.follow()
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


async def test_an_expired_token_among_changes_starts_no_listing() -> None:
    """The window begins again; a complete listing is not needed."""
    told = story(Habits(order="none"), names=2)
    await told.follow()
    told.put(*(f"{number:04}" for number in range(14)), text="changed")
    await told.page()
    told.provider.life += 1
    rest = await told.follow()
    assert rest.restarts == 0
    assert told.is_equal()


async def test_an_expired_token_in_a_second_look_ends_only_the_question() -> None:
    """The window that was being read begins again before the next one."""
    told = story(Habits(order="none", settles=100 * SECOND), names=2)
    await told.follow()
    told.put(*(f"new-{number:02}" for number in range(14)))
    for seconds in (0, 60, 45):
        told.provider.now += seconds * SECOND
        await told.page()
        told.provider.life += seconds == 45
        await told.follow()
    told.provider.settle()
    await told.follow()
    assert told.is_equal()


async def test_tokens_that_always_expire_lead_to_a_listing() -> None:
    """A walk of changes whose tokens expire again and again before it comes further ends in a complete listing."""
    told = story(Habits(order="none"), names=12)
    await told.follow()
    told.put(*(f"{number:04}" for number in range(12)), text="changed")
    pages = [await told.page()]
    while not pages[-1].restarted and len(pages) < 20:
        told.provider.life += 1
        pages.append(await told.page())
    assert pages[-1].restarted
    await told.follow()
    assert told.is_equal()


@pytest.mark.parametrize("lag", [SECOND, 60 * SECOND])
async def test_a_late_commit_is_found(lag: int) -> None:
    """A change that becomes visible after a pass, with a time before it, is inside the next window."""
    told = story(Habits(lag=lag), names=3)
    await told.follow()
    for number in range(30):
        told.put("0000", text=f"edit {number}", tick=0)
        await told.follow()
        told.provider.now += lag // 7
    told.provider.settle()
    await told.follow()
    assert told.is_equal()


async def test_times_in_whole_seconds_are_found() -> None:
    """A source that rounds its times down says that a change came before the mark; it is asked for all the same."""
    told = story(Habits(resolution=SECOND, rounds=False), names=3)
    told.provider.now += 400_000 - told.provider.now % SECOND
    await told.follow()
    told.provider.now += 300_000
    told.put("0000", text="half a second later", tick=HOUR)
    await told.follow()
    assert told.is_equal()


@pytest.mark.parametrize("every", [20 * SECOND, HOUR])
async def test_a_second_look_finds_what_the_index_left_out(every: int) -> None:
    """What an index shows late is read by a second look, whether passes come faster than it settles or slower."""
    told = story(Habits(settles=100 * SECOND), names=3)
    await told.follow()
    for number in range(25):
        told.put(f"new-{number}", f"{number % 3:04}", text=f"edit {number}")
        await told.follow()
        told.provider.now += every
    told.provider.settle()
    await told.follow()
    assert told.is_equal()


async def test_a_second_look_reads_nothing_a_third_time() -> None:
    """What has settled is asked for no more: windows move on, however often passes come."""
    told = story(Habits(settles=600 * SECOND), names=3)
    await told.follow()
    told.provider.now += 2 * HOUR
    await told.follow()
    told.provider.windows.clear()
    for _ in range(10):
        told.provider.now += 60 * SECOND
        await told.follow()
    asked = sum(min(window.until or 0, told.provider.now) - window.since for window in told.provider.windows)
    assert asked < 3 * 1_200 * SECOND


async def test_an_empty_answer_moves_the_mark_to_what_was_asked_for() -> None:
    """The source's clock jumps ahead of the window that was asked for: the pass asks for the rest too, and an empty
    answer says nothing of what lies behind its window."""
    told = story(names=3)
    await told.follow()
    our_time = told.provider.clock()
    told.provider.now += HOUR
    told.put("0001", text="after the jump")
    source = windowed(told.provider, told.replica, lambda: our_time)
    await told.replica.follow(source)
    assert told.is_equal()
    assert max(window.until or 0 for window in told.provider.windows) >= told.provider.now - SECOND


async def test_no_mark_is_past_a_window_of_a_source_without_a_clock() -> None:
    """Where only our clock tells the time, the mark stays behind the window's end and behind our present."""
    told = story(Habits(tells_time=False, ahead=-200 * SECOND), names=3)
    await told.follow()
    told.put("0001", text="at a time that is long past for us")
    await told.follow()
    assert told.is_equal()


async def test_a_clock_that_was_set_back_loses_nothing() -> None:
    """Changes that carry times before the mark, because the source's clock was wrong before, are found."""
    told = story(names=3)
    await told.follow()
    our_time = told.provider.clock()
    told.provider.now -= HOUR
    told.put("0001", text="an hour ago, as it seems", tick=60 * SECOND)
    source = windowed(told.provider, told.replica, lambda: our_time + 60)
    await told.replica.follow(source)
    source = windowed(told.provider, told.replica, lambda: our_time + 120)
    told.provider.now += 60 * SECOND
    await told.replica.follow(source)
    assert told.is_equal()


async def test_records_from_outside_the_window_are_harmless() -> None:
    """An index that answers with strays, far ahead in time, moves no window."""
    told = story(Habits(strays=True), names=9)
    await told.follow()
    told.put("0001", "0003", *(f"new-{number}" for number in range(20)), text="changed")
    await told.follow()
    assert told.is_equal()


async def test_a_stray_from_the_future_hides_nothing() -> None:
    """A record whose time lies ahead of the window, on its first page, does not end it."""
    told = story(Habits(knows_until=False), names=2)
    await told.follow()
    told.put(*(f"new-{number}" for number in range(20)))
    told.provider.put("0001", "from the future")
    told.provider.versions["0001"][-1] = told.provider.versions["0001"][-1].__class__(
        START + 100 * HOUR, 999, 0, 0, "from the future"
    )
    told.provider.misplaced["0001"] = told.provider.now - 16_500  # it ends the first page
    await told.follow()
    assert told.is_equal()


async def test_a_record_that_a_lagging_index_misplaces_hides_nothing() -> None:
    """A record sorted by an earlier time than it shows ends a page: the next page does not begin at its time."""
    told = story(Habits(page=8, settles=30 * SECOND), names=2)
    await told.follow()
    told.provider.now += HOUR
    started = told.provider.now
    told.put(*(f"new-{number:02}" for number in range(40)))
    told.provider.misplaced["new-39"] = started + 6_500
    told.provider.settle()
    looked = await told.follow()
    assert told.is_equal()
    assert looked.restarts == 0


async def test_an_order_that_is_none_is_noticed() -> None:
    """A source that promises an order of time and keeps none is read by its tokens, and nothing is passed over."""
    told = story(Habits(page=8), names=2)
    await told.follow()
    names = [f"new-{number:02}" for number in range(40)]
    told.provider.misplaced.update({name: START + 7 * number % 40 for number, name in enumerate(names)})
    told.put(*names)
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
    assert max(len(page.changes) for page in first.pages) == 3
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
    source = windowed(told.provider, told.replica, told.provider.clock)
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
