"""Secret references."""

from pathlib import Path

import pytest

from contactsync.activities.sources.secrets import MAX_SECRET_BYTES, check_reference, resolve
from contactsync.errors import SecretUnavailable, SettingsError

SECRET = "pass wörd\t!"


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`env:NAME` is the variable's value, as it stands."""
    monkeypatch.setenv("CARD_SECRET", SECRET)
    assert resolve("env:CARD_SECRET") == SECRET


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_file(tmp_path: Path, end: str) -> None:
    """`file:/path` is the file's text without its one trailing line end."""
    path = tmp_path / "a secret"
    path.write_bytes((SECRET + end).encode())
    assert resolve(f"file:{path}") == SECRET


def test_only_one_line_end_is_dropped(tmp_path: Path) -> None:
    """A secret may end with a line end of its own."""
    path = tmp_path / "secret"
    path.write_bytes(b"x\n\n")
    assert resolve(f"file:{path}") == "x\n"


@pytest.mark.parametrize("value", [None, ""])
def test_missing_variable(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    """A variable that is missing or empty is a secret that is not there, which is tried again."""
    monkeypatch.delenv("CARD_SECRET", raising=False)
    if value is not None:
        monkeypatch.setenv("CARD_SECRET", value)
    with pytest.raises(SecretUnavailable):
        resolve("env:CARD_SECRET")


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe", b"x" * (MAX_SECRET_BYTES + 1)])
def test_unusable_file(tmp_path: Path, content: bytes | None) -> None:
    """A file that is missing, empty, no text or far too large is a secret that is not there."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SecretUnavailable):
        resolve(f"file:{path}")


def test_folder_is_no_secret(tmp_path: Path) -> None:
    """A folder in the place of the file is a secret that is not there."""
    with pytest.raises(SecretUnavailable):
        resolve(f"file:{tmp_path}")


@pytest.mark.parametrize("reference", ["hunter2", "", "env:", "env:A B", "file:relative", "file:", "vault:x", "ENV:X"])
def test_malformed_reference_is_not_repeated(reference: str) -> None:
    """P24: a person may have typed the secret where its name belongs, so the error does not repeat it."""
    with pytest.raises(SettingsError) as caught:
        check_reference(reference)
    assert len(reference) < 6 or reference not in str(caught.value)
