"""AWS KMS in trouble: what each of its errors means. (What it does on a good day is tested against a server.)"""

from collections.abc import AsyncGenerator
from typing import Final
from uuid import UUID

import pytest
from tests.unit.codecs.keys.answering import Answering, answering

from contactsync.codecs.keys.kms_root import KmsRootKey
from contactsync.codecs.keys.root import TenantKeyName
from contactsync.errors import KeysError, RootKeyRefused, RootKeyUnavailable, SettingsError

NAME: Final = TenantKeyName(UUID(int=7), 1, bytes(16))
REGION: Final = "eu-central-1"


@pytest.fixture(scope="module")
async def answer() -> AsyncGenerator[Answering]:
    """What stands in for KMS; its answer is changed from test to test."""
    async with answering(Answering()) as server:
        yield server


@pytest.fixture(scope="module")
async def root(answer: Answering) -> AsyncGenerator[KmsRootKey]:
    """A root key there, with made-up credentials."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "made-up")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
        root = KmsRootKey("a-key", REGION, answer.address)  # finds them here, and keeps them
    yield root
    await root.close()


async def _raised(root: KmsRootKey) -> KeysError:
    with pytest.raises(KeysError) as raised:
        await root.unwrap(NAME, b"wrapped")
    assert raised.value.__cause__ is None
    return raised.value


@pytest.mark.parametrize(
    ("status", "code", "error", "says"),
    [
        (400, "ThrottlingException", RootKeyUnavailable, "tried again"),
        (500, "KMSInternalException", RootKeyUnavailable, "tried again"),
        (503, "", RootKeyUnavailable, "tried again"),
        (429, "", RootKeyUnavailable, "tried again"),
        (400, "KeyUnavailableException", RootKeyUnavailable, "tried again"),
        (400, "DependencyTimeoutException", RootKeyUnavailable, "tried again"),
        (400, "AccessDeniedException", RootKeyRefused, "no right"),
        (400, "NotFoundException", RootKeyRefused, "no such key"),
        (400, "DisabledException", RootKeyRefused, "disabled"),
        (400, "KMSInvalidStateException", RootKeyRefused, "about to be deleted"),
        (400, "ExpiredTokenException", RootKeyRefused, "expired"),
        (400, "UnrecognizedClientException", RootKeyRefused, "not accepted"),
        (400, "InvalidCiphertextException", RootKeyRefused, "does not open"),
        (400, "IncorrectKeyException", RootKeyRefused, "does not open"),
        (400, "InvalidKeyUsageException", RootKeyRefused, "not one that encrypts"),
        (400, "InvalidSignatureException", RootKeyRefused, "does not take the request"),
    ],
)
async def test_each_error_has_its_meaning(
    answer: Answering, root: KmsRootKey, status: int, code: str, error: type[KeysError], says: str
) -> None:
    """Trouble passes, refusals do not; the text is ours alone, and each is asked once."""
    body = f'{{"__type": "{code}", "message": "a word of theirs"}}'.encode()
    answer.status, answer.body, before = status, body, len(answer.asked)
    raised = await _raised(root)
    assert type(raised) is error
    assert says in str(raised)
    assert "theirs" not in str(raised)
    assert len(answer.asked) == before + 1


@pytest.mark.parametrize(("status", "body"), [(None, b""), (200, b"{}"), (200, b"<html>")])
async def test_an_answer_of_something_else(
    answer: Answering, root: KmsRootKey, status: int | None, body: bytes
) -> None:
    """A connection that breaks, and what is no answer of KMS, are errors that pass."""
    answer.status, answer.body = status, body
    assert type(await _raised(root)) is RootKeyUnavailable


async def test_no_credentials(answer: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials nothing is sent, and it says what is missing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    before = len(answer.asked)
    root = KmsRootKey("a-key", REGION, answer.address)
    raised = await _raised(root)
    await root.close()
    assert (type(raised), len(answer.asked)) == (RootKeyUnavailable, before)
    assert "no AWS credentials" in str(raised)


def test_what_cannot_be_reached_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No region, and an endpoint that is no address or not https, are settings to mend."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(SettingsError, match="AWS_REGION"):
        KmsRootKey("a-key")
    for endpoint in ("http://kms.example", "kms.example", "https://kms.example/path"):
        with pytest.raises(SettingsError):
            KmsRootKey("a-key", REGION, endpoint)
