"""`contactsync doctor`: is everything in place, and what to do where it is not."""

import typer

from contactsync.workers.cli.options import JsonFlag
from contactsync.workers.cli.output import Report, table
from contactsync.workers.cli.running import show

PROBLEMS = 1


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("doctor")(doctor)


def doctor(as_json: JsonFlag = False) -> None:
    """Check settings, database, keys, Temporal and clock, and say what to do about each problem."""
    show(_doctor(), as_json=as_json)


async def _doctor() -> Report:
    from contactsync.workers.cli.checks import State, examine

    found = await examine()
    problems = sum(each.state is State.PROBLEM for each in found)
    return Report(
        {
            "problems": problems,
            "checks": [{"check": each.check, "state": each.state.value, "detail": each.detail} for each in found],
        },
        table(
            "no problem found" if not problems else f"{problems} problems",
            ("check", "", "what was found"),
            [(each.check, each.state.value, each.detail) for each in found],
        ),
        exit_code=PROBLEMS if problems else 0,
    )
