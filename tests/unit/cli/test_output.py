"""What commands print."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
import typer

from contactsync.workers.cli.output import Report, card, dump_line, emit, print_error, table

ID = UUID(int=7)
MARKUP = "[red]not[/red] [link=http://x.example]markup[/link] :smile:"


def test_a_document_is_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    """UUIDs and times are text, other scripts stay readable, and nothing else is on stdout."""
    report = Report({"id": ID, "at": datetime(2026, 1, 2, tzinfo=UTC), "name": "Zoë"}, card("x", {}))
    emit(report, as_json=True)
    out = capsys.readouterr().out
    assert json.loads(out) == {"id": str(ID), "at": "2026-01-02T00:00:00+00:00", "name": "Zoë"}
    assert "Zoë" in out


def test_a_stream_of_documents_has_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With `--watch` each look is a line of its own."""
    dump_line({"name": "two\nlines"})
    dump_line({"id": ID})
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"name": "two\nlines"},
        {"id": str(ID)},
    ]


@pytest.mark.parametrize("picture", [table("t", ("a", "b"), [(MARKUP, ID)]), card("t", {"a": MARKUP, "b": ID})])
def test_values_are_shown_as_they_are(capsys: pytest.CaptureFixture[str], picture: object) -> None:
    """A value never acts as markup, and an id is not cut where the output is no terminal."""
    emit(Report({}, picture), as_json=False)  # pyright: ignore[reportArgumentType]
    out = capsys.readouterr().out
    assert MARKUP in out
    assert str(ID) in out


def test_a_report_carries_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """What a check found is printed, and then decides how the process ends."""
    with pytest.raises(typer.Exit) as ended:
        emit(Report({"problems": 1}, card("x", {}), exit_code=1), as_json=True)
    assert ended.value.exit_code == 1
    assert json.loads(capsys.readouterr().out) == {"problems": 1}


def test_an_error_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence for people, one object for programs; stdout stays empty."""
    print_error("NotMigrated", "the schema is old", as_json=False)
    print_error("NotMigrated", "the schema is old", as_json=True)
    out, err = capsys.readouterr()
    plain, document = err.splitlines()
    assert (out, plain) == ("", "contactsync: the schema is old")
    assert json.loads(document) == {"error": {"code": "NotMigrated", "message": "the schema is old"}}
