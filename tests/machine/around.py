"""What a story does to its workers' activities: it lets transactions fail, holds writes up, and remembers pages."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any, Final

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from contactsync import faults
from contactsync.activities.messages import UPSERT_IN_TURN, UPSERT_PAGE, CleanPage
from contactsync.errors import DatabaseUnavailable

POINTS: Final = (faults.TRANSACTION_BEGUN, faults.TRANSACTION_COMMITS, faults.TRANSACTION_COMMITTED)
_BEAT_SECONDS: Final = 2.0
_STALLED_BEATS: Final = 15
"""A write that is held up says that it lives, so that it is late, but not given up."""

_COMES_WITHIN_SECONDS: Final = 5.0


@dataclass
class Around:
    """Of one story: `pages` are all that were about to be written, in order; `strikes` is a point and a countdown."""

    pages: list[CleanPage] = field(default_factory=list[CleanPage])
    strikes: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    stalls: list[bool] = field(default_factory=list[bool])
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    none_awaited: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.none_awaited.set()

    def strike(self, who: int, whom: int) -> None:
        """At a point which comes soon the database is lost: what was written stays, or the answer to it gets lost."""
        self.strikes.append((POINTS[who % len(POINTS)], 1 + whom % 8))

    def stall(self, *, backfill: bool) -> None:
        """The next write of a page, live or of a backfill, is held up."""
        self.gate.clear()
        self.stalls.append(backfill)
        self.none_awaited.clear()

    async def stalled(self) -> None:
        """Wait until what is to be held up is, or does not come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_COMES_WITHIN_SECONDS):
                await self.none_awaited.wait()

    def release(self) -> None:
        """What is held up goes on."""
        self.stalls.clear()
        self.none_awaited.set()
        self.gate.set()

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self.strikes.clear()
        self.release()

    def reach(self, point: str) -> None:
        """An activity is at this point."""
        for position, (wanted, countdown) in enumerate(self.strikes):
            if wanted == point:
                self.strikes[position] = (wanted, countdown - 1)
        if (point, 0) in self.strikes:
            self.strikes.remove((point, 0))
            raise DatabaseUnavailable("the story lets the database fail here")

    async def before(self, page: CleanPage) -> None:
        """A page is about to be written."""
        self.pages.append(page)
        is_backfill = page.head.part is not None
        if is_backfill in self.stalls:
            self.stalls.remove(is_backfill)
            if not self.stalls:
                self.none_awaited.set()
            await self._stand_still()

    async def _stand_still(self) -> None:
        for _ in range(_STALLED_BEATS):
            activity.heartbeat()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_BEAT_SECONDS):
                    await self.gate.wait()
                    return


@dataclass
class Everywhere:
    """All stories by the task queues of their workers; the hook of `faults`."""

    stories: dict[str, Around] = field(default_factory=dict[str, Around])

    def reach(self, point: str) -> None:
        """Some activity is at this point."""
        if activity.in_activity() and (around := self.stories.get(activity.info().task_queue)):
            around.reach(point)


class Watched(Interceptor):
    """Stands around the activities of a story's worker."""

    def __init__(self, around: Around) -> None:
        self._around = around

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002  # the base's
        """Stand before every activity."""
        return _Activities(next, self._around)


class _Activities(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, around: Around) -> None:  # noqa: A002  # the base's
        super().__init__(next)
        self._around = around

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002  # the base's
        if activity.info().activity_type in {UPSERT_PAGE, UPSERT_IN_TURN}:
            page: object = input.args[0]
            assert isinstance(page, CleanPage)
            await self._around.before(page)
        return await super().execute_activity(input)
