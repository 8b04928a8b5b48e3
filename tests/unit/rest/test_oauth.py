"""Access tokens: one request for all who need one, and nothing of them anywhere else."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest
from tests.unit.rest.apis import PLANTED, SECRET, Api, Reply, Seen, api, described, opened

from contactsync.activities.sources.source import PageLimits
from contactsync.activities.sources.tokens import REFUSAL_SECONDS, Grant, Held, MemoryTokens, Token
from contactsync.errors import (
    CredentialsRejected,
    SecretUnavailable,
    SourceError,
    SourceMisbehaved,
    SourceThrottled,
    SourceUnavailable,
)


@dataclass(slots=True)
class Provider:
    """Gives tokens out and takes the newest only; `rotates` refresh tokens too."""

    given: int = 0
    valid: str = ""
    refresh: str = SECRET
    rotates: bool = False
    expires_in: float | None = 3600
    forms: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    def answer(self, seen: Seen) -> Reply:
        """The API's and the token endpoint's answers."""
        if seen.path != "/token":
            return Reply({"items": []}, 200 if seen.headers.get("authorization") == f"Bearer {self.valid}" else 401)
        self.forms.append(seen.form)
        if seen.form["grant_type"] == "refresh_token" and seen.form["refresh_token"] != self.refresh:
            return Reply({"error": "invalid_grant", "error_description": PLANTED}, 400)
        self.given += 1
        self.valid = f"access-{self.given}"
        told: dict[str, str | float | None] = {"access_token": self.valid, "expires_in": self.expires_in}
        if self.rotates:
            self.refresh = f"refresh-{self.given}"
            told["refresh_token"] = self.refresh
        return Reply({**told})


def auth(there: Api, **further: object) -> dict[str, object]:
    """How to sign in there."""
    return {"kind": "client_credentials", "token_url": there.url + "token", "client_id": "client", **further}


async def ask(there: Api, tokens: MemoryTokens, *, secret: str = SECRET, **further: object) -> None:
    """One page, as an activity of its own asks for it."""
    async with opened(described(there.url, auth=auth(there, **further)), secret=secret, tokens=tokens) as source:
        await source.list_page(None, None, PageLimits())


async def test_one_request_for_all() -> None:
    """Fifty activities that need a token at the same time ask for one together."""
    provider, tokens = Provider(), MemoryTokens()
    async with api(provider.answer) as there:
        await asyncio.gather(*(ask(there, tokens) for _ in range(50)))
    assert provider.given == 1


async def test_one_refresh_for_all() -> None:
    """Fifty activities whose token was refused get one new token together."""
    provider, tokens = Provider(), MemoryTokens()
    async with api(provider.answer) as there:
        await ask(there, tokens)
        provider.valid = "revoked"
        await asyncio.gather(*(ask(there, tokens) for _ in range(50)))
    assert provider.given == 2


async def test_a_second_refusal_is_final() -> None:
    """A new token that is refused as well means that the credentials are; nothing is asked a third time."""
    requests: list[str] = []

    def reply(seen: Seen) -> Reply:
        requests.append(seen.path)
        return Reply({"access_token": f"t{len(requests)}"}) if seen.path == "/token" else Reply({}, 401)

    async with api(reply) as there:
        with pytest.raises(CredentialsRejected):
            await ask(there, MemoryTokens())
    assert requests == ["/token", "/contacts", "/token", "/contacts"]


async def test_rotated_refresh_tokens() -> None:
    """Where each refresh gives out another refresh token, the process goes on with the newest."""
    provider, tokens = Provider(rotates=True), MemoryTokens()
    async with api(provider.answer) as there:
        for _ in range(4):
            provider.valid = "revoked"
            await ask(there, tokens, kind="refresh_token")
    assert [form["refresh_token"] for form in provider.forms] == [SECRET, "refresh-1", "refresh-2", "refresh-3"]


async def test_a_renewed_secret_is_heard() -> None:
    """After a refusal a secret that a person renewed is asked with at once."""
    provider, tokens = Provider(rotates=True), MemoryTokens()
    async with api(provider.answer) as there:
        await ask(there, tokens, kind="refresh_token")
        provider.refresh, provider.valid = "granted anew", "revoked"
        with pytest.raises(CredentialsRejected):
            await ask(there, tokens, kind="refresh_token")
        await ask(there, tokens, kind="refresh_token", secret="granted anew")
    assert [form["refresh_token"] for form in provider.forms] == [SECRET, "refresh-1", "granted anew"]


async def test_a_renewed_client_secret_goes_on() -> None:
    """A client whose own secret was wrong goes on with the newest refresh token, not with the first one."""
    tokens = MemoryTokens(clock := Clock())
    first, renewed = REFRESHING, replace(REFRESHING, client_secret="right")
    assert await tokens.get(first, rotating) == "access for first"
    clock.now = 3600

    async def refuse(_grant: Grant) -> Token:
        raise CredentialsRejected

    with pytest.raises(CredentialsRejected):
        await tokens.get(first, refuse)
    assert await tokens.get(renewed, rotating) == "access for next after first"


async def test_a_refusal_speaks_for_those_who_wait() -> None:
    """Fifty activities whose grant is refused ask once together; a while later it is asked again."""
    tokens, asked = MemoryTokens(clock := Clock()), list[int]()

    async def refuse(_grant: Grant) -> Token:
        asked.append(1)
        await asyncio.sleep(0)
        raise CredentialsRejected

    told = await asyncio.gather(*(tokens.get(GRANT, refuse) for _ in range(50)), return_exceptions=True)
    assert {type(each) for each in told} == {CredentialsRejected}
    assert len(asked) == 1
    clock.now += REFUSAL_SECONDS
    with pytest.raises(CredentialsRejected):
        await tokens.get(GRANT, refuse)
    assert len(asked) == 2


@pytest.mark.parametrize("client_auth", ["body", "basic"])
async def test_the_form(client_auth: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both grants send what RFC 6749 says, with the client in the form or in the header."""
    monkeypatch.setenv("CLIENT_SECRET", "s:e&c")
    provider = Provider()
    async with api(provider.answer) as there:
        common = {"scope": "a b", "client_auth": client_auth}
        await ask(there, MemoryTokens(), **common, extra={"audience": "x"})
        await ask(there, MemoryTokens(), **common, kind="refresh_token", client_secret="env:CLIENT_SECRET")
    headers = [seen.headers.get("authorization") for seen in there.seen if seen.path == "/token"]
    client = [{"client_id": "client", "client_secret": secret} for secret in (SECRET, "s:e&c")]
    in_form = client_auth == "body"
    assert provider.forms == [
        {"grant_type": "client_credentials", "scope": "a b", "audience": "x", **(client[0] if in_form else {})},
        {"grant_type": "refresh_token", "scope": "a b", "refresh_token": SECRET, **(client[1] if in_form else {})},
    ]
    assert (
        headers == [None, None]
        if in_form
        else headers
        == [
            "Basic Y2xpZW50OnBsYW50ZWQtc2VjcmV0",
            "Basic Y2xpZW50OnMlM0FlJTI2Yw==",  # each half is form-encoded first (RFC 6749 §2.3.1)
        ]
    )


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply({"error": "invalid_grant", "error_description": PLANTED}, 400), CredentialsRejected),
        (Reply({"error": PLANTED}, 401), CredentialsRejected),
        (Reply({"error": PLANTED}, 403), CredentialsRejected),
        (Reply({"error": PLANTED}, 429), SourceThrottled),
        (Reply(PLANTED.encode(), 500), SourceUnavailable),
        (Reply(PLANTED.encode()), SourceMisbehaved),
        (Reply({"token": PLANTED}), SourceMisbehaved),
        (Reply({"access_token": ""}), SourceMisbehaved),
        (Reply({"access_token": "a\r\nX-Evil: 1"}), SourceMisbehaved),
        (Reply(b"x" * 100_000), SourceMisbehaved),
    ],
)
async def test_p24_answers_of_the_token_endpoint(reply: Reply, expected: type[SourceError]) -> None:
    """P24: what the token endpoint says instead of a token is an error of its kind, without a word of it."""
    async with api(lambda _: reply) as there:
        with pytest.raises(SourceError) as caught:
            await ask(there, MemoryTokens())
    assert type(caught.value) is expected
    assert PLANTED not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_missing_client_secret() -> None:
    """The client's secret is a reference, and a missing one waits to be put back."""
    async with api(Provider().answer) as there:
        with pytest.raises(SecretUnavailable):
            await ask(there, MemoryTokens(), kind="refresh_token", client_secret="env:NOT_SET_ANYWHERE")


