"""Asking for what comes next while what came is worked on, so that source and worker do not wait for each other."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import aclosing
from typing import Generic, TypeVar

Wanted = TypeVar("Wanted")
Answer = TypeVar("Answer")


class Ahead(Generic[Wanted, Answer]):
    """Asks with `ask`; and for one thing before somebody wants it. Two are never asked for at once. Close it
    (`aclosing`): what was asked for is given up then."""

    def __init__(self, ask: Callable[[Wanted], Coroutine[None, None, Answer]]) -> None:
        self._ask = ask
        self._early: tuple[Wanted, asyncio.Task[Answer]] | None = None

    def begin(self, wanted: Wanted) -> None:
        """Ask for this now; its answer, or error, is for who wants it next."""
        assert self._early is None  # noqa: S101  # what was wanted last took it
        self._early = wanted, asyncio.create_task(self._ask(wanted))

    async def answer(self, wanted: Wanted) -> Answer:
        """The answer to this; if something else was asked for before, that is given up.

        Raises:
            whatever `ask` does.
        """
        if self._early is None or self._early[0] != wanted:
            await self.aclose()
            return await self._ask(wanted)
        _, task = self._early
        self._early = None
        return await task

    async def aclose(self) -> None:
        """Give up what nobody took."""
        if self._early is not None:
            _, task = self._early
            self._early = None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def asked_ahead(
    ask: Callable[[Wanted], Coroutine[None, None, Answer]],
    wanted: Iterable[Wanted],
    is_likely: Callable[[Wanted, Wanted], bool],
) -> AsyncGenerator[tuple[Wanted, Answer]]:
    """Each of the wanted with its answer, in their order; close it.

    Once one is answered the next is asked for, before the first is worked on; if it `is_likely(first, next)` that
    somebody will take it.
    """
    remaining = iter(wanted)
    current = next(remaining, None)
    async with aclosing(Ahead(ask)) as ahead:
        while current is not None:
            answer = await ahead.answer(current)
            following = next(remaining, None)
            if following is not None and is_likely(current, following):
                ahead.begin(following)
            yield current, answer
            current = following
