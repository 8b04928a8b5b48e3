"""What an API answers: records, trouble, and everything else that a server may send."""

import gzip
import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import JsonValue
from tests.dav.scripted import answer, scripted
from tests.unit.rest.apis import PLANTED, SECRET, Api, Reply, Seen, api, described, ids, listed, opened

from contactsync.activities.contacts.contact import DEFAULT_FIELDS
from contactsync.activities.sources import rest, rest_answers
from contactsync.activities.sources.addresses import AddressRules
from contactsync.activities.sources.limits import seconds_to_midnight
from contactsync.activities.sources.query import Window
from contactsync.activities.sources.registry import open_source
from contactsync.activities.sources.replica import Replica
from contactsync.activities.sources.rest_times import SECOND
from contactsync.activities.sources.source import Capabilities, Changed, Credentials, PageLimits, Unreadable
from contactsync.activities.sources.window_etags import told_once
from contactsync.errors import (
    AddressForbidden,
    CredentialsRejected,
    CursorExpired,
    SourceAddressWrong,
    SourceError,
    SourceMisbehaved,
    SourceThrottled,
    SourceUnavailable,
)

FIRST = PageLimits()


async def failure(there: Api, token: bytes | None = None, /, **tables: object) -> SourceError:
    """What asking for a page of the listing ends with."""
    with pytest.raises(SourceError) as caught:
        async with opened(described(there.url, **tables)) as source:
            await source.list_page(token, None, FIRST)
    assert PLANTED not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


GARBAGE = [
    b"",
    b"<html>Sign in, " + PLANTED.encode(),
    b'{"items": [{"id": 1}, {"id"',
    b'"' + PLANTED.encode() + b'"',
    b"7",
    b"null",
    b'{"items": NaN}',
    b'{"items": ' + b"[" * 100_000,
    b'{"items": ' + b"9" * 5_000 + b"}",
    b"\xff\xfe\xfd",
    b"{}",
    b"[]",
    b'{"items": null}',
    b'{"items": {"id": 1}}',
    b'{"items": [{"id": 1}, {}]}',
    b'{"items": [1]}',
    b'{"items": [], "next": {"x": 1}}',
    b'{"items": [], "next": ["x"]}',
    b'{"items": [], "next": "' + b"x" * 20_000 + b'"}',
]


@pytest.mark.parametrize("body", GARBAGE, ids=range(len(GARBAGE)))
async def test_p34_garbage_is_no_page(body: bytes) -> None:
    """P34: what is no JSON, is cut off, lacks the records or a record's id is an error, and never a last page."""
    async with api(lambda _: Reply(body)) as there:
        assert isinstance(await failure(there), SourceMisbehaved)


async def test_p34_half_a_body() -> None:
    """P34: a body that ends before its length is no page, even where what came is JSON."""
    body = b'{"items": [{"id": 1}]}'
    async with scripted(answer(200, body, "Content-Type: application/json", length=len(body) + 9)) as there:
        assert isinstance(await failure(Api(there.url)), SourceMisbehaved)


@pytest.mark.parametrize("said", [{"items": [{"id": 1}]}, {"items": [{"id": 1}], "more": None}])
async def test_p34_more_is_not_said(said: JsonValue) -> None:
    """P34: where the API says whether there is more, an answer that does not is cut off, not the last."""
    pages = {"kind": "cursor", "param": "after", "next": "next", "more": "more"}
    table = {"path": "contacts", "records": "items", "pagination": pages}
    async with api(lambda _: Reply(said)) as there:
        assert isinstance(await failure(there, list=table), SourceMisbehaved)


async def test_more_without_a_place() -> None:
    """An API that says that there is more and not where has said nothing that can be relied on."""
    pages = {"kind": "cursor", "param": "after", "next": "next", "more": "more"}
    table = {"path": "contacts", "records": "items", "pagination": pages}
    async with api(lambda _: Reply({"items": [], "more": True})) as there:
        assert isinstance(await failure(there, list=table), SourceMisbehaved)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, SourceMisbehaved),
        (401, CredentialsRejected),
        (403, CredentialsRejected),
        (404, SourceAddressWrong),
        (410, SourceAddressWrong),
        (418, SourceMisbehaved),
        (429, SourceThrottled),
        (500, SourceUnavailable),
        (502, SourceUnavailable),
    ],
)
async def test_p24_statuses(status: int, expected: type[SourceError]) -> None:
    """P24: each status is an error of its kind, without a word of the body."""
    async with api(lambda _: Reply({"items": [{"id": PLANTED}]}, status)) as there:
        assert type(await failure(there)) is expected


