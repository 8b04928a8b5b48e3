"""Whose tokens are let in, and what they entitle to."""

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.unit.codecs.server.signing import AUDIENCE, ISSUER, NOW, Published, SigningKey, segment, signed

from contactsync.codecs.server.access import Operator
from contactsync.codecs.server.issuer import IssuerKeys, IssuerUnavailable, KeyTimes
from contactsync.codecs.server.jose import MAX_TOKEN_BYTES
from contactsync.codecs.server.oidc import OidcAccess, OidcRules
from contactsync.codecs.server.roles import EVERYBODY
from contactsync.errors import SettingsError

KEY, OTHER_KEY = SigningKey(), SigningKey()
USUAL = {"iss": ISSUER, "aud": AUDIENCE, "sub": "s", "exp": NOW + 9, "iat": NOW}


class Times:
    """The time of day and the seconds since some moment, which pass together."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def clock(self) -> datetime:
        """The time of day."""
        return datetime.fromtimestamp(self.now, UTC)

    def monotonic(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def times() -> Times:
    """Time that stands still."""
    return Times()


@pytest.fixture
def published() -> Published:
    """An issuer with one key."""
    return Published([KEY])


@pytest.fixture
def access(published: Published, times: Times) -> OidcAccess:
    """Access by its tokens."""
    keys = IssuerKeys(ISSUER, published.fetch, times=KeyTimes(), monotonic=times.monotonic)
    return OidcAccess(OidcRules(ISSUER, AUDIENCE), keys, times.clock)


async def let_in(access: OidcAccess, token: str, scheme: str = "Bearer") -> Operator | None:
    """Who that is."""
    return await access.operator({"authorization": f"{scheme} {token}"})


async def test_a_token_of_the_issuer_is_let_in(access: OidcAccess) -> None:
    """Its subject is opaque, and its roles are what it says."""
    operator = await let_in(access, KEY.token({"roles": ["operator"]}))
    assert operator is not None
    assert operator.subject == "oidc/" + hashlib.sha256(f"{ISSUER}someone".encode()).hexdigest()[:16]
    assert operator.grants.masked == EVERYBODY


@pytest.mark.parametrize("typ", ["at+jwt", "JWT", "application/at+jwt", "AT+JWT", None])
async def test_types_of_tokens(access: OidcAccess, typ: str | None) -> None:
    """Those of RFC 9068, and those of providers that came before it."""
    assert await let_in(access, KEY.token(typ=typ) if typ else without_type()) is not None


def without_type() -> str:
    """A token without `typ`."""
    return KEY.token(typ="")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example.com"},
        {"iss": f"{ISSUER}/"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another", "third"]},
        {"aud": []},
        {"aud": None},
        {"aud": AUDIENCE + "x"},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"exp": None},
        {"exp": NOW - 30},
        {"iat": None},
        {"iat": NOW + 31},
        {"nbf": NOW + 31},
    ],
    ids=str,
)
async def test_claims_that_every_token_must_have(access: OidcAccess, claims: dict[str, object]) -> None:
    """Of this issuer, for us, of somebody, and now."""
    assert await let_in(access, KEY.token(claims)) is None


@pytest.mark.parametrize(
    "claims",
    [{"aud": ["another", AUDIENCE]}, {"exp": NOW - 29}, {"iat": NOW + 30, "nbf": NOW + 30}, {"exp": 1e12}],
    ids=str,
)
async def test_claims_at_the_edge(access: OidcAccess, claims: dict[str, object]) -> None:
    """Several audiences are fine, and clocks may be half a minute apart."""
    assert await let_in(access, KEY.token(claims)) is not None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"5",
        b"{",
        b'{"exp":NaN}',
        json.dumps({"iss": ISSUER, "aud": AUDIENCE, "sub": "s", "exp": True, "iat": NOW}).encode(),
        json.dumps({"iss": ISSUER, "aud": AUDIENCE, "sub": "s", "exp": str(NOW + 9), "iat": NOW}).encode(),
        (
            json.dumps({"iss": ISSUER, "aud": AUDIENCE, "sub": "s", "exp": NOW + 9, "iat": NOW})[:-1] + ',"sub":"t"}'
        ).encode(),
        b'{"exp":1e999}',
        b"[" * 3000,
        b"\xff",
    ],
)
async def test_what_is_signed_must_be_claims(access: OidcAccess, payload: bytes) -> None:
    """Signed rightly, and no claims: refused without a word about why."""
    token = jwt.PyJWS().encode(payload, KEY.private, "ES256", {"kid": KEY.kid})
    assert await let_in(access, token) is None


def forged() -> dict[str, str]:
    """Tokens that must not be let in, by what is wrong with them."""
    good = KEY.token({"roles": ["privacy"]})
    header, payload, signature = good.split(".")
    claims = USUAL
    public = KEY.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    symmetric = f"{segment({'alg': 'HS256', 'kid': KEY.kid})}.{segment(claims)}"
    rsa_key = rsa.generate_private_key(65537, 2048)
    embedded = {**OTHER_KEY.jwk, "kid": KEY.kid}
    twice = f'{{"alg":"none","kid":"{KEY.kid}","alg":"ES256"}}'.encode()
    usual = {"alg": "ES256", "kid": KEY.kid}
    return {
        "no signature": f"{header}.{payload}.",
        "none": f"{segment({'alg': 'none', 'kid': KEY.kid})}.{segment(claims)}.",
        "none with a signature": f"{segment({'alg': 'none', 'kid': KEY.kid})}.{segment(claims)}.{signature}",
        "symmetric, under the public key": f"{symmetric}.{segment(hmac.digest(public, symmetric.encode(), 'sha256'))}",
        "another's signature": OTHER_KEY.token(kid=KEY.kid),
        "a key of its own": OTHER_KEY.token(kid=KEY.kid, jwk=embedded),
        "a key set of its own": OTHER_KEY.token(kid=KEY.kid, jku="https://evil.example.com/keys"),
        "a certificate of its own": OTHER_KEY.token(kid=KEY.kid, x5u="https://evil.example.com/c", x5c=["MII"]),
        "another algorithm than the key's": jwt.encode(claims, rsa_key, "RS256", {"kid": KEY.kid}),
        "unknown key": OTHER_KEY.token(),
        "no key id": KEY.token(kid=None),
        "an empty key id": KEY.token(kid=""),
        "an extension": signed(KEY, {**usual, "crit": ["b64"], "b64": True}, claims),
        "an extension in no list": signed(KEY, {**usual, "b64": True}, claims),
        "a type of another kind": KEY.token(typ="logout+jwt"),
        "claims changed": f"{header}.{segment({**claims, 'roles': ['privacy']})}.{signature}",
        "header changed": f"{segment({'alg': 'ES256', 'kid': KEY.kid, 'x': 1})}.{payload}.{signature}",
        "header is a list": f"{segment([])}.{payload}.{signature}",
        "header with a key twice": signed(KEY, twice, claims),
        "a part more": f"{good}.{signature}",
        "a part less": f"{header}.{payload}",
        "padding": f"{good}=",
        "a line end": f"{good}\n",
        "a space inside": good.replace(".", ". ", 1),
        "not ASCII": good + "é",
        "JSON serialization": json.dumps({"payload": payload, "signature": signature, "protected": header}),
        "too long": KEY.token({"filler": "x" * MAX_TOKEN_BYTES}),
        "nothing": "",
        "dots": "..",
    }


async def test_what_signed_makes_is_right(access: OidcAccess) -> None:
    """So that what is refused below is refused for what is wrong with it."""
    assert await let_in(access, signed(KEY, {"alg": "ES256", "kid": KEY.kid}, USUAL)) is not None


@pytest.mark.parametrize("wrong", forged())
async def test_forged_tokens_are_nobodys(access: OidcAccess, published: Published, wrong: str) -> None:
    """And whatever a token brings along to be checked with is not looked at."""
    assert await let_in(access, forged()[wrong]) is None
    assert all(url.startswith(ISSUER) for url in published.asked)


@pytest.mark.parametrize("scheme", ["Basic", "", "Bearer Bearer", "DPoP"])
async def test_only_bearer_tokens(access: OidcAccess, scheme: str) -> None:
    """Other schemes are nobody's; the name's case does not matter."""
    assert await let_in(access, KEY.token(), scheme) is None
    assert await let_in(access, KEY.token(), "bEARER") is not None
    assert await access.operator({}) is None


async def test_a_token_ends_though_it_is_remembered(access: OidcAccess, times: Times) -> None:
    """Its end is looked at each time."""
    token = KEY.token({"exp": NOW + 10})
    assert await let_in(access, token) is not None
    times.now += 39
    assert await let_in(access, token) is not None
    times.now += 1
    assert await let_in(access, token) is None


async def test_a_withdrawn_key_ends_its_tokens(access: OidcAccess, published: Published, times: Times) -> None:
    """Once the issuer no longer publishes it, within minutes, remembered or not."""
    token = KEY.token({"exp": NOW + 10_000})
    assert await let_in(access, token) is not None
    published.keys = [OTHER_KEY]
    times.now += 300
    assert await let_in(access, token) is None


async def test_a_new_key_is_let_in_within_seconds(access: OidcAccess, published: Published, times: Times) -> None:
    """No restart, no waiting for the old keys' time to be over."""
    assert await let_in(access, KEY.token()) is not None
    new = SigningKey()
    published.keys.append(new)
    times.now += 3
    assert await let_in(access, new.token()) is not None


