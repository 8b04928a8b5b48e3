"""What a client asks of the provider, and how far it has come: tokens, and the order of an answer."""

import base64
import json
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final, Literal

from contactsync.activities.sources.query import Instant
from contactsync.activities.sources.simulator.faults import Order
from contactsync.activities.sources.simulator.records import Entry

What = Literal["contacts", "changes", "token", "me"]
SortKey = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a round of pages stands; what a page token holds.

    `key` is the last record of a keyset, `sent` the records so far. `salt` keeps one order for a whole round,
    `issued` and `life` let a token expire, `nonce` tells tokens of the same position apart.
    """

    key: SortKey | None = None
    sent: int = 0
    page: int = 0
    blanks: int = 0
    salt: int = 0
    issued: int = 0
    life: int = 0
    nonce: int = 0
    tail: tuple[str, ...] = ()

    def token(self) -> str:
        """As clients see it."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()

    @staticmethod
    def of(token: str) -> "Position | None":
        """The position of a token; None: it is no token of ours."""
        try:
            held = json.loads(base64.urlsafe_b64decode(token.encode()))
            key = held.pop("key")
            tail = tuple(str(name) for name in held.pop("tail"))
            numbers = {str(name): int(value) for name, value in held.items()}
            return Position(key=(int(key[0]), str(key[1])) if key else None, tail=tail, **numbers)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


@dataclass(frozen=True, slots=True)
class Question:
    """One request for records. `offset` goes on by counting, `position` by a token; neither: from the start."""

    what: Literal["contacts", "changes"]
    limit: int = 100
    offset: int | None = None
    position: Position | None = None
    since: Instant = 0
    until: Instant | None = None
    after_id: str | None = None
    folder: str | None = None
    created_from: Instant | None = None
    created_until: Instant | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """The answer. `position` is that of the next page; None: this was the last."""

    entries: tuple[Entry, ...]
    position: Position | None
    total: int | None = None


def hashed(*parts: object) -> int:
    """A number that looks random and is the same for the same parts."""
    return zlib.crc32("/".join(map(str, parts)).encode())


def sort_key(order: Order, salt: int) -> Callable[[Entry], SortKey]:
    """The key by which changes are sorted; equal times fall where the salt lets them, if that is the order."""
    keys: dict[Order, Callable[[Entry], SortKey]] = {
        "time_id": lambda entry: (entry.updated, entry.id),
        "time": lambda entry: (entry.updated, f"{hashed(salt, entry.id):010}{entry.id}"),
        "newest_first": lambda entry: (-entry.updated, entry.id),
        "shuffled": lambda entry: (hashed(salt, entry.id), entry.id),
    }
    return keys[order]


START: Final = Position()
