"""Nothing but code, ids, counts and codes reaches a process's log, whichever way it comes."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contactsync.codecs.audit.checkpoints import make_checkpoint
from contactsync.codecs.audit.signing import KEY_NAME, NoteSigner
from contactsync.errors import SourceUnavailable
from contactsync.workers.log_lines import FIELDS, code_file, describe_exception, foreign_event

from . import log_paths

SCRIPT = Path(__file__).with_name("log_paths.py")
NEEDLES = ("Zoë", "Zo\\u00eb", "Planted <", "zoe.planted", "30123456")


def _walk(log_format: str, level: str = "DEBUG") -> dict[str, str]:
    """What each path of `log_paths.py` wrote to stderr."""
    done = subprocess.run(  # noqa: S603  # our own interpreter and script
        [sys.executable, str(SCRIPT), log_format, level], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1, "the last path ends the process"
    assert done.stdout == ""
    parts = [part.partition("\n") for part in done.stderr.split("### ")[1:]]
    return {name: written for name, _, written in parts}


@pytest.fixture(scope="module")
def json_paths() -> dict[str, str]:
    """Every path, as JSON at DEBUG."""
    return _walk("json")


@pytest.fixture(scope="module")
def console_paths() -> dict[str, str]:
    """Every path, for a terminal at DEBUG."""
    return _walk("console")


PATHS = [path.__name__ for path in log_paths.PATHS]


@pytest.mark.parametrize("path", PATHS)
def test_no_planted_string_passes_as_json(json_paths: dict[str, str], path: str) -> None:
    """Each path writes at least one line of JSON, and none of them holds a part of the planted value."""
    lines = [json.loads(line) for line in json_paths[path].splitlines()]
    assert lines
    assert [needle for needle in NEEDLES if needle in json_paths[path]] == []


@pytest.mark.parametrize("path", PATHS)
def test_no_planted_string_passes_on_a_terminal(console_paths: dict[str, str], path: str) -> None:
    """The console format shows no more than JSON does."""
    assert console_paths[path].strip()
    assert [needle for needle in NEEDLES if needle in console_paths[path]] == []


def test_the_paths_are_all_walked(json_paths: dict[str, str]) -> None:
    """No path is left out because one before it ended the process."""
    assert list(json_paths) == PATHS


def _only(paths: dict[str, str], path: str) -> dict[str, Any]:
    [line] = paths[path].splitlines()
    loaded: dict[str, Any] = json.loads(line)
    return loaded


def test_what_is_dropped_is_counted(json_paths: dict[str, str]) -> None:
    """A field that is not on the list, and one whose value has not its field's shape, are counted as dropped."""
    line = _only(json_paths, "own_field")
    assert (line["event"], line["pages"], line["dropped"]) == ("page committed", 3, 4)


def test_an_event_made_of_values_is_withheld(json_paths: dict[str, str]) -> None:
    """An event is words; what is not is withheld and counted."""
    line = _only(json_paths, "own_event")
    assert (line["event"], line["dropped"]) == ("message withheld", 1)


def test_a_failed_activity_is_still_of_use(json_paths: dict[str, str]) -> None:
    """Of the SDK's failed activity remain the known message, our code, the causes' classes and the frames."""
    line = _only(json_paths, "foreign_exception")
    assert line["event"] == "Completing activity as failed"
    assert line["error"]["code"] == "SourceUnavailable"
    assert line["error"]["causes"] == ["PlantedError"]
    assert line["error"]["frames"][-1].endswith(" _fail")


def test_libraries_are_quiet_below_warning(json_paths: dict[str, str]) -> None:
    """At INFO the libraries' debug lines do not appear, at DEBUG they do."""
    assert "temporalio.worker._activity" in json_paths["foreign_debug"]
    assert _walk("json", "INFO")["foreign_debug"] == ""


def test_fields_accept_only_their_shape() -> None:
    """Ids are UUIDs or hexadecimal, counts are numbers, codes have neither spaces nor an at sign."""
    assert FIELDS["tenant_id"]("6f1c1b0e-6a53-4d5f-8f0e-0d6b2a7d1c11")
    assert FIELDS["workflow_id"]("sync/6f1c1b0e-6a53-4d5f-8f0e-0d6b2a7d1c11/6f1c1b0e-6a53-4d5f-8f0e-0d6b2a7d1c12")
    assert not FIELDS["workflow_id"]("sync/zoe/planted")
    assert not FIELDS["tenant_id"]("Zoe Planted")
    assert not FIELDS["rows"]("12")
    assert not FIELDS["code"]("zoe@example.com")
    assert not FIELDS["reason"]("Zoe Planted")


def test_a_checkpoint_of_the_audit_log_is_printed_whole_and_nothing_else_in_its_place() -> None:
    """The copy outside the database is the signed note to the letter; a note with a word more is dropped."""
    note = make_checkpoint(NoteSigner(KEY_NAME, bytes(32)), UUID(int=7), 1000, bytes(32)).note
    assert FIELDS["checkpoint"](note)
    for other in (note.replace("1000", "Zoe"), note + "Zoe\n", "Zoe" + note, note.replace(str(UUID(int=7)), "Zoe"), ""):
        assert not FIELDS["checkpoint"](other)


def test_a_place_in_the_code_names_no_machine() -> None:
    """File names begin below `site-packages` or `src`; other folders are left out."""
    assert code_file("/home/zoe/venv/lib/python3.11/site-packages/httpx/_client.py") == "httpx/_client.py"
    assert code_file("/home/zoe/contactsync/src/contactsync/errors.py") == "contactsync/errors.py"
    assert code_file("/home/zoe/script.py") == "script.py"
    assert code_file("<zoe@example.com>") == "other"


def test_the_code_of_a_temporal_failure_is_kept() -> None:
    """A failure whose type is one of our codes shows the code; another type is not shown."""

    class Failure(Exception):
        def __init__(self, kind: str) -> None:
            self.type = kind

    assert describe_exception(Failure("DatabaseFull"))["code"] == "DatabaseFull"
    assert "code" not in describe_exception(Failure("Zoe Planted"))


def test_a_loop_of_causes_ends() -> None:
    """Exceptions that are each other's cause are described once each."""
    first, second = SourceUnavailable(), KeyError("x")
    first.__cause__, second.__cause__ = second, first
    assert describe_exception(first)["causes"] == ["KeyError"]


def test_records_are_not_formatted() -> None:
    """The message is never put together, so an argument that fails to format cannot fail the log line."""

    class Bomb:
        def __str__(self) -> str:
            raise AssertionError("looked at")

    record = logging.LogRecord("x", logging.INFO, "x.py", 1, Bomb(), (Bomb(),), None)
    assert foreign_event(record)["event"] == "message withheld"
