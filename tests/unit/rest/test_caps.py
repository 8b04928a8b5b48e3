"""Questions that an API never answers with more than so many records, where pages are of one size."""

import pytest
from pydantic import JsonValue
from tests.unit.rest.apis import Reply, Seen, api, described, opened

from contactsync.activities.sources.query import QueryPage, Window
from contactsync.activities.sources.source import PageLimits


@pytest.mark.parametrize("size_param", ["", "n"])
@pytest.mark.parametrize(
    ("there_are", "pages"), [(0, [0]), (3, [3, 0]), (4, [4, 0]), (6, [4, 2]), (8, [4, 4]), (99, [4, 4])]
)
async def test_whole_pages_under_a_cap(there_are: int, pages: list[int], size_param: str) -> None:
    """Where only whole pages can be asked for, none is that would not fit under the cap; few records are no cap."""
    found = await _under_a_cap(there_are, {"kind": "page", "param": "p"}, size_param)
    assert [len(page.records) for page in found] == pages
    assert found[-1].is_capped == (there_are > 4)


@pytest.mark.parametrize(("there_are", "pages"), [(6, [4, 2, 0]), (99, [4, 4])])
async def test_pages_under_a_cap_of_a_size_that_nobody_can_choose(there_are: int, pages: list[int]) -> None:
    """The same holds for offsets where the API says how many records a page has."""
    found = await _under_a_cap(there_are, {"kind": "offset", "param": "p"}, "")
    assert [len(page.records) for page in found] == pages
    assert found[-1].is_capped == (there_are > 11)


async def _under_a_cap(there_are: int, pagination: JsonValue, size_param: str) -> list[QueryPage]:
    """All pages of four of a question that is never answered with more than eleven records."""
    changes = {"params": {"since": "{since}"}, "cap": 11, "page_size": 4, "size_param": size_param}
    is_offset = pagination == {"kind": "offset", "param": "p"}

    def reply(seen: Seen) -> Reply:
        asked = int(seen.one("p") or 0)
        at = asked if is_offset else (asked - 1) * 4
        return Reply({"items": [{"id": n} for n in range(at, min(at + 4, there_are))]})

    found: list[QueryPage] = []
    async with api(reply) as there, opened(described(there.url, changes={**changes, "pagination": pagination})) as one:
        while not found or found[-1].token is not None:
            found.append(await one.changes_page(Window(0), found[-1].token if found else None, PageLimits()))
    return found
