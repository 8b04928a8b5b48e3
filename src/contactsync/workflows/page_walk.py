"""The way of pages that `ConnectionSync` and `Backfill` share.

    fetch 1 ─▶ fetch 2 ─▶ fetch 3 ─▶ …          a few pages ahead of what is written
       └▶ sanitize 1 └▶ sanitize 2 └▶ …         each as soon as it is fetched
              └▶ upsert 1 ─▶ upsert 2 ─▶ …      one after the other; the next one makes itself ready meanwhile

No stage waits for another page's slower one, and what a walk holds is bounded. A page that asks for patience is none:
its time is slept through on a timer of Temporal, and it is asked for again. A page without contacts, such as the one
that says that nothing has changed, is clean as it is. An error of the source ends the walk once the pages before it
are written.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.messages import CleanPage, Page, PageResult
    from contactsync.workflows.guide import Guide
    from contactsync.workflows.lockstep_walk import LockstepWalk
    from contactsync.workflows.page_steps import LEAST_WAIT_SECONDS, PageSteps

PAGES_AHEAD: Final = "pages-ahead"
"""A patch: runs that began before there was such a thing walk in lockstep."""

IN_TURN: Final = "upsert-in-turn"
"""A patch: runs that began before there was such a thing begin to write a page when the one before is written."""

MOST_AHEAD: Final = 2
"""Pages that are fetched and not yet being written, above which no other is asked for: they stand in memory. One that
waits for its turn is still among them."""

_WRITES: Final = 2
"""Pages of live sync that are under way at a time. Parts of a backfill overlap each other as it is."""


async def walk_pages(steps: PageSteps, guide: Guide, page: int, cursor: bytes | None) -> bool:
    """Walk from after `page` and its `cursor` to the last page; False when it was stopped before.

    Raises:
        ActivityError: a page failed for good. What was committed stays.
    """
    if workflow.patched(PAGES_AHEAD):
        return await PageWalk(steps, guide, page, cursor).run()
    return await LockstepWalk(steps, guide, page, cursor).run()


@dataclass(frozen=True, slots=True)
class _Write:
    """A page that is being written, or waits for its turn."""

    clean: CleanPage
    task: asyncio.Task[PageResult]


class PageWalk:
    """One walk; see `walk_pages`."""

    def __init__(self, steps: PageSteps, guide: Guide, page: int, cursor: bytes | None) -> None:
        self._steps: Final = steps
        self._guide: Final = guide
        self._committed = (page, cursor)
        self._ahead: Final[deque[asyncio.Task[CleanPage]]] = deque()
        self._writes: Final[deque[_Write]] = deque()
        self._most_writes = _WRITES if steps.part is None and workflow.patched(IN_TURN) else 1

    async def run(self) -> bool:
        """Walk to the last page; False when it was stopped before."""
        while (is_done := await self._stretch()) is None:
            pass
        return is_done

    async def _stretch(self) -> bool | None:
        """Walk on from what is committed; None at a page that must be fetched again."""
        reading = asyncio.create_task(self._read(*self._committed))
        try:
            is_done = await self._write_all(reading)
        except (Exception, asyncio.CancelledError):  # not GeneratorExit: a run that is dropped may wait for nothing
            await self._let_go(reading)
            raise
        await self._let_go(reading)
        return is_done

    async def _let_go(self, reading: asyncio.Task[None]) -> None:
        await self._steps.abandon((reading, *self._ahead), (write.task for write in self._writes))
        self._ahead.clear()
        self._writes.clear()

    async def _read(self, page: int, cursor: bytes | None) -> None:
        """Fetch page after page, and have each cleaned, to the last one or until the walk is stopped."""
        while await self._may_ask():
            fetched = await self._steps.fetch(page + 1, cursor)
            if fetched.head.wait_seconds > 0:
                if not await self._wait(fetched.head.wait_seconds):
                    return
                continue
            self._steps.room.saw(len(fetched.packed))
            self._guide.fetched(fetched.head)
            self._ahead.append(asyncio.create_task(self._cleaned(fetched)))
            page, cursor = fetched.head.page, fetched.head.cursor
            if fetched.head.done or self._guide.should_stop():
                return

    async def _may_ask(self) -> bool:
        """Wait for room for the next page, and for the pace to allow it; False when the walk was stopped meanwhile."""
        if not self._has_room():
            await workflow.wait_condition(self._has_room)
            if self._guide.should_stop():
                return False
        while (delay := self._guide.delay()) > 0:
            if not await self._wait(delay):
                return False
        return True

    def _has_room(self) -> bool:
        return len(self._ahead) + len(self._writes) - bool(self._writes) < MOST_AHEAD

    async def _wait(self, seconds: float) -> bool:
        await self._guide.wait(max(seconds, LEAST_WAIT_SECONDS))
        return not self._guide.should_stop()

    async def _cleaned(self, page: Page) -> CleanPage:
        if page.head.contacts == 0:
            return CleanPage(page.head, page.body)  # its records are the same before and after (`activities/pages.py`)
        return await self._steps.sanitize(page)

    async def _write_all(self, reading: asyncio.Task[None]) -> bool | None:
        """Write the pages in their order, as they become clean; answers as `_stretch` does."""
        while await self._one_has_ended(reading):
            clean, result = self._writes[0].clean, await self._writes[0].task
            if result.early:
                self._writes[0] = self._begun(clean, waits=False)
                self._most_writes = 1  # where pages take so long, the next one would only wait
                continue
            self._writes.popleft()
            if result.redo:
                return None
            self._committed = (clean.head.page, clean.head.cursor)
            self._guide.committed(clean.head, result)
            if clean.head.done:
                return True
        return False

    async def _one_has_ended(self, reading: asyncio.Task[None]) -> bool:
        """Begin to write what becomes clean, until the oldest write has ended; False when there is none left.

        Raises:
            ActivityError: what ended the reading, or the cleaning of the next page, once all before it is written.
        """
        while True:
            await workflow.wait_condition(lambda: self._has_ended() or self._may_begin() or self._is_over(reading))
            if self._has_ended():
                return True
            if self._is_over(reading):
                await reading
                return False
            clean = self._ahead[0].result()
            self._ahead.popleft()
            self._writes.append(self._begun(clean, waits=bool(self._writes)))

    def _begun(self, clean: CleanPage, *, waits: bool) -> _Write:
        return _Write(clean, asyncio.create_task(self._steps.upsert(clean, waits=waits)))

    def _has_ended(self) -> bool:
        return bool(self._writes) and self._writes[0].task.done()

    def _may_begin(self) -> bool:
        if not self._ahead or not self._ahead[0].done() or len(self._writes) >= self._most_writes:
            return False
        return not self._writes or self._ahead[0].exception() is None

    def _is_over(self, reading: asyncio.Task[None]) -> bool:
        return reading.done() and not self._ahead and not self._writes
