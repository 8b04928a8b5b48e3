"""The simulator's listing and changes, page by page."""

import httpx
import pytest

from contactsync.activities.sources.simulator.clock import SECOND, VirtualClock
from contactsync.activities.sources.simulator.faults import Faults
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.activities.sources.simulator.records import iso

from .asking import Body, asking


def base_ids(count: int) -> list[str]:
    """The ids of the first contacts."""
    return [f"{number:09}" for number in range(count)]


async def test_a_listing_by_cursor_names_every_contact_once() -> None:
    """25 contacts in pages of 10, in the order of their ids, with their number."""
    async with asking(Provider(25)) as client:
        pages = await client.walk("/cursor/contacts", limit=10)
    assert [len(page.records) for page in pages] == [10, 10, 5]
    assert [record.id for page in pages for record in page.records] == base_ids(25)
    assert [page.total for page in pages] == [25, 25, 25]


async def test_a_listing_by_page_and_by_offset_names_every_contact_once() -> None:
    """Both count; `has_more` says whether to go on."""
    async with asking(Provider(25)) as client:
        pages = [await client.page("/page/contacts", limit=10, page=number) for number in (1, 2, 3)]
        offsets = [await client.page("/offset/contacts", limit=10, offset=offset) for offset in (0, 10, 20)]
    for listed in (pages, offsets):
        assert [record.id for page in listed for record in page.records] == base_ids(25)
        assert [page.has_more for page in listed] == [True, True, False]


@pytest.mark.parametrize("paging", ["link", "next_url"])
async def test_a_listing_by_address_names_every_contact_once(paging: str) -> None:
    """The next page's address comes in a header or in the body, and carries the other parameters along."""
    async with asking(Provider(25, folders=("a", "b"))) as client:
        answer = await client.get(f"/{paging}/contacts", limit=5, folder="b")
        listed = list(Body.model_validate_json(answer.content).records)
        while (url := _next_address(paging, answer)) is not None:
            answer = await client.http.get(url)
            listed += Body.model_validate_json(answer.content).records
    assert [record.id for record in listed] == base_ids(25)[1::2]


def _next_address(paging: str, answer: httpx.Response) -> str | None:
    if paging == "link":
        return answer.links["next"]["url"] if "link" in answer.headers else None
    return Body.model_validate_json(answer.content).next_url


async def test_changes_are_those_inside_the_window() -> None:
    """The lower bound is inside, the upper one is not; seconds and milliseconds are understood like RFC 3339."""
    clock = VirtualClock()
    provider = Provider(10, clock=clock, resolution=1000)
    first = provider.get("000000003")
    assert first is not None
    bounds = (first.updated, first.updated + 4 * SECOND)
    async with asking(provider) as client:
        for since, until in (bounds, [iso(at) for at in bounds], [at // 1000 for at in bounds]):
            assert await client.ids("/cursor/changes", since=since, until=until, limit=3) == base_ids(10)[3:7]


async def test_changes_of_one_instant_go_on_after_an_id() -> None:
    """`after_id` reads on inside a single instant, and nothing past it."""
    clock = VirtualClock()
    provider = Provider(20, clock=clock, spacing_seconds=0.0)
    at = provider.get("000000000")
    assert at is not None
    provider.edit("000000004")
    async with asking(provider) as client:
        ids = await client.ids("/cursor/changes", since=at.updated, after_id="000000002", limit=7)
    assert ids == [*base_ids(20)[3:4], *base_ids(20)[5:]]


async def test_a_changed_contact_moves_to_the_end_of_a_live_order() -> None:
    """With a cursor that only counts, an edit between two pages hides a record that was not read yet."""
    provider = Provider(6, faults=Faults(cursors="offset"))
    async with asking(provider) as client:
        first = await client.page("/cursor/changes", limit=3)
        provider.edit("000000000")
        second = await client.page("/cursor/changes", limit=3, cursor=first.next)
    assert [record.id for record in second.records] == [*base_ids(6)[4:], "000000000"]


async def test_an_edited_contact_comes_once_and_with_its_new_version() -> None:
    """Listing and changes show the new version; nothing shows the old one beside it."""
    provider = Provider(5)
    provider.edit("000000002")
    async with asking(provider) as client:
        listed = (await client.page("/cursor/contacts")).records
        changed = (await client.page("/cursor/changes")).records
    assert [(record.id, record.version) for record in listed] == [(name, 1 + (name[-1] == "2")) for name in base_ids(5)]
    assert [record.id for record in changed] == [name for name in base_ids(5) if name[-1] != "2"] + ["000000002"]


async def test_a_folder_or_a_span_of_creation_is_a_part_of_the_listing() -> None:
    """The parts are disjoint, and together they are all."""
    clock = VirtualClock()
    provider = Provider(40, clock=clock, folders=("a", "b", "c"))
    provider.add(2, folder="b")
    middle = provider.get("000000020")
    assert middle is not None
    async with asking(provider) as client:
        folders = [await client.ids("/cursor/contacts", folder=name, limit=7) for name in ("a", "b", "c")]
        spans = [
            await client.ids("/cursor/contacts", created_until=iso(middle.created), limit=7),
            await client.ids("/cursor/contacts", created_from=iso(middle.created), limit=7),
        ]
    assert sorted(name for part in folders for name in part) == base_ids(42)
    assert [len(part) for part in spans] == [20, 22]
    assert sorted(name for part in spans for name in part) == base_ids(42)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/cursor/contacts", {"cursor": "no token"}),
        ("/cursor/contacts", {"limit": "many"}),
        ("/cursor/changes", {"since": "yesterday"}),
        ("/sideways/contacts", {}),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(path: str, params: dict[str, str]) -> None:
    """Status 400, and no records."""
    async with asking(Provider(3)) as client:
        answer = await client.http.get(path, params=params)
    assert (answer.status_code, b"records" in answer.content) == (400, False)


async def test_two_providers_of_one_seed_answer_alike() -> None:
    """The same questions get the same bytes, failures too."""
    answers: list[list[tuple[int, bytes]]] = []
    for _ in range(2):
        provider = Provider(30, clock=VirtualClock(), seed=5, faults=Faults(order="time", fail_share=0.3))
        async with asking(provider) as client:
            asked = [await client.get("/cursor/changes", limit=4) for _ in range(20)]
        answers.append([(answer.status_code, answer.content) for answer in asked])
    assert answers[0] == answers[1]
    assert {status for status, _ in answers[0]} == {200, 503}


async def test_a_million_contacts_are_there_at_once() -> None:
    """The last page of a million is found without walking the others."""
    provider = Provider(1_000_000)
    last = provider.get("000999990")
    assert last is not None
    async with asking(provider) as client:
        assert len(await client.ids("/cursor/changes", since=last.updated, limit=100)) == 10
        assert len(await client.ids("/cursor/contacts", created_from=iso(last.created), limit=100)) == 10
