# /// script
# requires-python = ">=3.11"
# dependencies = ["vdirsyncer==0.21.0"]
# [tool.uv]
# exclude-newer = "2026-11-20T00:00:00Z"
# ///
"""vdirsyncer from one CardDAV address book to a folder: what `vdirsyncer sync` does, less the start of the command."""

import asyncio
import logging
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import vdirsyncer
from protocol import Task, serve
from vdirsyncer.cli.utils import manage_sync_status
from vdirsyncer.storage.dav import CardDAVStorage
from vdirsyncer.storage.filesystem import FilesystemStorage
from vdirsyncer.sync import sync

logging.getLogger("vdirsyncer").setLevel(logging.ERROR)


async def copied(task: Task) -> None:
    """One run; `task.url` holds the user and the password."""
    folder = Path(task.folder) / task.subject
    cards = folder / "cards"
    cards.mkdir(parents=True, exist_ok=True)
    async with aiohttp.TCPConnector(limit_per_host=16) as connector:  # as its command has it
        book = CardDAVStorage(**account(task.url), read_only=True, connector=connector)
        with manage_sync_status(str(folder / "status"), "pair", "book") as status:
            await sync(book, FilesystemStorage(str(cards), ".vcf"), status, partial_sync="error")


def account(url: str) -> dict[str, str]:
    """The settings of the account."""
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=f"{parts.hostname}:{parts.port}"))
    return {"url": bare, "username": parts.username or "", "password": parts.password or ""}


if __name__ == "__main__":
    serve(f"vdirsyncer {vdirsyncer.__version__}", lambda task: asyncio.run(copied(task)))
