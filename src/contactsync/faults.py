"""Fault points: places, by name, where a test lets a worker die or stand still.

Nothing but a test arms them: no setting, argument or environment variable does, and `reach` is a comparison with None
until then. What a test does there, and the points around activities and workflows, is in `tests/chaos/`.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

TRANSACTION_BEGUN: Final = "transaction.begun"
TRANSACTION_COMMITS: Final = "transaction.commits"
TRANSACTION_COMMITTED: Final = "transaction.committed"
TURN_AWAITED: Final = "turn.awaited"
TURN_CAME: Final = "turn.came"
HEARTBEAT_DUE: Final = "heartbeat.due"
HEARTBEAT_SENT: Final = "heartbeat.sent"

_hook: Callable[[str], None] | None = None


def reach(point: str) -> None:
    """The process is at this point."""
    if _hook is not None:
        _hook(point)


@contextmanager
def armed(hook: Callable[[str], None]) -> Generator[None]:
    """Until the block ends, `hook` is called at every point with its name. It may raise, kill or stop the process."""
    global _hook  # noqa: PLW0603  # one process has one hook, wherever in it a point is reached
    before, _hook = _hook, hook
    try:
        yield
    finally:
        _hook = before
