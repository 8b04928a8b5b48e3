"""HTTP for every source: only this module, and the wire below it, know httpx.

What leaves this module is an `Answer`, or an error of `contactsync.errors` whose text is ours alone: no URL, no
header and no word of the other side is in it. Nothing is tried twice here; Temporal does that.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal
from urllib.parse import urljoin, urlsplit

import httpx

from contactsync.activities.sources.addresses import AddressRules
from contactsync.activities.sources.checked_wire import CheckedWire
from contactsync.activities.sources.meter import Meter
from contactsync.activities.sources.source import Credentials
from contactsync.activities.sources.throttling import patience_asked, windows_of
from contactsync.codecs.quiet import silence_http
from contactsync.errors import (
    CredentialsRejected,
    SettingsError,
    SourceAddressWrong,
    SourceError,
    SourceMisbehaved,
    SourceThrottled,
    SourceUnavailable,
)

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
"""Bytes of one answer, unpacked; an answer past it is cut off and refused."""

MAX_REQUEST_SECONDS: Final = 600.0
"""One request with its whole body; a source that drips for longer counts as not answering."""

MAX_REDIRECTS: Final = 5

_REDIRECTS: Final = frozenset({301, 302, 307, 308})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

MAPPED: Final[tuple[tuple[type[Exception], type[SourceError]], ...]] = (
    (httpx.InvalidURL, SourceAddressWrong),
    (httpx.UnsupportedProtocol, SourceAddressWrong),
    (httpx.ConnectTimeout, SourceUnavailable),
    (httpx.ReadTimeout, SourceUnavailable),
    (httpx.WriteTimeout, SourceUnavailable),
    (httpx.PoolTimeout, SourceUnavailable),
    (httpx.TimeoutException, SourceUnavailable),
    (httpx.ConnectError, SourceUnavailable),
    (httpx.ReadError, SourceUnavailable),
    (httpx.WriteError, SourceUnavailable),
    (httpx.CloseError, SourceUnavailable),
    (httpx.NetworkError, SourceUnavailable),
    (httpx.ProxyError, SourceUnavailable),
    (httpx.LocalProtocolError, SourceMisbehaved),
    (httpx.RemoteProtocolError, SourceMisbehaved),
    (httpx.ProtocolError, SourceMisbehaved),
    (httpx.DecodingError, SourceMisbehaved),
    (httpx.TooManyRedirects, SourceMisbehaved),
    (httpx.HTTPStatusError, SourceMisbehaved),
    (httpx.TransportError, SourceUnavailable),
    (httpx.RequestError, SourceUnavailable),
    (httpx.HTTPError, SourceUnavailable),
    (httpx.CookieConflict, SourceMisbehaved),
    (httpx.StreamConsumed, SourceMisbehaved),
    (httpx.StreamClosed, SourceMisbehaved),
    (httpx.ResponseNotRead, SourceMisbehaved),
    (httpx.RequestNotRead, SourceMisbehaved),
    (httpx.StreamError, SourceMisbehaved),
)
"""What each exception of httpx means here, the most specific first. A body cut short is a RemoteProtocolError."""

_CAUGHT: tuple[type[Exception], ...] = tuple(theirs for theirs, _ in MAPPED)


class BodyTooLarge(Exception):
    """The answer is longer than the caller allows. Never leaves a source: each caller says what it means there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `url` is where it came from, after redirects; header names are lower case."""

    status: int
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a source lives and how to speak to it.

    Credentials go to the origin of `url`, to the same host over https, and to `trusted_hosts` over https; nowhere
    else. A trusted host that begins with a dot stands for every host below it. `addresses` says where the network may
    lead at all, and `meter` is told of every request and of what the answers say of limits: give the workbench's own.
    """

    url: str = field(repr=False)
    credentials: Credentials = field(default_factory=Credentials, repr=False)
    scheme: Literal["basic", "bearer"] = "basic"
    trusted_hosts: tuple[str, ...] = ()
    ca_file: str = ""
    timeout_seconds: float = 30.0
    addresses: AddressRules = field(default_factory=AddressRules)
    meter: Meter = field(default_factory=Meter, repr=False)


def mapped(error: Exception) -> SourceError:
    """The error that stands for one of httpx's."""
    if _is_certificate_problem(error):
        return SourceUnavailable("the source's certificate is not trusted; check its host name, or name its ca_file")
    for theirs, ours in MAPPED:
        if isinstance(error, theirs):
            return ours("the source's answer was cut off or broken") if ours is SourceMisbehaved else ours()
    return SourceUnavailable()


