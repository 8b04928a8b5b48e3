"""How the command begins and ends."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from contactsync.errors import CredentialsRejected, DatabaseFull
from contactsync.workers.cli.main import INTERRUPTED, UNEXPECTED, app, report, run_command
from contactsync.workers.cli.output import READER_GONE
from contactsync.workers.settings import PREFIX

PERSONAL = "zoe@quill.example"
HEAVY = ("temporalio", "pydantic", "asyncpg", "httpx", "cryptography", "structlog", "phonenumbers", "rich.table")
WITHOUT_JSON = {"worker", "codec-server"}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def _process(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "contactsync", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    """`--help` and completion answer at once because the command imports no library but its own."""
    code = "import sys, contactsync.workers.cli.main; print(*[m for m in sys.argv[1:] if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.split() == []


def test_version_and_help() -> None:
    """`--version` says which; every group and command has help."""
    assert _process("--version").stdout == f"contactsync {version('contactsync')}\n"
    help_text = _process("--help")
    assert help_text.returncode == 0
    for word in ("demo", "up", "doctor", "tenant", "connection", "sync", "status", "contacts", "--install-completion"):
        assert word in help_text.stdout


def _commands(command: object, path: str = "") -> Iterator[tuple[str, set[str]]]:
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from _commands(child, f"{path} {name}".strip())
        return
    assert isinstance(command, TyperCommand)
    yield path, {option for parameter in command.params for option in parameter.opts}


def test_every_command_that_prints_can_print_json() -> None:
    """All but the two processes that only log."""
    without = {path for path, options in _commands(get_command(app)) if "--json" not in options}
    assert without == WITHOUT_JSON


def test_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    """A command line that is not right exits with 2; with `--json` the problem is a document."""
    assert run_command(["tenant", "show", "--nonsense"]) == 2
    assert "--nonsense" in capsys.readouterr().err
    assert run_command(["tenant", "add", "Acme", "--region", "Mars", "--json"]) == 2
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "UsageError"


def test_an_error_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, its exit code, no traceback."""
    assert report(CredentialsRejected(), as_json=False) == 9
    assert capsys.readouterr().err == f"contactsync: {CredentialsRejected.__doc__}\n"


def test_an_error_in_a_group_of_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    """Of errors that ended tasks together, one of ours is told."""
    group = ExceptionGroup("tasks", [ValueError(PERSONAL), ExceptionGroup("more", [DatabaseFull()])])
    assert report(group, as_json=False) == 5
    assert capsys.readouterr().err == f"contactsync: {DatabaseFull.__doc__}\n"


@pytest.mark.parametrize("debug", ["", "1"])
def test_an_unexpected_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, debug: str) -> None:
    """Its class and never its text, which may be anybody's; with CONTACTSYNC_DEBUG=1, where it was raised."""
    monkeypatch.setenv("CONTACTSYNC_DEBUG", debug)

    def fail() -> None:
        raise LookupError(PERSONAL)

    with pytest.raises(LookupError) as failed:
        fail()
    assert report(failed.value, as_json=False) == UNEXPECTED
    err = capsys.readouterr().err
    assert "LookupError" in err
    assert PERSONAL not in err
    assert ("test_main.py" in err) == (debug == "1")


def test_an_interrupted_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ctrl-C ends with 130, as shells expect."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("contactsync.workers.cli.keys.emit", interrupt)
    assert run_command(["keys", "create-root", str(tmp_path / "key")]) == INTERRUPTED


def test_settings_that_are_missing(capsys: pytest.CaptureFixture[str]) -> None:
    """A command without its settings says which one it misses."""
    assert run_command(["tenant", "list"]) == 3
    assert "CONTACTSYNC_DATABASE_URL is not set" in capsys.readouterr().err


def test_a_root_key_is_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is readable by its owner only, and is never overwritten."""
    file = tmp_path / "root.key"
    assert run_command(["keys", "create-root", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"root_key_file": str(file)}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    assert run_command(["keys", "create-root", str(file)]) == 7
    assert file.read_bytes() == before
    assert run_command(["keys", "create-root", str(tmp_path / "no" / "folder")]) == 7


def test_output_that_nobody_reads(tmp_path: Path) -> None:
    """When the reader is gone the command ends with 141, quietly, after its work."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "contactsync", "keys", "create-root", str(tmp_path / "key"), "--json"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)  # noqa: S603
    os.close(writing)
    assert (done.returncode, done.stderr) == (READER_GONE, b"")
    assert (tmp_path / "key").exists()
