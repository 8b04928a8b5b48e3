"""What holds for every kind of source, since the engine does it: listings when due, generations, budgets, loops."""

from collections.abc import Callable, Iterator
from itertools import count
from uuid import uuid4

import pytest
from tests.integration.engine.paged import START, Bench, Prepare, Script, page_of, three_pages

from contactsync.activities.contacts.contact import DEFAULT_FIELDS, Field, read
from contactsync.activities.messages import OpenPass, Page, PageResult, PartRef
from contactsync.activities.pages import RawContact, load_raw
from contactsync.activities.sources.progress_guard import Bounds
from contactsync.activities.sources.source import Capabilities, FetchedPage
from contactsync.activities.store.cursors import Cursor, digest_cursor, open_cursor, seal_cursor
from contactsync.activities.store.directory import TenantPolicy
from contactsync.activities.store.passes import Passes
from contactsync.errors import CredentialsRejected, SourceLoops, SourceThrottled

DAY = 86_400.0


async def test_each_listing_has_a_generation_of_its_own(prepare: Prepare) -> None:
    """The number is taken when a listing begins and kept to its end, over retries of its first page too."""
    bench = await prepare(Script(three_pages))
    first = await bench.fetch()
    again = await bench.fetch()
    assert again.head.generation > first.head.generation > 0
    last = await bench.follow(None)
    assert last.head.generation > again.head.generation
    quiet = await bench.fetch(1, last.head.cursor)
    assert (quiet.head.generation, quiet.head.full) == (last.head.generation, False)


async def test_a_first_listing_looks_nothing_up(prepare: Prepare) -> None:
    """What is held is looked up in every listing but the first, in which nothing can be."""
    script = Script(three_pages, can=Capabilities(reconcile_seconds=DAY))
    bench = await prepare(script)
    sealer = await bench.ring.tenant_sealer(bench.ref.tenant_id)

    def is_first(page: Page) -> bool:
        return open_cursor(sealer, bench.ref.connection_id, page.head.cursor).first

    one = await bench.fetch()
    two = await bench.fetch(2, one.head.cursor)
    last = await bench.fetch(3, two.head.cursor)
    assert [is_first(page) for page in (one, two, last)] == [True, True, False]
    bench.now += DAY
    assert not is_first(await bench.fetch(1, last.head.cursor))


async def test_a_page_says_which_cursor_it_was_fetched_with(prepare: Prepare) -> None:
    """By a digest of what the handle holds, which another seal does not change."""
    bench = await prepare(Script(three_pages))
    sealer = await bench.ring.tenant_sealer(bench.ref.tenant_id)
    first = await bench.fetch()
    second = await bench.fetch(2, first.head.cursor)
    resealed = seal_cursor(
        sealer, bench.ref.connection_id, open_cursor(sealer, bench.ref.connection_id, first.head.cursor)
    )
    assert resealed != first.head.cursor
    assert first.head.after is None
    assert second.head.after == digest_cursor(sealer, bench.ref.connection_id, resealed)


async def test_a_first_listing_that_begins_again_looks_up_what_it_left(prepare: Prepare) -> None:
    """Pages that were committed before the source took its listing back are held: they are not read twice."""
    begun_again = page_of("a", cursor=b"again", restarted=True)
    bench = await prepare(Script(lambda cursor: page_of("a", cursor=b"1") if cursor is None else begun_again))
    sealer = await bench.ring.tenant_sealer(bench.ref.tenant_id)
    one = await bench.fetch()
    two = await bench.fetch(2, one.head.cursor)
    assert not open_cursor(sealer, bench.ref.connection_id, two.head.cursor).first


async def test_a_listing_is_due_once_in_a_while(prepare: Prepare) -> None:
    """A pass that begins when the last listing is old lists everything, whatever cursor the source gave."""
    script = Script(three_pages, can=Capabilities(reconcile_seconds=DAY))
    bench = await prepare(script)
    last = await bench.follow(None)
    bench.now = START + DAY - 1
    assert not (await bench.fetch(1, last.head.cursor)).head.full
    bench.now = START + DAY
    due = await bench.fetch(1, last.head.cursor)
    assert (due.head.full, script.asked[-1]) == (True, None)
    assert due.head.generation > last.head.generation


async def test_no_listing_begins_inside_a_pass(prepare: Prepare) -> None:
    """Neither on a later page nor inside another listing, however old that is by now."""
    script = Script(three_pages, can=Capabilities(reconcile_seconds=DAY))
    bench = await prepare(script)
    first = await bench.fetch()
    bench.now += 3 * DAY
    await bench.fetch(2, first.head.cursor)
    await bench.fetch(1, first.head.cursor)
    assert script.asked == [None, b"1", b"1"]


async def test_a_source_may_forgo_listings(prepare: Prepare) -> None:
    """A source that does them by itself, or needs none, is not asked for any."""
    script = Script(three_pages, can=Capabilities(reconcile_seconds=None))
    bench = await prepare(script)
    last = await bench.follow(None)
    bench.now += 1_000 * DAY
    await bench.fetch(1, last.head.cursor)
    assert script.asked[-1] == b"end"


