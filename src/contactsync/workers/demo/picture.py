"""The demo's result as people see it."""

import json

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from contactsync.workers.demo.report import DemoReport


def picture(report: DemoReport) -> RenderableType:
    """Passes, comparison, one payload twice, leaks, and the verdict."""
    return Group(_passes(report), _comparison(report), _history(report), _leaks(report), _verdict(report))


def _passes(report: DemoReport) -> RenderableType:
    table = Table(title="Passes", title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("pass", "tenant"):
        table.add_column(column)
    for column in ("pages", "downloaded", "added", "updated", "unchanged", "deleted", "set aside", "seconds"):
        table.add_column(column, justify="right")
    table.add_column("as expected")
    for one in report.passes:
        counts = one.counts
        numbers = (
            counts.pages,
            counts.downloaded,
            counts.added,
            counts.updated,
            counts.unchanged,
            counts.deleted,
            counts.quarantined,
        )
        cells = [str(number) for number in numbers]
        table.add_row(one.name, one.tenant, *cells, f"{one.seconds:.1f}", _tick(one.as_expected))
    killed = Text(
        f"The worker was killed (SIGKILL) in the third pass, after page {report.worker_killed_at_page}; "
        "another one took over.",
        style="dim",
    )
    return Group(table, killed)


def _comparison(report: DemoReport) -> RenderableType:
    table = Table(title="Source and database, contact by contact", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("tenant")
    for column in ("equal", "missing", "too many", "different"):
        table.add_column(column, justify="right")
    for one in report.comparisons:
        table.add_row(one.tenant, str(one.equal), str(one.missing), str(one.surplus), str(one.different))
    return Group(Text(), table)


def _history(report: DemoReport) -> RenderableType:
    history = report.history
    held = Text.assemble(
        ("encoding ", "dim"), history.encoding, ("   key ", "dim"), history.key_id, ("   bytes ", "dim"),
        f"{history.bytes:,}\n", (history.ciphertext + "…", "red"),
    )  # fmt: skip
    masked = Text(_excerpt(history.masked), style="green")
    return Group(
        Panel(held, title="A fetched page as Temporal holds it", title_align="left"),
        Panel(masked, title="The same through the codec server, masked", title_align="left"),
    )


def _excerpt(masked: str) -> str:
    """The page's head on one line and its first contact, one property a line."""
    page = json.loads(masked)
    head = ", ".join(f"{name} {page['head'][name]}" for name in ("page", "changes", "downloaded", "full", "done"))
    contact = page["body"]["first"][0].get("contact", {})
    lines = [f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in contact.items()]
    return "\n".join((head, "its first contact:", *lines, "…"))


def _leaks(report: DemoReport) -> RenderableType:
    title = f"Planted personal strings, {report.leaks.strings:,} forms looked for"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("where")
    table.add_column("found", justify="right")
    for channel, count in report.leaks.found.items():
        table.add_row(channel, Text(str(count), style="bold red" if count else "green"))
    return table


def _verdict(report: DemoReport) -> RenderableType:
    if report.holds:
        return Text(f"All of it holds, {report.seconds:.0f} seconds.", style="bold green")
    return Text("\n".join(report.problems), style="bold red")


def _tick(good: bool) -> Text:
    return Text("yes", style="green") if good else Text("NO", style="bold red")
