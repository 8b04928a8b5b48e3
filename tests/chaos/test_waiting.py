"""A page waits for its turn, and its worker, or that of the page before, dies, stands still or is asked anew."""

import pytest
from tests.chaos.ground import SideBySide
from tests.chaos.waiting import WAITING


@pytest.mark.timeout(900)
@pytest.mark.parametrize("story", WAITING)
async def test_a_page_that_waits_is_committed_after_the_one_before_or_not_at_all(
    stories: SideBySide, story: str
) -> None:
    """No page is lost, committed over a gap or committed twice, and nobody waits for ever."""
    await stories.ends[story]
