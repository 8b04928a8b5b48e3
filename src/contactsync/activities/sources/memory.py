"""A source in memory: for tests, for measurements, and as the shortest example of what a source is.

An `AddressBook` is filled by whoever holds it and opened under the name it is shared by, within one process. With
`{"made_up": 20000, "seed": 1}` any process makes up the same contacts.
"""

from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Self
from uuid import uuid4

from pydantic import Field, ValidationError, model_validator

from contactsync.activities.contacts.contact import Contact, Fields, Frozen, written
from contactsync.activities.contacts.contact import Field as Property
from contactsync.activities.contacts.made_up import made_up_contacts
from contactsync.activities.contacts.quarantine import QuarantineReason, UnreadableContact
from contactsync.activities.contacts.vcard import parse_vcard
from contactsync.activities.sources.limits import SourceSettings
from contactsync.activities.sources.source import (
    Capabilities,
    Change,
    Changed,
    Credentials,
    FetchedPage,
    PageLimits,
    Removed,
    Source,
    SourceInfo,
    Unchanged,
    Unreadable,
    Workbench,
)
from contactsync.errors import CredentialsRejected, SourceAddressWrong, SourceUnavailable

Card = Contact | str | bytes
"""A contact, or the text of a vCard."""


class MemorySettings(SourceSettings):
    """Which contacts: made-up ones, or those of an address book that this process shares."""

    made_up: int | None = Field(default=None, ge=0, le=1_000_000)
    seed: int = 1
    shared: str = ""

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.made_up is None) == (not self.shared):
            raise ValueError("give either made_up, a number of contacts, or shared, the name of an address book")
        return self


@dataclass(frozen=True, slots=True)
class _Entry:
    card: Card | None = field(repr=False)  # None: it was deleted
    sequence: int


class AddressBook:
    """Contacts by source id, with a log of what changed when.

    `password` is what credentials must hold; `is_down` makes it stop answering.
    """

    def __init__(self, cards: Mapping[str, Card] | None = None, *, password: str = "", life: str = "") -> None:
        self.password = password
        self.is_down = False
        self._life = life or uuid4().hex
        self._sequence = 0
        self._entries: dict[str, _Entry] = {}
        for source_id, card in (cards or {}).items():
            self.put(source_id, card)

    @property
    def life(self) -> str:
        """Which cursors it understands."""
        return self._life

    @property
    def sequence(self) -> int:
        """The number of the latest change."""
        return self._sequence

    @property
    def is_incremental(self) -> bool:
        """It always knows what changed."""
        return True

    def put(self, source_id: str, card: Card) -> None:
        """Adds or replaces a contact."""
        self._log(source_id, card)

    def delete(self, source_id: str) -> None:
        """Deletes a contact."""
        self._log(source_id, None)

    def rename(self, source_id: str, new_id: str) -> None:
        """Moves a contact to another id."""
        card = self._entries[source_id].card
        self.delete(source_id)
        self._log(new_id, card)

    def expire_cursors(self) -> None:
        """Forgets the log: every cursor given out so far is no longer valid."""
        self._life = uuid4().hex
        self._entries = {name: entry for name, entry in self._entries.items() if entry.card is not None}

    def ids(self) -> list[str]:
        """The ids there are, in order."""
        return sorted(name for name, entry in self._entries.items() if entry.card is not None)

    def changed_since(self, sequence: int) -> list[tuple[str, "_Entry"]]:
        """What changed after that change, by id."""
        return sorted(
            ((name, entry) for name, entry in self._entries.items() if entry.sequence > sequence),
            key=lambda item: item[0],
        )

    def _log(self, source_id: str, card: Card | None) -> None:
        self._sequence += 1
        self._entries[source_id] = _Entry(card, self._sequence)


class _Cursor(Frozen):
    """`until`: the change up to which all is held once this pass ends; `since`: up to which it was before it.

    `last`: the last id of a part of the listing; None for the rest of it.
    """

    life: str
    mask: str
    until: int
    since: int = 0
    after: str | None = None  # the last id of the pass under way; None between passes
    last: str | None = None
    full: bool = False


