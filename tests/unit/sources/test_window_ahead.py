"""A page asked for while the one before it is worked on: what is asked, and what becomes of it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kept import left_to_collect
from tests.unit.sources.queried import Habits
from tests.unit.sources.test_any_window import Deed, History, able, deeds, habits
from tests.unit.sources.window_story import Story, habits_of, story

from contactsync.activities.sources.windows import WindowedSource, windowed
from contactsync.errors import SourceUnavailable


def eager(told: Story) -> Story:
    """With a workbench that always wants one more page."""
    told.replica.is_eager = True
    return told


@asynccontextmanager
async def opened(told: Story) -> AsyncGenerator[WindowedSource]:
    """The story's source, until it is closed."""
    async with aclosing(windowed(told.provider, told.replica, told.provider.clock)) as source:
        yield source


@pytest.mark.parametrize("paging", ["keyset", "offset", "pages"])
@pytest.mark.parametrize("order", ["none", "time", "time_id"])
async def test_no_page_is_asked_for_twice(paging: str, order: str) -> None:
    """A listing and a pass of changes take as many questions as without, and find the same."""
    asked: list[int] = []
    for is_eager in (False, True):
        told = story(habits_of(paging=paging, order=order), names=23)
        told.replica.is_eager = is_eager
        async with opened(told) as source:
            await told.replica.follow(source, told.limits)
            told.put(*(f"{number:04}" for number in range(17)), text="second")
            told.provider.settle()
            await told.replica.follow(source, told.limits)
        assert told.is_equal()
        asked.append(told.provider.asked)
    assert asked[0] == asked[1]


async def test_the_next_page_is_asked_for_before_one_is_told() -> None:
    """When a page comes, its successor has been asked for already, and nothing behind it."""
    told = eager(story(names=23))
    async with opened(told) as source:
        await source.fetch(None, told.limits)
        assert told.provider.asked == 2


async def test_nobody_wants_it() -> None:
    """Without leave nothing is asked for but what is fetched."""
    told = story(names=23)
    async with opened(told) as source:
        await source.fetch(None, told.limits)
        assert told.provider.asked == 1


async def test_an_error_ahead_comes_in_its_turn() -> None:
    """The page before it is whole; who closes instead of asking on never hears of it."""
    told = eager(story(names=23))

    def fail() -> None:
        if told.provider.asked == 2:
            raise SourceUnavailable

    told.provider.between = fail
    async with opened(told) as source:
        page = await source.fetch(None, told.limits)
        assert len(page.changes) == 5
        with pytest.raises(SourceUnavailable):
            await source.fetch(page.cursor, told.limits)
        assert len((await source.fetch(page.cursor, told.limits)).changes) == 5


async def test_a_token_that_expires_ahead_begins_anew() -> None:
    """As it does for one that is asked for in its turn."""
    told = eager(story(Habits(), names=23))

    def expire() -> None:
        told.provider.life += told.provider.asked == 2

    told.provider.between = expire
    async with opened(told) as source:
        first = await source.fetch(None, told.limits)
        second = await source.fetch(first.cursor, told.limits)
        assert second.restarted
        told.replica.apply(second)
        await told.replica.follow(source, told.limits)
    assert told.is_equal()


async def test_a_closed_source_is_gone() -> None:
    """At once, with all that was read with it, and not when the garbage collector comes by: in a long pass that is
    some ten pages later."""
    told = eager(story(names=23))
    with left_to_collect() as left:
        async with opened(told) as source:
            await source.fetch(None, told.limits)
        del source
    assert left == []


@given(chosen=habits.map(able), rows=st.integers(1, 8), happening=st.lists(deeds, max_size=30))
@settings(max_examples=150)
def test_nothing_is_lost_ahead(chosen: Habits, rows: int, happening: list[Deed]) -> None:
    """Whatever happens between a question and its turn: one quiet pass makes the replica equal."""

    async def run() -> None:
        history = History(chosen, rows, is_eager=True)
        async with aclosing(history.source):
            for deed in happening:
                await history.do(deed)
            await history.finish()
        assert history.held() == history.provider.contents()

    asyncio.run(run())
