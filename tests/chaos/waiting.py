"""A page waits for its turn, and its worker, or that of the page before, dies, stands still or is asked anew.

The first page of a pass is held, before it is written or when nobody has heard of its commit yet, so that the second is
sure to wait, or to come, beside it.
"""

import asyncio
from typing import Final
from uuid import uuid4

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client
from tests.chaos.armed import Fault
from tests.chaos.ground import Ground, Place
from tests.chaos.zombies import FENCED, HARMLESS

from contactsync.activities.messages import FETCH_PAGE

BEFORE: Final = "upsert_page.starts"
UNHEARD: Final = "upsert_page.ends"
"""The first page is committed, and no answer has left."""

WAITS: Final = "upsert_in_turn.turn.awaited"
CAME: Final = "upsert_in_turn.turn.came"

APART: Final = "the page before dies in another process"

DEATHS: Final = {
    "a page dies waiting": Fault(WAITS, holds=BEFORE),
    "a page dies when its turn has come": Fault(CAME, holds=UNHEARD),
    "two pages die unheard": Fault("upsert_in_turn.ends", holds=UNHEARD),
}
ZOMBIES: Final = {
    "a page stands still waiting": (Fault(WAITS, action="stop", holds=BEFORE), HARMLESS),
    "a page stands still when its turn has come": (Fault(CAME, action="stop", holds=UNHEARD), FENCED),
}
"""How each ends when it goes on: the first has lost its patience by then."""

RESET: Final = "two pages are fetched again"
WAITING: Final = (*DEATHS, *ZOMBIES, APART, RESET)


async def wait_in_vain(ground: Ground, story: str) -> None:
    """A connection of its own for the story, of which nothing is held yet: its pages are full."""
    async with ground.place() as place:
        if story in DEATHS:
            await _die(place, DEATHS[story])
        elif story in ZOMBIES:
            await _stand_still(place, *ZOMBIES[story])
        elif story == RESET:
            await _be_reset(place)
        else:
            await _die_apart(place)
        await place.check()


async def _die(place: Place, fault: Fault) -> None:
    """Both pages die together; an heir writes, or answers, them."""
    worker = place.start_worker("waiting", fault)
    asked = place.beside(place.finished())
    await worker.died()
    place.ledger.change_a_bit()
    async with place.heir():
        assert (await asked).outcome == "completed"
        assert (await place.finished()).outcome == "completed"


async def _stand_still(place: Place, fault: Fault, outcome: str) -> None:
    """The page that waits goes on when two passes are over, and writes nothing."""
    zombie = place.start_worker("waiting", fault)
    asked = place.beside(place.finished())
    await zombie.strikes()
    async with place.heir():
        assert (await asked).outcome == "completed"
        place.ledger.change_a_bit()
        assert (await place.finished()).outcome == "completed"
        zombie.go_on()
        ended = await zombie.finished_late()
        assert ended == outcome, ended
    await zombie.kill()


async def _die_apart(place: Place) -> None:
    """Each process has room for one activity: one holds the first page and dies of it, and the other, where the second
    waits, writes both."""
    fault = Fault(WAITS, action="tell", holds=BEFORE)
    workers = [place.start_worker("apart", fault, max_activities=1) for _ in range(2)]
    asked = place.beside(place.finished())
    words = await asyncio.gather(*(worker.holds() for worker in workers))
    assert sorted(words) == [False, True]
    await workers[words.index(True)].kill()
    assert (await asked).outcome == "completed"
    place.ledger.change_a_bit()
    assert (await place.finished()).outcome == "completed"
    await workers[words.index(False)].kill()


async def _be_reset(place: Place) -> None:
    """Two pages are committed and unheard of when the source loses somebody of the first, and the workflow is reset to
    where it had fetched nothing: what it fetches again ends elsewhere than what is committed."""
    worker = place.start_worker("reset", Fault("upsert_in_turn.ends", holds=UNHEARD))
    place.beside(place.finished())
    await worker.died()
    place.ledger.provider.delete(min(place.ledger.people()))
    await _reset(place)
    async with place.heir():
        await place.finished()
        assert (await place.finished()).outcome == "completed"


async def _reset(place: Place) -> None:
    """To the task that asked for the first page."""
    settings = place.settings
    client = await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace)
    handle = client.get_workflow_handle(place.sync.workflow_id)
    told = [event async for event in handle.fetch_history_events()]
    asked = next(event for event in told if _asks_for_a_page(event))
    about = ResetWorkflowExecutionRequest(
        namespace=settings.temporal_namespace,
        workflow_execution=WorkflowExecution(workflow_id=place.sync.workflow_id),
        reason="test",
        workflow_task_finish_event_id=asked.activity_task_scheduled_event_attributes.workflow_task_completed_event_id,
        request_id=str(uuid4()),
    )
    await client.workflow_service.reset_workflow_execution(about)


def _asks_for_a_page(event: HistoryEvent) -> bool:
    return event.activity_task_scheduled_event_attributes.activity_type.name == FETCH_PAGE