class MemorySource:
    """One address book in memory."""

    def __init__(self, book: AddressBook, credentials: Credentials, fields: Fields, workbench: Workbench) -> None:
        self._book = book
        self._credentials = credentials
        self._fields = fields
        self._workbench = workbench
        self._mask = ",".join(sorted(fields))

    @property
    def capabilities(self) -> Capabilities:
        """See `Source.capabilities`."""
        return Capabilities(tokens=True, tombstones=True)

    async def baseline(self) -> bytes | None:
        """The latest change. See `Source.baseline`."""
        self._knock()
        now = self._book.sequence
        return _Cursor(life=self._book.life, mask=self._mask, until=now, since=now).model_dump_json().encode()

    async def partitions(self, _since: float | None, /) -> tuple[bytes | None, ...]:
        """Ranges of ids, about as long as each other. See `Source.partitions`."""
        self._knock()
        ids = self._book.ids()
        edges = ids[_PART_ROWS - 1 : -1 : max(_PART_ROWS, len(ids) // _MOST_PARTS + 1)]
        starts, ends = ["", *edges], [*edges, None]
        return tuple(self._part(after, last) for after, last in zip(starts, ends, strict=True))

    def _part(self, after: str, last: str | None) -> bytes:
        until = self._book.sequence
        part = _Cursor(life=self._book.life, mask=self._mask, until=until, after=after, last=last, full=True)
        return part.model_dump_json().encode()

    async def check(self) -> SourceInfo:
        """See `Source.check`."""
        self._knock()
        return SourceInfo(address_books=1, incremental=self._book.is_incremental)

    async def fetch(self, cursor: bytes | None, limits: PageLimits) -> FetchedPage:
        """See `Source.fetch`."""
        self._knock()
        known = self._read(cursor)
        state = self._begin(known) if known is None or known.after is None else known
        listed = self._listed(state)
        changes, used = await self._take(listed, limits)
        done = used == len(listed)
        after = state.model_copy(
            update={"after": None if done else listed[used - 1][0], "last": None if done else state.last}
        )
        return FetchedPage(
            changes=tuple(changes),
            cursor=after.model_dump_json().encode(),
            done=done,
            full=state.full,
            restarted=known is None,
            downloaded=sum(isinstance(change, Changed | Unreadable) for change in changes),
        )

    def _knock(self) -> None:
        if self._book.is_down:
            raise SourceUnavailable
        if self._credentials.secret != self._book.password:
            raise CredentialsRejected

    def _read(self, cursor: bytes | None) -> _Cursor | None:
        try:
            known = _Cursor.model_validate_json(cursor or b"")
        except ValidationError:
            return None
        return known if (known.life, known.mask) == (self._book.life, self._mask) else None

    def _begin(self, known: _Cursor | None) -> _Cursor:
        """A pass; its end is fixed before its first page, so that what changes meanwhile belongs to the next."""
        since = known.until if known else 0
        return _Cursor(
            life=self._book.life, mask=self._mask, until=self._book.sequence, since=since, after="", full=known is None
        )

    def _listed(self, state: _Cursor) -> list[tuple[str, _Entry]]:
        listed = [item for item in self._book.changed_since(state.since) if item[0] > (state.after or "")]
        listed = [item for item in listed if state.last is None or item[0] <= state.last]
        return [item for item in listed if item[1].card is not None] if state.full else listed

    async def _take(self, listed: list[tuple[str, _Entry]], limits: PageLimits) -> tuple[list[Change], int]:
        head = listed[: limits.rows]
        etags = {name: self._etag(entry) for name, entry in head if entry.card is not None}
        held = await self._workbench.unchanged(etags) if etags else frozenset[str]()
        changes: list[Change] = []
        total = 0
        for name, entry in head:
            change, size = self._change(name, entry, name in held, limits)
            total += size
            if changes and total > limits.bytes:
                break
            changes.append(change)
        return changes, len(changes)

    def _change(self, name: str, entry: _Entry, is_held: bool, limits: PageLimits) -> tuple[Change, int]:
        if entry.card is None:
            return Removed(name), _ROW_BYTES
        if is_held:
            return Unchanged(name), _ROW_BYTES
        try:
            contact = _contact(entry.card, self._fields)
        except UnreadableContact as error:
            return Unreadable(name, error.reason), _ROW_BYTES
        content = written(contact)
        size = len(content) + _ROW_BYTES
        if size > limits.bytes:
            return Unreadable(name, QuarantineReason.TOO_LARGE), _ROW_BYTES
        return Changed(name, content, self._etag(entry)), size

    def _etag(self, entry: _Entry) -> str:
        return f"{self._mask}:{self._book.life}:{entry.sequence}"


_ROW_BYTES: Final = 128
_PART_ROWS: Final = 100
_MOST_PARTS: Final = 16


def _contact(card: Card, fields: Fields) -> Contact:
    return minimised(card, fields) if isinstance(card, Contact) else parse_vcard(card, fields)


def minimised(contact: Contact, fields: Fields) -> Contact:
    """The contact with `uid`, `kind` and these properties only."""
    kept = {attribute_of(name): getattr(contact, attribute_of(name)) for name in fields}
    return Contact(uid=contact.uid, kind=contact.kind).model_copy(update=kept)


def attribute_of(name: Property) -> str:
    """The name under which a contact has the property."""
    return "online_services" if name is Property.ONLINE_SERVICES else name.value


_SHARED: Final[dict[str, AddressBook]] = {}


@contextmanager
def shared(book: AddressBook) -> Generator[str]:
    """Shares an address book within this process; gives the name to put into a connection's settings."""
    name = uuid4().hex
    _SHARED[name] = book
    try:
        yield name
    finally:
        del _SHARED[name]


@lru_cache(maxsize=4)
def _made_up(count: int, seed: int) -> AddressBook:
    contacts: Iterable[Contact] = made_up_contacts(count, seed)
    cards = {f"made-up/{number:08}": contact for number, contact in enumerate(contacts, start=1)}
    return AddressBook(cards, life=f"made-up-{count}-{seed}")


def _find(settings: MemorySettings) -> AddressBook:
    if settings.made_up is not None:
        return _made_up(settings.made_up, settings.seed)
    if settings.shared not in _SHARED:
        raise SourceAddressWrong("this process shares no address book of that name")
    return _SHARED[settings.shared]


@asynccontextmanager
async def open_memory(
    settings: Mapping[str, object], credentials: Credentials, fields: Fields, workbench: Workbench
) -> AsyncGenerator[Source]:
    """Opens an address book in memory; see `SourceFactory`."""
    yield MemorySource(_find(MemorySettings.model_validate(settings)), credentials, fields, workbench)
