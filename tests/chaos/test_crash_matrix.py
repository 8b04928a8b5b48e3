"""A worker dies at every point there is, once, and another goes on."""

import pytest
from tests.chaos.ground import SideBySide
from tests.chaos.relays import RELAYS


@pytest.mark.timeout(900)
@pytest.mark.parametrize("story", RELAYS)
async def test_workers_die_at_every_point_and_nothing_is_lost(stories: SideBySide, story: str) -> None:
    """Rows equal the source, no row ever went back, counters add up: whatever the workers died of, and wherever."""
    await stories.ends[story]
