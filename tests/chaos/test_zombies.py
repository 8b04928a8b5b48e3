"""A worker stands still in the midst of its work, another does it all, and then the first goes on."""

import pytest
from tests.chaos.ground import SideBySide
from tests.chaos.zombies import ZOMBIES


@pytest.mark.timeout(900)
@pytest.mark.parametrize("story", ZOMBIES)
async def test_what_a_zombie_does_late_changes_nothing(stories: SideBySide, story: str) -> None:
    """It stood still inside an activity and finishes after everything else: refused, cut off or without effect."""
    await stories.ends[story]
