"""What a contact and a pass leave behind: CPU of each process, rows, history and what Temporal Cloud bills as Actions.

One connection of the `rest` kind with the source's filter for changes: a first pass, and then passes that find nothing
changed, as most do; and another one that lists everything again. `scale` multiplies these figures. Options: `contacts`,
`passes`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg
from benchmarks.cpu import cpu_seconds, resident_mib
from benchmarks.end_to_end import standing
from benchmarks.options import Options
from benchmarks.results import Figure, Ratio, Result
from benchmarks.sides import ContactSyncSide, Ground, Subject, contactsync_side
from temporalio.api.enums.v1 import EventType

PROCESSES: Final = ("worker", "Temporal", "PostgreSQL")
_ACTIONS: Final = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: "activities",
    EventType.EVENT_TYPE_TIMER_STARTED: "timers",
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "search attributes",
}
"""What a pass on its own makes of https://docs.temporal.io/cloud/actions; updates are this benchmark's own asking."""

_SIZES: Final = """
    SELECT n.nspname = 'audit' AS is_audit, sum(pg_total_relation_size(c.oid))::float8 AS bytes
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname IN ('contactsync', 'audit', 'keys') GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class State:
    """What there is at a moment: CPU seconds by process, events and bytes of the history, bytes of tables."""

    cpu: Mapping[str, float]
    actions: Counter[str]
    events: int
    history: float
    rows: float
    audit: float


async def measure(options: Options) -> Result:
    """A first pass and some that find nothing."""
    contacts = options.number("contacts", usual=20_000, quick=1_000)
    passes = options.number("passes", usual=50, quick=3)
    async with standing(contacts, "lists", 1) as ground, contactsync_side(ground) as side:
        subject = Subject("footprint", ground.url, incremental=True)
        await side.begin(subject)
        empty = await _state(ground, side, None)
        await side.run(subject)
        full = await _state(ground, side, subject)
        for _ in range(passes):
            await side.run(subject)
        later = await _state(ground, side, subject)
        listed = await _listed_again(ground, side)
        memory = resident_mib((side.pids[0],))
    figures = (
        *_walk("first pass", empty, full, contacts),
        *_walk("listed again", *listed, contacts),
        *_each(full, later, passes),
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


def _walk(name: str, before: State, after: State, contacts: int) -> tuple[Figure, ...]:
    """What each contact of a pass takes."""
    made = (after.actions - before.actions).total()
    spent = ((process, 1e6 * (after.cpu[process] - before.cpu[process]) / contacts) for process in PROCESSES)
    return (
        *(Figure.once(f"{name}: CPU of {process}", "µs a contact", each) for process, each in spent),
        Figure.once(f"{name}: rows", "bytes a contact", (after.rows - before.rows) / contacts),
        Figure.once(f"{name}: audit", "bytes a contact", (after.audit - before.audit) / contacts),
        Figure.once(f"{name}: history", "bytes a contact", (after.history - before.history) / contacts),
        Figure.once(f"{name}: Actions", "for 1,000 contacts", 1_000 * made / contacts),
    )


def _each(before: State, after: State, passes: int) -> tuple[Figure, ...]:
    made = after.actions - before.actions
    return (
        *(
            Figure.once(f"nothing new: CPU of {name}", "ms a pass", 1e3 * (after.cpu[name] - before.cpu[name]) / passes)
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
    return State(cpu, actions, events, history, rows, audit)


async def _history(side: ContactSyncSide, subject: Subject) -> tuple[int, Counter[str], float]:
    handle = side.client.get_workflow_handle(side.sync(subject).workflow_id)
    actions, events = Counter[str](), 0
    async for event in handle.fetch_history_events():
        events += 1
        if (name := _ACTIONS.get(event.event_type)) is not None:
            actions[name] += 1
    described = await handle.describe()
    return events, actions, float(described.raw_description.workflow_execution_info.history_size_bytes)


async def _sizes(ground: Ground) -> tuple[float, float]:
    """Bytes of tables and their indexes, and of the audit log's."""
    name = ground.stack.urls.app.rpartition("/")[2].partition("?")[0]
    connection = await asyncpg.connect(ground.stack.postgres.url(name))
    rows: list[asyncpg.Record] = await connection.fetch(_SIZES)
    await connection.close()
    sizes = {bool(row["is_audit"]): float(row["bytes"]) for row in rows}
    return sizes.get(False, 0.0), sizes.get(True, 0.0)
