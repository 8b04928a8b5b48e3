"""Live sync and backfills of a source that changes all the time, their steps in any order: they end equal to it.

The source numbers its changes. A live pass lists what changed since its token, or everything; a backfill reads two
parts. What is read may be committed much later, after anything else.
"""

from dataclasses import dataclass, field
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.store.address_book import Book, Filling, Store, gone, upsert

from contactsync.activities.messages import PageHead, PassTicket
from contactsync.activities.store.changes import CleanChange
from contactsync.activities.store.directory import TenantPolicy

NAMES: Final = ("ada", "ben", "cid")
PARTS: Final = (("ada", "ben"), ("cid",))
UNGUARDED: Final = TenantPolicy(delete_share=1.0)
ACTIONS: Final = ("live", "live", "live", "whole pass", "relist", "take over", "read", "read", "write", "write")
edits = st.tuples(st.sampled_from(["put", "put", "delete"]), st.sampled_from(NAMES))
steps = st.lists(edits | st.sampled_from(ACTIONS) | edits, min_size=20, max_size=40)


@dataclass
class Source:
    """Numbered changes: of each contact its last one, and whether it is there."""

    now: int = 0
    cards: dict[str, tuple[int, bool]] = field(default_factory=dict[str, tuple[int, bool]])

    def put(self, name: str) -> None:
        """Add or change."""
        self.now += 1
        self.cards[name] = (self.now, True)

    def delete(self, name: str) -> None:
        """Delete what is there."""
        if self.cards.get(name, (0, False))[1]:
            self.now += 1
            self.cards[name] = (self.now, False)

    def there(self) -> dict[str, str]:
        """The contacts there are."""
        return {name: str(number) for name, (number, is_there) in self.cards.items() if is_there}


@dataclass
class Fetched:
    """A page on its way."""

    head: PageHead
    changes: list[CleanChange]
    token: int