async def test_a_cursor_of_an_earlier_version_is_listed_later(prepare: Prepare) -> None:
    """It does not say when the last listing was: it counts as done, so that an upgrade lists nothing at once."""
    script = Script(three_pages, can=Capabilities(reconcile_seconds=DAY))
    bench = await prepare(script)
    sealer = await bench.ring.tenant_sealer(bench.ref.tenant_id)
    old = seal_cursor(sealer, bench.ref.connection_id, Cursor(generation=3, full=False, source=b"end"))
    page = await bench.fetch(1, old)
    assert (script.asked, page.head.generation) == ([b"end"], 3)
    bench.now += DAY
    await bench.fetch(1, page.head.cursor)
    assert script.asked[-1] is None


def notes_of(page: Page) -> list[tuple[str, str]]:
    """What a page says in notes."""
    raw = [record for record in load_raw(page.body) if isinstance(record, RawContact)]
    return [(record.id, note.note) for record in raw for note in read(bytes(record.contact)).notes]


def listing_then_nothing(cursor: bytes | None) -> FetchedPage:
    """The cards in one page, and no change ever."""
    return page_of(cursor=b"end", done=True, full=cursor is None, restarted=cursor is None)


async def commit_all(bench: Bench, cursor: bytes | None) -> tuple[Page, PageResult]:
    """A pass of one page, committed."""
    request = OpenPass(**bench.ref.model_dump(), pass_id=uuid4())
    ticket = await Passes(bench.database).open(request)
    page = await bench.fetch(1, cursor, epoch=ticket.epoch)
    return page, await bench.write(page)


async def test_a_wider_allow_list_reads_every_body_again(prepare: Prepare) -> None:
    """Etags are as ever and the bodies come all the same: the new field of contacts that did not change is there."""
    script = Script(listing_then_nothing, cards={"ada": "one", "ben": "two"})
    bench = await prepare(script)
    first, _ = await commit_all(bench, None)
    assert notes_of(first) == []
    wider = TenantPolicy(fields=DEFAULT_FIELDS | {Field.NOTES})
    await bench.directory.set_policy(bench.ref.tenant_id, wider)
    second, result = await commit_all(bench, first.head.cursor)
    assert notes_of(second) == [("ada", "one"), ("ben", "two")]
    assert (second.head.full, result.counts.updated) == (True, 2)
    third, _ = await commit_all(bench, second.head.cursor)
    assert (third.head.full, third.head.changes) == (False, 0)


async def test_another_region_reads_every_body_again(prepare: Prepare) -> None:
    """Numbers without a country code are others under it: that a contact did not change says nothing."""
    script = Script(listing_then_nothing, cards={"ada": "one", "ben": "two"})
    bench = await prepare(script)
    first, _ = await commit_all(bench, None)
    await bench.directory.set_policy(bench.ref.tenant_id, TenantPolicy(default_region="DE"))
    second, _ = await commit_all(bench, first.head.cursor)
    assert second.head.full
    assert [type(record) for record in load_raw(second.body)] == [RawContact, RawContact]


async def test_a_narrower_allow_list_drops_what_is_no_longer_wanted(prepare: Prepare) -> None:
    """The contacts are read again without it, once."""
    script = Script(listing_then_nothing, cards={"ada": "one"})
    bench = await prepare(script)
    wide = TenantPolicy(fields=DEFAULT_FIELDS | {Field.NOTES})
    await bench.directory.set_policy(bench.ref.tenant_id, wide)
    first, _ = await commit_all(bench, None)
    await bench.directory.set_policy(bench.ref.tenant_id, TenantPolicy())
    await commit_all(bench, first.head.cursor)
    assert [b"one" in held.content async for held in bench.contacts.all_of(bench.ref)] == [False]


async def test_an_allow_list_that_changes_inside_a_listing_is_heard_by_the_next(prepare: Prepare) -> None:
    """What that listing had read before was read under the old one; so it is read once more."""
    script = Script(three_pages)
    bench = await prepare(script)
    first = await bench.fetch()
    wider = TenantPolicy(fields=DEFAULT_FIELDS | {Field.NOTES})
    await bench.directory.set_policy(bench.ref.tenant_id, wider)
    second = await bench.fetch(2, first.head.cursor)
    third = await bench.fetch(3, second.head.cursor)
    await bench.fetch(1, third.head.cursor)
    assert script.asked == [None, b"1", b"2", None]


async def test_a_listing_that_expired_under_another_allow_list_is_read_again(prepare: Prepare) -> None:
    """A listing that begins in mid-pass trusts etags; with another allow-list that is not the last word."""
    answers: Iterator[FetchedPage] = iter(
        [
            page_of("a", cursor=b"1", restarted=True),
            page_of("a", cursor=b"end", done=True, restarted=True),
            page_of("a", cursor=b"end", done=True, restarted=True),
        ]
    )
    script = Script(lambda _cursor: next(answers))
    bench = await prepare(script)
    first = await bench.fetch()
    await bench.directory.set_policy(bench.ref.tenant_id, TenantPolicy(fields=DEFAULT_FIELDS | {Field.NOTES}))
    second = await bench.fetch(2, first.head.cursor)
    await bench.fetch(1, second.head.cursor)
    assert script.asked == [None, b"1", None]


