"""A provider of contacts in memory. All that it does comes from its seed, its clock and what it is told."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from contactsync.activities.sources.query import Instant
from contactsync.activities.sources.simulator.answering import Answering
from contactsync.activities.sources.simulator.clock import SECOND, Clock, SystemClock
from contactsync.activities.sources.simulator.editing import Editing
from contactsync.activities.sources.simulator.faults import Failure, Faults
from contactsync.activities.sources.simulator.gate import Gate, SignIn
from contactsync.activities.sources.simulator.limiting import Limiting
from contactsync.activities.sources.simulator.questions import Question, Records, What, hashed
from contactsync.activities.sources.simulator.table import Base

_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that the provider met, and what went wrong with it."""

    what: What
    params: Mapping[str, str] = field(repr=False)
    failure: Failure | None = None


class Provider(Editing):
    """Contacts, edits, and questions about them.

    `contacts` are there from the beginning, made up from their number; number n was last changed `spacing_seconds`
    after number n-1, all in the past (0: all at one instant). `resolution` is the provider's unit of time in
    microseconds (1000: it keeps milliseconds).
    """

    def __init__(
        self,
        contacts: int = 0,
        *,
        seed: int = 1,
        clock: Clock | None = None,
        faults: Faults | None = None,
        spacing_seconds: float = 1.0,
        folders: tuple[str, ...] = ("main",),
        resolution: Instant = 1,
        sign_in: SignIn | None = None,
    ) -> None:
        clock = clock or SystemClock()
        step = round(spacing_seconds * SECOND) // resolution * resolution
        first = (clock.now() - 3600 * SECOND - contacts * step) // resolution * resolution
        super().__init__(Base(contacts, first, step, folders), clock, resolution)
        self.faults = faults or Faults()
        self.folders = folders
        self.seed = seed
        self.gate = Gate(sign_in or SignIn(), clock)
        self.asked: deque[Asked] = deque(maxlen=_REMEMBERED)
        self.before_answers: Callable[[Asked], None] | None = None
        self._limiting = Limiting()
        self._failures: deque[tuple[Failure, frozenset[What]]] = deque()
        self._requests = 0
        self._life = 0

    @property
    def requests(self) -> int:
        """Requests met so far."""
        return self._requests

    @property
    def limit_headers(self) -> tuple[tuple[str, str], ...]:
        """What the answer to the last request says of limits."""
        return self._limiting.headers

    def fail(self, failure: Failure, times: int = 1, *what: What) -> None:
        """Lets the next requests (of these sorts, if given) fail so."""
        asked = frozenset(what or ("contacts", "changes", "token", "me"))
        self._failures.extend([(failure, asked)] * times)

    def expire_tokens(self) -> None:
        """Makes every page token that was given out void."""
        self._life += 1

    def meet(self, what: What, params: Mapping[str, str]) -> Failure | None:
        """Counts a request; what goes wrong with it, if anything does."""
        self._requests += 1
        failure = self._limiting.refusal(self.faults, self.clock.now()) or self._scripted(what) or self._by_chance()
        asked = Asked(what, dict(params), failure)
        self.asked.append(asked)
        if self.before_answers is not None:
            self.before_answers(asked)
        return failure

    def answer(self, question: Question) -> Records:
        """A page of records.

        Raises:
            Refusing: an expired token, or more than a query may answer.
        """
        listed, indexed = self.show()
        answering = Answering(
            self.faults, listed, indexed, self.seed, self.clock.now(), asked=self._requests, life=self._life
        )
        return answering.answer(question)

    def _scripted(self, what: What) -> Failure | None:
        if self._failures and what in self._failures[0][1]:
            return self._failures.popleft()[0]
        return None

    def _by_chance(self) -> Failure | None:
        drawn = hashed(self.seed, "failure", self._requests)
        if drawn % 10_000 >= self.faults.fail_share * 10_000:
            return None
        return self.faults.fail_with[drawn // 10_000 % len(self.faults.fail_with)]
