"""Ten thousand tenants and a billion contacts, from what one contact and one pass were measured to take.

Reads `footprint.json` from the folder of results, or the one that `--set scale.from=FOLDER` names, and simulates a day
of all live syncs in minutes: passes by their intervals, a share of contacts that changes, a complete listing of each
connection a day; then how many cores keep passes within a minute of their time, and how long it takes until all is well
after an hour's outage.

Options: `tenants`, `each` (connections of a tenant), `people` (contacts in all), `intervals` (minutes), `from`.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.footprint import PROCESSES
from benchmarks.options import Options
from benchmarks.results import Figure, Result, load

MINUTES: Final = 24 * 60
DAYS: Final = 30
CHANGED_A_DAY: Final = 0.01
SPREAD: Final = 1.5
"""Sigma of the log-normal sizes of connections: the largest hundredth is thirty times the middle one."""

CORES_A_WORKER: Final = 2
BUSY: Final = 0.6
"""Of their time; the rest is for what nobody foresees."""

ACTIONS_A_SECOND: Final = 500
"""Of one namespace of Temporal Cloud before it is raised (docs.temporal.io/cloud/limits, read 2026-11-21)."""

PRICES: Final = ((5, 50.0), (5, 45.0), (10, 40.0), (30, 35.0), (50, 30.0), (math.inf, 25.0))
"""Dollars a million Actions: so many million at this price, then the next (docs.temporal.io/cloud/pricing, read
2026-11-21). Over 200 million the price is agreed upon; the last public one is taken for all."""

ACTIVE_GB_HOUR: Final = 0.042
RETAINED_GB_HOUR: Final = 0.00105
RETAINED_DAYS: Final = 3


@dataclass(frozen=True, slots=True)
class Cost:
    """What a pass that finds nothing takes, or a contact of another one: CPU in seconds, of all and of workers."""

    cpu: float
    worker_cpu: float
    actions: float
    history: float


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured: for a contact that is new or changed, for one that is listed again, for an empty pass."""

    new: Cost
    listed: Cost
    empty: Cost
    row_bytes: float
    audit_bytes: float

    @classmethod
    def of(cls, measured: Result) -> "Costs":
        """From a result of `footprint`."""

        def median(name: str) -> float:
            return measured.figure(name).median

        def cost(name: str, unit: float, actions: float) -> Cost:
            cpus = [median(f"{name}: CPU of {process}") * unit for process in PROCESSES]
            return Cost(sum(cpus), cpus[0], median(f"{name}: Actions") * actions, median(f"{name}: history"))

        return cls(
            new=cost("first pass", 1e-6, 1e-3),
            listed=cost("listed again", 1e-6, 1e-3),
            empty=cost("nothing new", 1e-3, 1.0),
            row_bytes=median("first pass: rows"),
            audit_bytes=median("nothing new: audit"),
        )


@dataclass(frozen=True, slots=True)
class Fleet:
    """Who is to be served."""

    tenants: int
    connections: int
    contacts: int

    def sizes(self, chance: random.Random) -> list[float]:
        """Contacts of each connection: few have many."""
        drawn = [chance.lognormvariate(0, SPREAD) for _ in range(self.connections)]
        each = self.contacts / sum(drawn)
        return [size * each for size in drawn]


@dataclass(frozen=True, slots=True)
class Day:
    """A day of all live syncs, minute by minute: seconds of the workers' CPU that are asked for, and Actions."""

    worker_cpu: Sequence[float]
    all_cpu: float
    actions: Sequence[float]
    history: float
    passes: float


def simulated(fleet: Fleet, costs: Costs, interval: int, seed: int = 5) -> Day:
    """A day with a pass of each connection every `interval` minutes, and a complete listing of each at some time."""
    chance = random.Random(seed)  # noqa: S311 # the same day each time
    cpu, actions = [0.0] * MINUTES, [0.0] * MINUTES
    phases, times = [0.0] * interval, MINUTES // interval
    for size in fleet.sizes(chance):
        new = size * CHANGED_A_DAY / times
        phases[chance.randrange(interval)] += costs.empty.worker_cpu + new * costs.new.worker_cpu
        lasts = max(1, math.ceil(size * costs.listed.worker_cpu / 60))  # page after page: on one core at a time
        begins = chance.randrange(MINUTES)
        for minute in range(begins, begins + lasts):
            cpu[minute % MINUTES] += size * costs.listed.worker_cpu / lasts
            actions[minute % MINUTES] += size * costs.listed.actions / lasts
    passes, listed = fleet.connections * times, fleet.contacts
    return Day(
        worker_cpu=[each + phases[minute % interval] for minute, each in enumerate(cpu)],
        all_cpu=passes * costs.empty.cpu + listed * (costs.listed.cpu + CHANGED_A_DAY * costs.new.cpu),
        actions=[each + fleet.connections * costs.empty.actions / interval for each in actions],
        history=passes * costs.empty.history + listed * (costs.listed.history + CHANGED_A_DAY * costs.new.history),
        passes=passes,
    )


