"""Secret references."""

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.unit.house.tree import ROOT, parsed, python_files

from contactsync.activities.sources.secrets import MAX_SECRET_BYTES, Secrets, check_reference
from contactsync.errors import SecretUnavailable, SettingsError

SECRET = "pass wörd\t!"
MALFORMED = (
    *("hunter2", "", "env:", "env:A B", "file:relative", "file:", "ENV:X"),
    *("vault:x", "vault:x#y", "vault:secret/x", "vault:secret/x#", "vault:#y", "vault:/secret/x#y", "vault:a//b#y"),
    *(
        "vault:secret/../sys/x#y",
        "vault:secret/.#y",
        "vault:a/b?c#y",
        "vault:a/b#y#z",
        "vault:a/b c#y",
        "vault:a/b#y\n",
    ),
    *("aws-sm:", "aws-sm:#y", "aws-sm:x#", "aws-sm:x y#z", "aws-sm:x#y#z", "aws-kms:x", "https://u:p@h/"),
)
WELL_FORMED = (
    *("env:A_1", "file:/a b/c", "vault:secret/x#y", "vault:kv/team/crm@eu/.hidden#api-token.1"),
    *(
        "aws-sm:crm",
        "aws-sm:prod/crm#token",
        "aws-sm:arn:aws:secretsmanager:eu-central-1:123456789012:secret:a/b-AbCd#t",
    ),
)


async def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`env:NAME` is the variable's value, as it stands."""
    monkeypatch.setenv("CARD_SECRET", SECRET)
    assert await Secrets().resolve("env:CARD_SECRET") == SECRET


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
async def test_file(tmp_path: Path, end: str) -> None:
    """`file:/path` is the file's text without its one trailing line end."""
    path = tmp_path / "a secret"
    path.write_bytes((SECRET + end).encode())
    assert await Secrets().resolve(f"file:{path}") == SECRET


async def test_only_one_line_end_is_dropped(tmp_path: Path) -> None:
    """A secret may end with a line end of its own."""
    path = tmp_path / "secret"
    path.write_bytes(b"x\n\n")
    assert await Secrets().resolve(f"file:{path}") == "x\n"


@pytest.mark.parametrize("value", [None, ""])
async def test_missing_variable(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    """A variable that is missing or empty is a secret that is not there, which is tried again."""
    monkeypatch.delenv("CARD_SECRET", raising=False)
    if value is not None:
        monkeypatch.setenv("CARD_SECRET", value)
    with pytest.raises(SecretUnavailable):
        await Secrets().resolve("env:CARD_SECRET")


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe", b"x" * (MAX_SECRET_BYTES + 1)])
async def test_unusable_file(tmp_path: Path, content: bytes | None) -> None:
    """A file that is missing, empty, no text or far too large is a secret that is not there."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SecretUnavailable):
        await Secrets().resolve(f"file:{path}")


async def test_folder_is_no_secret(tmp_path: Path) -> None:
    """A folder in the place of the file is a secret that is not there."""
    with pytest.raises(SecretUnavailable):
        await Secrets().resolve(f"file:{tmp_path}")


@pytest.mark.parametrize("reference", MALFORMED)
def test_malformed_reference_is_not_repeated(reference: str) -> None:
    """P24: a person may have typed the secret where its name belongs, so the error does not repeat it."""
    with pytest.raises(SettingsError) as caught:
        check_reference(reference)
    assert len(reference) < 8 or reference not in str(caught.value)


@pytest.mark.parametrize("reference", WELL_FORMED)
def test_well_formed_references(reference: str) -> None:
    """A reference says where a secret is, in one of four forms."""
    check_reference(reference)


@dataclass(slots=True)
class Shelf:
    """A store of secrets in memory."""

    kept: dict[tuple[str, str], str]
    opened: int = 0
    closed: int = 0

    def open(self) -> "Shelf":
        """Reach it."""
        self.opened += 1
        return self

    async def read(self, name: str, field: str) -> str:
        """See `SecretStore`."""
        if (name, field) not in self.kept:
            raise SecretUnavailable
        return self.kept[name, field]

    async def close(self) -> None:
        """See `SecretStore`."""
        self.closed += 1


async def test_stores() -> None:
    """`vault:` and `aws-sm:` go to their stores, which are reached once, anew after a close, and asked at each use."""
    vault, aws = Shelf({("kv/crm", "token"): "one"}), Shelf({("crm", ""): "two", ("crm", "token"): "three"})
    secrets = Secrets({"vault": vault.open, "aws-sm": aws.open})
    assert (vault.opened, aws.opened) == (0, 0)
    assert await secrets.resolve("vault:kv/crm#token") == "one"
    assert await secrets.resolve("aws-sm:crm") == "two"
    assert await secrets.resolve("aws-sm:crm#token") == "three"
    vault.kept["kv/crm", "token"] = "renewed"
    assert await secrets.resolve("vault:kv/crm#token") == "renewed"
    await secrets.close()
    assert await secrets.resolve("vault:kv/crm#token") == "renewed"
    assert (vault.opened, vault.closed, aws.opened, aws.closed) == (2, 1, 1, 1)


@pytest.mark.parametrize("content", ["", "x" * (MAX_SECRET_BYTES + 1), "\ud800"])
async def test_unusable_content_of_a_store(content: str) -> None:
    """What is empty, far too large or no text is a secret that is not there, wherever it comes from."""
    secrets = Secrets({"vault": Shelf({("kv/crm", "token"): content}).open})
    with pytest.raises(SecretUnavailable):
        await secrets.resolve("vault:kv/crm#token")


async def test_without_stores() -> None:
    """A process that was not told how to reach a store says so, and not what it was asked for."""
    with pytest.raises(SettingsError) as caught:
        await Secrets().resolve("vault:kv/planted#token")
    assert "planted" not in str(caught.value)


def test_no_workflow_knows_of_secrets() -> None:
    """Secrets are resolved inside activities: no workflow, and no message, imports what resolves or holds them."""
    knowing = {"secrets", "secret_stores", "tokens", "oauth", "reaching", "oauth_tokens"}
    files = [*python_files("src/contactsync/workflows"), ROOT / "src/contactsync/activities/messages.py"]
    found = {
        (path.name, module)
        for path in files
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and (module := node.module or "").rpartition(".")[2] in knowing
    }
    assert len(files) > 3
    assert found == set()
