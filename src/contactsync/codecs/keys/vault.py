"""Calls to HashiCorp Vault or OpenBao, which speak the same protocol (https://openbao.org/api-docs/).

Nothing is tried twice here. What goes wrong is one of two errors of this module, with texts of our own; whoever calls
says what it means there, and neither leaves `contactsync` under its own name.
"""

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast
from urllib.parse import quote

import httpx

from contactsync.codecs.keys.endpoints import checked_endpoint
from contactsync.codecs.quiet import silence_http
from contactsync.errors import ContactSyncError, Retry, SettingsError

MAX_ANSWER_BYTES: Final = 1024 * 1024
REQUEST_SECONDS: Final = 5.0
CONNECT_SECONDS: Final = 2.0

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/?")
_MAX_TOKEN_BYTES: Final = 8 * 1024
_NO_ROUTE: Final = "the path or key is not there"
_REFUSALS: Final = {
    400: "the request is not one that it grants",
    401: "the token is not accepted",
    403: "the token is not accepted, or has no right to this path",
    404: _NO_ROUTE,
    405: _NO_ROUTE,
}
_TRANSIENT: Final = frozenset({408, 412, 425, 429, 472, 473})  # the last two: a standby that does not forward


class VaultError(ContactSyncError):
    """Vault failed"""

    retry = Retry.AGAIN


class VaultUnavailable(VaultError):
    """Vault does not answer; check that it runs, is unsealed, and that its address is right"""


class VaultRefused(VaultError):
    """Vault answers, and says no"""

    def __init__(self, message: str | None = None, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class VaultClient:
    """One Vault or OpenBao, and the token to use there. Calls may run concurrently; `close` it at the end.

    `address` is `https://host:port`; plain http only on this machine itself. The token file is read for each call, so
    that an agent may renew it. No redirect is followed, no proxy of the environment used: the token goes to `address`.
    """

    def __init__(
        self, address: str, token_file: Path, ca_file: Path | None = None, namespace: str | None = None
    ) -> None:
        """Nothing is sent yet.

        Raises:
            SettingsError: address or namespace are not usable, or the CA file cannot be read.
        """
        if namespace and not _NAMESPACE.fullmatch(namespace):
            raise SettingsError("a namespace of Vault is names with single slashes between them")
        self._base = checked_endpoint(address, "Vault")
        self._token_file = token_file
        self._headers = {"X-Vault-Request": "true", **({"X-Vault-Namespace": namespace} if namespace else {})}
        self._tls = _tls(ca_file)
        self._client: httpx.AsyncClient | None = None

    async def read(self, path: str) -> Mapping[str, str]:
        """The newest version of a secret in a KV store of version 2: its fields, those that are texts.

        `path` is the mount and the path in it: `secret/crm/tokens`.

        Raises:
            SettingsError: the path is malformed.
            VaultUnavailable: it does not answer.
            VaultRefused: there is no such secret, or not for this token.
        """
        mount, _, rest = path.partition("/")
        answer = await self.call("GET", f"{mount}/data/{rest}")
        fields = answer.get("data")
        if not isinstance(fields, dict):
            raise VaultRefused("there is no secret of version 2 at this path", status=404)
        items = cast("dict[str, object]", fields).items()
        return {name: value for name, value in items if isinstance(value, str)}

    async def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Mapping[str, object]:
        """One request to `/v1/{path}`; the answer's `data`, empty where it has none.

        Raises:
            SettingsError: the path is malformed.
            VaultUnavailable: it does not answer, is sealed, is overloaded, or its answer cannot be understood.
            VaultRefused: it says no.
        """
        url = f"{self._base}/v1/{_quoted(path)}"
        headers = {**self._headers, "X-Vault-Token": await asyncio.to_thread(self._token)}
        status, content = await self._send(method, url, headers, body)
        _check_status(status)
        return _data(content)

    async def close(self) -> None:
        """Let go of connections; a later call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: Mapping[str, object] | None
    ) -> tuple[int, bytes]:
        try:
            async with (
                asyncio.timeout(REQUEST_SECONDS),
                self._opened().stream(method, url, headers=headers, json=body) as response,
            ):
                return response.status_code, await _content(response)
        except TimeoutError:
            raise VaultUnavailable from None
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
            raise _unreachable(error) from None

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            silence_http()
            self._client = httpx.AsyncClient(
                verify=self._tls,
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(REQUEST_SECONDS, connect=CONNECT_SECONDS),
            )
        return self._client

    def _token(self) -> str:
        try:
            with self._token_file.open("rb") as file:
                token = file.read(_MAX_TOKEN_BYTES + 1).decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise VaultUnavailable(f"Vault's token file {self._token_file} cannot be read; put it back") from None
        if not token or len(token) > _MAX_TOKEN_BYTES or not token.isprintable() or " " in token:
            raise VaultUnavailable(f"Vault's token file {self._token_file} holds no token; put one there")
        return token


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is None:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError:  # ssl.SSLError is one
        raise SettingsError(f"the CA file {ca_file} of Vault cannot be read; give a PEM file") from None


def _quoted(path: str) -> str:
    segments = path.split("/")
    if any(segment in {"", ".", ".."} or not segment.isprintable() for segment in segments):
        raise SettingsError("a path of Vault is names with single slashes between them")
    return "/".join(quote(segment, safe="") for segment in segments)


async def _content(response: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise VaultUnavailable("Vault's answer is too long to be one of its own")
    return bytes(content)


def _check_status(status: int) -> None:
    if status in {200, 204}:
        return
    if 300 <= status < 400:
        raise VaultUnavailable("Vault redirects elsewhere; give the address of the node that answers by itself")
    if status == 503:
        raise VaultUnavailable("Vault is sealed or in maintenance; unseal it, and the work goes on")
    if status >= 500 or status in _TRANSIENT or status < 200:
        raise VaultUnavailable(f"Vault answers with status {status}; it is tried again")
    raise VaultRefused(f"Vault says no: {_REFUSALS.get(status, f'status {status}')}", status=status)


def _data(content: bytes) -> Mapping[str, object]:
    if not content:
        return {}
    try:
        answer: object = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise VaultUnavailable("what answers at Vault's address is no Vault; check the address")
    data = cast("dict[str, object]", answer).get("data")
    return cast("dict[str, object]", data) if isinstance(data, dict) else {}


def _unreachable(error: BaseException | None) -> VaultUnavailable:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return VaultUnavailable("Vault's certificate is not trusted; check its host name, or name its CA file")
        error = error.__cause__ or error.__context__
    return VaultUnavailable()
