"""CardDAV: address books on the server of a provider, a company or a household (RFC 6352, RFC 6578, RFC 6764).

A pass walks the account's address books one after the other. With sync-collection it asks what changed since the
last pass; otherwise, when a token is no longer valid, and once a day in any case, it lists everything and compares
ETags. Only cards whose ETag is new are downloaded. docs/carddav.md says how each server behaves.
"""

import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Final

from contactsync.activities.contacts.contact import Fields
from contactsync.activities.sources.ahead import asked_ahead
from contactsync.activities.sources.carddav_batches import Batch, BatchSize, batches
from contactsync.activities.sources.carddav_cards import Cards
from contactsync.activities.sources.carddav_cursor import (
    REPLAYS_BEFORE_LISTING,
    Book,
    Cursor,
    Stashed,
    Walk,
    mask_of,
    read_cursor,
)
from contactsync.activities.sources.carddav_discovery import Discovery
from contactsync.activities.sources.carddav_listing import (
    Listed,
    Listing,
    ReportRefused,
    Round,
    TokenRefused,
    dump_listed,
    load_listed,
)
from contactsync.activities.sources.carddav_page import PageBuilder
from contactsync.activities.sources.carddav_settings import CardDavSettings
from contactsync.activities.sources.source import (
    Capabilities,
    Credentials,
    FetchedPage,
    PageLimits,
    Source,
    SourceInfo,
    Workbench,
)
from contactsync.activities.sources.transport import Answer, Transport, open_transport
from contactsync.errors import CursorExpired, SourceAddressWrong, SourceError, SourceMisbehaved

_MAX_RESTARTS: Final = 4


class _Restart(Exception):
    """The walk leads nowhere: a complete listing begins. `book` is the path of the one to blame, at `replays`."""

    def __init__(self, book: Book | None = None, replays: int = 0) -> None:
        super().__init__()
        self.book = book
        self.replays = replays