async def test_a_body_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer past the bound is refused before it is read to its end, packed or not."""
    monkeypatch.setattr(rest, "MAX_ANSWER_BYTES", 5_000)
    packed = gzip.compress(b'{"items": ["' + b"x" * 100_000 + b'"]}')
    async with api(lambda _: Reply(packed, headers={"content-encoding": "gzip"})) as there:
        assert "too large" in str(await failure(there))


# the token of a page


@pytest.mark.parametrize(
    ("reply", "table"),
    [
        (Reply({"x": 1}, 410), {}),
        (Reply({"code": "expired"}, 400), {"when": "code == 'expired'"}),
        (Reply({"code": "expired"}), {"when": "code == 'expired'"}),
        (Reply(b"gone", 422), {"statuses": [410, 422]}),
    ],
)
async def test_expired_tokens(reply: Reply, table: dict[str, JsonValue]) -> None:
    """An answer that says that the page's token is no longer known starts anew, in the forms that the file tells."""
    async with api(lambda _: reply) as there:
        further = {"expired": table} if table else {}
        error = await failure(there, b'{"next":"x","seen":1}', **further)
    assert isinstance(error, CursorExpired)


async def test_only_a_token_expires() -> None:
    """The same answer to a first page is no expired token: it would start anew for ever."""
    async with api(lambda _: Reply({"code": "expired"}, 410)) as there:
        assert isinstance(await failure(there, expired={"when": "code == 'expired'"}), SourceAddressWrong)


# patience


@pytest.mark.parametrize(
    ("reply", "table", "seconds"),
    [
        (Reply({}, 509), {"statuses": [509]}, 60.0),
        (Reply({}, 509), {"statuses": [509], "default_seconds": 5}, 5.0),
        (Reply({"wait": 7}, 509), {"statuses": [509], "seconds": "wait"}, 7.0),
        (Reply(b"<html>", 509), {"statuses": [509], "seconds": "wait"}, 60.0),
        (Reply({"code": "slow"}, 400), {"when": "code == 'slow'"}, 60.0),
        (Reply({"code": "slow"}), {"when": "code == 'slow'"}, 60.0),
        (Reply({"code": "slow", "wait": "90"}, 403), {"when": "code == 'slow'", "seconds": "wait"}, 90.0),
        (Reply({"code": "slow", "wait": 1e9}), {"when": "code == 'slow'", "seconds": "wait"}, 86_400.0),
        (Reply({"code": "slow", "wait": PLANTED}), {"when": "code == 'slow'", "seconds": "wait"}, 60.0),
        (Reply({"code": "slow", "wait": "nan"}), {"when": "code == 'slow'", "seconds": "wait"}, 60.0),
        (Reply({"code": "slow"}, 429, {"retry-after": "33"}), {"when": "code == 'slow'"}, 33.0),
    ],
)
async def test_p33_patience(reply: Reply, table: dict[str, JsonValue], seconds: float) -> None:
    """P33: whatever form asks for patience, the pass waits that long, and the budget hears of it."""
    replica = Replica()
    async with api(lambda _: reply) as there:
        with pytest.raises(SourceThrottled) as caught:
            async with opened(described(there.url, throttling=table), replica=replica) as source:
                await source.list_page(None, None, FIRST)
    assert caught.value.after_seconds == seconds
    assert replica.meter.refused_for == seconds
    assert replica.meter.said_how_long == (seconds not in {60.0, 5.0})  # those are a guess, which the budget doubles


async def test_p33_the_quota_ends_at_midnight() -> None:
    """P33: a daily quota is waited for until midnight in the account's zone."""
    tables = {"throttling": {"daily": "policy == 'DAILY'"}, "limits": {"daily_zone": "Pacific/Auckland"}}
    async with api(lambda _: Reply({"policy": "DAILY"}, 429)) as there:
        before = seconds_to_midnight(datetime.now(UTC), "Pacific/Auckland")
        error = await failure(there, None, **tables)
    assert isinstance(error, SourceThrottled)
    assert 0 <= before - error.after_seconds < 60


# where requests go


