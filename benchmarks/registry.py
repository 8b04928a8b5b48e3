"""The benchmarks there are: a name, and the module whose `measure` runs it.

A module is imported when its benchmark runs, so that a list of names costs nothing.
"""

import importlib
import re
from collections.abc import Mapping
from typing import Final, Protocol, cast

from benchmarks.options import Options
from benchmarks.results import Result

MODULES: Final[Mapping[str, str]] = {
    "end_to_end": "benchmarks.end_to_end",
    "end_to_end_flat": "benchmarks.end_to_end_flat",
    "footprint": "benchmarks.footprint",
    "growth": "benchmarks.growth",
    "connections": "benchmarks.connections",
    "cold_start": "benchmarks.cold_start",
    "scale": "benchmarks.scale",
    "engine": "benchmarks.engine",
    "store_pages": "benchmarks.store_pages",
    "backfill": "benchmarks.backfill",
    "rotation": "benchmarks.rotation",
    "machine": "benchmarks.machine",
    "codec": "benchmarks.codec",
    "sealing": "benchmarks.sealing",
    "carddav": "benchmarks.carddav",
    "codec_server": "benchmarks.codec_server",
}


class Benchmark(Protocol):
    """A module that measures something."""

    async def measure(self, options: Options) -> Result:
        """Run it, print nothing but progress to stderr, and give what was found; the result's name is the module's."""
        ...


def benchmark(name: str) -> Benchmark:
    """The benchmark of this name, which is one of `MODULES`."""
    return cast("Benchmark", importlib.import_module(MODULES[name]))


def options_named(name: str) -> frozenset[str]:
    """The options of a benchmark, which the first lines of its module end with."""
    _, _, named = (importlib.import_module(MODULES[name]).__doc__ or "").rpartition("Option")
    return frozenset(re.findall(r"`(\w+)`", named))
