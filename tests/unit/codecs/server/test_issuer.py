"""The issuer's keys: found, kept, renewed, and asked for no more often than needed."""

import asyncio
from pathlib import Path

import pytest
from tests.unit.codecs.server.signing import ISSUER, JWKS, Published, SigningKey

from contactsync.codecs.server.issuer import DISCOVERY_PATH, HttpFetch, IssuerKeys, IssuerUnavailable, KeyTimes
from contactsync.errors import SettingsError

TIMES = KeyTimes(ttl=300, pause=3, stale=1000)


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def published() -> Published:
    """An issuer with one key, `first`."""
    return Published([SigningKey("first")])


@pytest.fixture
def keys(published: Published, clock: Clock) -> IssuerKeys:
    """Its keys."""
    return IssuerKeys(ISSUER, published.fetch, times=TIMES, monotonic=clock)


async def kids(keys: IssuerKeys, kid: str = "first") -> list[str]:
    """The ids known when a token names this one."""
    return [key.kid for key in (await keys.knowing(kid)).keys]


async def test_keys_are_asked_for_once_in_a_while(keys: IssuerKeys, published: Published, clock: Clock) -> None:
    """Discovery and key set at the first token, then not before their time is over, however many ask."""
    assert await asyncio.gather(*(kids(keys) for _ in range(50))) == [["first"]] * 50
    assert published.asked == [ISSUER + DISCOVERY_PATH, JWKS]
    clock.now += 299
    assert await kids(keys) == ["first"]
    assert len(published.asked) == 2
    clock.now += 1
    assert await asyncio.gather(*(kids(keys) for _ in range(50))) == [["first"]] * 50
    assert len(published.asked) == 4


async def test_keys_that_stay_the_same_stay_the_same_object(keys: IssuerKeys, clock: Clock) -> None:
    """So that a token whose check is remembered is not checked anew for nothing."""
    before = await keys.current()
    clock.now += 300
    assert await keys.current() is before


async def test_a_rotated_key_is_known_within_seconds(keys: IssuerKeys, published: Published, clock: Clock) -> None:
    """A token under a key that was not there a moment ago makes the server look again."""
    assert await kids(keys) == ["first"]
    published.keys.append(SigningKey("second"))
    clock.now += 3
    assert await asyncio.gather(*(kids(keys, "second") for _ in range(50))) == [["first", "second"]] * 50
    assert len(published.asked) == 4


async def test_unknown_keys_do_not_make_it_ask_on_and_on(keys: IssuerKeys, published: Published, clock: Clock) -> None:
    """Tokens with made-up key ids cost the issuer one look in three seconds."""
    for number in range(1000):
        clock.now += 0.01
        assert await kids(keys, f"made-up-{number}") == ["first"]
    assert len(published.asked) <= 2 * 4


async def test_old_keys_serve_while_the_issuer_is_down(keys: IssuerKeys, published: Published, clock: Clock) -> None:
    """For an hour or so, asking again every few seconds; then nobody is let in; then all is well again."""
    assert await kids(keys) == ["first"]
    published.down = True
    clock.now += 300
    assert await kids(keys) == ["first"]
    assert len(published.asked) == 3
    clock.now += 2
    assert await kids(keys) == ["first"]
    assert len(published.asked) == 3
    clock.now += 998
    with pytest.raises(IssuerUnavailable):
        await keys.current()
    published.down = False
    clock.now += 3
    assert await kids(keys) == ["first"]


async def test_an_issuer_that_is_down_from_the_start(keys: IssuerKeys, published: Published, clock: Clock) -> None:
    """Nobody is let in, and it is left alone between tries."""
    published.down = True
    for _ in range(10):
        with pytest.raises(IssuerUnavailable):
            await keys.knowing("first")
    assert len(published.asked) == 1
    published.down = False
    clock.now += 3
    assert await kids(keys) == ["first"]


async def test_one_who_gives_up_leaves_the_others_served(published: Published, clock: Clock) -> None:
    """If whoever asks the issuer for all is cancelled, the next one asks."""
    entered = asyncio.Event()

    async def slow_once(url: str) -> bytes:
        if not entered.is_set():
            entered.set()
            await asyncio.Event().wait()
        return await published.fetch(url)

    keys = IssuerKeys(ISSUER, slow_once, times=TIMES, monotonic=clock)
    first = asyncio.create_task(keys.current())
    await entered.wait()
    second = asyncio.create_task(keys.current())
    await asyncio.sleep(0)
    first.cancel()
    assert [key.kid for key in (await second).keys] == ["first"]


@pytest.mark.parametrize(
    "configuration",
    [
        {"issuer": f"{ISSUER}/", "jwks_uri": JWKS},
        {"issuer": "https://other.example.com", "jwks_uri": JWKS},
        {"issuer": ISSUER, "jwks_uri": "http://issuer.example.com/keys"},
        {"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"},
        {"issuer": ISSUER, "jwks_uri": 5},
        {"issuer": ISSUER},
        {},
    ],
)
async def test_a_configuration_that_is_not_the_issuers(
    keys: IssuerKeys, published: Published, configuration: dict[str, object]
) -> None:
    """Another issuer's, or one whose keys would come in clear: nobody is let in."""
    published.configuration = configuration
    with pytest.raises(IssuerUnavailable):
        await keys.current()


@pytest.mark.parametrize("key_set", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[' + b"{}," * 100 + b"{}]}"])
async def test_a_key_set_that_is_none(keys: IssuerKeys, published: Published, key_set: bytes) -> None:
    """No JWK Set, or one of over a hundred keys."""
    published.key_set = key_set or b" "
    with pytest.raises(IssuerUnavailable):
        await keys.current()


async def test_members_that_are_no_keys_are_passed_over(keys: IssuerKeys, published: Published) -> None:
    """Kinds of keys that are yet to come do not shut everybody out."""
    published.key_set = b'{"keys":[5,{"kty":"new"},{"kty":"RSA","kid":1},{"kty":"AKP","kid":"later","pub":"x"}]}'
    assert [key.kid for key in (await keys.current()).keys] == ["later"]


@pytest.mark.parametrize(
    "issuer",
    ["", "issuer", "http://issuer.example.com", "ftp://x", "https://", "https://a@b", "https://a?b", "https://a#b"],
)
def test_an_issuer_that_is_none_is_a_settings_error(published: Published, issuer: str) -> None:
    """Https, or this machine; nothing that tokens could not say."""
    with pytest.raises(SettingsError):
        IssuerKeys(issuer, published.fetch)


def test_an_issuer_on_this_machine_may_speak_http(published: Published) -> None:
    """For tests and trials."""
    IssuerKeys("http://127.0.0.1:3000", published.fetch)


def test_a_ca_file_that_is_none_is_a_settings_error(tmp_path: Path) -> None:
    """It is said at the start, not at the first token."""
    with pytest.raises(SettingsError):
        HttpFetch.trusting(tmp_path / "missing.pem")
