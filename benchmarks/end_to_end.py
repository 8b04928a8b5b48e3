"""contactsync, dlt, a Prefect flow and a bare loop bring the same contacts from the same source to the same PostgreSQL.

contactsync does all that it does: Temporal, sealed payloads, cleaning, sealed rows, audit. Everybody's first pass finds
an empty database, the second one nothing that changed, and before the third one contact in a hundred changes. All is
done once by listing everything each time, and once with the source's filter for changes. Contenders take turns within
each run. After each pass the rows are looked at: as many as the source has, and the last change is there.

The contacts have lists of e-mail addresses and phone numbers; `end_to_end_flat` has them flat. Options: `contacts`,
`processes` (of the worker; 0: one a core), `sides`.
"""

import sys
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import httpx
from benchmarks.cpu import cpu_seconds
from benchmarks.options import Options
from benchmarks.results import Figure, Ratio, Result
from benchmarks.served import served
from benchmarks.sides import SIDES, Ground, Known, Side, Subject, opened_sides

from contactsync.workers.embedded.folders import service_user, temporary_folder
from contactsync.workers.embedded.stack import Stack

FIRST, UNCHANGED, CHANGED = "first pass", "unchanged pass", "1 % changed pass"
FILTERED: Final = ", with the filter"
_AIMS: Final[Mapping[tuple[str, str], str]] = {
    (FIRST, "dlt"): "≥ 4.0",
    (FIRST, "bare loop"): "≥ 0.5",
    (UNCHANGED, "dlt"): "≥ 8.0",
}


@dataclass(frozen=True, slots=True)
class Taken:
    """A pass: seconds on the clock, and of the CPU of all processes but the source's."""

    seconds: float
    cpu: float


@dataclass
class Race:
    """What is measured, and what was found: passes by side and name."""

    ground: Ground
    contacts: int
    known: Known
    found: defaultdict[tuple[str, str], list[Taken]] = field(default_factory=lambda: defaultdict(list[Taken]))

    async def run(self, side: Side, number: int) -> None:
        """All passes of a side: those that list everything, and those with the filter."""
        for incremental in (False, True):
            words = side.name.replace(" ", "_"), "filter" if incremental else "listing", str(number)
            subject = Subject("_".join(words), self.ground.url, incremental)
            await side.begin(subject)
            await self._passes(side, subject)
            await side.end(subject)

    async def _passes(self, side: Side, subject: Subject) -> None:
        suffix = FILTERED if subject.incremental else ""
        await self._pass(side, subject, FIRST + suffix)
        await self._pass(side, subject, UNCHANGED + suffix)
        self.known = await turned(self.ground.url)
        await self._pass(side, subject, CHANGED + suffix)

    async def _pass(self, side: Side, subject: Subject, name: str) -> None:
        await self.ground.checkpoint()
        pids = (*side.pids, self.ground.stack.postgres.child.pid)
        before, began = cpu_seconds(pids), time.perf_counter()
        await side.run(subject)
        taken = Taken(time.perf_counter() - began, cpu_seconds(pids) - before)
        if name != FIRST + FILTERED:  # that is a first pass like the other
            self.found[side.name, name].append(taken)
        print(f"  {side.name}, {name}: {taken.seconds:.2f} s, CPU {taken.cpu:.2f} s", file=sys.stderr, flush=True)
        held = await side.held(subject, self.known)
        if held != (self.contacts, self.known.job_title):
            raise SystemExit(f"{side.name} holds {held[0]} contacts after its {name}, and the change: {held[1]!r}")


async def measure(options: Options) -> Result:
    """Everybody's passes, in turns, over contacts with lists."""
    return await raced("end_to_end", "lists", options, usual=100_000)


async def raced(name: str, shape: str, options: Options, usual: int) -> Result:
    """Everybody's passes, in turns, over so many contacts of a shape; see `provider`."""
    contacts = options.number("contacts", usual=usual, quick=2_000)
    processes = options.number("processes", usual=0, quick=1)
    sides = options.words("sides", usual=SIDES)
    if unknown := set(sides) - set(SIDES):
        raise SystemExit(f"there is no side {min(unknown)!r}; there are {', '.join(SIDES)}")
    times = options.times(3)
    async with standing(contacts, shape, processes) as ground, opened_sides(ground, sides) as opened:
        race = Race(ground, contacts, await turned(ground.url))
        for number in range(times):
            turn = number % len(opened)
            for side in (*opened[turn:], *opened[:turn]):
                await race.run(side, number)
        versions = {f"{side.name} is": side.version for side in opened}
    given = {"contacts": contacts, "processes": processes, "shape": shape, "runs": times}
    return Result(name, given | versions, figures(race), ratios(race), _notes(shape))


def figures(race: Race) -> tuple[Figure, ...]:
    """Speed and CPU of every side's passes; those with the filter read next to nothing, so that they are in seconds."""
    found: list[Figure] = []
    for (side, name), taken in race.found.items():
        seconds, cpus = [each.seconds for each in taken], [each.cpu for each in taken]
        if name.endswith(FILTERED):
            found += [Figure(f"{side}: {name}", "s", tuple(seconds)), Figure(f"{side}: {name}, CPU", "s", tuple(cpus))]
            continue
        speeds = tuple(race.contacts / each for each in seconds)
        found.append(Figure(f"{side}: {name}", "contacts/s", speeds))
        found.append(Figure(f"{side}: {name}, CPU", "µs a contact", tuple(1e6 * each / race.contacts for each in cpus)))
    return tuple(found)


def ratios(race: Race) -> tuple[Ratio, ...]:
    """How many times as fast contactsync is as each other side: on the clock, and by CPU."""
    ours = {name: taken for (side, name), taken in race.found.items() if side == "contactsync"}
    found: list[Ratio] = []
    for (side, name), taken in race.found.items():
        if side == "contactsync" or name not in ours:
            continue
        clock, cpu = _times(taken, ours[name])
        found.append(Ratio(f"{name}: contactsync / {side}", clock, _AIMS.get((name, side), "")))
        found.append(Ratio(f"{name}: contactsync / {side}, by CPU", cpu))
    return tuple(found)


def _times(theirs: Sequence[Taken], ours: Sequence[Taken]) -> tuple[float, float]:
    clock = median(each.seconds for each in theirs) / median(each.seconds for each in ours)
    least = 1 / 100  # the kernel counts CPU in hundredths of a second
    return clock, median(each.cpu for each in theirs) / max(median(each.cpu for each in ours), least)


def _notes(shape: str) -> tuple[str, ...]:
    return (
        f"One paged HTTP source (shape: {shape}), one PostgreSQL with fsync on, contenders in turns within each run.",
        "CPU is that of the contender, PostgreSQL and, for contactsync, Temporal; the source's is in no figure.",
        "contactsync's runs share one database, which grows; every other contender gets a new one for each run.",
    )


@asynccontextmanager
async def standing(contacts: int, shape: str, processes: int) -> AsyncGenerator[Ground]:
    """Servers and the source, until the block ends."""
    with temporary_folder(service_user()) as folder:
        place = folder / "source"
        place.mkdir()
        async with AsyncExitStack() as running:
            serving = served("benchmarks.provider", str(contacts), shape, folder=place)
            _, url = await running.enter_async_context(serving)
            stack = await running.enter_async_context(Stack.running(folder / "stack"))
            yield Ground(stack, url, shape, processes, place)


async def turned(url: str) -> Known:
    """Change one contact in a hundred; gives one of them as it is now."""
    async with httpx.AsyncClient() as client:
        return Known(**(await client.post(f"{url}/turn")).raise_for_status().json())
