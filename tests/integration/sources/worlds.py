"""The sources under contract: each with a hand that changes what it reads from, behind its back."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from tests.dav.server import PASSWORD, DavServer, Hand

from contactsync.activities.contacts.contact import DEFAULT_FIELDS, Fields
from contactsync.activities.sources.carddav_cursor import Cursor
from contactsync.activities.sources.memory import AddressBook
from contactsync.activities.sources.registry import open_source
from contactsync.activities.sources.source import Credentials, Source, Workbench
from contactsync.workers.embedded.ports import LOOPBACK, free_port


class World(Protocol):
    """An account of a source, empty at the start of a test, and what a test may do to it."""

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions of vCard that can be put there."""
        ...

    @property
    def is_incremental(self) -> bool:
        """Whether a pass after the first asks for changes only."""
        ...

    async def put(self, name: str, card: str) -> None:
        """Adds or replaces a card."""
        ...

    async def delete(self, name: str) -> None:
        """Deletes a card."""
        ...

    async def rename(self, old: str, new: str) -> None:
        """Gives a card another name."""
        ...

    def spoilt(self, cursor: bytes) -> bytes:
        """The cursor as one that the source no longer honours."""
        ...

    def open(
        self, workbench: Workbench, *, fields: Fields = DEFAULT_FIELDS, secret: str = PASSWORD
    ) -> AbstractAsyncContextManager[Source]:
        """Opens the source."""
        ...

    def open_elsewhere(self, workbench: Workbench) -> AbstractAsyncContextManager[Source]:
        """Opens it at an address where no address book is."""
        ...

    def open_down(self, workbench: Workbench) -> AbstractAsyncContextManager[Source]:
        """Opens it while it does not answer."""
        ...


@dataclass(slots=True)
class MemoryWorld:
    """The source in memory."""

    book: AddressBook
    shared: str
    versions: tuple[str, ...] = ("2.1", "3.0", "4.0")
    is_incremental: bool = True

    async def put(self, name: str, card: str) -> None:
        """See `World`."""
        self.book.put(name, card)

    async def delete(self, name: str) -> None:
        """See `World`."""
        self.book.delete(name)

    async def rename(self, old: str, new: str) -> None:
        """See `World`."""
        self.book.rename(old, new)

    def spoilt(self, cursor: bytes) -> bytes:
        """See `World`."""
        self.book.expire_cursors()
        return cursor

    def open(
        self, workbench: Workbench, *, fields: Fields = DEFAULT_FIELDS, secret: str = PASSWORD
    ) -> AbstractAsyncContextManager[Source]:
        """See `World`."""
        self.book.is_down = False
        return open_source("memory", {"shared": self.shared}, Credentials("", secret), fields, workbench)

    def open_elsewhere(self, workbench: Workbench) -> AbstractAsyncContextManager[Source]:
        """See `World`."""
        return open_source("memory", {"shared": "nobody's"}, Credentials("", PASSWORD), DEFAULT_FIELDS, workbench)

    def open_down(self, workbench: Workbench) -> AbstractAsyncContextManager[Source]:
        """See `World`."""
        opened = self.open(workbench)
        self.book.is_down = True
        return opened


@dataclass(slots=True)
class DavWorld:
    """One account on a CardDAV server. `path` is where the connection's URL points."""

    server: DavServer
    user: str
    hand: Hand
    path: str = "/"
    versions: tuple[str, ...] = ("2.1", "3.0", "4.0")
    further: dict[str, object] = field(default_factory=dict[str, object])

    @property
    def is_incremental(self) -> bool:
        """See `World`."""
        return self.further.get("sync") != "listing"

    async def put(self, name: str, card: str) -> None:
        """See `World`."""
        await self.hand.put(name, card)

    async def delete(self, name: str) -> None:
        """See `World`."""
        await self.hand.delete(name)

    async def rename(self, old: str, new: str) -> None:
        """See `World`."""
        await self.hand.rename(old, new)

    def spoilt(self, cursor: bytes) -> bytes:
        """See `World`."""
        known = Cursor.model_validate_json(cursor)
        books = tuple(book.model_copy(update={"token": self.server.unknown_token}) for book in known.books)
        return known.model_copy(update={"books": books}).dump()

    def open(
        self, workbench: Workbench, *, fields: Fields = DEFAULT_FIELDS, secret: str = PASSWORD
    ) -> AbstractAsyncContextManager[Source]:
        """See `World`."""
        return self.open_at(self.path, workbench, fields, secret)

    def open_at(
        self,
        path: str,
        workbench: Workbench,
        fields: Fields = DEFAULT_FIELDS,
        secret: str = PASSWORD,
        **further: object,
    ) -> AbstractAsyncContextManager[Source]:
        """Opens the account at another path or with further settings."""
        settings = {**self.server.settings(path), **self.further, **further}
        return open_source("carddav", settings, Credentials(self.user, secret), fields, workbench)

    def open_elsewhere(self, workbench: Workbench) -> AbstractAsyncContextManager[Source]:
        """See `World`."""
        return self.open_at(self.hand.book + "nothing/here/", workbench)

    def open_down(self, workbench: Workbench) -> AbstractAsyncContextManager[Source]:
        """See `World`."""
        url = f"http://{LOOPBACK}:{free_port()}{self.path}"
        return self.open_at(self.path, workbench, url=url)