GRANT = Grant("https://t.example/", {"grant_type": "x"}, "client", SECRET)
REFRESHING = Grant("https://t.example/", {"grant_type": "refresh_token", "refresh_token": "first"}, "client", "wrong")


async def rotating(grant: Grant) -> Token:
    """A token, and another refresh token, that tell what they were given for."""
    sent = grant.form["refresh_token"]
    return Token(f"access for {sent}", 3600, f"next after {sent}")


@dataclass(slots=True)
class Clock:
    """Stands still until it is moved."""

    now: float = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def counting(life: float) -> tuple[list[int], Callable[[Grant], Awaitable[Token]]]:
    """Gives numbered tokens of this life, and how many it gave."""
    given: list[int] = []

    async def give(_grant: Grant) -> Token:
        given.append(len(given))
        return Token(f"t{len(given)}", life)

    return given, give


@pytest.mark.parametrize(("life", "kept"), [(3600.0, 3539.0), (10.0, 4.9)])
async def test_tokens_are_renewed_before_they_end(life: float, kept: float) -> None:
    """A token is used for most of its life, and renewed a minute, or half of it, before it ends."""
    clock = Clock()
    tokens = MemoryTokens(clock)
    given, give = counting(life)
    assert await tokens.get(GRANT, give) == "t1"
    clock.now = kept
    assert await tokens.get(GRANT, give) == "t1"
    clock.now = life - min(60, life / 2)
    assert await tokens.get(GRANT, give) == "t2"
    assert len(given) == 2


