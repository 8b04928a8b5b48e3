"""The long run: `uv run python -m tests.machine.long [EXAMPLES=100] [--seed N] [--shrink]`. Other stories each time."""

import argparse
import asyncio
import secrets
import time
from typing import Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.machine.arena import Arena, running_arena
from tests.machine.steps import Script, scripts

SIDE_BY_SIDE: Final = 6
STEPS: Final = 40


def main() -> None:
    """Play stories until one fails, and say how it can be played again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", nargs="?", type=int, default=100, help="each is six stories side by side")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--shrink", action="store_true", help="look for the shortest story that fails; takes long")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)  # noqa: T201  # a command
    with asyncio.Runner() as runner:
        arena_of = running_arena()
        arena = runner.run(arena_of.__aenter__())
        try:
            _run(runner, arena, arguments.examples, arguments.seed, shrink=arguments.shrink)
        finally:
            runner.run(arena_of.__aexit__(None, None, None))


def _run(runner: asyncio.Runner, arena: Arena, examples: int, number: int, *, shrink: bool) -> None:
    played = 0
    began = time.monotonic()

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(told=st.lists(scripts(STEPS, kills=True), min_size=1, max_size=SIDE_BY_SIDE))
    def play(told: list[Script]) -> None:
        nonlocal played
        played += 1
        runner.run(arena.play(told))
        print(f"{played} in {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201

    play()


if __name__ == "__main__":
    main()