@pytest.mark.parametrize(
    "next_url", ["http://elsewhere.example/x", "//elsewhere.example/x", "ftp://127.0.0.1/", "http://["]
)
async def test_pages_on_another_host_are_not_fetched(next_url: str) -> None:
    """The address of a next page leads to the same host, or nowhere: credentials go with it."""
    pages = {"kind": "next_url", "next": "next"}
    table = {"path": "contacts", "records": "items", "pagination": pages}
    async with api(lambda _: Reply({"items": [], "next": next_url})) as there:
        with pytest.raises((SourceAddressWrong, SourceMisbehaved)):
            async with opened(described(there.url, list=table, auth={"kind": "bearer"})) as source:
                await listed(source)
        assert len(there.seen) == 1


async def test_private_addresses_are_refused() -> None:
    """Without leave no request goes to this machine, neither to the API nor to its token endpoint."""
    refusing = Replica(addresses=AddressRules())
    async with api(lambda _: Reply({"items": []})) as there:
        oauth = {"kind": "client_credentials", "token_url": there.url + "token", "client_id": "c"}
        for settings in (described(there.url), described("https://api.example/", auth=oauth, allow_http=True)):
            with pytest.raises(AddressForbidden):
                async with opened(settings, replica=refusing) as source:
                    await source.list_page(None, None, FIRST)
        assert there.seen == []


@pytest.mark.parametrize(
    ("auth", "header", "expected"),
    [
        ({"kind": "none"}, "authorization", None),
        ({"kind": "basic", "username": "me"}, "authorization", "Basic bWU6cGxhbnRlZC1zZWNyZXQ="),
        ({"kind": "bearer"}, "authorization", f"Bearer {SECRET}"),
        ({"kind": "header", "name": "X-Api-Key"}, "x-api-key", SECRET),
        ({"kind": "header", "name": "X-Api-Key", "prefix": "Token "}, "x-api-key", f"Token {SECRET}"),
    ],
)
async def test_signing_in(auth: dict[str, str], header: str, expected: str | None) -> None:
    """Each way to sign in sends what it should, beside the headers of the file."""
    async with api(lambda _: Reply({"items": []})) as there:
        settings = described(there.url, auth=auth, headers={"X-Version": "7", "Accept": "text/x"})
        async with opened(settings) as source:
            await source.list_page(None, None, FIRST)
    assert there.seen[0].headers.get(header) == expected
    assert there.seen[0].headers["x-version"] == "7"
    assert there.seen[0].headers["accept"] == "text/x"


@pytest.mark.parametrize("secret", ["", "a\r\nX-Evil: 1", "ü"])
async def test_secrets_that_no_header_carries(secret: str) -> None:
    """A secret that is missing or is no header's text is refused before anything is sent."""
    async with api(lambda _: Reply({"items": []})) as there:
        with pytest.raises(CredentialsRejected):
            async with opened(described(there.url, auth={"kind": "header", "name": "X-Key"}), secret=secret) as source:
                await source.list_page(None, None, FIRST)
        assert there.seen == []


# what a page says


async def test_clock_total_and_cap() -> None:
    """A page tells the API's time and its total, and that a query has answered with all it ever will."""
    table = {"path": "contacts", "records": "items", "total": "count", "size_param": "n", "page_size": 4,
             "pagination": {"kind": "cursor", "param": "after", "next": "next"}}  # fmt: skip
    changes = {"params": {"since": "{since}"}, "cap": 10}

    def reply(seen: Seen) -> Reply:
        size = int(seen.one("n") or 0)
        records: list[JsonValue] = [{"id": f"{seen.one('after')}-{n}"} for n in range(size)]
        date = {"date": "Sun, 01 Mar 2026 12:34:56 GMT"}
        return Reply({"items": records, "next": "more", "count": 99}, headers=date)

    async with api(reply) as there, opened(described(there.url, list=table, changes=changes)) as source:
        first = await source.list_page(None, None, FIRST)
        second = await source.changes_page(Window(0), None, FIRST)
        second = await source.changes_page(Window(0), second.token, FIRST)
        third = await source.changes_page(Window(0), second.token, FIRST)
    assert (first.clock, first.total, first.is_capped) == (1_772_368_496 * SECOND, 99, False)
    assert (len(second.records), second.is_capped) == (4, False)
    assert (len(third.records), third.is_capped, third.token) == (2, True, None)


