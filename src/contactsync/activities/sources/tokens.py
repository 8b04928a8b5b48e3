"""OAuth 2 access tokens (RFC 6749) of one connection: which one is held, and when another must be asked for.

A provider may end one token when it gives out the next, refresh tokens too, so that two refreshes at the same time
would end each other's. Whoever holds tokens therefore lets one ask while all others wait: `store/oauth_tokens.py` for
all processes, `MemoryTokens` where there is no connection yet.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Member

from contactsync.errors import CredentialsRejected

UNKNOWN_LIFE_SECONDS: Final = 300.0
REFUSAL_SECONDS: Final = 5.0
"""A refusal speaks for those who wait meanwhile; whoever comes later asks again."""

_MARGIN_SECONDS: Final = 60.0
_REFRESH: Final = "refresh_token"


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; `life_seconds` from when it was given. `refresh`: the refresh token to use from now on."""

    value: str = field(repr=False)
    life_seconds: float = UNKNOWN_LIFE_SECONDS
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
        return replace(self, form={**self.form, _REFRESH: token})

    @property
    def digest(self) -> str:
        """Tells grants apart. It is kept in memory, or sealed beside the tokens themselves, and nowhere else."""
        return _digest(self.token_url, sorted(self.form.items()), self.client_id, self.client_secret, self.basic)

    @property
    def seed(self) -> str:
        """Tells apart the refresh tokens that connections began with; "" for a grant without one.

        A client whose own secret, scope or way of signing in changes goes on with the newest refresh token.
        """
        began_with = self.form.get(_REFRESH, "")
        return _digest(self.token_url, self.client_id, began_with) if began_with else ""


Ask = Callable[[Grant], Awaitable[Token]]
"""One request to the token endpoint."""


class Held(BaseModel):
    """What is held of a connection. Times in seconds since the epoch.

    `refresh` is the newest refresh token of the line that began with `seed`; `access` was given for `grant`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    seed: str = Member(default="", repr=False)
    grant: str = Member(default="", repr=False)
    access: str = Member(default="", repr=False)
    refresh: str = Member(default="", repr=False)
    renew_at: float = 0.0
    refused_until: float = 0.0

    def token_for(self, grant: Grant, now: float, refused: str) -> str:
        """A token that is good for a while and is not the `refused` one; "" where another must be asked for.

        Raises:
            CredentialsRejected: the provider has just refused to give one for this grant.
        """
        if self.grant != grant.digest:
            return ""
        if now < self.refused_until:
            raise CredentialsRejected(REFUSED)
        return self.access if self.access != refused and now < self.renew_at else ""

    def following(self, grant: Grant) -> Grant:
        """The grant with the newest refresh token of its line."""
        return grant.with_refresh(self.refresh) if self._newest(grant) else grant

    def given(self, grant: Grant, token: Token, now: float) -> "Held":
        """What is held once the provider gave `token`."""
        life = token.life_seconds
        return Held(
            seed=grant.seed,
            grant=grant.digest,
            access=token.value,
            refresh=(token.refresh or self._newest(grant)) if grant.seed else "",
            renew_at=now + max(life - _MARGIN_SECONDS, life / 2),
        )

    def refused(self, grant: Grant, now: float) -> "Held":
        """What is held once the provider refused. The refresh token stays: the client's secret may be what is wrong."""
        return Held(
            seed=grant.seed,
            grant=grant.digest,
            refresh=self._newest(grant),
            refused_until=now + REFUSAL_SECONDS,
        )

    def _newest(self, grant: Grant) -> str:
        return self.refresh if grant.seed and self.seed == grant.seed else ""


REFUSED: Final = "the token endpoint refused the grant; renew the secret, then resume the connection"


class Tokens(Protocol):
    """Lends a connection's access token."""

    async def get(self, grant: Grant, ask: Ask, *, refused: str = "") -> str:
        """A token that is good for a while, and is not the one that the source has `refused`.

        Where the provider gave out another refresh token, `ask` gets a grant with that one.

        Raises:
            as `ask`.
        """
        ...


class MemoryTokens:
    """Tokens for as long as one command or test: `held` is what a connection would go on with."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.held = Held()
        self._clock = clock
        self._lock = asyncio.Lock()

    async def get(self, grant: Grant, ask: Ask, *, refused: str = "") -> str:
        """See `Tokens.get`."""
        async with self._lock:
            return self.held.token_for(grant, self._clock(), refused) or await self._renewed(grant, ask)

    async def _renewed(self, grant: Grant, ask: Ask) -> str:
        try:
            token = await ask(self.held.following(grant))
        except CredentialsRejected:
            self.held = self.held.refused(grant, self._clock())
            raise
        self.held = self.held.given(grant, token, self._clock())
        return token.value


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
