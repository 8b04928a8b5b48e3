"""Pages of a source that become one page of the engine's mean what they mean one after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import shake_256
from random import Random
from uuid import uuid4

import pytest
from tests.integration.engine.paged import Bench, Prepare, Script, page_of, three_pages
from tests.kept import left_to_collect

from contactsync.activities.contacts.contact import Contact, Name, Note, written
from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.gathering import GATHERING
from contactsync.activities.messages import OpenPass, Page, PartRef
from contactsync.activities.pages import GATHERED_BYTES, Same, load_raw
from contactsync.activities.sources.source import (
    SOURCE_BYTES,
    Change,
    Changed,
    FetchedPage,
    Moved,
    PageLimits,
    Removed,
    Unreadable,
)
from contactsync.activities.store.cursors import open_cursor
from contactsync.activities.store.passes import Passes
from contactsync.errors import CredentialsRejected, SourceLoops, SourceThrottled


def names_on(page: Page) -> list[str]:
    """The contacts that a page names."""
    return [record.id for record in load_raw(page.body)]


either_way = pytest.mark.parametrize("asks_ahead", [False, True], ids=["in turn", "ahead"])


@either_way
async def test_pages_are_gathered_to_the_end(prepare: Prepare, asks_ahead: bool) -> None:
    """One activity brings a whole pass where it fits into a page."""
    script = Script(three_pages, asks_ahead=asks_ahead)
    bench = await prepare(script)
    bench.gathering = GATHERING
    page = await bench.fetch()
    assert (names_on(page), page.head.done, page.head.full) == (["a", "b", "c"], True, True)
    assert (page.head.changes, page.head.downloaded, page.head.contacts) == (3, 3, 3)
    assert script.asked == [None, b"1", b"2"]


@either_way
async def test_a_page_is_gone_when_it_is_written(prepare: Prepare, asks_ahead: bool) -> None:
    """Fetched, cleaned and committed, it leaves nothing that only the garbage collector would find."""
    bench = await prepare(Script(three_pages, asks_ahead=asks_ahead))
    bench.gathering = GATHERING
    await bench.ring.tenant_sealer(bench.ref.tenant_id)
    opening = OpenPass(**bench.ref.model_dump(), pass_id=uuid4())
    ticket = await Passes(bench.database).open(opening)
    with left_to_collect() as left:
        page = await bench.fetch(epoch=ticket.epoch)
        assert (await bench.write(page)).done
        del page
    assert left == []


@either_way
async def test_a_full_page_leaves_the_rest_to_the_next(prepare: Prepare, asks_ahead: bool) -> None:
    """The cursor goes on where the page ended; both belong to one listing, of which nothing was held."""
    script = Script(three_pages, asks_ahead=asks_ahead)
    bench = await prepare(script)
    bench.gathering, bench.limits = GATHERING, PageLimits(rows=2)
    first = await bench.fetch()
    last = await bench.fetch(2, first.head.cursor)
    assert [names_on(page) for page in (first, last)] == [["a", "b"], ["c"]]
    assert first.head.generation == last.head.generation > 0
    sealer = await bench.ring.tenant_sealer(bench.ref.tenant_id)
    cursor = open_cursor(sealer, bench.ref.connection_id, first.head.cursor)
    assert (cursor.source, cursor.full, cursor.first, cursor.trail.pages) == (b"2", True, True, 2)
    assert script.asked == [None, b"1", b"2"]


async def test_a_source_gives_no_more_at_a_time_than_is_safe(prepare: Prepare) -> None:
    """However large our pages are: one of the source's has to fit whatever it holds."""
    script = Script(three_pages)
    bench = await prepare(script)
    bench.gathering = GATHERING
    await bench.fetch()
    assert set(script.limits) == {PageLimits(bytes=SOURCE_BYTES)}


async def test_what_hardly_compresses_is_gathered_in_less(prepare: Prepare) -> None:
    """So that the page fits when it is clean, too: nothing is set aside, and the next fetch goes on behind it."""
    after = {None: ("a", b"1"), b"1": ("b", b"2"), b"2": ("c", b"3"), b"3": ("d", b"4")}

    def answer(cursor: bytes | None) -> FetchedPage:
        name, following = after[cursor]
        cards = tuple(large(f"{name}{number}") for number in range(2))
        return FetchedPage(cards, following, done=name == "d", full=True, restarted=cursor is None)

    bench = await prepare(Script(answer))
    bench.gathering, bench.limits = GATHERING, PageLimits(bytes=8_000_000)
    pages = [await bench.fetch()]
    while not pages[-1].head.done:
        pages.append(await bench.fetch(len(pages) + 1, pages[-1].head.cursor))
    assert [names_on(page) for page in pages] == [["a0", "a1", "b0", "b1"], ["c0", "c1", "d0", "d1"]]
    assert all(len(page.packed) <= GATHERED_BYTES for page in pages)
    assert sum(page.head.quarantined for page in pages) == 0


