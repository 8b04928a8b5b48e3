"""What is there is documented, and what is documented is there."""

import inspect
import re
from collections.abc import Iterator
from typing import Final

import pytest
from pydantic_core import PydanticUndefined
from typer.core import TyperGroup
from typer.main import get_command

from contactsync import errors
from contactsync.errors import ContactSyncError
from contactsync.workers.cli.main import app
from contactsync.workers.settings import PREFIX, Settings

from .tree import ROOT

DOCS: Final = ROOT / "docs"
WITHOUT_CLASS: Final = {"UsageError", "InternalError"}


def _errors(base: type[ContactSyncError] = ContactSyncError) -> Iterator[type[ContactSyncError]]:
    yield base
    for child in base.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _errors(child)


ERRORS: Final = sorted(set(_errors()), key=lambda error: error.__name__)


def _rows(page: str) -> list[list[str]]:
    """The cells of every table row of a page."""
    lines = (DOCS / page).read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("|")]
    return [row for row in cells if not set("".join(row)) <= set("-| ")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_an_error_has_a_sentence_of_its_own(error: type[ContactSyncError]) -> None:
    """The docstring is the default message: one lower-case sentence without a full stop, not the parent's."""
    sentence = error.__doc__ or ""
    assert "__doc__" in vars(error)
    assert sentence == sentence.strip()
    assert sentence
    assert "\n" not in sentence
    assert not sentence.endswith(".")
    assert sentence[0].islower() or sentence.startswith(("Temporal", "PostgreSQL"))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_an_error_is_drawn_and_its_exit_code_documented(error: type[ContactSyncError]) -> None:
    """Each error stands in the tree at the top of `errors.py`, and in `docs/exit-codes.md` with code and verdict."""
    assert re.search(rf"\b{error.__name__}\b", inspect.getdoc(errors) or "")
    documented = [row[:3] for row in _rows("exit-codes.md") if row[1] == f"`{error.__name__}`"]
    assert documented == [[str(error.exit_code), f"`{error.__name__}`", error.retry.value]]


def test_no_error_is_documented_that_is_not_there() -> None:
    """`docs/exit-codes.md` names no error of yesterday."""
    named = set(re.findall(r"^\| \d+ \| `(\w+)`", (DOCS / "exit-codes.md").read_text(), re.MULTILINE))
    assert named - WITHOUT_CLASS == {error.__name__ for error in ERRORS}


def test_every_setting_is_documented() -> None:
    """`docs/settings.md` has a row for each setting: name, default, description, word by word, and for no other."""
    rows = {row[0]: row[1:3] for row in _rows("settings.md") if row[0].startswith(f"`{PREFIX}")}
    there = {
        f"`{PREFIX}{name.upper()}`": [_default(field.default), field.description or ""]
        for name, field in Settings.model_fields.items()
    }
    assert rows == there


def _default(value: object) -> str:
    if value is None or value is PydanticUndefined or value == "":
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _commands(command: object, path: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(command, TyperGroup):
        yield " ".join(path)
        return
    for name, child in command.commands.items():
        if not child.hidden:
            yield from _commands(child, (*path, name))


def test_every_command_is_documented() -> None:
    """`docs/commands.md` has a row for each command, and for no other."""
    documented = {row[0].strip("`") for row in _rows("commands.md") if row[0].startswith("`contactsync")}
    assert documented == set(_commands(get_command(app), ("contactsync",)))


def test_links_between_pages_lead_somewhere() -> None:
    """Every relative link of a Markdown page leads to a file or folder of the project."""
    links = [
        (page, target)
        for page in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if "://" not in target
    ]
    broken = [f"{page.relative_to(ROOT)}: {target}" for page, target in links if not (page.parent / target).exists()]
    assert broken == []