class Run:
    """A live sync, a backfill, and their source. `numbered`: contacts carry the source's numbers as versions;
    `tombstones`: it tells what was deleted."""

    def __init__(self, book: Book, *, numbered: bool, tombstones: bool) -> None:
        self.book = book
        self.source = Source()
        self.numbered = numbered
        self.tombstones = tombstones
        self.token: int | None = None
        self.ticket: PassTicket | None = None
        self.walk: tuple[int | None, int, int] = (None, 0, 0)
        self.queue: list[str] = []
        self.page: Fetched | None = None
        self.wants_listing = False
        self.filling: Filling | None = None
        self.parts: set[int] = set()
        self.read: dict[int, Fetched] = {}
        self.highest: dict[str, int] = {}

    def _upsert(self, name: str, number: int) -> CleanChange:
        return upsert(name, str(number), version=number if self.numbered else None)

    async def open(self) -> None:
        """A new pass takes over; what was fetched for the one before stays on its way."""
        self.ticket = await self.book.open()
        since = None if self.wants_listing or self.token is None else self.token
        generation = await self.book.store.passes.next_generation(self.book.ref) if since is None else 0
        self.walk, self.wants_listing = (since, self.source.now, generation), False
        self.queue = [
            name
            for name, (number, is_there) in sorted(self.source.cards.items())
            if (number > since if since is not None else is_there)
        ]
        self.page = None

    async def fetch(self) -> None:
        """The next page of the pass, as the source is now."""
        if self.ticket is None or self.page is not None:
            return
        since, until, generation = self.walk
        number = self.ticket.page + 1
        names, rest = self.queue[:2], self.queue[2:]
        head = await self.book.head(self.ticket, number, done=not rest, full=since is None, generation=generation)
        self.page = Fetched(head, [change for name in names for change in self._live(name, since)], until)

    def _live(self, name: str, since: int | None) -> list[CleanChange]:
        number, is_there = self.source.cards[name]
        if is_there:
            return [self._upsert(name, number)]
        tells = since is not None and self.tombstones
        return [gone(name, number if self.numbered else None)] if tells else []

    async def commit(self) -> None:
        """What was fetched for the pass is committed."""
        if self.ticket is None or self.page is None:
            return
        page, self.page = self.page, None
        await self.book.store.contacts.commit(page.head, page.changes)
        self.queue = self.queue[2:]
        self.ticket = None if page.head.done else self.ticket.model_copy(update={"page": page.head.page})
        if page.head.done:
            self.token = page.token

    async def backfill(self) -> None:
        """A backfill of two parts, if none is under way."""
        if self.filling is None:
            self.filling = await self.book.backfill(parts=[b"0", b"1"])
            self.parts = {0, 1}

    async def read_part(self, part: int) -> None:
        """Reads a part's only page, unless it is on its way or done."""
        if self.filling is None or part not in self.parts or part in self.read:
            return
        head = await self.filling.head(1, part=part, done=True)
        there = self.source.there()
        changes = [self._upsert(name, int(there[name])) for name in PARTS[part] if name in there]
        self.read[part] = Fetched(head, changes, 0)

    async def write_part(self, part: int) -> None:
        """Commits what was read of a part; if that is asked for, it is read again."""
        if part not in self.read:
            return
        page, before = self.read.pop(part), await self.book.held()
        result = await self.book.store.backfills.commit(page.head, page.changes)
        if not result.redo:
            self.parts.discard(part)
        after = await self.book.held()
        assert all(int(after[name]) >= int(text) for name, text in before.items() if name in after)

    async def close(self) -> None:
        """The backfill ends, once its parts are done."""
        if self.filling is not None and not self.parts:
            await self.filling.close()
            self.filling = None

    async def live(self) -> None:
        """The next step of live sync."""
        if self.ticket is None:
            await self.open()
        elif self.page is None:
            await self.fetch()
        else:
            await self.commit()

    async def whole_pass(self) -> None:
        """The pass under way, or a new one, to its end."""
        await self.live()
        while self.ticket is not None:
            await self.live()

    async def read_next(self) -> None:
        """Reads the next part of a backfill, which may be new."""
        await self.backfill()
        for part in sorted(self.parts - self.read.keys())[:1]:
            await self.read_part(part)

    async def write_next(self) -> None:
        """Commits what was read first, or ends the backfill if that was all."""
        for part in tuple(self.read)[:1]:
            await self.write_part(part)
            return
        await self.close()

    async def step(self, action: str | tuple[str, str]) -> None:
        """One step, and no contact is older after it than it was before, where versions tell."""
        if isinstance(action, tuple):
            verb, name = action
            (self.source.put if verb == "put" else self.source.delete)(name)
        else:
            await self._act(action)
        if self.numbered:
            await self._check_none_went_back()

    async def _act(self, action: str) -> None:
        match action:
            case "live":
                await self.live()
            case "whole pass":
                await self.whole_pass()
            case "take over":
                await self.open()
            case "read":
                await self.read_next()
            case "write":
                await self.write_next()
            case _:
                self.wants_listing = True

    async def _check_none_went_back(self) -> None:
        for name, text in (await self.book.held()).items():
            assert int(text) >= self.highest.get(name, 0)
            self.highest[name] = int(text)

    async def settle(self) -> None:
        """Everything comes to its end: the backfill, the pass under way, and one more that lists everything if the
        source tells of no deletions."""
        while self.filling is not None:
            await self.read_next()
            await self.write_next()
        while self.ticket is not None:
            await self.live()
        self.wants_listing = not self.tombstones
        await self.whole_pass()
        if await self.book.store.holds.open_hold(self.book.ref):
            await self.book.decide(approve=True)


@given(actions=steps, numbered=st.booleans(), tombstones=st.booleans())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_p13_live_sync_and_backfills_in_any_order(
    store: Store, actions: list[str | tuple[str, str]], numbered: bool, tombstones: bool
) -> None:
    """P13: whatever order their pages are read and committed in, the contacts end equal to the source's."""
    run = Run(await store.new_book(policy=UNGUARDED), numbered=numbered, tombstones=tombstones)
    for action in actions:
        await run.step(action)
    await run.settle()
    assert await run.book.held() == run.source.there()
