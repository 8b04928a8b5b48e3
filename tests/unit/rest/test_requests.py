"""What an API is asked: windows, parts, pages."""

import json
from collections.abc import Callable
from itertools import pairwise
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from tests.unit.rest.apis import Reply, Seen, api, described, ids, listed, opened

from contactsync.activities.sources.query import Window
from contactsync.activities.sources.rest_requests import Query, changes_query, list_query, position_of, request_of
from contactsync.activities.sources.rest_settings import RestSettings
from contactsync.activities.sources.rest_times import SECOND, instant_of
from contactsync.activities.sources.source import PageLimits
from contactsync.errors import CursorExpired

URL = "https://api.example/v1"
AT = 1_772_368_496 * SECOND + 123_456  # 2026-03-01T12:34:56.123456Z


def params(query: Query, settings: RestSettings, rows: int = 500) -> dict[str, str]:
    """The parameters of a query's first page."""
    return dict(parse_qsl(urlsplit(request_of(settings.url, query, None, rows).url).query))


def changes(window: Window, **table: object) -> dict[str, str]:
    """The parameters that ask for a window."""
    settings = RestSettings.model_validate(described(URL, changes={"path": "changes", **table}))
    assert settings.changes is not None
    return params(changes_query(settings, settings.changes, window), settings)


WINDOW = {"since": "{since}", "until": "{until}", "after": "{after_id}"}


@pytest.mark.parametrize(
    ("form", "since", "until"),
    [
        ("iso", "2026-03-01T12:34:56.123456Z", "2026-03-01T12:34:57.123456Z"),
        ("iso_ms", "2026-03-01T12:34:56.123Z", "2026-03-01T12:34:57.124Z"),
        ("iso_s", "2026-03-01T12:34:56Z", "2026-03-01T12:34:58Z"),
        ("epoch_s", "1772368496", "1772368498"),
        ("epoch_ms", "1772368496123", "1772368497124"),
    ],
)
def test_windows_in_each_form(form: str, since: str, until: str) -> None:
    """A window is asked for in the API's form, never narrower than it is; what has no value is left out."""
    asked = changes(Window(AT, AT + SECOND), params=WINDOW, format=form)
    assert asked == {"since": since, "until": until}
    assert changes(Window(AT), params=WINDOW, format=form) == {"since": since}


def test_an_exclusive_bound_is_asked_for_one_unit_earlier() -> None:
    """An API that leaves out the lower bound itself would lose the ties at it."""
    asked = changes(Window(AT, AT + SECOND), params=WINDOW, format="iso_ms", is_exclusive=True)
    assert asked["since"] == "2026-03-01T12:34:56.122Z"


def test_one_instant() -> None:
    """An instant that more records share than one question answers is asked for by id, with its own parameters."""
    keyset = {"at": "{since}", "above": "{after_id}"}
    window = Window(AT, AT + SECOND, after_id="a b&c")
    common = {"params": {"since": "{since}"}, "order": "time_id", "format": "epoch_ms"}
    assert changes(window, **common, at_one_instant=keyset, is_exclusive=True) == {
        "at": "1772368496123",
        "above": "a b&c",
    }


@given(st.integers(0, 1 << 51), st.integers(1, 1 << 40), st.sampled_from(["iso", "iso_ms", "iso_s"]), st.booleans())
def test_no_window_is_narrowed(since: int, length: int, form: str, is_exclusive: bool) -> None:
    """Whatever the form rounds, everything inside the window is inside what is asked for."""
    asked = changes(Window(since, since + length), params=WINDOW, format=form, is_exclusive=is_exclusive)
    lower, upper = instant_of(asked["since"]), instant_of(asked["until"])
    assert lower is not None
    assert upper is not None
    assert lower <= since
    assert upper >= since + length


def test_parts_by_value() -> None:
    """Each value is a part, with the parameters of the listing."""
    table = {"params": {"folder": "{value}"}, "values": ["a", "b c"]}
    settings = described(URL, parts=table)
    pages = {"kind": "none"}
    settings["list"] = {"path": "c", "records": "r", "pagination": pages, "params": {"view": "full", "tag": ["x", "y"]}}
    chosen = RestSettings.model_validate(settings)
    asked = request_of(chosen.url, list_query(chosen, b'{"value":"b c"}'), None, 10).url
    assert parse_qsl(urlsplit(asked).query) == [("view", "full"), ("tag", "x"), ("tag", "y"), ("folder", "b c")]


@pytest.mark.parametrize("part", [b"", b"{}", b"[]", b'{"start":1}'])
def test_foreign_parts(part: bytes) -> None:
    """A part of other settings starts anew, and never lists everything in silence."""
    chosen = RestSettings.model_validate(described(URL, parts={"params": {"f": "{value}"}, "values": ["a"]}))
    with pytest.raises(CursorExpired):
        list_query(chosen, part)


