"""Whom the codec server lets in, as the settings say."""

from pathlib import Path

import pytest

from contactsync.codecs.server.access import LoopbackAccess, TokenAccess, check_bind
from contactsync.codecs.server.oidc import OidcAccess
from contactsync.errors import SettingsError
from contactsync.workers.codec_server import access_of
from contactsync.workers.settings import Settings

ISSUER = "https://issuer.example.com"


def settings(**values: object) -> Settings:
    """These settings."""
    return Settings.model_validate(values)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """A file with a token."""
    path = tmp_path / "token"
    path.write_text("a-token\n")
    return path


async def test_one_of_three(token_file: Path) -> None:
    """An issuer's tokens, one token, or whoever is on this machine."""
    assert isinstance(await access_of(settings()), LoopbackAccess)
    assert isinstance(await access_of(settings(codec_token_file=token_file)), TokenAccess)
    oidc = await access_of(settings(codec_oidc_issuer=ISSUER, codec_oidc_audience="codec"))
    assert isinstance(oidc, OidcAccess)
    check_bind("0.0.0.0", oidc, tls=True, behind_proxy=False)  # noqa: S104
    with pytest.raises(SettingsError):
        check_bind("0.0.0.0", oidc, tls=False, behind_proxy=False)  # noqa: S104


async def test_not_two_at_once(token_file: Path) -> None:
    """A token that is nobody's in particular is no back door beside an issuer's."""
    with pytest.raises(SettingsError, match="one of them"):
        await access_of(settings(codec_oidc_issuer=ISSUER, codec_oidc_audience="codec", codec_token_file=token_file))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"codec_oidc_audience": ""},
        {"codec_oidc_audience": "codec", "codec_oidc_ca_file": "/nonexistent/ca.pem"},
        {"codec_oidc_audience": "codec", "codec_oidc_issuer": "http://issuer.example.com"},
        {"codec_oidc_audience": "codec", "codec_oidc_issuer": "issuer"},
    ],
)
async def test_settings_that_let_in_nobody_or_everybody(wrong: dict[str, object]) -> None:
    """Said at the start: no audience, no certificates, an issuer that is none."""
    with pytest.raises(SettingsError):
        await access_of(settings(**{"codec_oidc_issuer": ISSUER, **wrong}))
