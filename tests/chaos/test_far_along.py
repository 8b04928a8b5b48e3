"""Long work that is killed near its end goes on from there."""

import asyncio
from typing import Final, TypeVar

import pytest
from tests.chaos.armed import Fault
from tests.chaos.ground import Ground, Place

T = TypeVar("T")

PEOPLE: Final = 400
PAGE_ROWS: Final = 10
PAGES: Final = PEOPLE // PAGE_ROWS
FAR: Final = PAGES * 95 // 100
AGAIN_AT_MOST: Final = 5
"""Requests that may be made twice: pages that were fetched ahead, and those that end parts."""

_LOOK_EVERY_SECONDS: Final = 0.1


async def _dies_far_along(place: Place, point: str) -> int:
    """How many requests its source had met by then."""
    worker = place.start_worker("far", Fault(point, FAR))
    await worker.died()
    return place.ledger.provider.requests


async def _ended(work: "asyncio.Future[T]", place: Place, requests: int) -> T:
    """What the heir made of it, with hardly a page asked for again."""
    while not work.done():
        await asyncio.wait([work], timeout=_LOOK_EVERY_SECONDS)
        again = place.ledger.provider.requests - requests
        assert again <= PAGES - FAR + AGAIN_AT_MOST, again
    return work.result()


@pytest.mark.timeout(900)
async def test_p05_a_pass_that_dies_at_95_percent_goes_on_there(ground: Ground) -> None:
    """A first listing of 40 pages: no page that was committed is fetched again, and each contact is added once."""
    async with ground.place(PEOPLE, page_rows=PAGE_ROWS) as place:
        asked = place.beside(place.finished())
        requests = await _dies_far_along(place, "fetch_page.starts")
        async with place.heir():
            result = await _ended(asked, place, requests)
        assert result.outcome == "completed"
        assert result.counts.added == PEOPLE
        await place.check()


@pytest.mark.timeout(900)
async def test_p05_a_backfill_that_dies_at_95_percent_goes_on_there(ground: Ground) -> None:
    """The same in parts that are read side by side."""
    async with ground.place(PEOPLE, page_rows=PAGE_ROWS) as place:
        run = await place.backfill()
        requests = await _dies_far_along(place, "backfill.upsert_page.starts")
        async with place.heir():
            result = await _ended(place.beside(place.filled(run)), place, requests)
        assert result.outcome == "completed"
        assert result.counts.added == PEOPLE
        await place.check()