def cores_for(day: Day) -> int:
    """The fewest cores of workers that keep up and are not busier than `BUSY` on the average."""
    least = math.ceil(sum(day.worker_cpu) / MINUTES / 60 / BUSY)
    most = max(least, math.ceil(max(day.worker_cpu) / 60)) + 1
    while least < most:
        middle = (least + most) // 2
        least, most = (least, middle) if keeps_up(day, middle) else (middle + 1, most)
    return least


def keeps_up(day: Day, cores: int) -> bool:
    """Whether so many cores do what comes in a minute within the next, but for one minute in a hundred."""
    undone, late = 0.0, 0
    for asked in day.worker_cpu:
        undone = max(0.0, undone + asked - 60 * cores)
        late += undone > 60 * cores
    return late <= MINUTES // 100 and undone < 60 * cores


def minutes_after_outage(day: Day, cores: int, missed: float) -> float:
    """How long it takes until all is in time again after an hour in which nothing ran, while what comes is done too."""
    spare = cores - sum(day.worker_cpu) / MINUTES / 60
    return missed / max(spare, 0.01) / 60


def missed_in_an_hour(day: Day, fleet: Fleet, costs: Costs, interval: int) -> float:
    """Seconds of the workers' CPU that an hour's outage leaves to be done: a connection is due once afterwards, also
    where it would have had several passes."""
    spared = max(0.0, 60 / interval - 1) * fleet.connections * costs.empty.worker_cpu
    return sum(day.worker_cpu) * 60 / MINUTES - spared


def price_of_actions(actions: float) -> float:
    """Dollars for so many Actions in a month, by the public list."""
    millions, price = actions / 1e6, 0.0
    for many, dollars in PRICES:
        taken = min(millions, many)
        price, millions = price + taken * dollars, millions - taken
    return price


async def measure(options: Options) -> Result:
    """The figures of each interval."""
    fleet = Fleet(
        tenants=(tenants := options.number("tenants", usual=10_000, quick=100)),
        connections=tenants * options.number("each", usual=20, quick=5),
        contacts=options.number("people", usual=1_000_000_000, quick=1_000_000),
    )
    costs = Costs.of(_measured(Path(options.words("from", usual=(str(options.folder),))[0])))
    intervals = options.numbers("intervals", usual=(15, 60, 240), quick=(60,))
    figures = [figure for each in intervals for figure in _of_interval(fleet, costs, each)]
    given = {"tenants": fleet.tenants, "connections": fleet.connections, "contacts": fleet.contacts}
    return Result("scale", given, (*_whatever_interval(fleet, costs), *figures))


def _measured(folder: Path) -> Result:
    file = folder / "footprint.json"
    if not file.exists():
        raise SystemExit(f"there is no {file}: the benchmark `footprint` goes before this one")
    return load(file)


def _whatever_interval(fleet: Fleet, costs: Costs) -> tuple[Figure, ...]:
    first = fleet.contacts * costs.new.worker_cpu
    return (
        Figure.once("first passes of all: workers' CPU", "core hours", first / 3600),
        Figure.once("first passes of all: Actions", "million", fleet.contacts * costs.new.actions / 1e6),
        Figure.once("first passes of all: history", "GB", fleet.contacts * costs.new.history / 1e9),
        Figure.once("database: contacts with their indexes", "TB", fleet.contacts * costs.row_bytes / 1e12),
    )


def _of_interval(fleet: Fleet, costs: Costs, interval: int) -> tuple[Figure, ...]:
    day = simulated(fleet, costs, interval)
    cores, peak = cores_for(day), max(day.actions) / 60
    missed = missed_in_an_hour(day, fleet, costs, interval)
    monthly, history = sum(day.actions) * DAYS, day.history / 1e9
    active = history / 2 * 24 * DAYS * ACTIVE_GB_HOUR  # a run is a day at most: half of one stands on the average
    retained = history * RETAINED_DAYS * 24 * DAYS * RETAINED_GB_HOUR
    found = (
        ("passes", "a second", day.passes / 86_400),
        ("cores busy, of all processes", "cores", day.all_cpu / 86_400),
        ("cores busy, of workers", "cores", sum(day.worker_cpu) / 86_400),
        ("workers' cores needed", "cores", cores),
        ("workers of two cores", "workers", math.ceil(cores / CORES_A_WORKER)),
        ("minutes to be in time after an hour's outage", "min", minutes_after_outage(day, cores, missed)),
        ("Actions", "a second, mean", sum(day.actions) / 86_400),
        ("Actions, busiest minute", "a second", peak),
        ("namespaces of 500 Actions a second", "namespaces", math.ceil(peak / ACTIONS_A_SECOND)),
        ("Actions a month", "million", monthly / 1e6),
        ("price of Actions", "$ a month", price_of_actions(monthly)),
        ("history written", "GB a day", history),
        ("price of storage", "$ a month", active + retained),
        ("audit log", "GB a month", day.passes * costs.audit_bytes * DAYS / 1e9),
    )
    return tuple(Figure.once(f"every {interval} min: {name}", unit, value) for name, unit, value in found)