@pytest.mark.parametrize("token", [b"", b"7", b"{}", b'{"next":""}', b"[1]", b"\xff"])
def test_foreign_tokens(token: bytes) -> None:
    """A token of other settings starts anew, and never begins with the first page as if it went on."""
    chosen = RestSettings.model_validate(described(URL))
    with pytest.raises(CursorExpired):
        position_of(token, list_query(chosen, None))


async def test_parts_by_time_of_creation() -> None:
    """Parts by time touch each other, begin before everything and end after it."""
    table = {"params": {"f": "{from}", "u": "{until}"}, "start": "2020-01-01", "days": 400, "format": "epoch_s"}
    async with api(lambda _: Reply({"items": []})) as there, opened(described(there.url, parts=table)) as source:
        parts = source.list_parts()
        for part in parts:
            await source.list_page(None, part, PageLimits())
    bounds = [(seen.one("f"), seen.one("u")) for seen in there.seen]
    assert len(bounds) == len(parts) > 5
    assert (bounds[0][0], bounds[-1][1]) == (None, None)
    assert bounds[0][1] == "1577836800"
    assert all(before[1] == after[0] for before, after in pairwise(bounds))


RECORDS: list[JsonValue] = [{"id": n} for n in range(25)]
Answer = Callable[[Seen], Reply]


def by_cursor(seen: Seen) -> Reply:
    """Pages of ten by cursor."""
    at = int(seen.one("after") or 0)
    more = at + 10 < len(RECORDS)
    return Reply({"items": RECORDS[at : at + 10], "next": str(at + 10) if more else None, "more": more})


def by_offset(seen: Seen) -> Reply:
    """By offset; never more than seven, whatever is asked for."""
    at = int(seen.one("o") or 0)
    return Reply({"items": RECORDS[at : at + 7], "more": at + 7 < len(RECORDS)})


def by_number(seen: Seen) -> Reply:
    """By number, ten a page; 404 behind the last one."""
    at = (int(seen.one("p") or 1) - 1) * 10
    return Reply({"items": RECORDS[at : at + 10]}) if at < len(RECORDS) else Reply({"error": "no page"}, 404)


def by_link(seen: Seen) -> Reply:
    """By header, among other relations."""
    at = int(seen.one("from") or 0)
    links = '</v1?x=a,b>; rel="first"; title="a, \\"b\\"", <?from=' + str(at + 10) + ">; Rel=next"
    return Reply({"items": RECORDS[at : at + 10]}, headers={"link": links} if at + 10 < len(RECORDS) else {})


def by_address(seen: Seen) -> Reply:
    """By an address in the body."""
    at = int(seen.one("from") or 0)
    return Reply({"items": RECORDS[at : at + 10], "go": f"/other?from={at + 10}" if at + 10 < len(RECORDS) else ""})


@pytest.mark.parametrize(
    ("answer", "pages", "requests"),
    [
        (by_cursor, {"kind": "cursor", "param": "after", "next": "next"}, 3),
        (by_cursor, {"kind": "cursor", "param": "after", "next": "next", "more": "more"}, 3),
        (by_offset, {"kind": "offset", "param": "o"}, 5),
        (by_offset, {"kind": "offset", "param": "o", "more": "more"}, 4),
        (by_number, {"kind": "page", "param": "p", "end_statuses": [404]}, 4),
        (by_link, {"kind": "link"}, 3),
        (by_address, {"kind": "next_url", "next": "go"}, 3),
    ],
)
async def test_each_way_of_paging(answer: Answer, pages: dict[str, JsonValue], requests: int) -> None:
    """Every record comes once, and a page that is shorter than asked for is not taken for the last one."""
    table = {"path": "contacts", "records": "items", "page_size": 10, "pagination": pages}
    async with api(answer) as there, opened(described(there.url, list=table)) as source:
        assert ids(await listed(source)) == [str(n) for n in range(25)]
    assert len(there.seen) == requests


async def test_posted_questions() -> None:
    """With POST the question is JSON: placeholders are filled in, and paging goes into it."""
    body = {"filter": [{"from": "{since}"}, {"to": "{until}"}], "fields": ["id"], "after": "{after_id}"}
    table = {"method": "POST", "path": "search", "params": {"v": 2}, "body": body, "format": "epoch_ms"}
    table["size_param"] = "limit"

    def answer(seen: Seen) -> Reply:
        return Reply({"items": [], "next": None if "after" in json.loads(seen.body) else "abc"})

    async with (
        api(answer) as there,
        opened(described(there.url, changes=table | {"params": {"v": "{since}"}})) as source,
    ):
        page = await source.changes_page(Window(AT), None, PageLimits(rows=50))
        await source.changes_page(Window(AT), page.token, PageLimits(rows=50))
    asked = {"filter": [{"from": "1772368496123"}, {}], "fields": ["id"], "limit": 50}
    assert [json.loads(seen.body) for seen in there.seen] == [asked, asked | {"after": "abc"}]
    assert {(seen.method, seen.one("v"), seen.headers["content-type"]) for seen in there.seen} == {
        ("POST", "1772368496123", "application/json")
    }
