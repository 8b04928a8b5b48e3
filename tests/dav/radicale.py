"""Radicale, in a process of its own."""

import sys
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.dav.server import PASSWORD, DavServer
from tests.dav.starting import start

from contactsync.workers.embedded.ports import LOOPBACK, free_port


@asynccontextmanager
async def radicale(folder: Path, users: Iterable[str]) -> AsyncGenerator[DavServer]:
    """A server where each user's home is `/{user}/`."""
    passwords = folder / "users"
    passwords.write_text("".join(f"{user}:{PASSWORD}\n" for user in users))
    port = free_port()
    root = f"http://{LOOPBACK}:{port}"
    options = {
        "--config": "",
        "--server-hosts": f"{LOOPBACK}:{port}",
        "--auth-type": "htpasswd",
        "--auth-htpasswd-filename": str(passwords),
        "--auth-htpasswd-encryption": "plain",
        "--auth-delay": "0",
        "--rights-type": "owner_only",
        "--storage-filesystem-folder": str(folder / "collections"),
    }
    argv = (sys.executable, "-m", "radicale", *(word for option in options.items() for word in option))
    child = await start(argv, folder, root)
    try:
        yield DavServer("radicale", root, "http://radicale.org/ns/sync/" + "0" * 64)
    finally:
        await child.stop()
