"""The Vault client before answers that no Vault gives on a good day."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from tests.unit.codecs.keys.answering import Answering, answering

from contactsync.codecs.keys import vault
from contactsync.codecs.keys.root import TenantKeyName
from contactsync.codecs.keys.vault import MAX_ANSWER_BYTES, VaultClient, VaultError, VaultRefused, VaultUnavailable
from contactsync.codecs.keys.vault_root import VaultRootKey
from contactsync.errors import Retry, RootKeyRefused, RootKeyUnavailable, SettingsError

TOKEN: Final = "hvs.made-up"
TOO_LONG: Final = b'{"data": {"note": "' + b"x" * MAX_ANSWER_BYTES + b'"}}'
NAME: Final = TenantKeyName(UUID(int=7), 1, bytes(16))


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """A file with a token."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return tmp_path / "token"


@asynccontextmanager
async def _client(token_file: Path, answer: Answering) -> AsyncGenerator[VaultClient]:
    async with answering(answer) as server:
        client = VaultClient(server.address, token_file, namespace="team/contacts")
        yield client
        await client.close()


@pytest.mark.parametrize(
    ("status", "error"),
    [(status, VaultUnavailable) for status in (301, 302, 307, 308, 408, 412, 425, 429, 472, 473, 500, 502, 503, 504)]
    + [(status, VaultRefused) for status in (400, 401, 403, 404, 405, 410, 418)],
)
async def test_each_status_has_its_meaning(token_file: Path, status: int, error: type[VaultError]) -> None:
    """Trouble passes, refusals do not; neither repeats a word of the body, both may be tried again."""
    answer = Answering(status, b'{"errors": ["no-such-word"]}', {"location": "https://elsewhere.example/"})
    async with _client(token_file, answer) as client:
        with pytest.raises(VaultError) as raised:
            await client.call("GET", "transit/keys/root")
    assert type(raised.value) is error
    assert "no-such-word" not in str(raised.value)
    assert raised.value.retry is Retry.AGAIN
    assert len(answer.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(token_file: Path, status: int) -> None:
    """Where an answer points elsewhere, nobody there is shown the token."""
    async with answering(Answering()) as elsewhere:
        answer = Answering(status, headers={"location": f"{elsewhere.address}/v1/sys/health"})
        async with _client(token_file, answer) as client:
            with pytest.raises(VaultUnavailable, match="redirects elsewhere"):
                await client.call("POST", "transit/keys/root/rotate", {})
    assert elsewhere.asked == []


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'"text"', b"\xff", b"[" * 100_000, TOO_LONG])
async def test_an_answer_of_something_else(token_file: Path, body: bytes) -> None:
    """What is no JSON object, or far too long, is no Vault's answer."""
    async with _client(token_file, Answering(200, body)) as client:
        with pytest.raises(VaultUnavailable):
            await client.call("GET", "transit/keys/root")


async def test_an_answer_that_never_comes(token_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hanging up, and silence for too long, are errors that pass."""
    monkeypatch.setattr(vault, "REQUEST_SECONDS", 0.2)
    for answer in (Answering(status=None), Answering(hangs=True)):
        async with _client(token_file, answer) as client:
            with pytest.raises(VaultUnavailable):
                await client.call("POST", "transit/keys/root/rotate", {})


async def test_what_is_sent(token_file: Path) -> None:
    """The token, the namespace and the path, quoted; an answer without `data` is an empty one."""
    answer = Answering(204, b"")
    async with _client(token_file, answer) as client:
        assert await client.call("GET", "secret/data/a b?c") == {}
    head = answer.asked[0].decode().lower()
    assert head.startswith("get /v1/secret/data/a%20b%3fc http/1.1\r\n")
    assert f"x-vault-token: {TOKEN}\r\n" in head
    assert "x-vault-namespace: team/contacts\r\n" in head
    assert "x-vault-request: true\r\n" in head


async def test_no_proxy_of_the_environment_is_shown_the_token(
    token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies that the environment names are not used."""
    async with answering(Answering(502)) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.address)
        async with _client(token_file, Answering(200)) as client:
            assert await client.call("GET", "sys/health") == {}
    assert proxy.asked == []


