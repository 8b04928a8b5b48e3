"""A worker stands still in the midst of its work, another does it all, and then the first goes on."""

from typing import Final

from tests.chaos.armed import Fault
from tests.chaos.ground import ALWAYS, Ground, Place

FENCED: Final = "StalePass"
CUT_OFF: Final = "DatabaseUnavailable"
"""PostgreSQL ended the transaction of a process that stood still inside it."""

HARMLESS: Final = "well"
"""It only reads, or has done its work already; nobody waits for its answer."""

ZOMBIES: Final = {
    "fetch_page.starts": HARMLESS,
    "fetch_page.transaction.committed": HARMLESS,
    "fetch_page.ends": HARMLESS,
    "sanitize_page.ends": HARMLESS,
    "upsert_page.starts": FENCED,
    "upsert_page.transaction.begun": CUT_OFF,
    "upsert_page.transaction.commits": CUT_OFF,
    "upsert_page.transaction.committed": HARMLESS,
    "backfill.open_backfill.transaction.begun": CUT_OFF,
    "backfill.fetch_page.ends": HARMLESS,
    "backfill.upsert_page.starts": FENCED,
    "backfill.upsert_page.transaction.commits": CUT_OFF,
    "backfill.close_backfill.starts": HARMLESS,
    "backfill.close_backfill.transaction.commits": CUT_OFF,
}


async def stand_still(ground: Ground, point: str) -> None:
    """A connection of its own for the story."""
    async with ground.place(reconcile_hours=24.0 if point.startswith("backfill.") else ALWAYS) as place:
        await _stand_still(place, point)


async def _stand_still(place: Place, point: str) -> None:
    """Two passes, and the backfill, are over before the worker goes on with what it had begun."""
    await place.first_pass()
    place.ledger.change_a_bit()
    is_backfill = point.startswith("backfill.")
    zombie = place.start_worker(point, Fault(point, action="stop"))
    began = await place.backfill() if is_backfill else None
    asked = None if began else place.beside(place.finished())
    await zombie.strikes()
    place.ledger.change_a_bit()
    async with place.heir():
        assert (await (asked or place.finished())).outcome == "completed"
        assert began is None or (await place.filled(began)).outcome == "completed"
        place.ledger.change_a_bit()
        assert (await place.finished()).outcome == "completed"
        zombie.go_on()
        ended = await zombie.finished_late()
        assert ended == ZOMBIES[point], ended
        await place.check()
        assert (await place.finished()).outcome == "completed"
    await zombie.kill()
    await place.check()
