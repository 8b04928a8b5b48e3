"""One stack for all stories, each of which has a tenant, a connection, a source and a worker of its own."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.chaos.ground import Ground, running_ground
from tests.machine.around import Around, Everywhere
from tests.machine.steps import Script
from tests.machine.story import PEOPLE, hours_of, telling

from contactsync import faults
from contactsync.workers.syncs import Sync


@dataclass
class Arena:
    """Where stories are played."""

    ground: Ground
    everywhere: Everywhere

    async def play(self, scripts: Iterable[Script]) -> None:
        """Stories side by side; those without a step are none."""
        async with asyncio.TaskGroup() as stories:
            for script in scripts:
                if script.steps:
                    stories.create_task(self._play(script))

    async def _play(self, script: Script) -> None:
        async with self.ground.place(PEOPLE, reconcile_hours=hours_of(script)) as place:
            around = self.everywhere.stories[place.queue] = Around()
            try:
                async with telling(place, around) as story:
                    await story.play(script)
            finally:
                await self._end_workflow(place.sync)
                del self.everywhere.stories[place.queue]

    async def _end_workflow(self, sync: Sync) -> None:
        condition = self.ground.client.get_workflow_handle(sync.workflow_id)
        if (await condition.describe()).close_time is None:
            await condition.terminate()


@asynccontextmanager
async def running_arena() -> AsyncGenerator[Arena]:
    """The stack, and the hook that lets transactions fail."""
    async with running_ground() as ground:
        everywhere = Everywhere()
        with faults.armed(everywhere.reach):
            yield Arena(ground, everywhere)
