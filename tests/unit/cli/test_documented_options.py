"""Every argument and option of every command is in `docs/commands.md`, word by word as `--help` has it."""

from collections.abc import Iterator
from pathlib import Path

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from contactsync.workers.cli.main import app

PAGE = Path(__file__).parents[3] / "docs" / "commands.md"
COMMON = {"--json", "--help"}


def _commands(command: object, path: tuple[str, ...]) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from _commands(child, (*path, name))
        return
    assert isinstance(command, TyperCommand)
    yield " ".join(path), command


def option_rows() -> list[str]:
    """The rows as they should be."""
    rows: list[str] = []
    for path, command in _commands(get_command(app), ("contactsync",)):
        for parameter in command.params:
            assert isinstance(parameter, TyperArgument | TyperOption)
            assert parameter.help, (path, parameter.name)
            names = [*parameter.opts, *parameter.secondary_opts] if isinstance(parameter, TyperOption) else []
            if COMMON.isdisjoint(names):
                shown = " / ".join(names) or str(parameter.metavar)
                value = f" {parameter.metavar}" if names and parameter.metavar else ""
                rows.append(f"| `{path}` | `{shown}{value}` | {parameter.help} |")
    return rows


def test_every_option_is_documented() -> None:
    """No option is missing from the page, none has another text there, and none is there that the command has not."""
    _, _, section = PAGE.read_text().partition("## Arguments and options\n")
    documented = [line for line in section.splitlines() if line.startswith("| `contactsync")]
    assert documented == option_rows()