async def test_clock_of_the_file() -> None:
    """Where the file says where the time is, it is taken from there; nonsense is no time."""
    table = {"path": "contacts", "records": "items", "clock": "now", "pagination": {"kind": "none"}}
    for now, expected in ((1_772_368_496_789, 1_772_368_496_789_000), ("soon", None)):
        async with api(lambda _, now=now: Reply({"items": [], "now": now})) as there:
            settings = described(there.url, list=table)
            async with opened(settings) as source:
                assert (await source.list_page(None, None, FIRST)).clock == expected


async def test_checking_downloads_no_contact() -> None:
    """A check asks for its own path where there is one, and says what the source can do."""
    async with api(lambda seen: Reply({"me": 1} if seen.path == "/v2/me" else {"items": [{"id": 1}]})) as there:
        async with opened(described(there.url + "v2", check_path="me", changes={"params": {"s": "{since}"}})) as source:
            assert (await source.check()).incremental
        async with opened(described(there.url + "v2")) as source:
            info = await source.check()
    assert [seen.path for seen in there.seen] == ["/v2/me", "/v2/contacts"]
    assert (info.address_books, info.incremental, len(info.notes)) == (1, False, 1)


async def test_capabilities() -> None:
    """The engine is told what the file says, and what follows from it."""
    can = {"tombstones": True, "lag_seconds": 5, "settles_seconds": 60, "reconcile_hours": 0}
    changes = {"params": {"s": "{since}", "a": "{after_id}"}, "order": "time_id"}
    fields = {"id": "id", "deleted": "gone", "changed_at": "at", "version": "rev"}
    settings = described("http://127.0.0.1:9/", capabilities=can, changes=changes, fields=fields)
    async with opened(settings) as source:
        assert source.capabilities == Capabilities(
            changes=True,
            versions=True,
            tombstones=True,
            order="time_id",
            lag_seconds=5,
            settles_seconds=60,
            reconcile_seconds=None,
        )
    async with opened(described("http://127.0.0.1:9/")) as source:
        assert not source.capabilities.changes
        assert source.capabilities.reconcile_seconds == 86_400


async def test_through_the_registry() -> None:
    """The kind `rest` is a whole source: it lists, and what is gone from the list is gone."""
    records: list[JsonValue] = [{"id": n, "email": f"{n}@b.example"} for n in range(3)]
    replica = Replica()
    async with api(lambda _: Reply({"items": records})) as there:
        for _ in range(2):
            async with open_source("rest", described(there.url), Credentials(), DEFAULT_FIELDS, replica) as source:
                assert (await replica.follow(source)).full
            records = records[:2]
    assert set(replica.contacts) == {"0", "1"}


async def test_unreadable_records_do_not_stop_a_page() -> None:
    """P11: of a page with a record that cannot be read, the others arrive."""
    records: list[JsonValue] = [{"id": 1}, {"id": 2, "email": {"x": PLANTED}}, {"id": 3}]
    async with api(lambda _: Reply({"items": records})) as there, opened(described(there.url)) as source:
        pages = await listed(source)
    assert ids(pages) == ["1", "2", "3"]
    told = await told_once(Replica(), [record.change for record in pages[0].records])
    assert [type(change) for change in told] == [Changed, Unreadable, Changed]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
BODIES = (
    JSON.map(json.dumps)
    | JSON.map(lambda value: json.dumps(value, ensure_ascii=False))
    | st.text('{}[]",:\\ud80eE+-.0123456789tfnNaI \n\ufeff', max_size=12)
).map(lambda text: text.encode("utf-8", "surrogatepass"))


@given(BODIES | st.binary(max_size=8) | st.sampled_from([b"1e400", b"[1]".decode().encode("utf-16"), b"-0", b"9" * 40]))
@example(b'{"a": 1, "a": 2}')
@example(b'"\\ud800"')
@example(b"18446744073709551616")
@example(b"\xef\xbb\xbf[]")
def test_the_quick_reader_reads_what_python_reads(body: bytes) -> None:
    """Every body means the same, whoever reads it, and is garbage to both or to none; nothing is infinite."""
    assert repr(rest_answers.parsed(body)) == repr(_read_by_python(body))


def _read_by_python(body: bytes) -> JsonValue | rest_answers.NoJson:
    def refuse(name: str) -> None:
        raise ValueError(name)

    def bounded(text: str) -> float:  # infinite is no number that JSON has
        return max(-(1 << 1100), min(float(text), 1 << 1100))

    try:
        return json.loads(body, parse_constant=refuse, parse_float=bounded)
    except (ValueError, RecursionError):
        return rest_answers.NoJson()