def large(name: str) -> Changed:
    """A contact with a note of 340,000 characters, that compressed is half as long."""
    note = shake_256(name.encode()).hexdigest(170_000)
    return Changed(name, written(Contact(name=Name(full=name), notes=(Note(note=note),))), None)


Answer = Callable[[bytes | None], FetchedPage]


def failing_at(cursor: bytes, error: Exception) -> Answer:
    """Three pages, of which this one fails."""

    def answer(asked: bytes | None) -> FetchedPage:
        if asked == cursor:
            raise error
        return three_pages(asked)

    return answer


@pytest.mark.parametrize("error", [CredentialsRejected(), ZeroDivisionError()])
async def test_an_error_behind_the_first_page_loses_nothing(prepare: Prepare, error: Exception) -> None:
    """What was read before it is given; the next fetch meets it, and says so."""
    bench = await prepare(Script(failing_at(b"2", error)), concurrent=1)
    bench.gathering = GATHERING
    page = await bench.fetch()
    assert (names_on(page), page.head.done) == (["a", "b"], False)
    with pytest.raises(type(error)):
        await bench.fetch(2, page.head.cursor)


async def test_patience_behind_the_first_page_is_heard(prepare: Prepare) -> None:
    """What was read before is given, and the next fetch does not even ask."""
    script = Script(failing_at(b"1", SourceThrottled(after_seconds=30.0)))
    bench = await prepare(script)
    bench.gathering = GATHERING
    page = await bench.fetch()
    assert (names_on(page), page.head.wait_seconds) == (["a"], 0.0)
    waiting = await bench.fetch(2, page.head.cursor)
    assert 29.0 < waiting.head.wait_seconds <= 30.0
    assert script.asked == [None, b"1"]


async def test_a_listing_that_begins_again_is_a_page_of_its_own(prepare: Prepare) -> None:
    """It has a generation of its own, which the page before it must not take."""
    again = page_of("a", cursor=b"end", restarted=True, done=True)
    bench = await prepare(Script(lambda cursor: page_of("x", cursor=b"1", restarted=True) if cursor is None else again))
    bench.gathering = GATHERING
    first = await bench.fetch()
    second = await bench.fetch(2, first.head.cursor)
    assert [names_on(page) for page in (first, second)] == [["x"], ["a"]]
    assert second.head.generation == first.head.generation + 1


async def test_each_page_of_the_source_is_watched(prepare: Prepare) -> None:
    """A source that goes in a circle is found out, however many of its pages one fetch reads."""
    circle = {b"0": b"1", b"1": b"2", b"2": b"0"}
    script = Script(lambda cursor: page_of(str(cursor), cursor=circle[cursor or b"2"], restarted=cursor is None))
    bench = await prepare(script)
    bench.gathering = GATHERING
    page = await bench.fetch()
    with pytest.raises(SourceLoops, match="in a circle"):
        await bench.fetch(2, page.head.cursor)
    assert len(script.asked) < 10


@either_way
async def test_a_rate_is_kept_inside_a_page(prepare: Prepare, asks_ahead: bool) -> None:
    """A request that the account's budget does not allow yet is left to the next fetch, which is told to wait; each
    one is charged once."""
    script = Script(three_pages, asks_ahead=asks_ahead)
    bench = await prepare(script, per_second=0.001, burst=2)
    bench.gathering = GATHERING
    page = await bench.fetch()
    assert (names_on(page), script.asked) == (["a", "b"], [None, b"1"])
    assert 900 < (await bench.fetch(2, page.head.cursor)).head.wait_seconds <= 1_000


async def test_a_part_of_a_backfill_is_gathered_too(prepare: Prepare) -> None:
    """Under the last sweep before its first page."""
    bench = await prepare(Script(three_pages))
    bench.gathering = GATHERING
    part = PartRef(backfill_id=uuid4(), epoch=1, part=1)
    page = await bench.fetch(1, None, part=part)
    assert (names_on(page), page.head.done, page.head.generation) == (["a", "b", "c"], True, 0)


