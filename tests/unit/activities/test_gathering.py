"""When pages of a source become one page, without a source: rows, bytes, time, and what may not join."""

from collections.abc import Sequence
from itertools import count

import pytest

from contactsync.activities.gathering import GATHERING, Gathered, Gathering, Onward
from contactsync.activities.pages import UNBOUNDED, raw_body, raw_records
from contactsync.activities.sources.source import Change, Changed, FetchedPage, Moved, PageLimits, Removed, Unchanged

CONTENT = b'{"uid":"a contact"}'


def changed(*names: str, size: int = 0) -> list[Change]:
    """These contacts with so much text each."""
    return [Changed(name, CONTENT + b" " * size) for name in names]


def page(changes: Sequence[Change], *, done: bool = False, full: bool = True, restarted: bool = False) -> FetchedPage:
    """A page of these changes."""
    return FetchedPage(tuple(changes), b"next", done, full, restarted, len(changes), total=7)


def gathered(*pages: FetchedPage, limits: PageLimits | None = None, gathering: Gathering = GATHERING) -> Gathered:
    """What was gathered with these pages."""
    found = Gathered(limits or PageLimits(), gathering)
    found.begin(pages[0])
    for each in pages[1:]:
        assert found.takes(each)
    return found


def test_a_page_has_room_for_another_like_it() -> None:
    """The rows that were asked for are reached, and not passed."""
    limits = PageLimits(rows=6)
    two = page(changed("a", "b"))
    assert gathered(two, two, limits=limits).has_room()
    assert not gathered(two, two, two, limits=limits).has_room()
    assert not gathered(two, page(changed("c", "d", "e")), limits=limits).has_room()


def test_what_is_unchanged_takes_less_room() -> None:
    """Nobody works on it: a page lists several times as many."""
    limits, gathering = PageLimits(rows=2), Gathering(listed=4)
    same = page([Unchanged("a"), Unchanged("b")])
    assert gathered(same, same, same, limits=limits, gathering=gathering).has_room()
    assert not gathered(same, same, same, same, limits=limits, gathering=gathering).has_room()


def test_bytes_bound_a_page_as_rows_do() -> None:
    """One that is a little larger than the largest so far would still fit; else it is not asked for, nor taken."""
    limits = PageLimits(bytes=10_000)
    small, large = page(changed("a", size=2_000)), page(changed("b", size=6_000))
    assert gathered(small, small, small, limits=limits).has_room()
    assert not gathered(small, small, small, small, limits=limits).has_room()
    assert gathered(small, limits=limits).takes(large)
    assert not gathered(small, small, limits=limits).takes(large)


def test_a_slow_source_is_not_kept_waiting_for() -> None:
    """After the time there is, or where another page like the slowest would pass it, what is there is given."""
    assert gathered(page(changed("a")), gathering=at(0.0, 2.0, 2.1)).has_room()
    assert not gathered(page(changed("a")), gathering=at(0.0, 3.0, 3.0)).has_room()
    assert not gathered(page(changed("a")), page(changed("b")), gathering=at(0.0, 3.0, 3.5, 3.5)).has_room()


def at(*seconds: float) -> Gathering:
    """Five seconds by a clock that shows these, one after the other."""
    shown = iter(seconds)
    return Gathering(seconds=5.0, timer=lambda: next(shown))


def test_no_time_means_one_page() -> None:
    """So a test, or who wants it, has each page of the source alone."""
    assert not gathered(page([]), gathering=Gathering(seconds=0.0)).has_room()


def test_a_pass_is_not_gathered_past_its_end() -> None:
    """Nothing is asked for after the last page."""
    assert not gathered(page([], done=True)).has_room()


@pytest.mark.parametrize("other", [page([], restarted=True), page([], full=False)])
def test_a_page_of_another_listing_does_not_join(other: FetchedPage) -> None:
    """What begins a listing, or belongs to none, is a page of its own."""
    assert not gathered(page(changed("a"), restarted=True)).is_alike(other)


def test_what_is_said_of_a_contact_is_remembered() -> None:
    """How it is held tells nothing of it any more; of whom another became, either."""
    changes: list[Change] = [*changed("a"), Unchanged("b"), Removed("c"), Moved("d", to="e")]
    assert gathered(page(changes)).named == {"a", "c", "d", "e"}


def test_pages_are_one_in_their_order() -> None:
    """The first says how it began, the last where it stands."""
    first, last = page(changed("a"), restarted=True), page([*changed("b"), Unchanged("c")], done=True)
    whole = gathered(first, last).first(2)
    assert [change.source_id for change in whole.changes] == ["a", "b", "c"]
    assert (whole.restarted, whole.done, whole.full, whole.downloaded, whole.total) == (True, True, True, 3, 7)
    less = gathered(first, last).first(1)
    assert ([change.source_id for change in less.changes], less.done, less.downloaded) == (["a"], False, 1)


@pytest.mark.parametrize("size", [0, 300, 5_000])
@pytest.mark.parametrize("name", ["{:09}", "/book/ä{:030}.vcf", "本" * 120 + "{}"], ids=["short", "path", "wide"])
def test_a_full_page_fits_its_body(size: int, name: str) -> None:
    """However long ids and contents are, the body of gathered pages is as long as they may be, or shorter."""
    pages, together = gathered(page([])), 1
    names = (name.format(number) for number in count())
    while True:
        twenty = [next(names) for _ in range(20)]
        changes = changed(*twenty, size=size) if size else [Unchanged(each) for each in twenty]
        if not pages.takes(page(changes)):
            break
        together += 1
    content = raw_body(raw_records(pages.first(together).changes), UNBOUNDED).content
    assert len(content) < PageLimits().bytes


def test_a_page_behind_the_one_under_way_is_expected() -> None:
    """If that one and another like it would still fit; of a first one nothing is known but what its answer holds."""
    begun = Gathered(PageLimits(rows=6, bytes=10_000), GATHERING)
    assert begun.expects(3, 0)
    assert not begun.expects(4, 0)
    assert not begun.expects(1, 5_000)
    two = page(changed("a", "b"))
    assert gathered(two, limits=PageLimits(rows=6)).expects(2, 0)
    assert not gathered(two, two, limits=PageLimits(rows=6)).expects(2, 0)


def test_what_is_unchanged_is_expected_to_go_on() -> None:
    """The page under way is thought to be as the largest so far, with as many records as it has."""
    same, limits = page([Unchanged("a"), Unchanged("b")]), PageLimits(rows=2)
    assert gathered(same, limits=limits).expects(2, 0)
    assert not gathered(same, limits=limits).expects(4, 0)


def test_nothing_is_expected_when_the_time_may_end() -> None:
    """The page under way and another one must have time, if both took as long as the slowest so far."""
    assert gathered(page([]), gathering=at(0.0, 1.0, 2.0)).expects(1, 0)
    assert not gathered(page([]), gathering=at(0.0, 2.0, 2.5)).expects(1, 0)
    assert not Gathered(PageLimits(), at(0.0, 2.0)).expects(1, 0)


async def test_leave_is_taken_once_for_each_page() -> None:
    """Ahead or in turn; what was given ahead is for the next page, and for no other one."""
    leaves = iter([True, False, False, True])

    async def leave() -> bool:
        return next(leaves)

    onward = Onward(gathered(page(changed("a"))), leave)
    assert await onward.ahead(1, 0)
    assert await onward.in_turn()
    assert not await onward.in_turn()
    assert not await onward.ahead(1, 0)
    assert await onward.in_turn()
    assert next(leaves, None) is None
    assert not await Onward(Gathered(PageLimits(rows=1), GATHERING), leave).ahead(1, 0)
