"""`contactsync demo`: the whole story on one machine, and whether it holds."""

from typing import TYPE_CHECKING, Annotated

import typer

from contactsync.workers.cli.options import JsonFlag
from contactsync.workers.cli.output import note, print_document
from contactsync.workers.cli.running import run

if TYPE_CHECKING:
    from contactsync.workers.demo.report import DemoReport
    from contactsync.workers.demo.run import Told

DOES_NOT_HOLD = 1


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("demo")(demo)


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the story instead of staying up.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Carry contacts from a CardDAV server through Temporal into PostgreSQL, and prove it.

    Everything runs on this machine, in a temporary folder, and is gone at the end.
    """
    report = run(_demo(once=once, as_json=as_json))
    if not report.holds:
        for problem in report.problems:
            note(f"contactsync: {problem}")
        raise typer.Exit(DOES_NOT_HOLD)


async def _demo(*, once: bool, as_json: bool) -> "DemoReport":
    from contactsync.workers.demo.run import told_demo
    from contactsync.workers.demo.screen import screen
    from contactsync.workers.demo.story import CONTACTS

    with screen(silent=False, contacts=CONTACTS) as shown:
        async with told_demo(shown) as told:
            shown.end()
            _show(told.report, as_json=as_json)
            if not once:
                await _stay(told)
            return told.report


def _show(report: "DemoReport", *, as_json: bool) -> None:
    from contactsync.workers.cli.output import console
    from contactsync.workers.demo.picture import picture

    if as_json:
        print_document(report.model_dump(mode="json"))
    else:
        console().print(picture(report))


async def _stay(told: "Told") -> None:
    from contactsync.workers.stopping import stop_requested

    note("")
    note("Everything still runs; look around, then press Ctrl-C:")
    note(f"  Temporal Web   {told.stack.temporal.ui_url}  (payloads are opened through the codec server, masked)")
    note(f"  codec server   {told.stack.codec_url}")
    note(f"  address books  {told.carddav.url}")
    await stop_requested()
    note("contactsync: stopping")