async def test_a_part_of_a_backfill_lists_by_itself(prepare: Prepare) -> None:
    """Its pages carry its name, no generation, and the last sweep before they were fetched; etags are not trusted."""
    script = Script(listing_then_nothing, cards={"ada": "one"}, can=Capabilities(reconcile_seconds=0.0))
    bench = await prepare(script)
    live, _ = await commit_all(bench, None)
    part = PartRef(backfill_id=uuid4(), epoch=1, part=2)
    page = await bench.fetch(1, None, part=part)
    assert (page.head.part, page.head.generation, page.head.as_of) == (part, 0, live.head.generation)
    assert page.head.downloaded + page.head.changes > 0
    assert [type(record) for record in load_raw(page.body)] == [RawContact]
    await bench.fetch(1, page.head.cursor, part=part)
    assert script.asked == [None, None, b"end"]


async def test_patience_is_a_page_that_waits(prepare: Prepare) -> None:
    """A source that asks to come later makes no error: the answer holds nothing but for how long."""
    throttled = True

    def answer(cursor: bytes | None) -> FetchedPage:
        if throttled:
            raise SourceThrottled(after_seconds=17.0)
        return three_pages(cursor)

    bench = await prepare(Script(answer))
    page = await bench.fetch()
    assert page.head.wait_seconds >= 17.0
    assert (page.head.cursor, page.head.done, page.head.changes, load_raw(page.body)) == (b"", False, 0, [])
    held = await bench.fetch(2, cursor := (await bench.opened_at(b"1")))
    assert (held.head.cursor, held.head.page) == (cursor, 2)


async def test_a_full_account_waits_and_asks_nothing(prepare: Prepare) -> None:
    """Without budget the source is not asked; a page that failed gives its place back."""
    script = Script(three_pages)
    bench = await prepare(script, per_second=0.001)
    first = await bench.fetch()
    waiting = await bench.fetch(2, first.head.cursor)
    assert waiting.head.wait_seconds > 0
    assert script.asked == [None]


async def test_a_fetch_that_fails_gives_its_lease_back(prepare: Prepare) -> None:
    """With one fetch at a time, the next page may go after an error."""

    def answer(cursor: bytes | None) -> FetchedPage:
        if cursor is None:
            raise CredentialsRejected
        return three_pages(cursor)

    bench = await prepare(Script(answer), concurrent=1)
    with pytest.raises(CredentialsRejected):
        await bench.fetch()
    page = await bench.fetch(2, await bench.opened_at(b"1"))
    assert (page.head.wait_seconds, page.head.changes) == (0.0, 1)


NUMBERS = count()


def fresh() -> bytes:
    """A cursor that was never there."""
    return f"cursor {next(NUMBERS)}".encode()


CHAINS: dict[str, Callable[[bytes | None], FetchedPage]] = {
    "stuck": lambda cursor: page_of(cursor=cursor or b"0", restarted=cursor is None),
    "circle": lambda cursor: page_of(
        str(cursor), cursor={b"0": b"1", b"1": b"2", b"2": b"0"}.get(cursor or b"", b"0"), restarted=cursor is None
    ),
    "repeats": lambda cursor: page_of("a", "b", cursor=fresh(), restarted=cursor is None),
    "empty": lambda cursor: page_of(cursor=fresh(), restarted=cursor is None),
    "endless": lambda cursor: page_of(fresh().decode(), cursor=fresh(), restarted=cursor is None),
    "restarts": lambda _cursor: page_of(fresh().decode(), cursor=fresh(), restarted=True),
}


WORDS = {
    "stuck": "does not advance",
    "circle": "in a circle",
    "repeats": "same page again",
    "empty": "empty pages",
    "endless": "do not come to an end",
    "restarts": "takes back each listing",
}


@pytest.mark.parametrize("chain", CHAINS)
async def test_pages_that_lead_nowhere_end_the_pass(prepare: Prepare, chain: str) -> None:
    """Each way in which a source's pages never come to an end is named, at the latest after the pages allowed."""
    bench = await prepare(Script(CHAINS[chain]))
    bench.bounds = Bounds(pages=60, empty=20)
    with pytest.raises(SourceLoops, match=WORDS[chain]):
        await bench.follow(None)


async def test_a_new_pass_begins_to_watch_anew(prepare: Prepare) -> None:
    """After a chain without end a person may mend the source, and the next pass is not blamed for the last one."""
    endless = True

    def answer(cursor: bytes | None) -> FetchedPage:
        return CHAINS["endless"](cursor) if endless else page_of("z", cursor=b"mended")

    bench = await prepare(Script(answer))
    bench.bounds = Bounds(pages=5)
    cursor: bytes | None = None
    for number in range(1, 6):
        cursor = (await bench.fetch(number, cursor)).head.cursor
    with pytest.raises(SourceLoops):
        await bench.fetch(6, cursor)
    endless = False
    assert (await bench.fetch(1, cursor)).head.changes == 1
