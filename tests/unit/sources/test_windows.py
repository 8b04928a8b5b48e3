"""Marks and windows of sources that are asked by time, one story a test; docs/sync.md tells the rules."""

import pytest
from tests.unit.sources.queried import SECOND, START, Habits, Version
from tests.unit.sources.window_story import HOUR, habits_of, story

from contactsync.activities.sources.windows import windowed
from contactsync.errors import SourceMisbehaved


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


async def test_the_latest_change_seen_is_no_mark() -> None:
    """A change that commits late, with a time before one that was seen already, is found."""
    told = story(Habits(lag=60 * SECOND), names=3)
    await told.follow()
    now = told.provider.now
    told.provider.versions["0001"].append(Version(now, 900, now, now, "seen at once"))
    told.provider.versions["0000"].append(Version(now - 30 * SECOND, 901, now + SECOND, now + SECOND, "late"))
    await told.follow()
    told.provider.now += HOUR
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


async def test_a_window_that_was_planned_long_ago_ends_where_it_was_planned() -> None:
    """A pass goes on after days in which it stood still: what changed after its window is left to the next one."""
    told = story(Habits(tells_time=False), names=3)
    await told.page()
    told.provider.now += 60 * HOUR
    told.put("0001", text="after the window", tick=12 * HOUR)
    await told.follow()
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
