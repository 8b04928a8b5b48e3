"""Asking ahead: what is asked for when, and what becomes of it when nobody wants it any more."""

import asyncio
from contextlib import aclosing

import pytest

from contactsync.activities.sources.ahead import Ahead, asked_ahead


class Asked:
    """What was asked for, answered and given up; it answers once it `may`, and fails on what `fails`."""

    def __init__(self, fails: int | None = None) -> None:
        self.log: list[str] = []
        self.may = asyncio.Event()
        self.may.set()
        self.waits = asyncio.Event()
        self._fails = fails

    async def ask(self, number: int) -> str:
        """The number in words."""
        self.log.append(f"ask {number}")
        if not self.may.is_set():
            self.waits.set()
        try:
            await self.may.wait()
        except asyncio.CancelledError:
            self.log.append(f"give up {number}")
            raise
        if number == self._fails:
            raise OSError(number)
        self.log.append(f"answer {number}")
        return str(number)


def likely(current: int, following: int) -> bool:
    """Neighbours always are."""
    return following == current + 1


def unlikely(_: int, __: int) -> bool:
    """Nothing is."""
    return False


class Beside:
    """What goes on beside the test, and did not when it began."""

    def __init__(self) -> None:
        self._before = asyncio.all_tasks()

    def tasks(self) -> "set[asyncio.Task[object]]":
        """Those that go on now."""
        return asyncio.all_tasks() - self._before


async def test_the_next_is_asked_for_before_one_is_worked_on() -> None:
    """While the first is worked on the second is asked for, and the third is not."""
    asked, beside = Asked(), Beside()
    async with aclosing(asked_ahead(asked.ask, [1, 2, 3], likely)) as answered:
        assert await anext(answered) == (1, "1")
        await asyncio.wait(beside.tasks())
        assert asked.log == ["ask 1", "answer 1", "ask 2", "answer 2"]
        assert [each async for each in answered] == [(2, "2"), (3, "3")]


async def test_what_is_unlikely_is_asked_for_in_its_turn() -> None:
    """What probably nobody takes is asked for when it is its turn, and answered all the same."""
    asked, beside = Asked(), Beside()
    async with aclosing(asked_ahead(asked.ask, [1, 2], unlikely)) as answered:
        assert await anext(answered) == (1, "1")
        assert not beside.tasks()
        assert [each async for each in answered] == [(2, "2")]


async def test_what_nobody_takes_is_given_up() -> None:
    """Whoever stops early leaves no request behind."""
    asked = Asked()
    async with aclosing(asked_ahead(asked.ask, [1, 2, 3], likely)) as answered:
        await anext(answered)
        asked.may.clear()
        await asked.waits.wait()
    assert asked.log == ["ask 1", "answer 1", "ask 2", "give up 2"]


async def test_an_error_comes_in_its_turn() -> None:
    """The answer before an error is handed out first; an error that nobody waits for is nobody's."""
    beside = Beside()
    for taken in (1, 2):
        async with aclosing(asked_ahead(Asked(fails=2).ask, [1, 2], likely)) as answered:
            assert await anext(answered) == (1, "1")
            await asyncio.wait(beside.tasks())
            if taken == 2:
                with pytest.raises(OSError, match="2"):
                    await anext(answered)


async def test_another_thing_is_wanted_than_was_asked_for() -> None:
    """Then what was asked for is given up before the other is asked for: two are never under way at once."""
    asked = Asked()
    async with aclosing(Ahead(asked.ask)) as ahead:
        asked.may.clear()
        ahead.begin(1)
        await asked.waits.wait()
        asked.may.set()
        assert await ahead.answer(2) == "2"
    assert asked.log == ["ask 1", "give up 1", "ask 2", "answer 2"]
