"""How a worker takes activities; one with neighbours leaves to them what it is too busy to begin at once.

A single process takes each activity that its workflows ask for along with Temporal's answer (eagerly), as nobody else
could. Of several, none does: who runs the workflow has enough to do. Each asks the task queue, and one that runs
something asks for more when its event loop turns freely: a page is cleaned where a core is free, and activities that
wait for their source or for PostgreSQL hold nothing up.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from temporalio.worker import (
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    PollerBehavior,
    PollerBehaviorAutoscaling,
    PollerBehaviorSimpleMaximum,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
    WorkerTuner,
)

from contactsync.workers.settings import Settings

_LOOK_SECONDS: Final = 0.002
_FREELY_SECONDS: Final = 2 * _LOOK_SECONDS
"""A sleep that takes longer than this was held up by somebody's work."""

_LOOKS: Final = 20
"""After so many, work is asked for all the same: where a whole machine is busy, no loop turns freely."""

_OTHERS: Final = 100
"""Workflow tasks and what we have none of: the SDK's own number."""

_POLLERS: Final = 5
"""The SDK's own number; one does, until Temporal says that there is a backlog."""


class SharedSlots(CustomSlotSupplier):
    """`most` slots. Temporal calls all but `reserve_slot` from threads of its own."""

    def __init__(self, most: int, turns_freely: Callable[[], Awaitable[bool]]) -> None:
        self._most: Final = most
        self._turns_freely: Final = turns_freely
        self._loop: Final = asyncio.get_running_loop()
        self._freed: Final = asyncio.Event()
        self._reserved: Final[set[SlotPermit]] = set()
        self._running: Final[set[SlotPermit]] = set()

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:  # noqa: ARG002  # the base's
        """A slot to ask the task queue with, once this process is not too busy and there is one."""
        await self._quiet()
        while not self._has_room():
            await self._freed.wait()
            self._freed.clear()
        return self._new()

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:  # noqa: ARG002  # the base's
        """None: no activity is taken by the way."""
        return None

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        """An activity begins."""
        self._running.add(ctx.permit)

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """It has ended, or there was none."""
        self._running.discard(ctx.permit)
        self._reserved.discard(ctx.permit)
        self._loop.call_soon_threadsafe(self._freed.set)

    def _has_room(self) -> bool:
        return len(self._reserved) < self._most

    def _new(self) -> SlotPermit:
        permit = SlotPermit()
        self._reserved.add(permit)
        return permit

    async def _quiet(self) -> None:
        """Wait until nothing runs here, or the loop turns freely all the same."""
        for _ in range(_LOOKS):
            if not self._running or await self._turns_freely():
                return


async def turns_freely() -> bool:
    """Whether the event loop does at once what it is asked to."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.sleep(_LOOK_SECONDS)
    return loop.time() - began < _FREELY_SECONDS


@dataclass(frozen=True, slots=True)
class Slots:
    """How many activities a worker runs at a time, and how it asks for them."""

    tuner: WorkerTuner
    pollers: PollerBehavior


def slots_of(settings: Settings) -> Slots:
    """The slots of a worker with these settings; there must be a running event loop."""
    if not settings.share_work:
        return Slots(WorkerTuner.create_fixed(activity_slots=settings.max_activities), PollerBehaviorSimpleMaximum())
    few = FixedSizeSlotSupplier(_OTHERS)
    tuner = WorkerTuner.create_composite(
        workflow_supplier=few,
        activity_supplier=SharedSlots(settings.max_activities, turns_freely),
        local_activity_supplier=few,
        nexus_supplier=few,
    )
    return Slots(tuner, PollerBehaviorAutoscaling(minimum=1, initial=1, maximum=_POLLERS))
