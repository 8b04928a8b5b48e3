"""HTTP as sources see it: answers, or errors of ours that say nothing of the other side's."""

import asyncio
import gzip
import inspect
import logging
import ssl
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Literal

import httpx
import pytest
from tests.dav.scripted import answer, scripted

from contactsync.activities.sources import transport as module
from contactsync.activities.sources.addresses import ANY_LOOPBACK
from contactsync.activities.sources.source import Credentials
from contactsync.activities.sources.throttling import MAX_PATIENCE_SECONDS, patience
from contactsync.activities.sources.transport import (
    MAPPED,
    Answer,
    BodyTooLarge,
    Endpoint,
    is_trusted,
    mapped,
    open_transport,
)
from contactsync.codecs.quiet import HTTP_LOGGERS
from contactsync.errors import (
    CredentialsRejected,
    SettingsError,
    SourceAddressWrong,
    SourceError,
    SourceMisbehaved,
    SourceThrottled,
    SourceUnavailable,
)

Scheme = Literal["basic", "bearer"]

PLANTED = "Grünewald-Planted"
SIGNED_IN = Credentials("someone", "secret")


async def ask(
    url: str,
    *,
    max_bytes: int = 10_000,
    credentials: Credentials = SIGNED_IN,
    scheme: Scheme = "basic",
) -> Answer:
    """One GET."""
    endpoint = Endpoint(url=url, credentials=credentials, scheme=scheme, timeout_seconds=20.0, addresses=ANY_LOOPBACK)
    async with open_transport(endpoint) as transport:
        return await transport.request("GET", url, max_bytes=max_bytes)


class Asked:
    """A finder of modules that finds none, and remembers what was looked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def find_spec(self, name: str, *_: object) -> None:
        """As `importlib.abc.MetaPathFinder`."""
        self.names.append(name)


async def test_nothing_is_imported_for_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is not installed is not looked for again at each lock: that took a third of a request's time."""
    asked = Asked()
    async with scripted(answer(200)) as server:
        await ask(server.url)
        monkeypatch.setattr(sys, "meta_path", [asked, *sys.meta_path])
        await ask(server.url)
    assert asked.names == []


def every_exception() -> list[type[Exception]]:
    """The exceptions that httpx exports."""
    exported = [getattr(httpx, name) for name in httpx.__all__]
    return [item for item in exported if inspect.isclass(item) and issubclass(item, Exception)]


def example(kind: type[Exception]) -> Exception:
    """An exception of httpx's with a planted text."""
    if kind is httpx.HTTPStatusError:
        request = httpx.Request("GET", f"https://x.example/?{PLANTED}")
        return httpx.HTTPStatusError(PLANTED, request=request, response=httpx.Response(500))
    error = kind.__new__(kind)
    error.args = (PLANTED,)
    return error


def test_every_exception_of_httpx_is_mapped() -> None:
    """Each exception that httpx exports has a line of its own in the table."""
    assert {theirs for theirs, _ in MAPPED} == set(every_exception())


def test_most_specific_exception_first() -> None:
    """No line of the table hides a later one."""
    kinds = [theirs for theirs, _ in MAPPED]
    hidden = [(a, b) for i, a in enumerate(kinds) for b in kinds[i + 1 :] if issubclass(b, a)]
    assert hidden == []


@pytest.mark.parametrize("kind", every_exception())
def test_p24_no_text_of_httpx_passes(kind: type[Exception]) -> None:
    """P24: an exception of httpx's becomes one of ours without its text."""
    ours = mapped(example(kind))
    assert isinstance(ours, SourceError)
    assert PLANTED not in str(ours)


def test_certificate_problems_are_named() -> None:
    """A certificate that nobody vouches for is not called a server that does not answer."""
    error = httpx.ConnectError("x")
    error.__cause__ = ssl.SSLCertVerificationError("x")
    assert "certificate" in str(mapped(error))


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (401, (), CredentialsRejected),
        (403, (), CredentialsRejected),
        (404, (), SourceAddressWrong),
        (410, (), SourceAddressWrong),
        (429, (), SourceThrottled),
        (429, ("Retry-After: 7",), SourceThrottled),
        (503, ("Retry-After: 7",), SourceThrottled),
        (503, (), SourceUnavailable),
        (500, (), SourceUnavailable),
        (502, (), SourceUnavailable),
        (418, (), SourceMisbehaved),
    ],
)
async def test_p24_statuses(status: int, headers: tuple[str, ...], expected: type[SourceError]) -> None:
    """P24: each status is an error of its kind, without a word of the body, the headers or the URL."""
    async with scripted(answer(status, PLANTED.encode(), f"X-Note: {PLANTED.encode().hex()}", *headers)) as server:
        with pytest.raises(SourceError) as caught:
            await ask(f"{server.url}{PLANTED.encode().hex()}")
    assert type(caught.value) is expected
    assert PLANTED not in str(caught.value)
    assert PLANTED.encode().hex() not in str(caught.value)
    if isinstance(caught.value, SourceThrottled):
        assert caught.value.after_seconds == (7.0 if headers else 60.0)


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("120", 120.0),
        (" 5 ", 5.0),
        ("0", 1.0),
        ("Tue, 14 Nov 2023 22:15:20 GMT", 120.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 1.0),
        ("999999999999999999999", MAX_PATIENCE_SECONDS),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_PATIENCE_SECONDS),
        ("soon", 60.0),
        ("-5", 60.0),
        ("٣", 60.0),
        (None, 60.0),
    ],
)
def test_patience(header: str | None, expected: float) -> None:
    """`Retry-After` in seconds or as a date, bounded on both sides; nonsense means the default."""
    assert patience(header, NOW) == expected


