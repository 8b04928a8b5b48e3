"""Measures contactsync, most of it beside others: `uv run python -m benchmarks [NAME …]`.

`--help` tells the options. Without a name all benchmarks run, one after the other. Each prints a table and writes
`NAME.json`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.options import Options
from benchmarks.registry import MODULES, options_named
from benchmarks.running import run_all


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line; ends the process with a message where it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MODULES)}")
    parser.add_argument("--quick", action="store_true", help="the smallest sizes, once: to see that it runs")
    parser.add_argument("--runs", type=_count, help="how often each thing is measured")
    parser.add_argument("--set", action="append", default=[], metavar="[BENCHMARK.]NAME=VALUE", help="its own option")
    parser.add_argument("--note", action="append", default=[], help="a sentence to go with the results")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"), help="the folder for NAME.json")
    given = parser.parse_args(arguments)
    if unknown := sorted(set(given.names) - MODULES.keys()):
        parser.error(f"no benchmark has the name {unknown[0]}; there are {', '.join(MODULES)}")
    if wrong := [each for each in given.set if "=" not in each]:
        parser.error(f"--set takes NAME=VALUE, not {wrong[0]}")
    if unknown := _unknown(given.set, given.names or tuple(MODULES)):
        parser.error(f"no benchmark here has the option {unknown[0]}; the first lines of their modules name them")
    return given


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("give a number, 1 or more")
    return int(text)


def _unknown(settings: Sequence[str], names: Sequence[str]) -> list[str]:
    """What is to be set and is an option of none of these benchmarks."""
    if not settings:
        return []
    known = [(name, option) for name in names for option in options_named(name)]
    spelt = {option for _, option in known} | {f"{name}.{option}" for name, option in known}
    return [name for name in (each.partition("=")[0] for each in settings) if name not in spelt]


def options_of(given: argparse.Namespace) -> Options:
    """What the command line asks for."""
    further = dict(str(each).split("=", 1) for each in given.set)
    return Options(quick=given.quick, runs=given.runs, further=further, folder=given.out)


def main() -> None:
    """Measure what is named."""
    given = parsed(sys.argv[1:])
    if failed := run_all(given.names or tuple(MODULES), options_of(given), given.note):
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
