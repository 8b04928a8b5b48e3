"""The cursor of a CardDAV connection: what is known of each address book, and where a pass stands.

It is JSON and opaque to everyone else. A cursor that this version cannot read, or that was written for another
allow-list, starts a complete listing.
"""

import hashlib
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from contactsync.activities.contacts.contact import Fields, Frozen

FORMAT: Final = 1

READER: Final = 1
"""Raise it when cards are read differently, so that every card is downloaded and read once more."""

BOOK_GONE: Final = "an address book of this connection is no longer where it was; nothing was deleted"
"""What is said of it, whichever request finds out."""

REPLAYS_BEFORE_LISTING: Final = 2
"""So many passes in a row with an answer that replays what is known: from then on ETags are compared instead."""


class Place(Frozen):
    """A URL to ask for address books: a home (depth 1), or an address book itself (depth 0)."""

    url: str
    depth: int


class Book(Frozen):
    """An address book. `path` is its identity; `token` and `ctag` say what of it is held (empty: nothing known).

    `offered_ctag` is the one that its properties named when the pass began, where it was asked for.
    """

    path: str
    url: str
    sync: bool = False
    vcard4: bool = False
    offered_ctag: str = ""
    token: str = ""
    ctag: str = ""
    replays: int = 0

    @property
    def by_token(self) -> bool:
        """Whether changes are asked for by sync token; otherwise ETags are compared."""
        return self.sync and self.replays < REPLAYS_BEFORE_LISTING

    @property
    def is_as_held(self) -> bool:
        """Whether its ctag says that nothing changed; one whose tokens were wrong is not believed about ctags."""
        return self.replays == 0 and self.ctag != "" and self.ctag == self.offered_ctag

    def found_again(self, now: "Book") -> "Book":
        """What its properties say `now`, with what is held of it."""
        held = {"token": self.token, "ctag": self.ctag, "replays": self.replays}
        return now.model_copy(update=held)

    def finished(self, token: str, *, clean: bool) -> "Book":
        """Walked to its end: `token` goes on from here; `clean` when the answer was a real list of changes."""
        held = {"token": token, "ctag": self.offered_ctag, "replays": 0 if clean else self.replays}
        return self.model_copy(update=held)


class Stashed(Frozen):
    """The rest of a listing: its `parts` are stashed under `handle`; `part` and `offset` say where to go on."""

    handle: UUID
    parts: int
    part: int = 0
    offset: int = 0

    def after(self, used: int, held: int) -> "Stashed | None":
        """Where it goes on after `used` of the `held` entries left in this part; None at the end."""
        if used < held:
            return self.model_copy(update={"offset": self.offset + used})
        if self.part + 1 < self.parts:
            return self.model_copy(update={"part": self.part + 1, "offset": 0})
        return None


class Walk(Frozen):
    """A pass under way. `book` counts address books done, `asked` is the token the next round of this one asks with.

    While the rest of a listing is stashed, `token` is the one that follows it, and `more` says that the server has
    a further round (507).
    """

    full: bool
    started: float
    book: int = 0
    asked: str = ""
    rest: Stashed | None = None
    token: str = ""
    more: bool = False


class Cursor(Frozen):
    """Everything a fetch needs. `walk` is None between passes; `listed_at` is in epoch seconds."""

    format: int = FORMAT
    mask: str
    places: tuple[Place, ...] = ()
    books: tuple[Book, ...] = ()
    listed_at: float = 0.0
    walk: Walk | None = None

    def dump(self) -> bytes:
        """As bytes."""
        return self.model_dump_json(exclude_defaults=True).encode()


def read_cursor(data: bytes | None, mask: str) -> Cursor | None:
    """A cursor of ours for this allow-list; None where there is none to go on from."""
    if data is None:
        return None
    try:
        cursor = Cursor.model_validate_json(data)
    except ValidationError:
        return None
    return cursor if cursor.format == FORMAT and cursor.mask == mask else None


def mask_of(fields: Fields) -> str:
    """A short name for an allow-list and this reader.

    It is put before each ETag: a card that was read under another allow-list, or by another reader, has another
    ETag for us, and is downloaded again even though the server's has not changed.
    """
    text = f"{READER}:" + ",".join(sorted(fields))
    return hashlib.blake2s(text.encode(), digest_size=4).hexdigest()
