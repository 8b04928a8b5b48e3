"""Draws `docs/demo.svg`, the picture in the README, from a real run: `uv run python scripts/draw_demo.py`.

The picture is what `contactsync demo --once` prints, steps included; nothing in it is made up but the contacts.
"""

import asyncio
import io
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from contactsync.activities.messages import Progress
from contactsync.workers.demo.picture import picture
from contactsync.workers.demo.run import told_demo

PICTURE = Path(__file__).parent.parent / "docs" / "demo.svg"
WIDTH = 118


class RecordedScreen:
    """Keeps the steps as the live display leaves them on a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._now = ""
        self._began = time.monotonic()

    def step(self, text: str) -> None:
        """See `contactsync.workers.demo.screen.Screen`."""
        self.end()
        self._now, self._began = text, time.monotonic()

    def progress(self, tenant: str, progress: Progress) -> None:
        """Bars are gone when the story ends."""

    def end(self) -> None:
        """The step under way is done."""
        if self._now:
            seconds = time.monotonic() - self._began
            self._console.print(Text.assemble((" ✔ ", "bold green"), self._now, (f"  {seconds:.1f} s", "dim")))
        self._now = ""


async def draw() -> None:
    """Run the demo and draw it."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text("$ contactsync demo --once", style="bold"))
    screen = RecordedScreen(console)
    async with told_demo(screen) as told:
        screen.end()
        console.print()
        console.print(picture(told.report))
    console.save_svg(str(PICTURE), title="contactsync demo --once")


if __name__ == "__main__":
    asyncio.run(draw())
