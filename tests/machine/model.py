"""The model: a source, what its users do to it, and what a database that follows it must hold."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.ledger import Ledger
from tests.machine.steps import Step

from contactsync.activities.sources.simulator.clock import SECOND
from contactsync.activities.sources.simulator.faults import Cut, Failure, Garbage, HalfBody, Refused
from contactsync.activities.sources.simulator.provider import Asked, Provider

LATE_SECONDS: Final = 1.5
"""So late an edit shows at most; the source's lag (2 s) is longer."""

FEWEST: Final = 4
FAILURES: Final[dict[str, Failure]] = {
    "503": Refused(503),
    "429": Refused(429, retry_after=1.0),
    "403": Refused(403),
    "cut": Cut(),
    "half": HalfBody(),
    "garbage": Garbage(),
}


class LeapingClock:
    """The provider's time, which a story moves on."""

    def __init__(self, provider: Provider) -> None:
        self._clock = provider.clock
        self._ahead = 0

    def now(self) -> int:
        """See `Clock.now`."""
        return self._clock.now() + self._ahead

    def advance(self, seconds: float) -> None:
        """Moves on by so many seconds."""
        self._ahead += round(seconds * SECOND)


@dataclass
class Model:
    """A source, and the contacts that a database may hold though the source has them no more: `silent` (nothing told
    of their deletion, and no complete listing was made since) and `kept` (somebody rejected it)."""

    ledger: Ledger
    clock: LeapingClock = field(init=False)
    deleted: list[str] = field(default_factory=list[str])
    hidden: set[str] = field(default_factory=set[str])
    silent: set[str] = field(default_factory=set[str])
    kept: set[str] = field(default_factory=set[str])
    notes: bool = False
    waiting: list[tuple[int, Step]] = field(default_factory=list[tuple[int, Step]])
    asked_at: int = 0
    _moved: int = 0

    def __post_init__(self) -> None:
        self.clock = LeapingClock(self.provider)
        self.provider.clock = self.clock
        self.provider.before_answers = self._asked

    @property
    def provider(self) -> Provider:
        """The source."""
        return self.ledger.provider

    def edit(self, step: Step) -> None:
        """One of `EDITS`, now or at a later request."""
        if step.at:
            self.waiting.append((self.provider.requests + step.at, step))
        else:
            self._edits()[step.deed](step.who, step.whom)

    def fail(self, step: Step) -> None:
        """The next request fails, or two."""
        if step.deed == "expire":
            self.provider.expire_tokens()
        else:
            self.provider.fail(FAILURES[step.deed], 1 + step.who % 2)

    def calm(self) -> None:
        """Everything that waits happens, everything shows, and nothing fails any more."""
        for _, step in self.waiting:
            self._edits()[step.deed](step.who, step.whom)
        self.waiting.clear()
        self.provider._failures.clear()  # pyright: ignore[reportPrivateUsage]  # only a test has a say in this
        self._show()

    def _asked(self, _: Asked) -> None:
        self.asked_at = self.clock.now()
        due = [step for request, step in self.waiting if request <= self.provider.requests]
        self.waiting = [each for each in self.waiting if each[0] > self.provider.requests]
        for step in due:
            self._edits()[step.deed](step.who, step.whom)

    def _edits(self) -> dict[str, Callable[[int, int], None]]:
        return {
            "add": self._add,
            "edit": self._edit,
            "tie": self._tie,
            "late": self._late,
            "hidden": self._hidden,
            "delete": self._delete,
            "purge": self._purge,
            "restore": self._restore,
            "merge": self._merge,
            "rename": self._rename,
            "move": self._move,
            "rehome": self._rehome,
            "mass": self._mass,
        }

    def _people(self) -> list[str]:
        """Whom an edit may meet: of what does not show yet, only one state is on its way at a time."""
        return sorted(self.ledger.people().keys() - self.hidden)

    def _pick(self, who: int) -> str | None:
        people = self._people()
        return people[who % len(people)] if len(people) > FEWEST else None

    def _folder(self, which: int) -> str:
        return self.provider.folders[which % len(self.provider.folders)]

    def _show(self) -> None:
        self.clock.advance(LATE_SECONDS)
        self.provider.show()
        self.hidden.clear()

    def _add(self, who: int, whom: int) -> None:
        self.provider.add(1 + who % 3, folder=self._folder(whom))

    def _edit(self, who: int, _: int) -> None:
        if source_id := self._pick(who):
            self.provider.edit(source_id)

    def _tie(self, who: int, whom: int) -> None:
        """Many at one instant, more than a page holds."""
        people = self._people()
        self.provider.edit(*people[who % len(people) :][: 1 + whom % 12])

    def _late(self, who: int, _: int) -> None:
        """A transaction that commits late: just after the last request, and it is older than that."""
        if source_id := self._pick(who):
            self.provider.edit(source_id, at=(self.asked_at or self.clock.now()) - round(LATE_SECONDS * SECOND))

    def _hidden(self, who: int, whom: int) -> None:
        """An edit or a deletion that shows later; or what was hidden shows."""
        source_id = self._pick(who)
        if source_id is None or len(self.hidden) > 2:
            self._show()
            return
        self.hidden.add(source_id)
        if whom % 2:
            self.provider.edit(source_id, shows_after=LATE_SECONDS)
        else:
            self.provider.delete(source_id, shows_after=LATE_SECONDS)

    def _delete(self, who: int, _: int) -> None:
        if source_id := self._pick(who):
            self.provider.delete(source_id)
            self.deleted.append(source_id)

    def _purge(self, who: int, _: int) -> None:
        if source_id := self._pick(who):
            self.provider.delete(source_id, purge=True)
            self.deleted.append(source_id)
            self.silent.add(source_id)

    def _restore(self, who: int, _: int) -> None:
        if self.deleted:
            self.provider.restore(self.deleted.pop(who % len(self.deleted)))

    def _merge(self, who: int, whom: int) -> None:
        loser, winner = self._pick(who), self._pick(whom)
        if loser and winner and loser != winner:
            self.provider.merge(loser, winner)

    def _rename(self, who: int, _: int) -> None:
        if source_id := self._pick(who):
            self.ledger.rename(source_id)

    def _move(self, who: int, whom: int) -> None:
        if source_id := self._pick(who):
            self.provider.move(source_id, self._folder(whom))

    def _rehome(self, who: int, whom: int) -> None:
        """Into another folder, where it has another id, and nothing tells that it is the same."""
        if source_id := self._pick(who):
            self._moved += 1
            self.provider.move(source_id, self._folder(whom), f"moved-{self._moved}")
            self.deleted.append(source_id)

    def _mass(self, who: int, whom: int) -> None:
        """Many are deleted at one instant."""
        people = self._people()[who % 2 :: 2][: max(0, len(self._people()) - FEWEST)]
        self.provider.delete(*people, purge=bool(whom % 2), at=self.clock.now())
        self.deleted.extend(people)
        if whom % 2:
            self.silent.update(people)