BODY = b"0123456789" * 40


@pytest.mark.parametrize(
    "reply",
    [
        answer(200, BODY, length=len(BODY) + 50),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + BODY[:50],
        answer(200, BODY, "Content-Encoding: gzip"),
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"nonsense\r\n\r\n",
    ],
    ids=["length", "chunked", "no gzip", "head", "nonsense"],
)
async def test_p34_truncated_answers(reply: bytes) -> None:
    """P34: an answer that ends early, or is none, is never an answer."""
    async with scripted(reply) as server:
        with pytest.raises((SourceMisbehaved, SourceUnavailable)):
            await ask(server.url)


async def test_p34_body_cut_short_is_misbehaviour() -> None:
    """P34: a body shorter than announced is called cut off."""
    async with scripted(answer(200, BODY, length=len(BODY) + 1)) as server:
        with pytest.raises(SourceMisbehaved, match="cut off"):
            await ask(server.url)


async def test_nobody_listens() -> None:
    """A port where nobody listens is a source that does not answer."""
    async with scripted(b"") as server:
        url = server.url
    with pytest.raises(SourceUnavailable):
        await ask(url)


async def test_slow_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request has a deadline as a whole, however the answer drips."""

    class Drip(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                await asyncio.sleep(0)  # lets others run, the deadline among them
                yield b""

    async def drip(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Drip())

    monkeypatch.setattr(module, "MAX_REQUEST_SECONDS", 0.0)
    async with open_transport(Endpoint(url="https://x.example/"), httpx.MockTransport(drip)) as transport:
        with pytest.raises(SourceUnavailable):
            await transport.request("GET", "https://x.example/")


@pytest.mark.parametrize("body", [BODY, gzip.compress(b"\0" * 5_000_000)], ids=["plain", "packed"])
async def test_bodies_are_bounded(body: bytes) -> None:
    """An answer is read up to its bound, counted unpacked, and no further."""
    headers = ("Content-Encoding: gzip",) if body is not BODY else ()
    async with scripted(answer(200, body, *headers)) as server:
        with pytest.raises(BodyTooLarge):
            await ask(server.url, max_bytes=len(BODY) - 1)


async def test_body_of_exactly_the_bound() -> None:
    """A body of exactly the bound is an answer."""
    async with scripted(answer(200, BODY)) as server:
        assert (await ask(server.url, max_bytes=len(BODY))).body == BODY


async def test_redirects_within_the_origin() -> None:
    """A redirect on the same origin is followed, with the credentials and the method."""

    def reply(path: str) -> bytes:
        return answer(200, b"here") if path == "/there" else answer(301, b"", "Location: /there")

    async with scripted(reply) as server:
        found = await ask(server.url)
    assert (found.body, found.url) == (b"here", f"{server.url}there")
    assert all("authorization: basic" in head.lower() for head in server.heads)
    assert [head.split()[0] for head in server.heads] == ["GET", "GET"]


async def test_redirect_to_another_host_gets_nothing() -> None:
    """A redirect to another host is not followed at all, so it gets neither credentials nor the request."""
    async with scripted(answer(200, b"stolen")) as other:
        async with scripted(answer(302, b"", f"Location: {other.url}")) as server:
            with pytest.raises(SourceAddressWrong) as caught:
                await ask(server.url)
        assert other.heads == []
        assert other.url not in str(caught.value)


async def test_redirect_circle() -> None:
    """Redirects end."""
    async with scripted(answer(307, b"", "Location: /")) as server:
        with pytest.raises(SourceMisbehaved, match="circles"):
            await ask(server.url)


@pytest.mark.parametrize("headers", [(), ("Location: http://[",), ("Location: ",)])
async def test_redirect_to_nowhere(headers: tuple[str, ...]) -> None:
    """A redirect without a readable target is the source's fault."""
    async with scripted(answer(301, b"", *headers)) as server:
        with pytest.raises((SourceMisbehaved, SourceAddressWrong)):
            await ask(server.url)


