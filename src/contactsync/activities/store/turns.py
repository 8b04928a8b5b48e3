"""Whose turn it is: pages of a pass are committed in their order, and two of them may be under way at a time.

The second waits outside of any transaction. Whether it really is its turn, the commit judges under the connection's
lock, as it does for every page.
"""

import asyncio
from typing import Final

from contactsync import faults
from contactsync.activities.messages import PageHead, PageResult
from contactsync.activities.store.cursors import digest_cursor
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import StalePass
from contactsync.postgres import Database, Row, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/passes.sql")

PATIENCE_SECONDS: Final = 2.0
"""So long a page waits for the one before: longer than most commits take, and no longer than an activity's slot may be
held for one that has died."""

_LOOK_SECONDS: Final = 0.02


class _Kept(PageResult):
    """What is kept of the page committed last: its answer, and that of the page before, whose worker may have died
    before anybody heard it."""

    before: PageResult | None = None


def kept(progress: Row, result: PageResult) -> PageResult:
    """The answer of a page that is being committed, as it is kept."""
    before = progress["result"] and PageResult.model_validate_json(progress["result"])
    return _Kept(**dict(result), before=before)


def answered(progress: Row, head: PageHead) -> PageResult | None:
    """What the page was answered when it was committed; None if it is the next to be committed.

    Raises:
        StalePass: it is neither, or it was committed before the last two.
    """
    ahead = head.page - progress["page"]
    if head.epoch != progress["epoch"]:
        raise StalePass
    if ahead == 1 and progress["open"]:
        return None
    answer = _answer(progress["result"], ahead)
    if answer is None:
        raise StalePass
    return answer


def _answer(result: str | None, ahead: int) -> PageResult | None:
    """That of the page committed last (0), or the one before (-1)."""
    if result is None:
        return None
    if ahead == 0:
        return PageResult.model_validate_json(result)
    return _Kept.model_validate_json(result).before if ahead == -1 else None


def check_follows(sealer: TenantSealer, head: PageHead, cursor: bytes | None) -> None:
    """A page that is the next one by its number must have been fetched where the one before ends, too: a workflow that
    was reset fetches pages again, and they may hold more or less than those of the same number that were committed.

    Raises:
        StalePass: there is a gap, or what was committed comes again.
    """
    if head.after is None or cursor is None or head.page == 1:
        return
    if digest_cursor(sealer, head.connection_id, cursor) != head.after:
        raise StalePass


async def has_turn(database: Database, head: PageHead) -> bool:
    """Wait until the page before is committed, or never will be; False if that takes too long."""
    clock = asyncio.get_running_loop().time
    until = clock() + PATIENCE_SECONDS
    while await _is_before_its_turn(database, head):
        faults.reach(faults.TURN_AWAITED)
        if clock() >= until:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    faults.reach(faults.TURN_CAME)
    return True


async def _is_before_its_turn(database: Database, head: PageHead) -> bool:
    async with database.transaction(head.tenant_id) as connection:
        row = await connection.fetchrow(_SQL["place"], head.tenant_id, head.connection_id)
    return row is not None and row["open"] and row["epoch"] == head.epoch and row["page"] < head.page - 1
