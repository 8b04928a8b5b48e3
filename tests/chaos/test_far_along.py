"""Long work that is killed near its end goes on from there."""

import asyncio
from typing import Final

import pytest
from tests.chaos.armed import Fault
from tests.chaos.ground import Ground, Place

PEOPLE: Final = 400
PAGE_ROWS: Final = 10
PAGES: Final = PEOPLE // PAGE_ROWS
FAR: Final = PAGES * 95 // 100
AGAIN_AT_MOST: Final = 5
"""Requests that may be made twice: pages that were fetched ahead, and those that end parts."""


async def _dies_far_along(place: Place, point: str) -> int:
    """How many requests its source had met by then."""
    worker = place.start_worker("far", Fault(point, FAR))
    await worker.died()
    return place.ledger.provider.requests


@pytest.mark.timeout(900)
async def test_p05_a_pass_that_dies_at_95_percent_goes_on_there(ground: Ground) -> None:
    """A first listing of 40 pages: no page that was committed is fetched again, and each contact is added once."""
    async with ground.place(PEOPLE, page_rows=PAGE_ROWS) as place:
        asked = asyncio.ensure_future(place.finished())
        requests = await _dies_far_along(place, "upsert_page.starts")
        async with place.heir():
            result = await asked
        again = place.ledger.provider.requests - requests
        assert result.outcome == "completed"
        assert result.counts.added == PEOPLE
        assert again <= PAGES - FAR + AGAIN_AT_MOST, again
        await place.check()


@pytest.mark.timeout(900)
async def test_p05_a_backfill_that_dies_at_95_percent_goes_on_there(ground: Ground) -> None:
    """The same in parts that are read side by side."""
    async with ground.place(PEOPLE, page_rows=PAGE_ROWS) as place:
        run = await place.backfill()
        requests = await _dies_far_along(place, "backfill.upsert_page.starts")
        async with place.heir():
            result = await place.filled(run)
        again = place.ledger.provider.requests - requests
        assert result.outcome == "completed"
        assert result.counts.added == PEOPLE
        assert again <= PAGES - FAR + AGAIN_AT_MOST, again
        await place.check()
