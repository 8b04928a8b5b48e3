"""The table of channels: what may carry a string to Temporal or out of a process, and what stops it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from tests.integration.leaks.ground import Ground

Plant = Callable[[Ground, int], Awaitable[None]]


class Verdict(Enum):
    """What becomes of a string in a channel."""

    SEALED = "sealed"
    """It travels as ciphertext."""
    REFUSED = "refused"
    """The call fails with SealRefused, or the workflow's task does; nothing travels."""
    REPLACED = "replaced"
    """Something constant travels in its place."""
    TYPED = "typed"
    """Our own code can only send constants; a test of the house reads the code."""
    ABSENT = "absent"
    """It does not reach the server at all, sealed or not."""


class Guard(Enum):
    """What stops strings; with one taken away, the strings of its channels are found."""

    CODEC = "payload codec"
    HEADERS = "header codec"
    FAILURE_TEXT = "failures' text is a sealed attribute"
    FAILURE_TYPES = "closed list of error types"
    CODEC_ERRORS = "the codec's own errors are constant"
    IDS = "form of ids"
    NAMES = "closed list of names"
    KEYS = "form of keys"
    REASONS = "closed list of reasons"
    QUEUES = "form of task queues"
    ATTRIBUTES = "form of search attributes"
    FAIRNESS = "form of fairness keys"
    RETRIES = "error types of retry policies"
    UPDATE_IDS = "form of update ids"
    UNUSED = "contactsync does not use it"
    NO_TENANT = "nothing without a workflow"
    IDENTITY = "identity of our own"
    LOGS = "allow-list of log lines"
    HOUSE = "tests of the house"
    NONE = "nothing is needed"


@dataclass(frozen=True)
class Channel:
    """One way for a string: `number` is its row, `plant` puts the string with that number into it.

    `guards`: all that stand before it, each of which would be enough. `bare`: whether the string reaches the server
    when nothing guards it.
    """

    number: int
    name: str
    verdict: Verdict
    guards: tuple[Guard, ...]
    plant: Plant
    bare: bool

    @property
    def shows_mutation(self) -> bool:
        """Whether its string is found when its guards are taken away."""
        return self.bare or self.guards[0] in {Guard.CODEC_ERRORS, Guard.LOGS}


CHANNELS: Final[list[Channel]] = []


def sees_to(channel: Channel) -> str:
    """What sees to a channel, as the document says it."""
    return ", and ".join(guard.value for guard in channel.guards)


def channel(name: str, verdict: Verdict, *guards: Guard, bare: bool = True) -> Callable[[Plant], Plant]:
    """Adds a row to the table; the function below plants the string."""

    def added(plant: Plant) -> Plant:
        CHANNELS.append(Channel(len(CHANNELS) + 1, name, verdict, guards, plant, bare))
        return plant

    return added


def carried(name: str, deed: str, verdict: Verdict, guard: Guard, *, bare: bool = True) -> None:
    """Adds a row whose string a workflow carries."""

    async def plant(ground: Ground, number: int) -> None:
        await ground.carry(deed, number)

    channel(name, verdict, guard, bare=bare)(plant)
