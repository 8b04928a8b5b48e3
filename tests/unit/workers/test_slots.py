"""How a worker with neighbours takes activities."""

import asyncio
from threading import Thread
from types import SimpleNamespace
from typing import cast

from temporalio.worker import SlotMarkUsedContext, SlotPermit, SlotReleaseContext, SlotReserveContext

from contactsync.workers.settings import Settings
from contactsync.workers.slots import SharedSlots, slots_of, turns_freely

ASKING = cast("SlotReserveContext", SimpleNamespace(slot_type="activity"))


async def _yes() -> bool:
    return True


def _used(slots: SharedSlots, permit: SlotPermit) -> None:
    slots.mark_slot_used(cast("SlotMarkUsedContext", SimpleNamespace(permit=permit)))


def _release(slots: SharedSlots, permit: SlotPermit) -> None:
    """As Temporal does it: from another thread."""
    context = SlotReleaseContext(slot_info=None, permit=permit)
    thread = Thread(target=slots.release_slot, args=(context,))
    thread.start()
    thread.join()


async def test_what_is_offered_by_the_way_is_left_to_the_task_queue() -> None:
    """A neighbour may be idle, even where nothing runs: who runs the workflow has enough to do."""
    assert SharedSlots(5, _yes).try_reserve_slot(ASKING) is None


async def test_no_more_slots_than_there_are() -> None:
    """Who asks for one more waits until one is given back, by whatever thread."""
    slots = SharedSlots(2, _yes)
    permits = [await slots.reserve_slot(ASKING) for _ in range(2)]
    waiting = [asyncio.create_task(slots.reserve_slot(ASKING)) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    for permit in permits:
        _release(slots, permit)
    assert len(set(await asyncio.gather(*waiting))) == 2


async def test_a_busy_process_asks_for_more_when_its_loop_turns_freely() -> None:
    """Two looks find it busy, the third does not; a process that runs nothing need not look."""
    looks = [True, False, False]

    async def look() -> bool:
        return looks.pop()

    slots = SharedSlots(5, look)
    permit = await slots.reserve_slot(ASKING)
    assert len(looks) == 3
    _used(slots, permit)
    await slots.reserve_slot(ASKING)
    assert looks == []


async def test_a_process_that_is_always_busy_asks_all_the_same() -> None:
    """Where a whole machine is busy, no loop ever turns freely, and work must go on."""
    looks = 0

    async def never() -> bool:
        nonlocal looks
        looks += 1
        return False

    slots = SharedSlots(5, never)
    _used(slots, await slots.reserve_slot(ASKING))
    await slots.reserve_slot(ASKING)
    assert looks > 1


async def test_a_loop_that_is_held_up_does_not_turn_freely() -> None:
    """A callback that keeps the loop for longer than the look lasts is noticed."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    def hold_up() -> None:
        while loop.time() - began < 0.05:
            pass

    loop.call_soon(hold_up)
    assert not await turns_freely()


async def test_only_who_shares_leaves_activities_to_others() -> None:
    """A worker alone takes whatever it has slots for."""
    alone, shared = slots_of(Settings.model_validate({})), slots_of(Settings.model_validate({"share_work": True}))
    assert (alone.pollers.maximum, shared.pollers.maximum) == (5, 5)
    assert type(alone.pollers) is not type(shared.pollers)
