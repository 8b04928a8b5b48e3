"""Asking for the next cards while those that came are read, so that source and worker do not wait for each other."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from typing import TypeVar

Wanted = TypeVar("Wanted")
Answer = TypeVar("Answer")


async def asked_ahead(
    ask: Callable[[Wanted], Coroutine[None, None, Answer]],
    wanted: Iterable[Wanted],
    is_likely: Callable[[Wanted, Wanted], bool],
) -> AsyncGenerator[tuple[Wanted, Answer]]:
    """Each of the wanted with its answer, in their order.

    Once one is answered the next is asked for, before the first is worked on; if it `is_likely(first, next)` that
    somebody will take it. Two are never asked for at once. Close it (`aclosing`): what was asked for is given up then.
    """
    remaining = iter(wanted)
    current, task = next(remaining, None), None
    try:
        while current is not None:
            answer = await (task or ask(current))
            following = next(remaining, None)
            is_next = following is not None and is_likely(current, following)
            task = asyncio.create_task(ask(following)) if following is not None and is_next else None
            yield current, answer
            current = following
    finally:
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
