"""The watch over a pass's pages: what it lets pass, beside what tests of the fetch see it stop."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsync.activities.sources.progress_guard import Bounds, Trail
from contactsync.activities.sources.source import FetchedPage, Unchanged
from contactsync.errors import SourceLoops


def page_of(*names: str, cursor: str, done: bool = False) -> FetchedPage:
    """A page that names these contacts."""
    return FetchedPage(tuple(Unchanged(name) for name in names), cursor.encode(), done, full=False)


def watch(pages: Iterable[FetchedPage]) -> None:
    """Goes along the pages; what is remembered stays small."""
    trail, asked = Trail(), b""
    for page in pages:
        trail, asked = trail.followed_by(asked, page), page.cursor
        assert len(trail.model_dump_json()) < 300


@given(before=st.integers(0, 40), circle=st.integers(1, 40))
def test_a_circle_is_found_wherever_it_begins(before: int, circle: int) -> None:
    """Cursors that come round again are noticed within a few rounds, in constant space."""
    steps = range(6 * (before + circle) + 10)
    places = [step if step < before else before + (step - before) % circle for step in steps]
    with pytest.raises(SourceLoops):
        watch(page_of(str(step), cursor=f"cursor {place}") for step, place in enumerate(places))


@given(circle=st.integers(1, 12))
def test_contacts_that_come_again_and_again_are_noticed(circle: int) -> None:
    """Pages of the same contacts under cursors that are new each time end the pass too."""
    with pytest.raises(SourceLoops, match="same page"):
        watch(page_of(f"contact {step % circle}", cursor=f"cursor {step}") for step in range(40 * circle + 40))


def test_a_window_may_be_read_again() -> None:
    """The same pages some times over are no circle: tokens expire, and windows are cut in two."""
    watch(page_of(f"contact {step % 5}", cursor=f"cursor {step}") for step in range(20))


def test_empty_pages_are_counted_in_a_row() -> None:
    """A page with contacts between empty ones lets the count begin again, and the end of a pass lets all."""
    trail = Trail()
    for step in range(100):
        names = ("a", str(step)) if step % 10 == 9 else ()
        trail = trail.followed_by(b"", page_of(*names, cursor=f"cursor {step}"), Bounds(empty=10))
    assert trail.followed_by(b"same", page_of(cursor="same", done=True)) == Trail()