class CardDavSource:
    """One CardDAV account. `clock` gives epoch seconds, `timer` seconds since some time."""

    def __init__(
        self,
        transport: Transport,
        settings: CardDavSettings,
        fields: Fields,
        workbench: Workbench,
        clock: Callable[[], float] = time.time,
        *,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._workbench = workbench
        self._clock = clock
        self._timer = timer
        self._mask = mask_of(fields)
        self._discovery = Discovery(transport, settings)
        self._listing = Listing(transport, settings)
        self._cards = Cards(transport, settings, fields)
        self._batch_size = BatchSize(settings.multiget)

    @property
    def capabilities(self) -> Capabilities:
        """See `Source.capabilities`; it lists everything once a day by itself."""
        return Capabilities(tokens=True, tombstones=True, reconcile_seconds=None)

    async def baseline(self) -> bytes | None:
        """None: a first sync token comes with a complete listing only (RFC 6578 §3.4)."""
        return None

    async def partitions(self, _since: float | None, /) -> tuple[bytes | None, ...]:
        """One part; see `Source.partitions`."""
        return (None,)

    async def check(self) -> SourceInfo:
        """Who we are there and what there is; see `Source.check`."""
        books = await self._discovery.books(await self._discovery.places())
        self._require_books(books)
        incremental = self._settings.sync == "auto" and all(book.sync for book in books)
        notes = () if incremental else ("no sync tokens: each pass compares all ETags",)
        return SourceInfo(len(books), incremental, notes)

    async def fetch(self, cursor: bytes | None, limits: PageLimits) -> FetchedPage:
        """One page; see `Source.fetch`."""
        known = read_cursor(cursor, self._mask)
        try:
            state = await self._where(known)
            return await self._page(state, limits, restarted=_begins(state, known))
        except _Restart as restart:
            return await self._page_of_new_listing(known, restart, limits)

    async def _page_of_new_listing(self, known: Cursor | None, restart: _Restart, limits: PageLimits) -> FetchedPage:
        blamed = known.books if known else ()
        for _ in range(_MAX_RESTARTS):
            blamed = _blame(blamed, restart)
            try:
                return await self._page(await self._complete(known, blamed), limits, restarted=True)
            except _Restart as again:
                restart = again
        raise SourceMisbehaved("the source takes back each listing that it begins")

    # where a pass stands

    async def _where(self, known: Cursor | None) -> Cursor:
        if known is None:
            return await self._complete(None, ())
        return known if known.walk else await self._next_pass(known)

    async def _next_pass(self, known: Cursor) -> Cursor:
        found = await self._find_again(known)
        if self._clock() - known.listed_at >= self._settings.complete_every_hours * 3600:
            return await self._complete(known, known.books)
        books = _merged(known.books, found)
        held = {book.path for book in known.books}
        gone = len(found) < len(known.books) or held - {book.path for book in found}
        if gone or any(book.path in held and _needs_listing(book) for book in books):
            return self._begin(known, books, full=True)
        return self._begin(known, books, full=False)

    async def _complete(self, known: Cursor | None, books: Sequence[Book]) -> Cursor:
        """A pass that lists everything, from the account's front door."""
        places = await self._discovery.places()
        found = await self._discovery.books(places)
        self._require_books(found)
        self._require_known(known.books if known else (), found)
        return self._begin(Cursor(mask=self._mask, places=places), _merged(books, found), full=True)

    def _begin(self, known: Cursor, books: Sequence[Book], *, full: bool) -> Cursor:
        now = self._clock()
        chosen = [book if self._settings.sync == "auto" else book.model_copy(update={"sync": False}) for book in books]
        first = Walk(full=full, started=now, asked=_asked(chosen[0], full))
        return known.model_copy(update={"books": tuple(chosen), "walk": first})

    async def _find_again(self, known: Cursor) -> list[Book]:
        ctags = any(not book.by_token for book in known.books)
        try:
            found = await self._discovery.books(known.places, ctags=ctags)
        except SourceAddressWrong:  # the account may have moved on its server
            found = await self._discovery.books(await self._discovery.places(), ctags=ctags)
        self._require_books(found)
        self._require_known(known.books, found)
        return found

    def _require_books(self, found: Sequence[Book]) -> None:
        if not found:
            raise SourceAddressWrong("there is no address book at the address; check the URL and address_books")

    def _require_known(self, known: Sequence[Book], found: Sequence[Book]) -> None:
        """A vanished address book is no reason to delete what was in it: somebody has to say so."""
        missing = {book.path for book in known} - {book.path for book in found}
        if missing and self._settings.missing_address_book == "stop":
            raise SourceAddressWrong(
                "an address book of this connection is gone; nothing was deleted: bring it back, "
                "or set missing_address_book=remove"
            )

    # a page

    async def _page(self, state: Cursor, limits: PageLimits, *, restarted: bool) -> FetchedPage:
        page = PageBuilder(limits, self._mask, self._timer)
        walk = state.walk
        while walk and walk.book < len(state.books) and page.room:
            state = await self._advance(state, walk, page)
            walk = state.walk
        full, done = bool(walk and walk.full), bool(walk and walk.book == len(state.books))
        after = _ended(state) if done else state
        return FetchedPage(tuple(page.changes), after.dump(), done, full, restarted, page.downloaded)

    async def _advance(self, state: Cursor, walk: Walk, page: PageBuilder) -> Cursor:
        book = state.books[walk.book]
        if walk.rest:
            return await self._go_on(state, walk, walk.rest, page)
        if not walk.full and not book.by_token and book.is_as_held:
            return _next_book(state, walk, book)
        found = await self._round(book, walk)
        walk = walk.model_copy(update={"token": found.token, "more": found.more})
        used = await self._take(book, found.listed, page, walk)
        left = found.listed[used:]
        if not left:
            return _round_ended(state, walk, book)
        rest = await self._stash(left, max(used, _PART_ROWS))
        return state.model_copy(update={"walk": walk.model_copy(update={"rest": rest})})

    async def _go_on(self, state: Cursor, walk: Walk, rest: Stashed, page: PageBuilder) -> Cursor:
        try:
            part = load_listed(await self._workbench.stashed(rest.handle, rest.part))
        except CursorExpired:
            raise _Restart from None
        listed = part[rest.offset :]
        used = await self._take(state.books[walk.book], listed, page, None)
        after = rest.after(used, len(listed))
        walk = walk.model_copy(update={"rest": after})
        return state.model_copy(update={"walk": walk}) if after else _round_ended(state, walk, state.books[walk.book])

    async def _round(self, book: Book, walk: Walk) -> Round:
        if not book.by_token:
            return await self._listing.by_etags(book)
        try:
            return await self._listing.by_token(book, walk.asked)
        except TokenRefused:
            # a token refused in the middle of a complete listing would be refused again: list by ETags instead
            raise _Restart(book, REPLAYS_BEFORE_LISTING if walk.full else book.replays) from None
        except ReportRefused:
            if walk.asked:
                raise _Restart(book, REPLAYS_BEFORE_LISTING) from None
            return await self._listing.by_etags(book)

    async def _take(self, book: Book, listed: Sequence[Listed], page: PageBuilder, fresh: Walk | None) -> int:
        """Fills the page from the head of a listing; returns how many of its entries are in it."""
        head = listed[: page.room]
        held = await self._held(head, page)
        if fresh and _is_replay(head, held, fresh):
            raise _Restart(book, book.replays + 1)
        before = len(page.changes)
        try:
            await self._download(book, batches(head, held, partial(self._most, page)), page)
        except SourceError:
            if not page.changes:
                raise
            page.close()  # what came is kept; the next fetch begins at what failed, and meets the error itself
        return len(page.changes) - before

    async def _download(self, book: Book, runs: Iterable[Batch], page: PageBuilder) -> None:
        def ask(batch: Batch) -> Coroutine[None, None, list[Answer]]:
            return self._ask(book, batch.wanted)

        def is_likely(batch: Batch, _: Batch) -> bool:
            return page.likely(len(batch.run)) > 0

        async with aclosing(asked_ahead(ask, runs, is_likely)) as answered:
            async for batch, answers in answered:
                outcomes = await self._cards.read(book, batch.wanted, answers)
                if not all(page.add(item, outcomes.get(item.path)) for item in batch.run):
                    return

    def _most(self, page: PageBuilder, pending: int) -> int:
        """Cards worth asking for behind so many entries; none where the page has no room for them."""
        return self._batch_size.within(page.likely(pending)) if page.room_after(pending) else 0

    async def _ask(self, book: Book, wanted: Sequence[Listed]) -> list[Answer]:
        began = self._timer()
        answers = await self._cards.ask(book, wanted)
        self._batch_size.answered(len(wanted), self._timer() - began, sum(len(answer.body) for answer in answers))
        return answers

    async def _held(self, listed: Sequence[Listed], page: PageBuilder) -> frozenset[str]:
        etags = {item.path: etag for item in listed if not item.gone and (etag := page.etag(item.etag))}
        return await self._workbench.unchanged(etags) if etags else frozenset()

    async def _stash(self, listed: Sequence[Listed], rows: int) -> Stashed:
        parts = [dump_listed(listed[start : start + rows]) for start in range(0, len(listed), rows)]
        return Stashed(handle=await self._workbench.stash(parts), parts=len(parts))


_PART_ROWS: Final = 500
"""Entries of a stashed listing that are read back at a time."""


def _begins(state: Cursor, known: Cursor | None) -> bool:
    """Whether a complete listing begins with this page."""
    return state is not known and state.walk is not None and state.walk.full


def _merged(held: Sequence[Book], found: Sequence[Book]) -> list[Book]:
    by_path = {book.path: book for book in held}
    return [by_path[book.path].found_again(book) if book.path in by_path else book for book in found]


def _needs_listing(book: Book) -> bool:
    """Whether what changed in it can be learnt only by listing it; and then everything is listed."""
    return not book.token if book.by_token else not book.is_as_held


def _blame(books: Sequence[Book], restart: _Restart) -> tuple[Book, ...]:
    if restart.book is None:
        return tuple(books)
    blamed = restart.book.model_copy(update={"replays": restart.replays})
    return (*(book for book in books if book.path != blamed.path), blamed)


def _is_replay(listed: Sequence[Listed], held: frozenset[str], walk: Walk) -> bool:
    """Whether an answer to a token lists what has not changed: the token meant nothing to the server.

    Then deletions are missing from it, so only a complete listing will tell. A card that changed between a listing
    and its download is listed once more unchanged: one such card costs a listing too, and nothing else.
    """
    if walk.full or not walk.asked or not listed:
        return False
    present = sum(not item.gone for item in listed)
    return walk.token == walk.asked or (len(held) > 0 and len(held) * 2 >= present)


def _asked(book: Book, full: bool) -> str:
    return "" if full else book.token


def _round_ended(state: Cursor, walk: Walk, book: Book) -> Cursor:
    if walk.more:
        again = walk.model_copy(update={"asked": walk.token, "rest": None, "token": "", "more": False})
        return state.model_copy(update={"walk": again})
    return _next_book(state, walk, book.finished(walk.token, clean=not walk.full and book.by_token))


def _next_book(state: Cursor, walk: Walk, finished: Book) -> Cursor:
    at = walk.book
    books = (*state.books[:at], finished, *state.books[at + 1 :])
    asked = _asked(books[at + 1], walk.full) if at + 1 < len(books) else ""
    ahead = Walk(full=walk.full, started=walk.started, book=at + 1, asked=asked)
    return state.model_copy(update={"books": books, "walk": ahead})


def _ended(state: Cursor) -> Cursor:
    walk = state.walk
    listed_at = walk.started if walk and walk.full else state.listed_at
    return state.model_copy(update={"walk": None, "listed_at": listed_at})


@asynccontextmanager
async def open_carddav(
    settings: Mapping[str, object], credentials: Credentials, fields: Fields, workbench: Workbench
) -> AsyncGenerator[Source]:
    """Opens a CardDAV account; see `SourceFactory`."""
    chosen = CardDavSettings.model_validate(settings)
    endpoint = chosen.endpoint(credentials, workbench.addresses, workbench.meter)
    async with open_transport(endpoint) as transport:
        yield CardDavSource(transport, chosen, fields, workbench)
