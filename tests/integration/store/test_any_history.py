"""The store against a model of a dictionary: any pages, in any split, with any repeats, crashes and take-overs."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.store.address_book import Book, Store, bad, gone, seen, upsert

from contactsync.activities.store.changes import CleanChange, Quarantine, Tombstone, Upsert


def _versioned(name: str, text: str, version: int | None) -> Upsert:
    return upsert(name, text, version=version)


NAMES = ("ada", "ben", "cid")
texts = st.sampled_from(["x", "yy", "zzz"])
names = st.sampled_from(NAMES)
versions = st.none() | st.integers(1, 4)
changes = st.one_of(
    st.builds(_versioned, names, texts, versions),
    st.builds(gone, names, versions),
    st.builds(seen, names),
    st.builds(bad, names),
)
pages = st.lists(changes, max_size=5)
relaxed = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Model:
    """What should be held: of each contact its text (None: gone) and version, and who is set aside."""

    def __init__(self) -> None:
        self.state: dict[str, tuple[str | None, int | None]] = {}
        self.set_aside: set[str] = set()
        self.listed: dict[str, int] = {}

    def apply(self, change: CleanChange, generation: int) -> None:
        """The rules, one entry at a time."""
        name = change.source_id
        if isinstance(change, Quarantine):
            self.set_aside.add(name)
        else:
            self.set_aside.discard(name)
        if isinstance(change, Upsert | Tombstone) and self._wins(name, change.version):
            text = change.content.decode() if isinstance(change, Upsert) else None
            self.state[name] = (text, change.version)
        self.listed[name] = generation

    def _wins(self, name: str, version: int | None) -> bool:
        _, held = self.state.get(name, (None, None))
        return version is None or held is None or version >= held

    def sweep(self, generation: int) -> None:
        """What was not listed is gone."""
        for name in NAMES:
            if self.listed.get(name, 0) < generation and self.state.get(name, (None, None))[0] is not None:
                self.state[name] = (None, None)
            if self.listed.get(name, 0) < generation:
                self.set_aside.discard(name)

    def live(self) -> dict[str, str]:
        """The contacts there are."""
        return {name: text for name, (text, _) in self.state.items() if text is not None}


async def contents(book: Book) -> dict[str, str]:
    """The contents of the live contacts."""
    return {each.source_id: each.content.decode() async for each in book.store.contacts.all_of(book.ref)}


async def check_lookups(book: Book) -> None:
    """Each live contact is found by its address, and nothing else is."""
    live = await contents(book)
    for name in NAMES:
        assert await book.found(f"{name}@example.com") == ({name} if name in live else set())


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
    assert await contents(book) == model.live()
    assert set(await book.set_aside()) == model.set_aside
    await check_lookups(book)


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
    assert await contents(book) == model.live()
    assert set(await book.set_aside()) == model.set_aside
    counts = [record.counts for record in await store.passes.history(book.ref)]
    assert sum(each.added - each.deleted for each in counts) == len(model.live())
    await check_lookups(book)


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
