"""A worker dies at every point there is, once, and another goes on.

All points are tried side by side, each on a connection of its own, since what takes time is that Temporal waits for the
heartbeat of a worker that is dead.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

import pytest
from tests.chaos.armed import Fault
from tests.chaos.ground import ALWAYS, PEOPLE, Ground, Place, running_ground

from contactsync.activities.sources.simulator.provider import Provider

AT_THE_SAME_TIME: Final = 20

PAGE_POINTS: Final = (
    "starts",
    "transaction.begun",
    "transaction.commits",
    "transaction.committed",
    "heartbeat.due",
    "heartbeat.sent",
    "ends",
)

LIVE: Final = (
    *(Fault(f"open_pass.{what}") for what in PAGE_POINTS if not what.startswith("heartbeat")),
    *(Fault(f"{activity}_page.{what}", 3) for activity in ("fetch", "sanitize", "upsert") for what in PAGE_POINTS),
    Fault("ConnectionSync.schedules.open_pass"),
    *(Fault(f"ConnectionSync.schedules.{activity}_page", 3) for activity in ("fetch", "sanitize", "upsert")),
    Fault("ConnectionSync.continues_as_new"),
)
NAMES: Final = tuple(fault.point for fault in LIVE)

Story = Callable[[Place, Fault], Awaitable[None]]


async def dies_and_another_goes_on(place: Place, fault: Fault) -> None:
    """The worker of a second pass, with everything to do, dies; the source changes meanwhile; an heir ends the pass."""
    await place.first_pass()
    place.ledger.change_a_bit()
    armed = place.start_worker("armed", fault)
    asked = asyncio.ensure_future(place.finished())
    await armed.died()
    place.ledger.change_a_bit()
    async with place.heir():
        assert (await asked).outcome == "completed"
        assert (await place.finished()).outcome == "completed"
    await place.check()


class Matrix:
    """Every story, begun at once and awaited one by one."""

    def __init__(self, ground: Ground, stories: dict[str, tuple[Story, Fault]]) -> None:
        self._turns = asyncio.Semaphore(AT_THE_SAME_TIME)
        self.ground = ground
        self.ends = {name: asyncio.create_task(self._tell(*story)) for name, story in stories.items()}

    async def _tell(self, story: Story, fault: Fault) -> None:
        async with self._turns, self.ground.place(Provider(PEOPLE), reconcile_hours=ALWAYS) as place:
            await story(place, fault)

    async def stop(self) -> None:
        """End what nobody waits for."""
        for end in self.ends.values():
            end.cancel()
        await asyncio.gather(*self.ends.values(), return_exceptions=True)


@pytest.fixture(scope="module")
async def matrix(request: pytest.FixtureRequest) -> AsyncGenerator[Matrix]:
    """The stories of the tests that were asked for."""
    asked = {
        item.callspec.params["point"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and "matrix" in item.fixturenames
    }
    stories: dict[str, tuple[Story, Fault]] = {
        fault.point: (dies_and_another_goes_on, fault) for fault in LIVE if fault.point in asked
    }
    async with running_ground() as ground:
        matrix = Matrix(ground, stories)
        yield matrix
        await matrix.stop()


@pytest.mark.parametrize("point", NAMES)
async def test_a_worker_dies_there_and_nothing_is_lost(matrix: Matrix, point: str) -> None:
    """Rows equal the source, no row ever went back, counters add up: whatever a worker died of, and wherever."""
    await matrix.ends[point]
