"""What cannot be undone: the plan is shown, and somebody must agree to it."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from contactsync.workers.cli.output import note

YesFlag = Annotated[bool, typer.Option("--yes", help="Carry it out without asking.")]


def confirm(plan: Sequence[str], *, yes: bool) -> None:
    """Show a plan on stderr, and return if it may be carried out.

    Raises:
        typer.BadParameter: nobody can be asked here, and `--yes` was not given.
        typer.Abort: the answer was no.
    """
    for line in plan:
        note(line)
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody can be asked here; give --yes to carry it out", param_hint="--yes")
    if not typer.confirm("Carry it out?", err=True):
        raise typer.Abort
