"""PostgreSQL and Temporal die while workers stand in the midst of all sorts of work, and come back."""

import asyncio
from contextlib import AsyncExitStack
from typing import Final, Literal

import pytest
from tests.chaos.armed import Fault
from tests.chaos.ground import ALWAYS, Ground, Place, SideBySide
from tests.chaos.processes import WorkerProcess

POINTS: Final = (
    "open_pass.transaction.commits",
    "fetch_page.starts",
    "fetch_page.ends",
    "upsert_page.transaction.commits",
    "upsert_page.transaction.committed",
    "backfill.fetch_page.ends",
    "backfill.upsert_page.transaction.commits",
    "backfill.close_backfill.transaction.commits",
)


class Caught:
    """A worker that stands at a point, and what it was asked to do."""

    def __init__(self, place: Place, point: str) -> None:
        self.place = place
        self._point = point

    async def begin(self) -> None:
        """Have it come to its point."""
        await self.place.first_pass()
        self.place.ledger.change_a_bit()
        self._worker: WorkerProcess = self.place.start_worker(self._point, Fault(self._point, action="stop"))
        is_backfill = self._point.startswith("backfill.")
        self._run = await self.place.backfill() if is_backfill else None
        self._asked = None if is_backfill else self.place.beside(self.place.finished())
        await self._worker.strikes()
        self.place.ledger.change_a_bit()

    async def end(self) -> None:
        """Let it go on, and see that it comes to a good end."""
        self._worker.go_on()
        if self._asked is not None:
            assert (await self._asked).outcome == "completed"
        if self._run is not None:
            assert (await self.place.filled(self._run)).outcome == "completed"
        assert (await self.place.finished()).outcome == "completed"
        await self._worker.kill()
        await self.place.check()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("victim", ["postgres", "temporal"])
async def test_a_server_dies_in_the_midst_of_everything(
    ground: Ground, stories: SideBySide, victim: Literal["postgres", "temporal"]
) -> None:
    """The workers go on with what they stood in, and nothing is lost, doubled or older than before."""
    await stories.over()  # they need the servers
    async with AsyncExitStack() as places:
        caught = [
            Caught(await places.enter_async_context(ground.place(reconcile_hours=ALWAYS)), point) for point in POINTS
        ]
        await asyncio.gather(*(each.begin() for each in caught))
        await (ground.kill_postgres() if victim == "postgres" else ground.kill_temporal())
        await asyncio.gather(*(each.end() for each in caught))
