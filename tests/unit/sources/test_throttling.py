"""What answers say of limits, in every form that is known, and in none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dav.scripted import answer, scripted

from contactsync.activities.sources.addresses import ANY_LOOPBACK
from contactsync.activities.sources.meter import Meter, Window
from contactsync.activities.sources.throttling import (
    MAX_PATIENCE_SECONDS,
    Patience,
    patience_asked,
    windows_of,
)
from contactsync.activities.sources.transport import Endpoint, open_transport
from contactsync.errors import CredentialsRejected, SourceError, SourceThrottled, SourceUnavailable

NOW = 1_700_000_000.0
HERE = "Tue, 14 Nov 2023 22:13:20 GMT"
IN_A_MINUTE = "Tue, 14 Nov 2023 22:14:20 GMT"
SPENT = {"x-ratelimit-remaining": "0"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"ratelimit": '"default";r=50;t=30'}, [Window("interval", 50, None, 30)]),
        (
            {
                "ratelimit": '"burst";r=5;t=1, "day";r=900;t=600',
                "ratelimit-policy": '"burst";q=10;w=1,"day";q=1000;w=86400',
            },
            [Window("interval", 5, 10, 1, 1), Window("interval", 900, 1000, 600, 86400)],
        ),
        ({"ratelimit": '"a, b; c";r=3'}, [Window("interval", 3)]),
        ({"ratelimit": "limit=100, remaining=7, reset=5"}, [Window("interval", 7, 100, 5)]),
        (
            {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "9", "ratelimit-reset": "44"},
            [Window("interval", 9, 100, 44)],
        ),
        (
            {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "59", "x-ratelimit-reset": "1700000030"},
            [Window("interval", 59, 60, 30)],
        ),
        (
            {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "1700000005000"},
            [Window("interval", 1, None, 5)],
        ),
        ({"x-ratelimit-remaining": "1", "x-ratelimit-reset": "1600000000"}, [Window("interval", 1, None, 0)]),
        ({"x-ratelimit-remaining": "1", "x-ratelimit-reset-after": "1.5"}, [Window("interval", 1, None, 1.5)]),
        ({"x-rate-limit-remaining": "2"}, [Window("interval", 2)]),
        (
            {
                "x-hubspot-ratelimit-daily": "250000",
                "x-hubspot-ratelimit-daily-remaining": "249000",
                "x-hubspot-ratelimit-interval-milliseconds": "10000",
                "x-hubspot-ratelimit-max": "100",
                "x-hubspot-ratelimit-remaining": "82",
            },
            [Window("interval", 82, 100, 10, 10), Window("daily", 249_000, 250_000)],
        ),
        ({"sforce-limit-info": "api-usage=18/5000"}, [Window("rolling", 4982, 5000)]),
        (
            {"sforce-limit-info": "per-app-api-usage=17/250(appName=x), api-usage=5100/5000"},
            [Window("rolling", 0, 5000)],
        ),
        ({"ratelimit-remaining": "5", "x-ratelimit-remaining": "3"}, [Window("interval", 3)]),
        ({}, []),
        ({"x-ratelimit-remaining": "many", "ratelimit": "soon", "sforce-limit-info": "api-usage=a/b"}, []),
        ({"x-ratelimit-remaining": "-1"}, []),
        ({"x-ratelimit-remaining": "9" * 400}, []),
        ({"x-ratelimit-remaining": "٣"}, []),
        ({"ratelimit": '"default";t=30'}, []),
    ],
)
def test_p33_what_is_left(headers: dict[str, str], expected: list[Window]) -> None:
    """P33: each provider's form of saying what is left is read, and nonsense counts as not said."""
    assert list(windows_of(headers, NOW)) == expected


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (429, {}, Patience(60, said=False)),
        (429, {"retry-after": "7"}, Patience(7, said=True)),
        (429, {"retry-after": IN_A_MINUTE}, Patience(60, said=True)),
        (429, {"retry-after": IN_A_MINUTE, "date": HERE}, Patience(60, said=True)),
        (429, {"retry-after": IN_A_MINUTE, "date": "Tue, 14 Nov 2023 22:14:10 GMT"}, Patience(10, said=True)),
        (429, {"retry-after": "later"}, Patience(60, said=False)),
        (429, {"retry-after": "later", **SPENT, "x-ratelimit-reset": "9"}, Patience(9, said=True)),
        (429, {**SPENT, "x-ratelimit-reset": "30"}, Patience(30, said=True)),
        (429, {"x-ratelimit-remaining": "3", "x-ratelimit-reset": "30"}, Patience(60, said=False)),
        (429, {**SPENT, "x-ratelimit-reset": "0"}, Patience(1, said=True)),
        (429, {**SPENT, "x-ratelimit-reset": "1800000000"}, Patience(MAX_PATIENCE_SECONDS, said=True)),
        (403, {}, None),
        (403, {"retry-after": "7"}, Patience(7, said=True)),
        (403, {"x-ratelimit-remaining": "3"}, None),
        (403, {**SPENT, "x-ratelimit-reset": "30"}, Patience(30, said=True)),
        (403, {"sforce-limit-info": "api-usage=5000/5000"}, Patience(60, said=False)),
        (403, {"sforce-limit-info": "api-usage=4999/5000"}, None),
        (503, {}, None),
        (503, {"retry-after": "7"}, Patience(7, said=True)),
        (503, {"retry-after": "later"}, Patience(60, said=False)),
        (503, SPENT, None),
        (200, {"retry-after": "7"}, None),
        (401, {"retry-after": "7"}, None),
        (500, {"retry-after": "7"}, None),
    ],
)
def test_p33_who_asks_for_patience(status: int, headers: dict[str, str], expected: Patience | None) -> None:
    """P33: 429, 503 and 403, with and without a word of how long."""
    assert patience_asked(status, headers, NOW) == expected


