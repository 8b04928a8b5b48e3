"""What commands run in: an event loop, and the parts of the composition root where they need them."""

import os
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from contactsync.workers.cli.output import Report, emit

if TYPE_CHECKING:
    from contactsync.workers.bootstrap import Parts
    from contactsync.workers.settings import Settings
    from contactsync.workers.syncs import Syncs

T = TypeVar("T")


def actor() -> str:
    """Who acts here, for the audit log: the user's number, which names nobody."""
    return f"cli/{os.getuid()}"


def run(work: Coroutine[object, object, T]) -> T:
    """Run a command's work to its end.

    Libraries say nothing meanwhile: what went wrong is the command's own sentence, and only the long processes log.
    """
    import asyncio
    import logging

    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        return asyncio.run(work)
    finally:
        logging.disable(before)


def show(work: Coroutine[object, object, Report], *, as_json: bool) -> None:
    """Run a command's work and print its report.

    Raises:
        typer.Exit: the report's exit code is not 0.
    """
    emit(run(work), as_json=as_json)


def run_process(settings: "Settings", work: Callable[[], Coroutine[object, object, T]]) -> T:
    """Run a long process, which logs (`workers/logs.py`), to its end."""
    import asyncio

    from contactsync.workers.logs import configure_logging

    configure_logging(settings.log_format, settings.log_level)
    return asyncio.run(work())


@asynccontextmanager
async def open_parts() -> "AsyncGenerator[Parts]":
    """The parts that the settings of this environment describe.

    Raises:
        SettingsError, DatabaseError, NotMigrated: before anything is done.
    """
    from contactsync.workers.settings import load_settings

    settings = load_settings()
    settings.database()  # what is missing is told at once, before the rest is imported
    from contactsync.workers.bootstrap import opened

    async with opened(settings) as parts:
        yield parts


async def open_syncs(parts: "Parts") -> "Syncs":
    """The live syncs of the settings' Temporal namespace.

    Raises:
        TemporalUnavailable, TemporalRefused.
    """
    from contactsync.workers.bootstrap import temporal_client
    from contactsync.workers.syncs import Syncs

    return Syncs(await temporal_client(parts.settings, parts.ring, stage=parts.stage), parts.settings.task_queue)