async def test_a_remembered_token_is_not_checked_again(access: OidcAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of requests with one token cost one signature's check."""
    token = KEY.token({"roles": ["operator"]})
    first = await let_in(access, token)
    monkeypatch.setattr("contactsync.codecs.server.jose.PyJWK", None)
    assert await let_in(access, token) is first
    assert await let_in(access, KEY.token({"jti": "other"})) is None


async def test_memory_of_tokens_is_bounded(access: OidcAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gets new tokens again and again fills nothing."""
    monkeypatch.setattr("contactsync.codecs.server.oidc.REMEMBERED", 3)
    for number in range(10):
        assert await let_in(access, KEY.token({"jti": str(number)})) is not None
    assert len(access) == 3


async def test_an_issuer_that_is_down_is_not_a_wrong_token(access: OidcAccess, published: Published) -> None:
    """The answer is 503, which is asked again, not 401."""
    published.down = True
    with pytest.raises(IssuerUnavailable):
        await let_in(access, KEY.token())


async def test_refusals_are_logged_by_code_only(access: OidcAccess, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever sets it up sees what is wrong, and no token."""
    token = KEY.token({"aud": "planted"})
    assert await let_in(access, token) is None
    out = "".join(capsys.readouterr())
    assert re.search(r"code\W+audience", re.sub(r"\x1b\[\d+m", "", out))
    assert "planted" not in out
    assert token not in out


def test_an_audience_is_needed() -> None:
    """Without one, a token for any other service of the company would open payloads."""
    with pytest.raises(SettingsError):
        OidcRules(ISSUER, "")


@pytest.mark.parametrize(
    ("change", "usable"),
    [
        ({}, True),
        ({"alg": None}, True),
        ({"use": None, "key_ops": ["verify"]}, True),
        ({"use": "enc"}, False),
        ({"key_ops": ["sign"]}, False),
        ({"alg": "ES384"}, False),
        ({"crv": "P-384"}, False),
        ({"kty": "RSA"}, False),
        ({"x": "AAAA"}, False),
        ({"x": None}, False),
        ({"d": "AAAA"}, False),
    ],
    ids=str,
)
async def test_a_key_must_be_meant_for_this(
    access: OidcAccess, published: Published, change: dict[str, Any], *, usable: bool
) -> None:
    """Its use, operations, algorithm and kind; a private key that was published is none."""
    published.key_set = json.dumps(
        {"keys": [{k: v for k, v in {**KEY.jwk, **change}.items() if v is not None}]}
    ).encode()
    assert (await let_in(access, KEY.token()) is not None) == usable


async def test_two_keys_of_one_id_are_none(access: OidcAccess, published: Published) -> None:
    """It is not for us to guess which."""
    published.keys = [KEY, SigningKey(KEY.kid)]
    assert await let_in(access, KEY.token()) is None


def test_times_are_what_they_are_said_to_be() -> None:
    """Rotated keys within seconds: the pause between looks is short, the time they are kept is minutes."""
    assert timedelta(seconds=KeyTimes().pause) <= timedelta(seconds=5)
    assert timedelta(seconds=KeyTimes().ttl) <= timedelta(minutes=5)