async def test_what_is_unchanged_makes_longer_pages(prepare: Prepare) -> None:
    """A listing of what is held takes one fetch where the first one took several."""

    def answer(cursor: bytes | None) -> FetchedPage:
        page = three_pages(cursor)
        return replace(page, changes=tuple(contact_of(change.source_id, 0, None) for change in page.changes))

    bench = await prepare(Script(answer, looks_up=True))
    bench.gathering, bench.limits = GATHERING, PageLimits(rows=1)
    [*_, last] = await walked(bench, None)
    bench.now += 2 * 86_400
    [again] = await walked(bench, last.head.cursor)
    assert [type(record) for record in load_raw(again.body)] == [Same, Same, Same]


async def walked(bench: Bench, cursor: bytes | None) -> list[Page]:
    """A pass, each page of which is committed before the next is fetched."""
    ticket = await Passes(bench.database).open(OpenPass(**bench.ref.model_dump(), pass_id=uuid4()))
    pages: list[Page] = []
    while not pages or not pages[-1].head.done:
        pages.append(await bench.fetch(len(pages) + 1, cursor, epoch=ticket.epoch))
        await bench.write(pages[-1])
        cursor = pages[-1].head.cursor
    return pages


async def held(bench: Bench) -> Mapping[str, bytes]:
    """What is held."""
    return {contact.source_id: contact.content async for contact in bench.contacts.all_of(bench.ref)}


def contact_of(name: str, number: int, version: int | None) -> Changed:
    """A contact in one of a few states."""
    return Changed(name, written(Contact(name=Name(full=f"{name} {number}"))), version=version)


def any_change(random: Random, names: str, *, versioned: bool) -> Change:
    """Something that a source may say."""
    name, version = random.choice(names), random.randrange(5) if versioned else None
    match random.randrange(8):
        case 0:
            return Removed(name, version)
        case 1:
            return Unreadable(name, QuarantineReason.UNREADABLE)
        case 2:
            return Moved(name, random.choice(names), version)
        case _:
            return contact_of(name, random.randrange(2), version)


def story(random: Random) -> Answer:
    """A first listing, and then passes of a few pages that say this and that, often of the same contacts."""
    versioned = random.random() < 0.3
    pages = [[any_change(random, "abcde", versioned=versioned) for _ in range(random.randrange(5))] for _ in range(6)]
    first = [contact_of(name, 0, 0 if versioned else None) for name in "abcd"]

    def answer(cursor: bytes | None) -> FetchedPage:
        if cursor is None:
            return FetchedPage(tuple(first), b"0", done=True, full=True, restarted=True)
        number = int(cursor)
        return FetchedPage(tuple(pages[number]), f"{number + 1}".encode(), number == len(pages) - 1, full=False)

    return answer


@pytest.mark.parametrize("seed", range(10))
async def test_gathered_pages_mean_what_they_mean_alone(prepare: Prepare, seed: int) -> None:
    """Whatever the pages of a source say, and however often of one contact, the same is held in the end."""
    ends: list[Sequence[object]] = []
    for gathering in (GATHERING, replace(GATHERING, seconds=0.0)):
        bench = await prepare(Script(story(Random(seed)), looks_up=True))  # noqa: S311
        bench.gathering = gathering
        [first] = await walked(bench, None)
        pages = await walked(bench, first.head.cursor)
        quarantined = await bench.contacts.quarantined(bench.ref, actor="test", reason="comparison")
        ends.append([await held(bench), {(entry.source_id, entry.reason) for entry in quarantined}, len(pages)])
    assert ends[0][:2] == ends[1][:2]
    assert (ends[0][2], ends[1][2]) == (1, 6)


async def test_the_last_word_counts_though_the_first_is_held(prepare: Prepare) -> None:
    """A contact that changed and changed back inside one page is written as it is: that it is held as it was when the
    page was read says nothing of what the page makes of it."""
    old, new = contact_of("a", 0, None), contact_of("a", 1, None)
    pages = {None: [old], b"0": [new], b"1": [old]}

    def answer(cursor: bytes | None) -> FetchedPage:
        number = -1 if cursor is None else int(cursor)
        done, full = number != 0, cursor is None
        return FetchedPage(tuple(pages[cursor]), f"{number + 1}".encode(), done, full, restarted=full)

    bench = await prepare(Script(answer, looks_up=True))
    bench.gathering = GATHERING
    [first] = await walked(bench, None)
    before = await held(bench)
    [page] = await walked(bench, first.head.cursor)
    assert names_on(page) == ["a", "a"]
    assert await held(bench) == before
