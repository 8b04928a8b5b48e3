"""The simulator's faults, each as a client meets it."""

import httpx
import pytest

from contactsync.activities.sources.simulator.clock import DAY, SECOND, VirtualClock
from contactsync.activities.sources.simulator.face import serving
from contactsync.activities.sources.simulator.faults import Cut, Faults, Garbage, HalfBody, Loop, Refused
from contactsync.activities.sources.simulator.gate import SignIn
from contactsync.activities.sources.simulator.limiting import midnight_after
from contactsync.activities.sources.simulator.provider import Provider

from .asking import asking

A = "000000000"


async def test_a_query_ends_at_its_cap_as_if_that_were_all() -> None:
    """25 changes, at most 10 answered, and no word of the others."""
    async with asking(Provider(25, faults=Faults(query_cap=10))) as client:
        pages = await client.walk("/cursor/changes", limit=4)
    assert [len(page.records) for page in pages] == [4, 4, 2]


async def test_a_query_past_its_cap_may_be_refused() -> None:
    """The page after the cap is an error, by cursor and by offset."""
    async with asking(Provider(25, faults=Faults(query_cap=10, cap_refuses=True))) as client:
        pages = await client.walk("/cursor/changes", most=2, limit=5)
        assert (await client.get("/cursor/changes", limit=5, cursor=pages[-1].next)).status_code == 400
        assert (await client.get("/offset/changes", limit=5, offset=10)).status_code == 400


async def test_a_page_token_expires_by_requests_or_by_hand() -> None:
    """Expired tokens are refused in the way that the faults say; the start of a round never is."""
    provider = Provider(9, faults=Faults(token_life=1, expiry=Refused(400)))
    async with asking(provider) as client:
        page = await client.page("/cursor/contacts", limit=2)
        page = await client.page("/cursor/contacts", limit=2, cursor=page.next)
        await client.get("/me")
        assert (await client.get("/cursor/contacts", limit=2, cursor=page.next)).status_code == 400
        provider.faults = Faults()
        page = await client.page("/cursor/contacts", limit=2)
        provider.expire_tokens()
        assert (await client.get("/cursor/contacts", limit=2, cursor=page.next)).status_code == 410
        assert len(await client.ids("/cursor/contacts", limit=2)) == 9


async def test_pages_repeat_stray_and_stand_empty() -> None:
    """Records of the page before, records from outside the window, and empty pages in between."""
    provider = Provider(6, faults=Faults(duplicates=1, empty_pages=1))
    async with asking(provider) as client:
        pages = await client.walk("/cursor/contacts", limit=3)
        assert [[record.id[-1] for record in page.records] for page in pages] == [
            ["0", "1", "2"],
            [],
            ["2", "3", "4", "5"],
        ]
        provider.faults = Faults(strays=2)
        middle = provider.get("000000004")
        assert middle is not None
        assert [name[-1] for name in await client.ids("/cursor/changes", since=middle.updated)] == ["4", "5", "0", "1"]


@pytest.mark.parametrize("order", ["time", "newest_first", "shuffled"])
async def test_every_order_answers_everything_once(order: str) -> None:
    """Whatever the order, a whole round is complete; only the newest-first one begins with the last edit."""
    provider = Provider(30, clock=VirtualClock(), spacing_seconds=0.0)
    provider.edit(A)
    async with asking(provider) as client:
        assert (await client.control(do="faults", faults={"order": order})).status_code == 200
        ids = await client.ids("/cursor/changes", limit=7)
    assert sorted(ids) == [name for name, _ in provider.live()]
    assert (order == "newest_first") == (ids[0] == A)


async def test_equal_times_come_in_another_order_each_round() -> None:
    """Ties are not broken by anything that a client could know."""
    async with asking(Provider(50, spacing_seconds=0.0, faults=Faults(order="time"))) as client:
        assert await client.ids("/cursor/changes", limit=10) != await client.ids("/cursor/changes", limit=10)


