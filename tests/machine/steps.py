"""The steps of which a random story is made. A story is a row of them and no more, so that Hypothesis can shrink it."""

from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st

EDITS: Final = (
    *("add", "edit", "tie", "late", "hidden", "delete", "delete", "purge", "restore", "merge", "rename", "move"),
    *("rehome", "mass"),
)
"""What the source's users do; `model.py` says how."""

TROUBLES: Final = ("503", "429", "403", "cut", "half", "garbage", "expire", "blank")
RUNS: Final = (
    *("sync", "sync", "begin", "backfill", "backfill", "since", "dry", "cancel", "pause", "resume"),
    *("pause backfill", "resume backfill", "approve", "reject", "policy", "settle"),
    *("rotate", "rotate"),
)
CRASHES: Final = ("strike", "strike", "restart", "stall", "wait", "release", "zombies")
REST: Final = "rest"
"""Nothing: what Hypothesis makes of a step that does not matter."""

DEEDS: Final = (REST, *EDITS, *EDITS, *TROUBLES, *RUNS, *CRASHES)

KILL: Final = "kill"
"""A worker process dies of SIGKILL; only long runs have it, since Temporal waits for the dead."""

_LATEST_REQUEST: Final = 6


@dataclass(frozen=True, slots=True)
class Step:
    """A deed. `who` and `whom` choose among whoever there is then; `at`: an edit is made when the source gets so many
    more requests (0: now), so in the middle of a listing."""

    deed: str
    who: int = 0
    whom: int = 0
    at: int = 0


@dataclass(frozen=True, slots=True)
class Script:
    """A story. `relists`: each of its passes lists everything."""

    relists: bool
    steps: tuple[Step, ...]


def _without_rest(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(step for step in steps if step.deed != REST)


def scripts(length: int, *, kills: bool = False) -> st.SearchStrategy[Script]:
    """Stories of so many steps."""
    deeds = (*DEEDS, KILL) if kills else DEEDS
    number = st.integers(0, 30)
    step = st.builds(Step, st.sampled_from(deeds), number, number, st.integers(0, _LATEST_REQUEST))
    return st.builds(Script, st.booleans(), st.tuples(*[step] * length).map(_without_rest))
