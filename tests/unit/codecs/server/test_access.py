"""Who is let in, and where the codec server may listen."""

import pytest

from contactsync.codecs.server.access import Access, LoopbackAccess, TokenAccess, check_bind, is_loopback
from contactsync.errors import SettingsError

TOKEN = TokenAccess("a-token")


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ("Bearer a-token", True),
        ("Bearer a-tokem", False),
        ("Bearer a-token ", False),
        ("bearer a-token", False),
        ("a-token", False),
        ("Basic a-token", False),
        ("Bearer é", False),
        ("Bearer " + "x" * 10_000, False),
        ("", False),
    ],
)
async def test_the_token_is_compared_exactly(header: str, *, known: bool) -> None:
    """One token, one spelling."""
    assert (await TOKEN.operator({"authorization": header}) is not None) == known


async def test_no_header_is_nobody() -> None:
    """Without a token nobody is let in, on loopback everybody."""
    assert await TOKEN.operator({}) is None
    assert await LoopbackAccess().operator({}) is not None


@pytest.mark.parametrize("token", ["", " ", "two words", "é", "x" * 8193, "line\n"])
def test_a_token_that_cannot_be_sent_is_refused(token: str) -> None:
    """A token file with nothing in it must not let everybody in."""
    with pytest.raises(SettingsError):
        TokenAccess(token)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),  # noqa: S104  # refused is what is tested
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_what_counts_as_this_machine(host: str, *, loopback: bool) -> None:
    """Loopback addresses and `localhost`, nothing that a name could point to."""
    assert is_loopback(host) == loopback


@pytest.mark.parametrize(
    ("host", "access", "tls", "behind_proxy", "allowed"),
    [
        ("127.0.0.1", LoopbackAccess(), False, False, True),
        ("127.0.0.1", TOKEN, False, False, True),
        ("0.0.0.0", LoopbackAccess(), True, True, False),  # noqa: S104
        ("0.0.0.0", TOKEN, False, False, False),  # noqa: S104
        ("0.0.0.0", TOKEN, True, False, True),  # noqa: S104
        ("0.0.0.0", TOKEN, False, True, True),  # noqa: S104
    ],
)
def test_where_it_may_listen(host: str, access: Access, *, tls: bool, behind_proxy: bool, allowed: bool) -> None:
    """Beyond this machine only with a token, and with TLS or a proxy that does it."""
    if allowed:
        check_bind(host, access, tls=tls, behind_proxy=behind_proxy)
    else:
        with pytest.raises(SettingsError):
            check_bind(host, access, tls=tls, behind_proxy=behind_proxy)
