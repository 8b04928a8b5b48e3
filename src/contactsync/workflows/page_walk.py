"""The way of pages that `ConnectionSync` and `Backfill` share.

    fetch 1 ─▶ fetch 2 ─▶ fetch 3 ─▶ …          a few pages ahead of what is written
       └▶ sanitize 1 └▶ sanitize 2 └▶ …         each as soon as it is fetched
              └▶ upsert 1 ─▶ upsert 2 ─▶ …      one after the other

No stage waits for another page's slower one, and what a walk holds is bounded. A page that asks for patience is none:
its time is slept through on a timer of Temporal, and it is asked for again. A page without contacts, such as the one
that says that nothing has changed, is clean as it is. An error of the source ends the walk once the pages before it
are written.
"""

import asyncio
from collections import deque
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.messages import CleanPage, Page, PageResult
    from contactsync.workflows.guide import Guide
    from contactsync.workflows.lockstep_walk import LockstepWalk
    from contactsync.workflows.page_steps import LEAST_WAIT_SECONDS, PageSteps

PAGES_AHEAD: Final = "pages-ahead"
"""A patch: runs that began before there was such a thing walk in lockstep."""

_AHEAD: Final = 2
"""Pages that are fetched and not yet being written, above which no other is asked for: they stand in memory."""


async def walk_pages(steps: PageSteps, guide: Guide, page: int, cursor: bytes | None) -> bool:
    """Walk from after `page` and its `cursor` to the last page; False when it was stopped before.

    Raises:
        ActivityError: a page failed for good. What was committed stays.
    """
    if workflow.patched(PAGES_AHEAD):
        return await PageWalk(steps, guide, page, cursor).run()
    return await LockstepWalk(steps, guide, page, cursor).run()


class PageWalk:
    """One walk; see `walk_pages`."""

    def __init__(self, steps: PageSteps, guide: Guide, page: int, cursor: bytes | None) -> None:
        self._steps: Final = steps
        self._guide: Final = guide
        self._committed = (page, cursor)
        self._ahead: Final[deque[asyncio.Task[CleanPage]]] = deque()
        self._writing: asyncio.Task[PageResult] | None = None

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
        await self._steps.abandon((reading, *self._ahead), self._writing)
        self._ahead.clear()

    async def _read(self, page: int, cursor: bytes | None) -> None:
        """Fetch page after page, and have each cleaned, to the last one or until the walk is stopped."""
        while await self._may_ask():
            fetched = await self._steps.fetch(page + 1, cursor)
            if fetched.head.wait_seconds > 0:
                if not await self._wait(fetched.head.wait_seconds):
                    return
                continue
            self._guide.fetched(fetched.head)
            self._ahead.append(asyncio.create_task(self._cleaned(fetched)))
            page, cursor = fetched.head.page, fetched.head.cursor
            if fetched.head.done or self._guide.should_stop():
                return

    async def _may_ask(self) -> bool:
        """Wait for room for the next page, and for the pace to allow it; False when the walk was stopped meanwhile."""
        if len(self._ahead) >= _AHEAD:
            await workflow.wait_condition(lambda: len(self._ahead) < _AHEAD)
            if self._guide.should_stop():
                return False
        while (delay := self._guide.delay()) > 0:
            if not await self._wait(delay):
                return False
        return True

    async def _wait(self, seconds: float) -> bool:
        await self._guide.wait(max(seconds, LEAST_WAIT_SECONDS))
        return not self._guide.should_stop()

    async def _cleaned(self, page: Page) -> CleanPage:
        if page.head.contacts == 0:
            return CleanPage(page.head, page.body)  # its records are the same before and after (`activities/pages.py`)
        return await self._steps.sanitize(page)

    async def _write_all(self, reading: asyncio.Task[None]) -> bool | None:
        """Write the pages in their order, as they become clean; answers as `_stretch` does."""
        while (clean := await self._next(reading)) is not None:
            if not await self._write(clean):
                return None
            if clean.head.done:
                return True
        return False

    async def _next(self, reading: asyncio.Task[None]) -> CleanPage | None:
        """The next page to be written; after all that were fetched, what ended the reading, or None."""
        await workflow.wait_condition(lambda: bool(self._ahead) or reading.done())
        if not self._ahead:
            await reading
            return None
        clean = await self._ahead[0]
        self._ahead.popleft()
        return clean

    async def _write(self, clean: CleanPage) -> bool:
        """Write a page; False if it must be fetched again."""
        self._writing = asyncio.create_task(self._steps.upsert(clean))
        result = await asyncio.shield(self._writing)  # no stage outlives its walk but a fetch, which changes nothing
        self._writing = None
        if result.redo:
            return False
        self._committed = (clean.head.page, clean.head.cursor)
        self._guide.committed(clean.head, result)
        return True
