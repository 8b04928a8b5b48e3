"""Heartbeats beside long work, so that a dead worker is noticed within seconds and its work goes to another.

A heartbeat carries no details: they would be one more place for a personal value.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from temporalio import activity

from contactsync import faults

_BEATS_PER_TIMEOUT = 3
_DEFAULT_TIMEOUT_SECONDS = 10.0
FIRST_BEAT_SECONDS = 1.0
"""What ends sooner has no heartbeat: each is a call, and a write of the server's, and most work takes less. The server
counts from the start of the work. Tests of crashes at a heartbeat have it at once."""


@asynccontextmanager
async def heartbeating() -> AsyncGenerator[None]:
    """Heartbeat three times in each heartbeat timeout for as long as the block runs, a second after its start at the
    soonest."""
    timeout = activity.info().heartbeat_timeout
    seconds = timeout.total_seconds() if timeout else _DEFAULT_TIMEOUT_SECONDS
    beating = asyncio.create_task(_beat(seconds / _BEATS_PER_TIMEOUT))
    try:
        yield
    finally:
        beating.cancel()


async def _beat(every_seconds: float) -> None:
    await asyncio.sleep(min(FIRST_BEAT_SECONDS, every_seconds))
    while True:
        faults.reach(faults.HEARTBEAT_DUE)
        activity.heartbeat()
        faults.reach(faults.HEARTBEAT_SENT)
        await asyncio.sleep(every_seconds)