async def test_grants_do_not_share_tokens() -> None:
    """Another account, client, secret or scope is not given the token of the one before."""
    tokens = MemoryTokens()
    given, give = counting(3600)
    others = [
        GRANT,
        Grant("https://u.example/", GRANT.form, "client", SECRET),
        Grant(GRANT.token_url, GRANT.form, "other", SECRET),
        Grant(GRANT.token_url, GRANT.form, "client", "another"),
        Grant(GRANT.token_url, {"grant_type": "x", "scope": "y"}, "client", SECRET),
    ]
    assert len({await tokens.get(grant, give) for grant in others}) == len(given) == len(others)


async def test_who_waits_takes_over() -> None:
    """An activity that is cancelled or fails while it asks leaves the next one to ask, and no token of before."""
    tokens = MemoryTokens()
    asking = asyncio.Event()

    async def never(_grant: Grant) -> Token:
        asking.set()
        await asyncio.Event().wait()
        raise AssertionError

    first = asyncio.create_task(tokens.get(GRANT, never))
    await asking.wait()
    _, give = counting(3600)
    second = asyncio.create_task(tokens.get(GRANT, give))
    first.cancel()
    assert await second == "t1"


def test_nothing_of_a_token_is_shown() -> None:
    """Neither a grant, nor a token, nor what is held shows what is in it."""
    for each in (GRANT, Token(SECRET, 1.0, SECRET), Held(access=SECRET, refresh=SECRET), GRANT.digest, GRANT.seed):
        assert SECRET not in repr(each)
        assert SECRET not in str(each)
