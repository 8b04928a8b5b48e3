"""Whatever happens to a source, to workers and to backfills, in any order: the database ends equal to the source."""

from collections.abc import AsyncGenerator
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from tests.machine.arena import Arena, running_arena
from tests.machine.dangers import DANGERS
from tests.machine.steps import Script, scripts

EXAMPLES: Final = 3
SIDE_BY_SIDE: Final = 4
STEPS: Final = 16


@pytest.fixture(scope="module")
async def arena() -> AsyncGenerator[Arena]:
    """One stack for all stories."""
    async with running_arena() as running:
        yield running


@given(told=st.lists(scripts(STEPS), min_size=SIDE_BY_SIDE, max_size=SIDE_BY_SIDE))
@example(told=list(DANGERS))
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
async def test_any_story_ends_with_source_and_database_equal(arena: Arena, told: list[Script]) -> None:
    """Contacts equal the source's, nobody is there twice, no row ever went back, held deletions and counters add up.

    What fails here is shrunk by `python -m tests.machine.long` (CONTRIBUTING.md).
    """
    await arena.play(told)
