"""Whatever is killed, and whenever: started again, it ends with source and database equal."""

import asyncio
import random
from itertools import cycle, islice

import pytest
from tests.chaos.conftest import USER, Machine

MOMENTS = 21
LONGEST_DELAY_SECONDS = 0.9
"""About as long as a pass takes, so that every part of it is hit."""


@pytest.mark.timeout(900)
async def test_a_kill_at_any_moment_of_a_pass_loses_nothing(machine: Machine) -> None:
    """Worker, PostgreSQL and Temporal are killed in turn at 21 random moments of passes that have work to do."""
    chance = random.Random(20_261_121)  # noqa: S311  # which moments are hit must be repeatable, not secret
    for moment, victim in enumerate(islice(cycle(("worker", "postgres", "temporal")), MOMENTS)):
        if moment:
            await machine.carddav.apply(USER, machine.book.change_some(chance, 40))
        running = asyncio.ensure_future(machine.finished())
        delay = chance.uniform(0, LONGEST_DELAY_SECONDS)
        await asyncio.wait([running], timeout=delay)  # the random moment of the fault
        await machine.kill(victim)
        result = await running
        assert result.outcome == "completed", (moment, victim)
        difference = await machine.difference()
        assert difference.none, (moment, victim, delay, difference)
