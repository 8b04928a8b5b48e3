"""`contactsync up`: the embedded stack with a worker and a codec server, until it is told to stop."""

import asyncio
import os
import shlex
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from contactsync.errors import ProcessEnded
from contactsync.workers.cli.output import Json, Report, card, emit, note
from contactsync.workers.embedded.folders import write_private
from contactsync.workers.embedded.stack import Stack, first_to_end
from contactsync.workers.stopping import stop_requested

if TYPE_CHECKING:
    from contactsync.workers.embedded.processes import Child


def default_folder() -> Path:
    """Where `up` keeps its data if nothing else is said."""
    if os.geteuid() == 0:  # PostgreSQL runs as another user then, and could not enter root's home
        return Path("/var/lib/contactsync")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "contactsync"


async def run_stack(folder: Path, *, as_json: bool) -> None:
    """Run the stack on the folder until SIGINT or SIGTERM.

    Raises:
        SettingsError: another contactsync uses the folder, or it cannot be used.
        ProcessEnded: one of the processes ended by itself.
    """
    async with AsyncExitStack() as running:
        note("contactsync: starting; Ctrl-C stops everything and keeps the data")
        stack = await Stack.start(folder)
        running.push_async_callback(stack.stop)
        children: dict[str, Child] = {
            "the worker": await stack.start_worker(),
            "the codec server": await stack.start_codec_server(),
            "PostgreSQL": stack.postgres.child,
            "Temporal": stack.temporal.child,
        }
        for name in ("the worker", "the codec server"):
            running.push_async_callback(children[name].stop)
        emit(_banner(stack, _write_environment(stack)), as_json=as_json)
        await _until_stopped(children)
        note("contactsync: stopping")


async def _until_stopped(children: "dict[str, Child]") -> None:
    stop = asyncio.ensure_future(stop_requested())
    ended = asyncio.ensure_future(first_to_end(children))
    try:
        await asyncio.wait({stop, ended}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done() and not stop.done():
            name = await ended
            raise ProcessEnded(f"{name} ended by itself; its log is {children[name].log}")
    finally:
        stop.cancel()
        ended.cancel()


def _write_environment(stack: Stack) -> Path:
    """A private file that makes another terminal use this stack."""
    lines = (f"export {name}={shlex.quote(value)}" for name, value in stack.operator_environment().items())
    file = stack.folder / "env"
    write_private(file, "\n".join(lines) + "\n")
    return file


def _banner(stack: Stack, environment: Path) -> Report:
    facts = {
        "Temporal Web": stack.temporal.ui_url,
        "Temporal": f"{stack.temporal.address}, namespace {stack.temporal.namespace}",
        "codec server": stack.codec_url,
        "PostgreSQL": f"127.0.0.1:{stack.postgres.port}",
        "data and logs": stack.folder,
        "another terminal": f". {shlex.quote(str(environment))}",
        "then": "contactsync tenant add …; contactsync connection add …",
    }
    document: dict[str, Json] = {
        "temporal_web": stack.temporal.ui_url,
        "temporal": stack.temporal.address,
        "namespace": stack.temporal.namespace,
        "codec_server": stack.codec_url,
        "postgres_port": stack.postgres.port,
        "folder": str(stack.folder),
        "environment": str(environment),
    }
    return Report(document, card("contactsync is up", facts))
