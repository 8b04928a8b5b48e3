"""Windows of time over any provider: whatever it is like and whatever happens between pages, nothing is lost."""

import asyncio
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.sources.queried import SECOND, Habits, Provider

from contactsync.activities.sources.replica import Replica
from contactsync.activities.sources.source import PageLimits
from contactsync.activities.sources.windows import windowed

NAMES = tuple(f"contact-{number:02}" for number in range(24))

habits = st.builds(
    Habits,
    order=st.sampled_from(["none", "time", "time_id"]),
    paging=st.sampled_from(["keyset", "counting", "offset", "pages"]),
    listing=st.sampled_from(["id", "time"]),
    page=st.integers(2, 6),
    cap=st.none() | st.integers(4, 9),
    lag=st.sampled_from([0, 3 * SECOND, 40 * SECOND]),
    settles=st.sampled_from([0, 5 * SECOND, 90 * SECOND]),
    resolution=st.sampled_from([1, 1_000, SECOND]),
    tells_time=st.booleans(),
    ahead=st.sampled_from([-250 * SECOND, 0, 3_600 * SECOND]),
    tombstones=st.booleans(),
    changes=st.booleans(),
    strays=st.booleans(),
    knows_until=st.booleans(),
)
edits = st.tuples(st.just("put"), st.sampled_from(NAMES), st.integers(0, 99))
deeds = st.one_of(
    edits,
    edits,
    edits,
    st.tuples(st.just("many"), st.integers(3, 24), st.integers(0, 99)),
    st.tuples(st.just("delete"), st.sampled_from(NAMES), st.just(0)),
    st.tuples(st.just("tick"), st.sampled_from([1, 1_000, SECOND, 20 * SECOND, 600 * SECOND]), st.just(0)),
    st.tuples(st.just("page"), st.integers(1, 6), st.just(0)),
    st.tuples(st.just("expire"), st.just(0), st.just(0)),
    st.tuples(st.just("lose"), st.just(0), st.just(0)),
    st.tuples(st.just("list"), st.just(0), st.just(0)),
)
Deed = tuple[str, str | int, int]


def able(chosen: Habits) -> Habits:
    """Without what no client could read completely; docs/sync.md names these."""
    if chosen.paging == "counting" and chosen.order != "time_id":
        chosen = replace(chosen, paging="keyset")
    if chosen.paging == "counting":
        chosen = replace(chosen, listing="id", cap=None)
    if chosen.order != "time_id" or chosen.strays:
        chosen = replace(chosen, cap=None)
    return chosen


class History:
    """A provider, a replica of it, and what happens to both."""

    def __init__(self, chosen: Habits, rows: int, *, is_eager: bool = False) -> None:
        self.provider = Provider(chosen)
        self.replica = Replica(is_eager=is_eager)
        self.limits = PageLimits(rows=rows)
        self.source = windowed(self.provider, self.replica, self.provider.clock)
        self.is_between = True
        self.steady: set[str] = set()

    async def do(self, deed: Deed) -> None:
        """One thing happens."""
        match deed:
            case ("put", str(name), text):
                self._put(name, f"text {text}")
            case ("many", int(count), text):
                for name in NAMES[:count]:
                    self._put(name, f"text {text}", tick=self.provider.habits.order != "time_id")
            case ("delete", str(name), _) if name in self.provider.versions:
                self._put(name, None)
            case ("tick", int(passed), _):
                self.provider.now += passed
            case ("page", int(count), _):
                for _ in range(count):
                    await self.page()
            case ("expire", _, _):
                self.provider.life += 1
            case ("lose", _, _):
                self.replica.lose_stashes()
            case ("list", _, _) if self.is_between:
                self.replica.cursor = None
            case _:
                pass

    def _put(self, name: str, text: str | None, *, tick: bool = False) -> None:
        self.provider.put(name, text)
        if text is None:
            self.steady.discard(name)
        if tick:
            self.provider.now += self.provider.habits.resolution

    async def page(self) -> bool:
        """A page is fetched and taken in; True at the end of a pass."""
        begins = self.is_between
        page = await self.source.fetch(self.replica.cursor, self.limits)
        if begins or page.restarted:
            self.steady = {name for name in self.provider.contents() if self._shows(name)}
        self.replica.apply(page)
        assert len(page.changes) <= self.limits.rows
        if page.done and page.full:
            assert self.steady <= self.replica.contacts.keys()
        self.is_between = page.done
        return page.done

    def _shows(self, name: str) -> bool:
        """Whether it has been in listings since before the page."""
        return all(version.visible_at < self.provider.now for version in self.provider.versions[name])

    async def finish(self) -> None:
        """Edits end, everything shows, and one more pass runs; where deletions are not told, a listing."""
        while not self.is_between:
            await self.page()
        self.provider.settle()
        if not (self.provider.habits.tombstones and self.provider.habits.changes):
            self.replica.cursor = None
        for _ in range(2_000):
            if await self.page():
                return
        raise AssertionError("the pass does not end")

    def held(self) -> dict[str, str]:
        """The replica's contacts."""
        return {name: contact.name.full if contact.name else "" for name, contact in self.replica.contacts.items()}


@given(chosen=habits.map(able), rows=st.integers(1, 8), happening=st.lists(deeds, max_size=40))
@settings(max_examples=400)
def test_nothing_is_lost(chosen: Habits, rows: int, happening: list[Deed]) -> None:
    """After any history one quiet pass makes the replica equal, and no listing drops what was there all the time."""

    async def run() -> None:
        history = History(chosen, rows)
        for deed in happening:
            await history.do(deed)
        await history.finish()
        assert history.held() == history.provider.contents()

    asyncio.run(run())
