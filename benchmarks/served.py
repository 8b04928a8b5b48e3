"""A server of this folder in a process of its own, as `provider` and `simulated` are."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from contactsync.workers.embedded.processes import Child, Command

_READY_SECONDS: Final = 120.0
"""A million contacts are rendered in half a minute."""


@asynccontextmanager
async def served(module: str, *arguments: str, folder: Path) -> AsyncGenerator[tuple[Child, str]]:
    """Run `python -m MODULE ARGUMENTS FOLDER` until the block ends; it writes its address to `FOLDER/url`."""
    argv = (sys.executable, "-m", module, *arguments, str(folder))
    child = await Child.start(Command(argv, log=folder / "source.log", cwd=Path(__file__).parents[1]))

    async def listens() -> bool:
        return (folder / "url").exists()

    try:
        await child.until(listens, _READY_SECONDS)
        yield child, (folder / "url").read_text()
    finally:
        await child.stop()
