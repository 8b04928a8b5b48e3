"""A worker dies at every point there is, once, and another goes on.

Points come in relays: of each the first worker dies at the first point, its heir at the second, and so on. Relays run
side by side, each on a connection of its own, since what takes time is that Temporal waits for the dead.
"""

from dataclasses import dataclass
from typing import Final

from tests.chaos.armed import Fault
from tests.chaos.ground import ALWAYS, Ground, Place

AROUND: Final = ("starts", "ends")
TRANSACTION: Final = ("transaction.begun", "transaction.commits", "transaction.committed")
HEARTBEAT: Final = ("heartbeat.due", "heartbeat.sent")
PAGES: Final = ("fetch_page", "sanitize_page", "upsert_page")


@dataclass(frozen=True)
class Relay:
    """Points in the order in which they are come by, in a pass or in a backfill."""

    points: tuple[str, ...]
    is_backfill: bool


def _of_pass(moment: str) -> Relay:
    first = () if moment in HEARTBEAT else (f"open_pass.{moment}",)  # it is too short to have a heartbeat
    return Relay((*first, *(f"{page}.{moment}" for page in PAGES)), is_backfill=False)


def _of_backfill(moment: str) -> Relay:
    activities = ("open_backfill", *PAGES, "close_backfill")
    return Relay(tuple(f"backfill.{activity}.{moment}" for activity in activities), is_backfill=True)


def _of_workflow(workflow: str, *activities: str) -> Relay:
    first, *more = (f"{workflow}.schedules.{activity}" for activity in activities)
    return Relay((first, *more[:3], f"{workflow}.continues_as_new", *more[3:]), is_backfill=workflow == "Backfill")


MOMENTS: Final = (*AROUND, *TRANSACTION, *HEARTBEAT)
RELAYS: Final[dict[str, Relay]] = {
    **{f"pass, {moment}": _of_pass(moment) for moment in MOMENTS},
    "pass, workflow": _of_workflow("ConnectionSync", "open_pass", *PAGES),
    **{f"backfill, {moment}": _of_backfill(moment) for moment in MOMENTS},
    "backfill, workflow": _of_workflow("Backfill", "open_backfill", *PAGES, "close_backfill"),
}


async def run_relay(ground: Ground, relay: Relay) -> None:
    """A connection of its own for the relay; each pass of live sync is a complete listing."""
    async with ground.place(reconcile_hours=24.0 if relay.is_backfill else ALWAYS) as place:
        await _run(place, relay)


async def _run(place: Place, relay: Relay) -> None:
    """Workers die in turn while there is everything to do: changed, new, deleted, renamed and merged contacts; more of
    them after each death. The last heir ends what was begun, beside a live pass."""
    await place.first_pass()
    place.ledger.change_a_bit()
    worker = place.start_worker(relay.points[0], Fault(relay.points[0]))
    began = await place.backfill() if relay.is_backfill else None
    asked = None if began else place.beside(place.finished())
    for point in relay.points[1:]:
        await worker.died()
        place.ledger.change_a_bit()
        worker = place.start_worker(point, Fault(point))
    await worker.died()
    async with place.heir():
        filled = place.beside(place.filled(began)) if began else None
        passed = await (asked or place.finished())
        assert passed.outcome == "completed"
        assert filled is None or (await filled).outcome == "completed"
        assert (await place.finished()).outcome == "completed"
    await place.check()
