"""What a person sees while the demo runs. All of it goes to stderr; the result alone goes to stdout."""

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.spinner import Spinner
from rich.text import Text

from contactsync.activities.messages import Progress as SyncProgress


class Screen(Protocol):
    """Where the story is told."""

    def step(self, text: str) -> None:
        """The story goes on with this."""
        ...

    def progress(self, tenant: str, progress: SyncProgress) -> None:
        """How far a tenant's sync is."""
        ...

    def end(self) -> None:
        """The story has been told."""
        ...


class QuietScreen:
    """Tells the steps, one line each, to a file or a pipe; or nothing at all."""

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent
        self._started = time.monotonic()

    def step(self, text: str) -> None:
        """See `Screen`."""
        if not self._silent:
            sys.stderr.write(f"{time.monotonic() - self._started:6.1f} s  {text}\n")
            sys.stderr.flush()

    def progress(self, tenant: str, progress: SyncProgress) -> None:
        """See `Screen`: counts that change many times a second are for terminals."""

    def end(self) -> None:
        """See `Screen`."""


class LiveScreen:
    """The steps so far, the one under way, and a bar for each tenant."""

    def __init__(self, live: Live, contacts: int) -> None:
        self._live = live
        self._done: list[Text] = []
        self._now = ""
        self._began = time.monotonic()
        self._contacts = contacts
        self._bars = Progress(
            TextColumn("   {task.description:<10}"),
            BarColumn(bar_width=36),
            TextColumn("page {task.fields[page]:>3}   {task.completed:>5.0f} contacts   {task.fields[state]}"),
        )
        self._tasks: dict[str, TaskID] = {}

    def step(self, text: str) -> None:
        """See `Screen`."""
        if self._now:
            seconds = time.monotonic() - self._began
            self._done.append(Text.assemble((" ✔ ", "bold green"), self._now, (f"  {seconds:.1f} s", "dim")))
        self._now, self._began = text, time.monotonic()
        self._draw()

    def progress(self, tenant: str, progress: SyncProgress) -> None:
        """See `Screen`."""
        if tenant not in self._tasks:
            self._tasks[tenant] = self._bars.add_task(tenant, total=self._contacts, page=0, state="")
        counts = progress.counts
        seen = counts.added + counts.updated + counts.unchanged + counts.deleted
        self._bars.update(self._tasks[tenant], completed=seen, page=progress.page, state=progress.state)
        self._draw()

    def end(self) -> None:
        """See `Screen`."""
        self.step("")
        self._live.update(Group(*self._done))
        self._live.stop()

    def _draw(self) -> None:
        under_way = Spinner("dots", Text(self._now), style="cyan")
        self._live.update(Group(*self._done, under_way, self._bars))


@contextmanager
def screen(*, silent: bool, contacts: int) -> Generator[Screen]:
    """A live display on a terminal, lines elsewhere, nothing when `silent`."""
    if silent or not sys.stderr.isatty():
        yield QuietScreen(silent=silent)
        return
    with Live(console=Console(stderr=True), refresh_per_second=12) as live:
        yield LiveScreen(live, contacts)
