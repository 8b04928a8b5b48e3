"""How many cards are asked for at a time."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from contactsync.activities.sources.carddav_listing import Listed

_FIRST: Final = 100
_FEWEST: Final = 10
_MARGIN: Final = 1.03
_QUICK_SECONDS: Final = 0.5
_SLOW_SECONDS: Final = 2.0
_SMALL_BYTES: Final = 2 * 1024 * 1024
_LARGE_BYTES: Final = 8 * 1024 * 1024


class BatchSize:
    """Cards of one request, at `most` so many: twice as many after an answer that is quick and small, half as many
    after one that is slow or large. What a server does for each request costs less then, and a slow one is not waited
    for in vain."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.cards = min(_FIRST, most)

    def within(self, fitting: int) -> int:
        """Cards to ask for where so many probably fit: a few more, so that no second request is needed for the rest."""
        return min(self.cards, max(round(fitting * _MARGIN), _FEWEST))

    def answered(self, cards: int, seconds: float, size: int) -> None:
        """So many cards were asked for; what came took so many seconds and bytes."""
        if seconds > _SLOW_SECONDS or size > _LARGE_BYTES:
            self.cards = min(max(self.cards // 2, _FEWEST), self._most)
        elif cards >= self.cards and seconds < _QUICK_SECONDS and 0 < size < _SMALL_BYTES:
            self.cards = min(self.cards * 2, self._most)


class Batch(NamedTuple):
    """A run of a listing, and the cards in it that are to be downloaded."""

    run: Sequence[Listed]
    wanted: Sequence[Listed]


def batches(listed: Sequence[Listed], held: frozenset[str], size: Callable[[int], int]) -> Iterator[Batch]:
    """Runs of the listing in its order. Before each, `size` tells how many cards it may have to download, right behind
    a run of so many entries; none ends them."""
    rest = iter(listed)
    batch = _batch(rest, held, size(0))
    while batch.run:
        yield batch
        batch = _batch(rest, held, size(len(batch.run)))


def _batch(rest: Iterator[Listed], held: frozenset[str], most: int) -> Batch:
    run: list[Listed] = []
    wanted: list[Listed] = []
    while len(wanted) < most and (item := next(rest, None)):
        run.append(item)
        if not item.gone and item.path not in held:
            wanted.append(item)
    return Batch(run, wanted)
