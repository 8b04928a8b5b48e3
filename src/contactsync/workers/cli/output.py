"""What commands print: one JSON document, or a table for people, on stdout; progress and notes on stderr."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn
from uuid import UUID

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Json = str | int | float | bool | UUID | datetime | Mapping[str, "Json"] | Sequence["Json"] | None
"""What a document is made of; UUIDs and times become text (times as RFC 3339)."""

READER_GONE = 141
"""Exit code when nobody reads the output any more, as the shell reports a process that SIGPIPE ended."""

CLEAR = "\x1b[H\x1b[2J"
"""Cursor home, clear screen (ECMA-48)."""

_WIDTH_WITHOUT_TERMINAL = 160
"""Columns of a table that goes to a file or a pipe, so that ids are not cut."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a command found: `document` for programs, `picture` for people, and the process's exit code."""

    document: Mapping[str, Json]
    picture: "Callable[[], RenderableType]"
    exit_code: int = 0


def emit(report: Report, *, as_json: bool) -> None:
    """Print the report on stdout.

    Raises:
        typer.Exit: the report's exit code is not 0, or the reader is gone.
    """
    try:
        if as_json:
            print_document(report.document)
        else:
            console().print(report.picture())
        sys.stdout.flush()
    except BrokenPipeError:
        raise typer.Exit(READER_GONE) from None
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def print_document(document: Mapping[str, Json]) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(dump(document) + "\n")


def dump_line(document: Mapping[str, Json]) -> None:
    """One JSON document on one line of stdout, for output that goes on.

    Raises:
        typer.Exit: the reader is gone.
    """
    try:
        sys.stdout.write(json.dumps(document, ensure_ascii=False, default=_plain) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise typer.Exit(READER_GONE) from None


def dump(document: Mapping[str, Json]) -> str:
    """A document as text."""
    return json.dumps(document, ensure_ascii=False, indent=2, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def note(text: str) -> None:
    """One line on stderr for whoever watches."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def print_error(code: str, message: str, *, as_json: bool) -> None:
    """One sentence on stderr; as a document `{"error": {"code", "message"}}` where JSON was asked for."""
    if as_json:
        note(json.dumps({"error": {"code": code, "message": message}}, ensure_ascii=False))
    else:
        note(f"contactsync: {message}")


def console() -> "Console":
    """For stdout; wide where it is no terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL
    return Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> "Callable[[], RenderableType]":
    """A table for people; cells are shown as they are, never as markup."""

    def draw() -> "RenderableType":
        from rich import box
        from rich.table import Table
        from rich.text import Text

        drawn = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD)
        for column in columns:
            drawn.add_column(column, overflow="fold")
        for row in rows:
            drawn.add_row(*(Text(shown(cell)) for cell in row))
        return drawn

    return draw


def card(title: str, facts: Mapping[str, object]) -> "Callable[[], RenderableType]":
    """A panel of names and values for people; what is None is left out."""

    def draw() -> "RenderableType":
        from rich.panel import Panel
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold")
        grid.add_column(overflow="fold")
        for name, value in facts.items():
            if value is not None:
                grid.add_row(Text(name), Text(shown(value)))
        return Panel(grid, title=Text(title), title_align="left", expand=False)

    return draw


def at(seconds: float | None) -> datetime | None:
    """A time that a workflow tells, in seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None


def shown(value: object) -> str:
    """A value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def stop(code: int) -> NoReturn:
    """End the command with this exit code; what there was to say has been said.

    Raises:
        typer.Exit: always.
    """
    raise typer.Exit(code)
