"""Keeps a process's key ring in step with the key store: what changes there is forgotten here, within about a second.

The database tells on channel `contactsync_keys` (migration 0010). Whoever cannot listen, or has lost the connection,
still loses a changed key within the cache's time to live; behind a pooler in transaction mode that is all there is.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final
from uuid import UUID

import structlog

from contactsync.codecs.keys.ring import KeyRing
from contactsync.errors import DatabaseError
from contactsync.postgres import notifications

CHANNEL: Final = "contactsync_keys"
_AT_MOST_ONE_BY_ONE: Final = 200
_FIRST_WAIT_SECONDS: Final = 0.5
_LONGEST_WAIT_SECONDS: Final = 15.0

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@asynccontextmanager
async def flushing(url: str, ring: KeyRing) -> AsyncGenerator[None]:
    """Listen at the key store's `url` while the block runs; a lost connection is opened again."""
    listening = asyncio.create_task(_listen(url, ring))
    try:
        yield
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


async def _listen(url: str, ring: KeyRing) -> None:
    wait = _FIRST_WAIT_SECONDS
    while True:
        try:
            async with notifications(url, CHANNEL) as heard:
                ring.forget(None)  # whatever was told while nobody listened
                wait = _FIRST_WAIT_SECONDS
                async for told in heard:
                    flush(ring, told)
        except DatabaseError as error:
            log.warning("the key store's changes are not heard; keys go by their time to live", code=error.code)
        await asyncio.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT_SECONDS)


def flush(ring: KeyRing, told: Sequence[str]) -> None:
    """Forget what was told of: `{tenant}` or `{tenant}/{key id}`; everything where it is much, or unheard of."""
    try:
        tenants, kids = _read(told)
    except ValueError:
        ring.forget(None)
        return
    if len(tenants) + len(kids) > _AT_MOST_ONE_BY_ONE:
        ring.forget(None)
        return
    for tenant_id in tenants:
        ring.forget(tenant_id)
    for kid in kids:
        ring.forget_payload_key(kid)


def _read(told: Sequence[str]) -> tuple[set[UUID], set[bytes]]:
    tenants = {UUID(text) for text in told if "/" not in text}
    kids = {bytes.fromhex(text.partition("/")[2]) for text in told if "/" in text}
    return tenants, kids
