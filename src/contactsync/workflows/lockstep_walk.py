"""The way of pages of runs that began before pages were fetched further ahead: `page_walk` is today's.

Page n+1 is fetched while page n is cleaned and page n-1 written, and all three wait for the slowest of them. It stands
here for as long as such a run may be open, which is a day, or be replayed (tests/replay).
"""

import asyncio
from typing import Final

from temporalio import workflow
from temporalio.workflow import ActivityHandle

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.messages import CleanPage, Page, PageResult
    from contactsync.workflows.guide import Guide
    from contactsync.workflows.page_steps import LEAST_WAIT_SECONDS, PageSteps

_NOTHING_TO_CLEAN: Final = "nothing-to-clean"
"""A patch: runs that began before there was such a thing may have had such a page cleaned."""


class LockstepWalk:
    """One walk, from after `page` and its `cursor`."""

    def __init__(self, steps: PageSteps, guide: Guide, page: int, cursor: bytes | None) -> None:
        self._steps: Final = steps
        self._guide: Final = guide
        self._committed = (page, cursor)
        self._place = (page, cursor)
        self._fetching: ActivityHandle[Page] | None = None
        self._writing: asyncio.Task[PageResult] | None = None

    async def run(self) -> bool:
        """Walk to the last page; False when it was stopped before.

        Raises:
            ActivityError: a page failed for good. What was committed stays.
        """
        try:
            is_done = await self._walk()
        except (Exception, asyncio.CancelledError):  # not GeneratorExit: a run that is dropped may wait for nothing
            await self._let_go()
            raise
        await self._let_go()
        return is_done

    async def _let_go(self) -> None:
        await self._steps.abandon(self._unneeded(), () if self._writing is None else (self._writing,))

    async def _walk(self) -> bool:
        while (page := await self._page()) is not None:
            if await self._take(page):
                return page.head.done
        return False

    async def _page(self) -> Page | None:
        """The next page; None when the walk was stopped while it waited for one."""
        while await self._may_ask():
            page, self._fetching = await self._fetch(), None
            if page.head.wait_seconds <= 0:
                return page
            if await self._written() and not await self._wait(page.head.wait_seconds):
                return None
        await self._written()
        return None

    async def _may_ask(self) -> bool:
        """Wait until the pace allows the next page; False when the walk was stopped meanwhile."""
        while self._fetching is None and (delay := self._guide.delay()) > 0:
            if not await self._wait(delay):
                return False
        return True

    async def _wait(self, seconds: float) -> bool:
        await self._guide.wait(max(seconds, LEAST_WAIT_SECONDS))
        return not self._guide.should_stop()

    def _fetch(self) -> ActivityHandle[Page]:
        if self._fetching is None:
            page, cursor = self._place
            self._fetching = self._steps.fetch(page + 1, cursor)
        return self._fetching

    async def _take(self, page: Page) -> bool:
        """Clean and write a page while the next one is fetched; True once it is committed as the walk's last."""
        is_last = page.head.done or self._guide.should_stop()
        self._place = (page.head.page, page.head.cursor)
        if not is_last and self._guide.delay() <= 0:
            self._fetch()
        clean = await self._cleaned(page)
        if not await self._written():
            return False
        self._writing = asyncio.create_task(self._write(clean))
        return is_last and await self._written()

    def _unneeded(self) -> tuple[ActivityHandle[Page], ...]:
        return () if self._fetching is None else (self._fetching,)

    async def _cleaned(self, page: Page) -> CleanPage:
        if page.head.contacts == 0 and workflow.patched(_NOTHING_TO_CLEAN):
            return CleanPage(page.head, page.body)  # its records are the same before and after (`activities/pages.py`)
        return await self._steps.sanitize(page)

    async def _write(self, clean: CleanPage) -> PageResult:
        result = await self._steps.upsert(clean)
        if not result.redo:
            self._committed = (clean.head.page, clean.head.cursor)
            self._guide.fetched(clean.head)  # so late that a rate is kept by what was written
            self._guide.committed(clean.head, result)
        return result

    async def _written(self) -> bool:
        """Wait for the page that is being written; False if it must be fetched again, where the walk then stands."""
        if self._writing is None:
            return True
        result, self._writing = await self._writing, None
        if not result.redo:
            return True
        await self._steps.abandon(self._unneeded())
        self._fetching, self._place = None, self._committed
        return False