@pytest.mark.parametrize(
    ("home", "there", "trusted", "expected"),
    [
        ("https://a.example/", "https://a.example/x", (), True),
        ("https://a.example/", "https://a.example:443/x", (), True),
        ("https://a.example/", "https://A.example/x", (), True),
        ("https://a.example/", "https://a.example:444/x", (), False),
        ("https://a.example/", "http://a.example/", (), False),
        ("http://a.example/", "https://a.example/", (), True),
        ("http://a.example/", "https://b.example/", (), False),
        ("https://a.example/", "https://b.example/", (), False),
        ("https://a.example/", "https://b.example/", ("b.example",), True),
        ("https://a.example/", "http://b.example/", ("b.example",), False),
        ("https://a.example/", "https://p42.b.example/", (".b.example",), True),
        ("https://a.example/", "https://evilb.example/", (".b.example",), False),
        ("https://a.example/", "https://p42.b.example/", ("b.example",), False),
        ("https://a.example/", "https://a.example@b.example/", (), False),
        ("https://a.example/", "ftp://a.example/", (), False),
        ("https://a.example/", "file:///etc/passwd", (), False),
        ("https://a.example/", "https://[", (), False),
        ("https://a.example/", "", (), False),
    ],
)
def test_who_gets_credentials(home: str, there: str, trusted: tuple[str, ...], expected: bool) -> None:
    """Credentials go to the same origin, up to https on the same host, and to hosts named as trusted."""
    assert is_trusted(there, Endpoint(url=home, trusted_hosts=trusted)) is expected


@pytest.mark.parametrize(
    ("credentials", "scheme", "expected"),
    [
        (Credentials("me", "pä:ss"), "basic", "Basic " + b64encode("me:pä:ss".encode()).decode()),
        (Credentials("", "token"), "bearer", "Bearer token"),
        (Credentials("", ""), "basic", None),
    ],
)
async def test_authorization(credentials: Credentials, scheme: Scheme, expected: str | None) -> None:
    """Basic in UTF-8 (RFC 7617 §2.1), bearer (RFC 6750 §2.1), and nothing where there is nothing."""
    async with scripted(answer(200, b"")) as server:
        await ask(server.url, credentials=credentials, scheme=scheme)
    lines = [line for line in server.heads[0].split("\r\n") if line.lower().startswith("authorization:")]
    assert lines == ([] if expected is None else [f"authorization: {expected}"])


@pytest.mark.parametrize("secret", ["a\r\nX-Evil: 1", "tökén", "a\x00b"])
async def test_token_that_no_header_may_carry(secret: str) -> None:
    """A token with characters that no header may carry is refused before anything is sent."""
    endpoint = Endpoint(url="https://x.example/", credentials=Credentials("", secret), scheme="bearer")
    with pytest.raises(CredentialsRejected) as caught:
        async with open_transport(endpoint):
            pass
    assert secret not in str(caught.value)


async def test_ca_file_that_is_none() -> None:
    """A CA file that cannot be read is a problem of the settings."""
    with pytest.raises(SettingsError):
        async with open_transport(Endpoint(url="https://x.example/", ca_file="/no/such/file")):
            pass


async def test_p24_libraries_print_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """P24: whatever the log levels, httpx and httpcore print no URL and no header."""
    for name in ("", "httpx", "httpcore", "httpcore.http11", "httpcore.connection"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        async with scripted(answer(200, b"", f"X-Note: {PLANTED.encode().hex()}")) as server:
            await ask(f"{server.url}{PLANTED.encode().hex()}")
    finally:
        for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection"):
            logging.getLogger(name).setLevel(logging.NOTSET)
        logging.getLogger().setLevel(logging.WARNING)
    assert [record for record in caplog.records if record.name.startswith(("httpx", "httpcore"))] == []


def test_every_logger_of_the_libraries_is_switched_off() -> None:
    """Each logger that httpx and httpcore have made is in the list of those switched off."""
    made = {name for name in logging.root.manager.loggerDict if name.split(".")[0] in ("httpx", "httpcore")}
    assert made <= set(HTTP_LOGGERS)


def test_p24_endpoint_shows_no_secret() -> None:
    """P24: neither address nor credentials are in the text of an endpoint or an answer."""
    endpoint = Endpoint(url=f"https://{PLANTED}.example/", credentials=Credentials(PLANTED, PLANTED))
    found = Answer(200, f"https://{PLANTED}.example/", {"x": PLANTED}, PLANTED.encode())
    assert PLANTED not in repr(endpoint) + repr(found)
