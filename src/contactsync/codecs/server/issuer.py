"""The keys of an OpenID provider, as it publishes them: found by discovery, kept for minutes, renewed when needed.

OpenID Connect Discovery 1.0 §4: the issuer's configuration names where its key set (RFC 7517 §5) is.
"""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from contactsync.codecs.server.access import is_loopback
from contactsync.codecs.server.jose import KeySet
from contactsync.errors import ContactSyncError, Retry, SettingsError

MAX_DOCUMENT_BYTES: Final = 512 * 1024
FETCH_SECONDS: Final = 5.0
DISCOVERY_PATH: Final = "/.well-known/openid-configuration"

_ANOTHER: Final = "what answers there is another issuer; check the setting, and the slash at its end"
_NO_PROVIDER: Final = "what answers there is no OpenID provider; check the issuer"

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets the document at a URL, or raises IssuerUnavailable."""


class IssuerUnavailable(ContactSyncError):
    """the issuer of tokens does not answer; nobody who is new is let in until it does"""

    retry = Retry.AGAIN

    def __init__(self, message: str | None = None, *, reason: str = "no_answer") -> None:
        super().__init__(message)
        self.reason: Final = reason


@dataclass(frozen=True, slots=True)
class KeyTimes:
    """In seconds. Keys are asked for again every `ttl`, and where a token names a key that is not among them, but
    never within `pause` of the last time; while the issuer does not answer they serve for `stale` longer."""

    ttl: float = 300.0
    pause: float = 3.0
    stale: float = 3_600.0


class IssuerKeys:
    """The issuer's present keys. One for the whole process; its methods may run concurrently."""

    def __init__(
        self, issuer: str, fetch: Fetch, *, times: KeyTimes | None = None, monotonic: Callable[[], float] | None = None
    ) -> None:
        """Nothing is asked for yet.

        Raises:
            SettingsError: the issuer is no https URL; http is for this machine only.
        """
        _check_url(issuer)
        self._issuer = issuer
        self._fetch = fetch
        self._times = times or KeyTimes()
        self._monotonic = monotonic or time.monotonic
        self._keys: KeySet | None = None
        self._loaded_at = self._asked_at = float("-inf")
        self._problem: tuple[str | None, str] = (None, "no_answer")
        self._asking = asyncio.Lock()

    async def current(self) -> KeySet:
        """The keys; the same object for as long as they are not asked for again.

        Raises:
            IssuerUnavailable: there are none, and the issuer does not answer.
        """
        if self._keys is not None and self._monotonic() < self._loaded_at + self._times.ttl:
            return self._keys
        return await self._asked_again()

    async def knowing(self, kid: str) -> KeySet:
        """The keys, asked for again if none of them has this id; whether one has it then is for the caller to see.

        Raises:
            IssuerUnavailable: as `current`.
        """
        keys = await self.current()
        return keys if any(key.kid == kid for key in keys.keys) else await self._asked_again()

    async def _asked_again(self) -> KeySet:
        """Ask once, however many want it at the same time, and not too often."""
        async with self._asking:
            if self._monotonic() >= self._asked_at + self._times.pause:
                await self._ask()
        return self._kept()

    async def _ask(self) -> None:
        try:
            keys = await self._load()
        except IssuerUnavailable as error:
            structlog.get_logger().warning("the keys of the issuer cannot be had", code=error.code, reason=error.reason)
            self._problem = (str(error), error.reason)
        else:
            self._loaded_at = self._monotonic()
            self._keys = self._keys if keys == self._keys else keys
        self._asked_at = self._monotonic()

    def _kept(self) -> KeySet:
        if self._keys is None or self._monotonic() >= self._loaded_at + self._times.ttl + self._times.stale:
            message, reason = self._problem
            raise IssuerUnavailable(message, reason=reason)
        return self._keys

    async def _load(self) -> KeySet:
        try:
            found = _Configuration.model_validate_json(
                await self._fetch(self._issuer.removesuffix("/") + DISCOVERY_PATH)
            )
            if found.issuer != self._issuer:  # Discovery §4.3
                raise IssuerUnavailable(_ANOTHER, reason="another_issuer")
            _check_url(found.jwks_uri)
            return KeySet.from_json(await self._fetch(found.jwks_uri))
        except (ValidationError, ValueError, SettingsError):
            raise IssuerUnavailable(_NO_PROVIDER, reason="no_provider") from None


class _Configuration(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    issuer: str
    jwks_uri: str


@dataclass(frozen=True, slots=True)
class HttpFetch:
    """A `Fetch` over HTTP: no redirects, no proxy of the environment, an end in time and size."""

    tls: ssl.SSLContext

    @classmethod
    def trusting(cls, ca_file: Path | None) -> "HttpFetch":
        """Trusting the certificates in a PEM file, or the public ones.

        Raises:
            SettingsError: the file cannot be used.
        """
        if ca_file is None:
            return cls(httpx.create_ssl_context(trust_env=False))
        try:
            return cls(ssl.create_default_context(cafile=ca_file))
        except OSError:  # ssl.SSLError is one
            raise SettingsError(f"the CA file {ca_file} of the issuer cannot be read; give a PEM file") from None

    async def __call__(self, url: str) -> bytes:
        """The document.

        Raises:
            IssuerUnavailable: whatever goes wrong.
        """
        try:
            async with (
                asyncio.timeout(FETCH_SECONDS),
                httpx.AsyncClient(verify=self.tls, trust_env=False, follow_redirects=False) as client,
                client.stream("GET", url, headers={"accept": "application/json"}) as response,
            ):
                if response.status_code != 200:
                    raise IssuerUnavailable
                return await _content(response)
        except (TimeoutError, httpx.HTTPError, httpx.StreamError, httpx.InvalidURL):
            raise IssuerUnavailable from None


async def _content(response: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MAX_DOCUMENT_BYTES:
            raise IssuerUnavailable
    return bytes(content)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise SettingsError("the issuer is no URL") from None
    if not host or parts.query or parts.fragment or "@" in parts.netloc:
        raise SettingsError("the issuer of tokens is https://host/path, as its tokens say it")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise SettingsError("the issuer of tokens is asked by https only, unless it is on this machine itself")