names = st.sampled_from(
    [
        "retry-after",
        "date",
        "ratelimit",
        "ratelimit-policy",
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-ratelimit-reset-after",
        "x-hubspot-ratelimit-remaining",
        "x-hubspot-ratelimit-interval-milliseconds",
        "x-hubspot-ratelimit-daily-remaining",
        "sforce-limit-info",
    ]
)
pieces = st.lists(st.sampled_from(["a", '"', ";", ",", "=", "r", "t", "q", "w", "5", "0", " ", "-1", "1e9", "9" * 20]))
values = st.text(max_size=40) | pieces.map("".join) | st.integers().map(str)


@given(st.sampled_from([200, 403, 429, 503]), st.dictionaries(names, values))
def test_any_header_is_read_or_left(status: int, headers: dict[str, str]) -> None:
    """Whatever the headers hold, reading them never fails, and what comes of it is bounded."""
    for window in windows_of(headers, NOW):
        assert 0 <= window.remaining < 10**15
        assert window.resets_in is None or 0 <= window.resets_in < 10**15
        assert not set(window.name) & set('";,= ')
    asked = patience_asked(status, headers, NOW)
    assert asked is None or 1 <= asked.seconds <= MAX_PATIENCE_SECONDS


async def refused(status: int, *headers: str, accept: tuple[int, ...] = ()) -> tuple[SourceError | int, Meter]:
    """One request to a server that answers so; the error or the status, and what the meter has heard."""
    meter = Meter()
    async with scripted(answer(status, b"", *headers)) as server:
        endpoint = Endpoint(url=server.url, addresses=ANY_LOOPBACK, meter=meter)
        async with open_transport(endpoint) as transport:
            try:
                return (await transport.request("GET", server.url, accept=accept)).status, meter
            except SourceError as error:
                return error, meter


@pytest.mark.parametrize(
    ("status", "headers", "error", "seconds", "said"),
    [
        (429, (), SourceThrottled, 60.0, False),
        (429, ("Retry-After: 7",), SourceThrottled, 7.0, True),
        (403, ("Retry-After: 7",), SourceThrottled, 7.0, True),
        (403, (), CredentialsRejected, 0.0, False),
        (503, ("Retry-After: 7",), SourceThrottled, 7.0, True),
        (503, (), SourceUnavailable, 0.0, False),
    ],
)
async def test_p33_the_transport_tells_the_meter(
    status: int, headers: tuple[str, ...], error: type[SourceError], seconds: float, said: bool
) -> None:
    """P33: a refusal becomes an error that says for how long, and the account's budget hears the same."""
    caught, meter = await refused(status, *headers)
    assert type(caught) is error
    if isinstance(caught, SourceThrottled):
        assert caught.after_seconds == seconds
    assert (meter.requests, meter.refused_for, meter.said_how_long) == (1, seconds, said)


async def test_p33_a_clear_word_is_never_an_answer() -> None:
    """P33: a status that the source judges itself is an answer, unless it says how long to stay away."""
    assert (await refused(403, accept=(403,)))[0] == 403
    caught, _ = await refused(403, "Retry-After: 7", accept=(403,))
    assert isinstance(caught, SourceThrottled)


async def test_every_request_is_counted() -> None:
    """Redirects are requests, and what good answers say of limits is heard."""

    def reply(path: str) -> bytes:
        return (
            answer(200, b"", "X-RateLimit-Remaining: 3") if path == "/there" else answer(301, b"", "Location: /there")
        )

    meter = Meter()
    async with scripted(reply) as server:
        endpoint = Endpoint(url=server.url, addresses=ANY_LOOPBACK, meter=meter)
        async with open_transport(endpoint) as transport:
            await transport.request("GET", server.url)
            await transport.request("GET", server.url + "there")
    assert (meter.requests, meter.windows(), meter.refused_for) == (3, (Window("interval", 3),), 0.0)
