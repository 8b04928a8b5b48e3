"""Starting a CardDAV server as a child that ends with the tests."""

from collections.abc import Mapping
from pathlib import Path

import httpx

from contactsync.workers.embedded.processes import Child, Command, RunAs, plain_environment

START_SECONDS = 30.0


async def start(
    argv: tuple[str, ...],
    folder: Path,
    url: str,
    *,
    env: Mapping[str, str] | None = None,
    user: RunAs | None = None,
) -> Child:
    """Starts a server and waits until it answers HTTP at `url`, whatever the answer."""
    environment = {**plain_environment(folder), **(env or {})}
    child = await Child.start(Command(argv, folder / "server.log", folder, environment, user))
    await child.until(lambda: _answers(url), START_SECONDS)
    return child


async def _answers(url: str) -> bool:
    async with httpx.AsyncClient(verify=False) as client:  # noqa: S501  # only whether it is up
        try:
            await client.request("OPTIONS", url)
        except httpx.HTTPError:
            return False
    return True
