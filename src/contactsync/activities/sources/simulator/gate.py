"""Who may ask: the provider's ways to sign in, and its tokens."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from contactsync.activities.sources.query import Instant
from contactsync.activities.sources.simulator.clock import SECOND, Clock


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a request must carry. `secret` is the password, the token, the key, or the client's secret."""

    kind: Literal["none", "basic", "bearer", "header", "oauth"] = "none"
    user: str = "somebody"
    secret: str = "simulated"  # noqa: S105  # the made-up secret of a made-up provider
    header: str = "x-api-key"
    token_seconds: float = 1800.0
    refresh_token: str = "refresh-0"  # noqa: S105
    rotates: bool = False  # every refresh gives another refresh token and makes the one before it void


class Gate:
    """Checks requests, gives out access tokens (RFC 6749 §4.4 client credentials, §6 refresh)."""

    def __init__(self, sign_in: SignIn, clock: Clock) -> None:
        self._sign_in = sign_in
        self._clock = clock
        self._tokens: dict[str, Instant] = {}
        self._refresh_token = sign_in.refresh_token
        self._given = 0

    @property
    def given(self) -> int:
        """How many access tokens were given out."""
        return self._given

    def revoke(self) -> None:
        """Makes every access token void."""
        self._tokens.clear()

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Whether a request with these headers may pass."""
        authorization = headers.get("authorization", "")
        kind, secret = self._sign_in.kind, self._sign_in.secret
        if kind == "basic":
            pair = base64.b64encode(f"{self._sign_in.user}:{secret}".encode()).decode()
            return authorization == f"Basic {pair}"
        if kind == "header":
            return headers.get(self._sign_in.header, "") == secret
        if kind == "oauth":
            return self._tokens.get(authorization.removeprefix("Bearer "), 0) > self._clock.now()
        return kind == "none" or authorization == f"Bearer {secret}"

    def grant(self, form: Mapping[str, str]) -> dict[str, object] | None:
        """The answer of the token endpoint; None: it refuses."""
        if form.get("client_secret", self._sign_in.secret) != self._sign_in.secret:
            return None
        is_refresh = form.get("grant_type") == "refresh_token"
        if is_refresh and form.get("refresh_token") != self._refresh_token:
            return None
        self._given += 1
        token = f"access-{self._given}"
        self._tokens[token] = self._clock.now() + round(self._sign_in.token_seconds * SECOND)
        answer: dict[str, object] = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int(self._sign_in.token_seconds),
        }
        if is_refresh and self._sign_in.rotates:
            self._refresh_token = f"refresh-{self._given}"
            answer["refresh_token"] = self._refresh_token
        return answer