@pytest.mark.parametrize("path", ["", "/", "a//b", "a/../b", "./a", "a/", "a\nb", "a/\x00"])
async def test_a_path_is_names(token_file: Path, path: str) -> None:
    """A path that would lead elsewhere is refused before anything is sent."""
    answer = Answering()
    async with _client(token_file, answer) as client:
        for call in (client.call("GET", path), client.read(path)):
            with pytest.raises(SettingsError, match="names with single slashes"):
                await call
    assert answer.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "vault.example:8200",
        "http://vault.example:8200",
        "http://10.1.2.3",
        "http://127.0.0.1.example",
        "https://user:secret@vault.example",
        "https://vault.example/v1",
        "https://vault.example?x=secret",
        "https://vault.example#x",
        "https://vault.example:99999",
        "https://[::1",
        "ftp://vault.example",
        "https://",
        "",
    ],
)
def test_an_address_is_https_and_nothing_else(token_file: Path, address: str) -> None:
    """Only https leaves this machine, and an address holds no more than host and port; it is not repeated."""
    with pytest.raises(SettingsError) as raised:
        VaultClient(address, token_file)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "address",
    ["https://vault.example", "https://v:8200/", "http://127.0.0.1:8200", "http://localhost", "http://[::1]:1"],
)
def test_addresses_that_will_do(token_file: Path, address: str) -> None:
    """https anywhere, http on this machine."""
    VaultClient(address, token_file)


@pytest.mark.parametrize("namespace", ["a b", "a\nx: y", "ä", "/a", "a//b"])
def test_a_namespace_is_names(token_file: Path, namespace: str) -> None:
    """A namespace that no header may carry, or that is none, is said at once."""
    with pytest.raises(SettingsError, match="namespace"):
        VaultClient("https://vault.example", token_file, namespace=namespace)


def test_a_ca_file_that_is_none(token_file: Path, tmp_path: Path) -> None:
    """A CA file that is missing, or holds no certificate, is said at once."""
    for name in ("none.pem", "token"):
        with pytest.raises(SettingsError, match="CA file"):
            VaultClient("https://vault.example", token_file, tmp_path / name)


@pytest.mark.parametrize(
    "data",
    [b"{}", b'{"data": {}}', b'{"data": {"plaintext": 5, "latest_version": "1"}}', b'{"data": {"plaintext": "?"}}'],
)
async def test_a_root_key_behind_no_transit_engine(token_file: Path, data: bytes) -> None:
    """Where the answer lacks what the engine gives, nothing is made up."""
    async with _client(token_file, Answering(200, data)) as client:
        root = VaultRootKey(client, "transit", "root")
        with pytest.raises(RootKeyUnavailable, match="no transit engine"):
            await root.unwrap(NAME, b"vault:v1:AAAA")
        with pytest.raises(RootKeyUnavailable, match="no transit engine"):
            await root.newest()
        with pytest.raises((RootKeyUnavailable, RootKeyRefused)):
            await root.wrap(NAME, b"secret")


async def test_bytes_of_another_kind_are_not_even_sent(token_file: Path) -> None:
    """What a file or KMS wrapped is refused here, in words that say so."""
    answer = Answering()
    async with _client(token_file, answer) as client:
        for wrapped in (b"", bytes(100), b"vault:v0:AAAA", b"vault:v1:", b"vault:v1:AAAA\n", b"vault:v01:AAAA"):
            with pytest.raises(RootKeyRefused, match="another kind of root key"):
                await VaultRootKey(client, "transit", "root").unwrap(NAME, wrapped)
    assert answer.asked == []
