"""The provider's users at work: edits, additions, deletions and merges at random, the same for the same seed."""

import asyncio
from random import Random

from contactsync.activities.sources.simulator.provider import Provider
from contactsync.activities.sources.simulator.records import base_id

_TRIES = 100


class Users:
    """Change one contact after the other."""

    def __init__(self, provider: Provider, seed: int) -> None:
        self._provider = provider
        self._random = Random(seed)  # noqa: S311  # made-up edits, no secrets

    def act(self) -> None:
        """One change: mostly an edit, sometimes an addition, a deletion, a restored contact or a merge."""
        drawn, chosen = self._random.random(), self._choose()
        if chosen is None or drawn < 0.1:
            self._provider.add()
        elif drawn < 0.2:
            self._provider.delete(chosen)
        elif drawn < 0.25 and (other := self._choose()) not in (None, chosen):
            self._provider.merge(chosen, str(other))
        elif drawn < 0.3 and (gone := self._choose(state="deleted")) is not None:
            self._provider.restore(gone)
        else:
            self._provider.edit(chosen)

    async def work(self, changes_per_second: float) -> None:
        """Changes at this pace until it is cancelled."""
        started, done = asyncio.get_running_loop().time(), 0
        while True:
            await asyncio.sleep(min(1.0, 1 / changes_per_second))
            due = int((asyncio.get_running_loop().time() - started) * changes_per_second)
            for _ in range(due - done):
                self.act()
            done = due

    def _choose(self, state: str = "live") -> str | None:
        """A contact's id; None: none was found."""
        for _ in range(_TRIES):
            chosen = base_id(self._random.randrange(self._provider.numbers or 1))
            entry = self._provider.get(chosen)
            if entry is not None and entry.state == state:
                return chosen
        return None
