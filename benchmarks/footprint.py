"""What a contact and a pass leave behind: CPU of each process, rows, history and what Temporal Cloud bills as Actions.

One connection of the `rest` kind with the source's filter for changes: a first pass, and then passes that find nothing
changed, as most do; and another one that lists everything again. What the processes take when nothing is asked of them
is measured by itself and taken off. `scale` multiplies these figures. Options: `contacts`, `passes`, `idle_seconds`.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg
from benchmarks.cpu import cpu_seconds, resident_mib
from benchmarks.end_to_end import standing
from benchmarks.histories import history_bytes, runs
from benchmarks.options import Options
from benchmarks.results import Figure, Ratio, Result
from benchmarks.sides import ContactSyncSide, Ground, Subject, contactsync_side, warm_up
from temporalio.api.enums.v1 import EventType

PROCESSES: Final = ("worker", "Temporal", "PostgreSQL")
_ACTIONS: Final = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: "activities",
    EventType.EVENT_TYPE_TIMER_STARTED: "timers",
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "search attributes",
}
"""What a pass on its own makes of https://docs.temporal.io/cloud/actions; updates are this benchmark's own asking."""

_ROWS: Final = """
    SELECT sum(pg_total_relation_size(c.oid))::float8 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname = 'contactsync'
"""
_AUDIT: Final = "SELECT coalesce(sum(pg_column_size(e.*)), 0)::float8 FROM audit.entry e"


@dataclass(frozen=True, slots=True)
class State:
    """What there is at a moment: CPU seconds by process, events and bytes of the history, bytes of tables."""

    at: float
    cpu: Mapping[str, float]
    actions: Counter[str]
    events: int
    history: float
    rows: float
    audit: float

    def spent(self, before: "State", process: str, idle: Mapping[str, float]) -> float:
        """Seconds of CPU since `before`, less what the process takes anyway."""
        return max(0.0, self.cpu[process] - before.cpu[process] - idle[process] * (self.at - before.at))


async def measure(options: Options) -> Result:
    """A first pass and some that find nothing."""
    contacts = options.number("contacts", usual=20_000, quick=1_000)
    passes = options.number("passes", usual=50, quick=3)
    async with standing(contacts, "lists", 1) as ground, contactsync_side(ground) as side:
        subject = Subject("footprint", ground.url, incremental=True)
        await warm_up(ground, side)
        await side.begin(subject)
        idle = await _idle(ground, side, options.number("idle_seconds", usual=20, quick=1))
        empty = await _state(ground, side, None)
        await side.run(subject)
        full = await _state(ground, side, subject)
        for _ in range(passes):
            await side.run(subject)
        later = await _state(ground, side, subject)
        listed = await _listed_again(ground, side)
        memory = resident_mib((side.pids[0],))
    figures = (
        *_walk("first pass", (empty, full), idle, contacts),
        *_walk("listed again", listed, idle, contacts),
        *_each((full, later), idle, passes),
        *(Figure.once(f"idle: CPU of {name}", "% of a core", 100 * each) for name, each in idle.items()),
        Figure.once("worker", "MiB", memory),
    )
    history = (full.history - empty.history) / contacts
    activities = 1_000 * (full.actions["activities"] - empty.actions["activities"]) / contacts
    ratios = (
        Ratio("history of a first pass, bytes a contact", history, "≤ 400"),
        Ratio("activities of a first pass, for 1,000 contacts", activities, "≤ 3.5"),
    )
    return Result("footprint", {"contacts": contacts, "passes": passes}, figures, ratios)


async def _listed_again(ground: Ground, side: ContactSyncSide) -> tuple[State, State]:
    """Before and after a pass that lists everything and finds it equal."""
    subject = Subject("footprint_listing", ground.url, incremental=False)
    await side.begin(subject)
    await side.run(subject)
    before = await _state(ground, side, subject)
    await side.run(subject)
    return before, await _state(ground, side, subject)


async def _idle(ground: Ground, side: ContactSyncSide, seconds: int) -> dict[str, float]:
    """How many cores each process keeps busy while nothing happens."""
    before = await _state(ground, side, None)
    await asyncio.sleep(seconds)
    after = await _state(ground, side, None)
    return {name: (after.cpu[name] - before.cpu[name]) / (after.at - before.at) for name in PROCESSES}


def _walk(name: str, walk: tuple[State, State], idle: Mapping[str, float], contacts: int) -> tuple[Figure, ...]:
    """What each contact of a pass takes."""
    before, after = walk
    made = (after.actions - before.actions).total()
    spent = ((process, 1e6 * after.spent(before, process, idle) / contacts) for process in PROCESSES)
    return (
        *(Figure.once(f"{name}: CPU of {process}", "µs a contact", each) for process, each in spent),
        Figure.once(f"{name}: rows", "bytes a contact", (after.rows - before.rows) / contacts),
        Figure.once(f"{name}: audit", "bytes a contact", (after.audit - before.audit) / contacts),
        Figure.once(f"{name}: history", "bytes a contact", (after.history - before.history) / contacts),
        Figure.once(f"{name}: Actions", "for 1,000 contacts", 1_000 * made / contacts),
    )


def _each(walk: tuple[State, State], idle: Mapping[str, float], passes: int) -> tuple[Figure, ...]:
    """What each pass takes that finds nothing."""
    before, after = walk
    made = after.actions - before.actions
    return (
        *(
            Figure.once(f"nothing new: CPU of {name}", "ms a pass", 1e3 * after.spent(before, name, idle) / passes)
            for name in PROCESSES
        ),
        *(Figure.once(f"nothing new: {name}", "a pass", count / passes) for name, count in sorted(made.items())),
        Figure.once("nothing new: Actions", "a pass", made.total() / passes),
        Figure.once("nothing new: events", "a pass", (after.events - before.events) / passes),
        Figure.once("nothing new: history", "bytes a pass", (after.history - before.history) / passes),
        Figure.once("nothing new: audit", "bytes a pass", (after.audit - before.audit) / passes),
    )


async def _state(ground: Ground, side: ContactSyncSide, subject: Subject | None) -> State:
    """How things are; before its first pass a subject has no history."""
    worker, temporal = side.pids
    pids = {"worker": worker, "Temporal": temporal, "PostgreSQL": ground.stack.postgres.child.pid}
    cpu = {name: cpu_seconds((pid,)) for name, pid in pids.items()}
    events, actions, history = await _history(side, subject) if subject else (0, Counter[str](), 0.0)
    rows, audit = await _sizes(ground)
    return State(time.perf_counter(), cpu, actions, events, history, rows, audit)


async def _history(side: ContactSyncSide, subject: Subject) -> tuple[int, Counter[str], float]:
    client, workflow_id = side.client, side.sync(subject).workflow_id
    actions, events = Counter[str](), 0
    async for run in runs(client, workflow_id):
        async for event in run.fetch_history_events():
            events += 1
            if (name := _ACTIONS.get(event.event_type)) is not None:
                actions[name] += 1
    return events, actions, await history_bytes(client, workflow_id)


async def _sizes(ground: Ground) -> tuple[float, float]:
    """Bytes of tables with their indexes, and of the entries of the audit log."""
    name = ground.stack.urls.app.rpartition("/")[2].partition("?")[0]
    connection = await asyncpg.connect(ground.stack.postgres.url(name))
    sizes = float(await connection.fetchval(_ROWS)), float(await connection.fetchval(_AUDIT))
    await connection.close()
    return sizes
