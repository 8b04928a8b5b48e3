"""Waiting for a pass: show how far it is, and say why where it cannot go on."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from temporalio.client import WorkflowUpdateHandle

from contactsync.activities.messages import PassResult, Progress
from contactsync.errors import ConnectionPaused, ContactSyncError, NoWorker, SourceThrottled, StillUnderWay
from contactsync.workers.conditions import Trouble
from contactsync.workers.refusals import named_error, sentence_of
from contactsync.workers.syncs import Sync, Syncs

COMPLETED: Final = "completed"
PAUSED: Final = "paused"
_LOOK_EVERY_SECONDS: Final = 0.5

Watcher = Callable[[Progress], None]


async def request_pass(syncs: Syncs, sync: Sync, seconds: float) -> WorkflowUpdateHandle[PassResult]:
    """Ask for a pass; returns once a worker has taken the request. What waits for its next attempt is tried at once.

    Raises:
        NoWorker: none is there, or none took it in time.
        TemporalUnavailable, TemporalRefused.
    """
    if not await syncs.worker_polls():
        await syncs.start(sync)  # so that the first worker to come finds it
        raise NoWorker
    try:
        async with asyncio.timeout(seconds):
            handle = await syncs.sync_now(sync)
            await syncs.try_now(sync)
            return handle
    except TimeoutError:
        raise NoWorker(f"no worker took the request within {seconds:g} s; it waits for one") from None


async def follow(
    syncs: Syncs, sync: Sync, handle: WorkflowUpdateHandle[PassResult], seconds: float, watcher: Watcher
) -> PassResult:
    """Wait for the pass; `watcher` is told of its progress.

    Raises:
        StillUnderWay: `seconds` have passed.
        ContactSyncError: what the pass keeps failing with, or ended with.
    """
    waiting = asyncio.create_task(syncs.result(sync, handle))
    try:
        async with asyncio.timeout(seconds):
            while not (await asyncio.wait([waiting], timeout=_LOOK_EVERY_SECONDS))[0]:
                await _look(syncs, sync, watcher)
            return _judged(await waiting)
    except TimeoutError:
        await syncs.require_worker()
        raise StillUnderWay from None
    finally:
        waiting.cancel()
        with suppress(asyncio.CancelledError, ContactSyncError):
            await waiting


def stuck(trouble: Trouble) -> ContactSyncError:
    """What to tell of a pass that keeps failing."""
    return named_error(trouble.code, f"{trouble.message}; contactsync keeps trying and nothing is lost")


async def _look(syncs: Syncs, sync: Sync, watcher: Watcher) -> None:
    progress = await syncs.progress(sync)
    if progress is not None:
        watcher(progress)
    trouble = await syncs.trouble(sync)
    if trouble is not None and trouble.code != SourceThrottled.__name__:  # throttled is slow, not stuck
        raise stuck(trouble)


def _judged(result: PassResult) -> PassResult:
    """The result of a pass that completed.

    Raises:
        ConnectionPaused: there was no pass, or a pause ended it.
        ContactSyncError: what ended it.
    """
    if result.outcome == COMPLETED:
        return result
    if result.outcome == PAUSED:
        reason = f" ({result.paused})" if result.paused else ""
        raise ConnectionPaused(f"the connection is paused{reason}; `contactsync connection resume` lets it go on")
    ending = "; the connection is paused until it is resumed" if result.paused else ""
    raise named_error(result.outcome, f"{sentence_of(result.outcome)}; what was committed stays{ending}")