def _is_certificate_problem(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


class Transport:
    """Sends requests of one connection. Open it with `open_transport`."""

    def __init__(self, client: httpx.AsyncClient, endpoint: Endpoint) -> None:
        self._client = client
        self._endpoint = endpoint
        self._authorization = _authorization(endpoint)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        accept: Collection[int] = (),
        max_bytes: int = MAX_BODY_BYTES,
    ) -> Answer:
        """One request; redirects are followed with the same method and body, never to a host without trust.

        A status from 400 is an error here unless it is in `accept`; an answer that says how long it asks for patience
        always is one.

        Raises:
            BodyTooLarge: the answer is longer than `max_bytes`.
            AddressForbidden: the address, or one that a redirect leads to, is none that sources may be at.
            SourceUnavailable, SourceThrottled, SourceAddressWrong, CredentialsRejected, SourceMisbehaved.
        """
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._send(method, url, headers or {}, body, max_bytes)
            is_final = self._hear(answer)
            if answer.status not in _REDIRECTS:
                if is_final or (answer.status >= 400 and answer.status not in accept):
                    raise refusal(answer)
                return answer
            url = _redirected(answer)
        raise SourceMisbehaved("the source redirects in circles")

    def _hear(self, answer: Answer) -> bool:
        """Tells the meter what an answer says of limits; whether it says for how long to leave the source alone."""
        meter, now = self._endpoint.meter, time.time()
        meter.hear(windows_of(answer.headers, now))
        asked = patience_asked(answer.status, answer.headers, now)
        if asked is None:
            return False
        meter.refused(asked.seconds, said_how_long=asked.said)
        return asked.said

    async def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, max_bytes: int) -> Answer:
        self._require_trust(url)
        try:
            async with asyncio.timeout(MAX_REQUEST_SECONDS):
                request = self._client.build_request(
                    method, url, headers={**self._authorization, **headers}, content=body
                )
                self._endpoint.meter.count()
                response = await self._client.send(request, stream=True)
                try:
                    content = await _read(response, max_bytes)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise SourceUnavailable from None
        except _CAUGHT as error:
            raise mapped(error) from None
        return Answer(response.status_code, url, {k.lower(): v for k, v in response.headers.items()}, content)

    def _require_trust(self, url: str) -> None:
        if not is_trusted(url, self._endpoint):
            raise SourceAddressWrong(
                "the source points to another host, which gets no credentials; "
                "use the address of that host, or name it in trusted_hosts"
            )


def is_trusted(url: str, endpoint: Endpoint) -> bool:
    """Whether credentials may go to `url`: never to another host unasked, never from https down to http."""
    there, home = _origin(url), _origin(endpoint.url)
    if there is None or home is None:
        return False
    if there == home:
        return True
    if there[0] != "https":
        return False
    is_upgrade = home[0] == "http" and there[1] == home[1]
    return is_upgrade or any(_covers(host, there[1]) for host in endpoint.trusted_hosts)


def _covers(trusted: str, host: str) -> bool:
    trusted = trusted.lower()
    return host.endswith(trusted) if trusted.startswith(".") else host == trusted


def _origin(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port if port is not None else _DEFAULT_PORTS[parts.scheme]


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > max_bytes:
            raise BodyTooLarge
    return bytes(content)


def _redirected(answer: Answer) -> str:
    location = answer.headers.get("location", "")
    try:
        target = urljoin(answer.url, location)
    except ValueError:
        target = ""
    if not location or not target:
        raise SourceMisbehaved("the source redirects to nowhere")
    return target.partition("#")[0]


def refusal(answer: Answer) -> SourceError:
    """What a status from 400 means where nothing more is known about it."""
    status = answer.status
    asked = patience_asked(status, answer.headers, time.time())
    if asked is not None:
        return SourceThrottled(after_seconds=asked.seconds)
    if status in (401, 407):
        return CredentialsRejected()
    if status == 403:
        return CredentialsRejected("the source forbids this to these credentials; renew them or widen their rights")
    if status in (404, 410):
        return SourceAddressWrong()
    if status >= 500:
        return SourceUnavailable(f"the source answers with status {status}; it is tried again")
    return SourceMisbehaved(f"the source refuses the request with status {status}")


def _authorization(endpoint: Endpoint) -> dict[str, str]:
    username, secret = endpoint.credentials.username, endpoint.credentials.secret
    if not username and not secret:
        return {}
    if endpoint.scheme == "bearer":
        if not secret.isascii() or not secret.isprintable():
            raise CredentialsRejected("the token holds characters that no header may carry; check the secret")
        return {"authorization": f"Bearer {secret}"}
    request = httpx.Request("GET", "http://localhost/")
    flow = httpx.BasicAuth(username, secret).sync_auth_flow(request)
    return {"authorization": next(flow).headers["authorization"]}


@lru_cache(maxsize=32)
def _tls(ca_file: str) -> ssl.SSLContext:
    if not ca_file:
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError:  # ssl.SSLError is one
        raise SettingsError("the ca_file of the connection cannot be read; give a PEM file") from None


@asynccontextmanager
async def open_transport(endpoint: Endpoint, wire: httpx.AsyncBaseTransport | None = None) -> AsyncGenerator[Transport]:
    """A transport for one connection, closed at the end. `wire` replaces the network, and the look at its addresses.

    Raises:
        SettingsError: the `ca_file` cannot be read.
        CredentialsRejected: the secret cannot be sent.
    """
    silence_http()
    tls = _tls(endpoint.ca_file)
    async with httpx.AsyncClient(
        transport=wire or CheckedWire(endpoint.addresses, tls),
        verify=tls,
        timeout=httpx.Timeout(endpoint.timeout_seconds),
        follow_redirects=False,
        headers={"user-agent": "contactsync"},
    ) as client:
        yield Transport(client, endpoint)
