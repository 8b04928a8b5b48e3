"""An OAuth provider that rotates refresh tokens, as strict as RFC 9700 §4.14.2 asks: what comes twice ends them all."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.unit.rest.apis import Api, Reply, Seen, api, described

FIRST = "planted-refresh-0"


@dataclass(slots=True)
class Rotating:
    """Each refresh gives out another refresh token and ends the access token before it. `before`: runs in each."""

    refreshes: int = 0
    valid: str = ""
    refresh: str = FIRST
    is_revoked: bool = False
    sent: list[str] = field(default_factory=list[str])
    before: Callable[[], None] = lambda: None

    def answer(self, seen: Seen) -> Reply:
        """The token endpoint's answer, and the API's."""
        if seen.path == "/token":
            return self._refreshed(seen.form["refresh_token"])
        is_let_in = seen.headers.get("authorization") == f"Bearer {self.valid}" and not self.is_revoked
        return Reply({"items": [{"id": "1", "email": "ada@example.com"}]}, 200) if is_let_in else Reply({}, 401)

    def _refreshed(self, sent: str) -> Reply:
        self.before()
        self.sent.append(sent)
        if sent != self.refresh:
            self.is_revoked = True
        if self.is_revoked:
            return Reply({"error": "invalid_grant"}, 400)
        self.refreshes += 1
        self.valid = f"planted-access-{self.refreshes}"
        self.refresh = f"planted-refresh-{self.refreshes}"
        return Reply({"access_token": self.valid, "refresh_token": self.refresh, "expires_in": 3600})


@asynccontextmanager
async def rotating() -> AsyncGenerator[tuple[Rotating, Api]]:
    """A provider that is served."""
    provider = Rotating()
    async with api(provider.answer) as there:
        yield provider, there


def connected(there: Api) -> dict[str, object]:
    """The settings of a connection to it."""
    auth = {"kind": "refresh_token", "token_url": f"{there.url}token", "client_id": "client"}
    return described(there.url, auth=auth, allow_http=True)
