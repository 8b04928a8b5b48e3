"""The store against a model of a dictionary: any pages, in any split, with any repeats, crashes and take-overs."""

import asyncio
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.integration.store.address_book import Book, Store, bad, gone, moved, seen, upsert

from contactsync.activities.store.changes import Alias, CleanChange, Quarantine, Tombstone, Upsert


def _versioned(name: str, text: str, version: int | None) -> Upsert:
    """With its name in its content, as a contact's addresses are in a real one's."""
    change = upsert(name, text, version=version)
    content = {"uid": name, **json.loads(change.content)}
    return structs.replace(change, content=json.dumps(content, separators=(",", ":")).encode())


NAMES = ("ada", "ben", "cid")
texts = st.sampled_from(["x", "yy", "zzz"])
names = st.sampled_from(NAMES)
versions = st.none() | st.integers(1, 4)
changes = st.one_of(
    st.builds(_versioned, names, texts, versions),
    st.builds(gone, names, versions),
    st.builds(seen, names),
    st.builds(bad, names),
    st.builds(moved, names, names, versions),
)
pages = st.lists(changes, max_size=5)
relaxed = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


class Model:
    """What should be held: of each contact its text (None: gone), version and address; who is set aside; and of whom
    the deletion waits, since a listing left nothing."""

    def __init__(self) -> None:
        self.state: dict[str, tuple[str | None, int | None, str]] = {}
        self.set_aside: dict[str, int] = {}
        self.listed: dict[str, int] = {}
        self.waiting: set[str] = set()

    def apply(self, change: CleanChange, generation: int) -> None:
        """The rules, one entry at a time."""
        if isinstance(change, Alias):
            self._follow(change, generation)
            return
        name = change.source_id
        if isinstance(change, Quarantine):
            self.set_aside[name] = generation
        else:
            self.set_aside.pop(name, None)
        if isinstance(change, Upsert | Tombstone) and self._wins(name, change.version):
            self._set(name, change)
        if not isinstance(change, Tombstone):
            self.waiting.discard(name)
        self.listed[name] = generation

    def _set(self, name: str, change: Upsert | Tombstone) -> None:
        if isinstance(change, Upsert):
            self.state[name] = (change.content.decode(), change.version, name)
        elif name not in self.waiting:
            self.state[name] = (None, change.version, name)

    def _follow(self, alias: Alias, generation: int) -> None:
        old, to = alias.source_id, alias.to
        if old == to:
            return
        self.set_aside.pop(old, None)
        if not self._wins(old, alias.version):
            return
        text, _, address = self.state.get(old, (None, None, old))
        if text is not None and self._text(to) is None:
            self.state[to] = (text, None, address)
            self.listed[to] = generation
        self.state[old] = (None, alias.version, old)
        self.waiting.discard(old)

    def _text(self, name: str) -> str | None:
        return self.state.get(name, (None,))[0]

    def _wins(self, name: str, version: int | None) -> bool:
        held = self.state[name][1] if name in self.state else None
        return version is None or held is None or version >= held

    def sweep(self, generation: int) -> None:
        """What was not listed is gone; if that is all there is, it waits."""
        unlisted = {name for name in NAMES if self.listed.get(name, 0) < generation}
        leaving = {name for name in unlisted if self._text(name) is not None} - self.waiting
        if leaving and leaving | self.waiting == set(self.live()):
            self.waiting |= leaving
            return
        self.state |= {name: (None, None, name) for name in leaving}
        self.set_aside = {name: listed for name, listed in self.set_aside.items() if listed == generation}

    def live(self) -> dict[str, str]:
        """The contacts there are."""
        return {name: text for name, (text, _, _) in self.state.items() if text is not None}

    def found(self, address: str) -> set[str]:
        """Who has the address that was made for this contact."""
        return {name for name in self.live() if self.state[name][2] == address}


async def contents(book: Book) -> dict[str, str]:
    """The contents of the live contacts."""
    return {each.source_id: each.content.decode() async for each in book.store.contacts.all_of(book.ref)}


async def check(book: Book, model: Model) -> None:
    """The store holds what the model says, and each contact is found by its address, and nothing else is."""
    assert await contents(book) == model.live()
    assert set(await book.set_aside()) == set(model.set_aside)
    for name in NAMES:
        assert await book.found(f"{name}@example.com") == model.found(name)
    hold = await book.store.holds.open_hold(book.ref)
    assert (hold.contacts if hold else 0) == len(model.waiting)


@given(history=st.lists(pages, max_size=6), repeats=st.lists(st.booleans(), min_size=6, max_size=6))
@relaxed
async def test_any_pages_leave_what_their_entries_say(
    store: Store, history: list[list[CleanChange]], repeats: list[bool]
) -> None:
    """Any pages, each perhaps committed twice, leave what their entries, taken one by one, say."""
    book, model = await store.new_book(), Model()
    ticket = await book.open()
    for number, page in enumerate(history, 1):
        result = await book.commit(ticket, number, page)
        if repeats[number - 1]:
            assert await book.commit(ticket, number, page) == result
        for change in page:
            model.apply(change, 1)
    await check(book, model)


@given(
    passes=st.lists(st.tuples(st.lists(pages, min_size=1, max_size=3), st.booleans()), min_size=1, max_size=4),
)
@relaxed
async def test_any_complete_listings_leave_what_they_list(
    store: Store, passes: list[tuple[list[list[CleanChange]], bool]]
) -> None:
    """Complete listings, some cut off and begun anew: only those that end sweep, and the counts of all pages add up."""
    book, model = await store.new_book(), Model()
    for generation, (listing, ends) in enumerate(passes, 1):
        ticket = await book.open()
        for number, page in enumerate(listing, 1):
            done = ends and number == len(listing)
            await book.commit(ticket, number, page, done=done, full=True, generation=generation)
            for change in page:
                model.apply(change, generation)
        if ends:
            model.sweep(generation)
    counts = [record.counts for record in await store.passes.history(book.ref)]
    assert sum(each.added - each.deleted for each in counts) == len(model.live())
    await check(book, model)


@given(page=st.lists(changes, min_size=2, max_size=6))
@relaxed
async def test_one_page_or_many_is_the_same(store: Store, page: list[CleanChange]) -> None:
    """A page leaves the same contacts and quarantine as its entries committed one a page."""
    whole, split = await asyncio.gather(store.new_book(), store.new_book())
    await whole.commit(await whole.open(), 1, page)
    ticket = await split.open()
    for number, change in enumerate(page, 1):
        await split.commit(ticket, number, [change])
    assert await contents(whole) == await contents(split)
    assert set(await whole.set_aside()) == set(await split.set_aside())
