"""OAuth 2 access tokens (RFC 6749): asked for once, however many activities of a process need one.

A provider may end one token when it gives out the next, so that two refreshes at the same time would end each other's:
whoever needs a token waits for the one who is asking for it. Tokens live in memory only, under a digest of what they
were asked with.
"""

import asyncio
import hashlib
import json
import secrets
import time
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import quote_plus, urlencode
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict, ValidationError

from contactsync.activities.sources.transport import Answer, BodyTooLarge, Transport, refusal
from contactsync.errors import CredentialsRejected, SourceMisbehaved

MAX_TOKENS: Final = 4096
"""Tokens that a process keeps."""

_MAX_ANSWER_BYTES: Final = 64 * 1024
_UNKNOWN_LIFE_SECONDS: Final = 300.0
_MARGIN_SECONDS: Final = 60.0
_DIGEST_KEY: Final = secrets.token_bytes(32)
_REFUSED: Final = frozenset({400, 401, 403})


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; `life_seconds` from when it was given. `refresh`: the refresh token to use from now on."""

    value: str = field(repr=False)
    life_seconds: float = _UNKNOWN_LIFE_SECONDS
    refresh: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is asked for with. `basic`: the client signs in by HTTP, not in the form (RFC 6749 §2.3.1)."""

    token_url: str = field(repr=False)
    form: Mapping[str, str] = field(repr=False)
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    basic: bool = False

    def with_refresh(self, token: str) -> "Grant":
        """The same with another refresh token."""
        return replace(self, form={**self.form, "refresh_token": token})

    @property
    def digest(self) -> bytes:
        """Tells grants apart in memory; says nothing of what is in them."""
        parts = (self.token_url, sorted(self.form.items()), self.client_id, self.client_secret, self.basic)
        return hashlib.blake2b(json.dumps(parts).encode(), key=_DIGEST_KEY, digest_size=32).digest()


@dataclass(slots=True)
class _Slot:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: str = field(default="", repr=False)
    refresh: str = field(default="", repr=False)
    renew_at: float = 0.0


class TokenCache:
    """The tokens of one process. `clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # a lock belongs to the event loop that waits for it
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, OrderedDict[bytes, _Slot]] = WeakKeyDictionary()

    async def get(self, grant: Grant, ask: Callable[[Grant], Awaitable[Token]], *, refused: str = "") -> str:
        """A token that is good for a while, and is not the one that the source has `refused`.

        Where the provider gave out another refresh token, `ask` gets a grant with that one.

        Raises:
            as `ask`.
        """
        slot = self._slot(grant.digest)
        async with slot.lock:
            if not slot.token or slot.token == refused or self._clock() >= slot.renew_at:
                await self._renew(slot, grant, ask)
            return slot.token

    async def _renew(self, slot: _Slot, grant: Grant, ask: Callable[[Grant], Awaitable[Token]]) -> None:
        slot.token = ""
        try:
            given = await ask(grant.with_refresh(slot.refresh) if slot.refresh else grant)
        except CredentialsRejected:
            slot.refresh = ""  # the next one asks with the secret, which may have been renewed
            raise
        slot.renew_at = self._clock() + max(given.life_seconds - _MARGIN_SECONDS, given.life_seconds / 2)
        slot.token, slot.refresh = given.value, given.refresh or slot.refresh

    def _slot(self, digest: bytes) -> _Slot:
        slots = self._loops.setdefault(asyncio.get_running_loop(), OrderedDict())
        slot = slots.setdefault(digest, _Slot())
        slots.move_to_end(digest)
        if len(slots) > MAX_TOKENS:
            slots.popitem(last=False)
        return slot


class _Given(BaseModel):
    """RFC 6749 §5.1."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    access_token: str
    refresh_token: str = ""
    expires_in: float | None = None


async def ask_for_token(transport: Transport, grant: Grant) -> Token:
    """One request to the token endpoint.

    Raises:
        CredentialsRejected: the provider gives no token for this.
        SourceMisbehaved: the answer is no token.
        SourceUnavailable, SourceThrottled, SourceAddressWrong.
    """
    form, headers = dict(grant.form), {"accept": "application/json"}
    if grant.basic:
        pair = f"{quote_plus(grant.client_id)}:{quote_plus(grant.client_secret)}"
        headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    else:
        form |= {
            "client_id": grant.client_id,
            **({"client_secret": grant.client_secret} if grant.client_secret else {}),
        }
    headers["content-type"] = "application/x-www-form-urlencoded"
    body = urlencode(form).encode()
    try:
        answer = await transport.request(
            "POST", grant.token_url, headers=headers, body=body, accept=_REFUSED, max_bytes=_MAX_ANSWER_BYTES
        )
    except BodyTooLarge:
        raise SourceMisbehaved("the token endpoint's answer is no token") from None
    return _given(answer)


def _given(answer: Answer) -> Token:
    if answer.status == 403:
        raise refusal(answer)
    if answer.status in _REFUSED:
        raise CredentialsRejected("the token endpoint refused the grant; renew the secret, then resume the connection")
    try:
        given = _Given.model_validate_json(answer.body)
    except ValidationError:
        raise SourceMisbehaved("the token endpoint's answer is no token") from None
    if not given.access_token or not given.access_token.isascii() or not given.access_token.isprintable():
        raise SourceMisbehaved("the token endpoint's answer is no token")
    return Token(given.access_token, _life(given.expires_in), given.refresh_token)


def _life(expires_in: float | None) -> float:
    return expires_in if expires_in is not None and 0 < expires_in < 1e9 else _UNKNOWN_LIFE_SECONDS


TOKENS: Final = TokenCache()
"""Those of this process."""