@pytest.mark.parametrize("loop", ["endless", "empty", "stuck", "repeats", "circle"])
async def test_a_loop_has_no_end(loop: Loop) -> None:
    """There is always a next page, whatever a client reads."""
    async with asking(Provider(20, faults=Faults(loop=loop))) as client:
        pages = await client.walk("/cursor/contacts", most=30, limit=4)
        counted = [await client.page("/page/contacts", limit=4, page=number) for number in range(1, 30)]
    assert len(pages) == 30
    assert all(page.has_more for page in (*pages, *counted))
    tokens = {"stuck": 1, "circle": 6}.get(loop, 30)
    assert len({page.next for page in pages}) == tokens


async def test_a_listing_may_be_empty_or_end_early() -> None:
    """Status 200, and contacts are missing."""
    provider = Provider(20, faults=Faults(listing_ends_after=7))
    async with asking(provider) as client:
        assert len(await client.ids("/cursor/contacts", limit=3)) == 7
        provider.faults = Faults(listing_is_empty=True)
        assert await client.ids("/cursor/contacts") == []


async def test_scripted_failures_come_in_turn() -> None:
    """Each request meets one, of the sort that it was meant for; then all is well."""
    provider = Provider(3, clock=VirtualClock(1_800_000_000 * SECOND))
    provider.fail(Refused(429, retry_after=7), 1, "contacts")
    provider.fail(Refused(503, retry_after=7, as_date=True))
    provider.fail(Garbage())
    provider.fail(HalfBody())
    async with asking(provider) as client:
        assert (await client.get("/me")).status_code == 200
        answers = [await client.get("/cursor/contacts") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [429, 503, 200, 200, 200]
    assert [answer.headers.get("retry-after") for answer in answers[:2]] == ["7", "Fri, 15 Jan 2027 08:00:07 GMT"]
    assert answers[0].headers["date"] == "Fri, 15 Jan 2027 08:00:00 GMT"
    assert answers[2].content.startswith(b"<!DOCTYPE")
    assert answers[4].content.startswith(answers[3].content)
    assert len(answers[3].content) < len(answers[4].content)


async def test_a_cut_connection_is_no_answer() -> None:
    """A client that minds the length of a body is told that it did not get it."""
    provider = Provider(100)
    async with serving(provider) as url, httpx.AsyncClient(base_url=url) as client:
        provider.fail(Cut())
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/cursor/contacts")
        answer = await client.get("/cursor/contacts")
    assert len(answer.headers.get_list("date")) == 1


async def test_a_second_holds_so_many_requests() -> None:
    """The one past the limit is refused, and the next second is free again; headers count down."""
    clock = VirtualClock()
    async with asking(Provider(1, clock=clock, faults=Faults(per_second=2, rate_headers="ietf"))) as client:
        answers = [await client.get("/me") for _ in range(3)]
        clock.advance(1)
        answers.append(await client.get("/me"))
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["1", "0", "0", "1"]


async def test_a_daily_quota_ends_at_midnight_of_its_zone() -> None:
    """Until then every request is refused, and says that it is the day's quota."""
    clock = VirtualClock()
    faults = Faults(daily_quota=1, daily_zone="Asia/Tokyo", rate_headers="hubspot")
    async with asking(Provider(1, clock=clock, faults=faults)) as client:
        assert (await client.get("/me")).status_code == 200
        refused = await client.get("/me")
        assert (refused.status_code, b"DAILY" in refused.content) == (429, True)
        assert refused.headers["x-hubspot-ratelimit-daily-remaining"] == "0"
        clock.advance((midnight_after(clock.now(), "Asia/Tokyo") - clock.now()) / SECOND)
        assert (await client.get("/me")).status_code == 200


def test_midnight_is_the_zones() -> None:
    """In the zone's own time; a day on which the clock changes has 23 or 25 hours."""
    noon = 1_800_014_400 * SECOND  # 2027-01-15 12:00 UTC
    assert midnight_after(noon, "UTC") - noon == DAY // 2
    assert midnight_after(noon, "Asia/Tokyo") - noon == DAY * 3 // 24
    before_summer = midnight_after(1_806_100_000 * SECOND, "Europe/Berlin")
    while midnight_after(before_summer, "Europe/Berlin") - before_summer == DAY:
        before_summer = midnight_after(before_summer, "Europe/Berlin")
    assert midnight_after(before_summer, "Europe/Berlin") - before_summer == DAY * 23 // 24


@pytest.mark.parametrize(
    ("sign_in", "headers"),
    [
        (SignIn("basic", "ada", "pw"), {"authorization": "Basic YWRhOnB3"}),
        (SignIn("bearer", secret="t"), {"authorization": "Bearer t"}),
        (SignIn("header", secret="k"), {"x-api-key": "k"}),
    ],
)
async def test_only_who_signs_in_is_answered(sign_in: SignIn, headers: dict[str, str]) -> None:
    """Without the right header it is 401."""
    async with asking(Provider(1, sign_in=sign_in)) as client:
        assert (await client.get("/me")).status_code == 401
        assert (await client.http.get("/me", headers=headers)).status_code == 200


async def test_access_tokens_are_given_expire_and_are_revoked() -> None:
    """Client credentials give a token for its time; a rotated refresh token works once."""
    clock = VirtualClock()
    provider = Provider(1, clock=clock, sign_in=SignIn("oauth", token_seconds=60, rotates=True))
    async with asking(provider) as client:
        token = await _token(client.http, grant_type="client_credentials", client_secret="simulated")
        assert await _status(client.http, token) == 200
        clock.advance(60)
        assert await _status(client.http, token) == 401
        token = await _token(client.http, grant_type="refresh_token", refresh_token="refresh-0")
        assert await _status(client.http, token) == 200
        provider.gate.revoke()
        assert await _status(client.http, token) == 401
        again = await client.http.post("/token", data={"grant_type": "refresh_token", "refresh_token": "refresh-0"})
        assert again.status_code == 400
        wrong = await client.http.post("/token", data={"grant_type": "client_credentials", "client_secret": "x"})
        assert wrong.status_code == 400


async def _token(http: httpx.AsyncClient, **form: str) -> str:
    answer = await http.post("/token", data=form)
    assert answer.status_code == 200
    return str(answer.json()["access_token"])


async def _status(http: httpx.AsyncClient, token: str) -> int:
    return (await http.get("/me", headers={"authorization": f"Bearer {token}"})).status_code


async def test_the_hands_of_another_process_do_the_same() -> None:
    """Every action of `/_control`, and the truth that they lead to."""
    provider = Provider(5, clock=VirtualClock())
    async with asking(provider) as client:
        orders: list[dict[str, object]] = [
            {"do": "add", "count": 1},
            {"do": "put", "ids": ["ada"], "values": {"title": "Countess"}},
            {"do": "edit", "ids": ["000000001", "000000002"]},
            {"do": "delete", "ids": ["000000003"]},
            {"do": "restore", "ids": ["000000003"]},
            {"do": "purge", "ids": ["000000004"]},
            {"do": "merge", "ids": ["000000000"], "to": "000000001"},
            {"do": "rename", "ids": ["ada"], "to": "lovelace"},
            {"do": "move", "ids": ["000000002"], "folder": "other"},
            {"do": "advance", "seconds": 5},
            {"do": "expire"},
        ]
        assert [(await client.control(**order)).status_code for order in orders] == [200] * len(orders)
        for mistake in ({"do": "edit", "ids": ["nobody"]}, {"do": "faults", "faults": {"odd": 1}}, {"do": "dance"}):
            assert (await client.control(**mistake)).status_code == 400
        first = (await client.get("/_control/truth", limit=3)).json()
        rest = (await client.get("/_control/truth", limit=3, after=first["after"])).json()
    truth = dict([*first["contacts"], *rest["contacts"]])
    assert truth == {"000000001": 3, "000000002": 3, "000000003": 3, "000000005": 1, "lovelace": 2}
    assert rest["after"] is None
    assert truth == dict(provider.live())
