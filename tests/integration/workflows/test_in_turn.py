"""`ConnectionSync` with two pages being written: the second waits for its turn, whatever becomes of the first."""

import asyncio

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import CancelledError
from temporalio.testing import WorkflowEnvironment
from tests.integration.workflows.running import failure_in, scheduled_in, syncing, until
from tests.integration.workflows.scripted import Script

from contactsync.activities.messages import PauseRequest
from contactsync.errors import SourceAddressWrong, TenantDisabled
from contactsync.workflows.connection_sync import ConnectionSync


async def test_the_next_page_makes_itself_ready_while_one_is_written_and_no_other(
    environment: WorkflowEnvironment,
) -> None:
    """While page 1 is held up, page 2 waits for its turn and page 3 is only clean; then all are written in order."""
    script = Script(pages=6, hold_writing=asyncio.Event())
    async with syncing(environment, script, next_due=None) as handle:
        await until(lambda: sorted(script.cleaned) == [1, 2, 3])
        await handle.query(ConnectionSync.progress)
        assert (script.in_turn, script.written) == ([2], [])
        assert script.hold_writing is not None
        script.hold_writing.set()
        await until(lambda: len(script.written) == 6)
        counts = (await handle.execute_update(ConnectionSync.sync_now)).counts
    assert script.written[:6] == [1, 2, 3, 4, 5, 6]
    assert (counts.pages, counts.added) == (6, 60)


async def test_a_page_that_came_too_early_is_written_when_its_turn_has_come(environment: WorkflowEnvironment) -> None:
    """Page 2 gives up waiting for page 1 and is written after it; from then on no page is begun before its turn."""
    script = Script(pages=6, hold_writing=asyncio.Event(), early_at={2})
    async with syncing(environment, script) as handle:
        asking = asyncio.create_task(handle.execute_update(ConnectionSync.sync_now))
        await until(lambda: script.in_turn == [2])
        await handle.query(ConnectionSync.progress)
        assert script.hold_writing is not None
        script.hold_writing.set()
        counts = (await asking).counts
    assert script.written[:6] == [1, 2, 3, 4, 5, 6]
    assert (counts.pages, counts.added, script.in_turn) == (6, 60, [2])


async def test_nothing_is_written_over_a_page_that_fails(environment: WorkflowEnvironment) -> None:
    """The pass ends with page 1's code once page 2 has given up, and the next pass goes on from what is committed."""
    script = Script(pages=4, hold_writing=asyncio.Event(), early_at={2}, writing_fails={1: TenantDisabled()})
    async with syncing(environment, script) as handle:
        asking = asyncio.create_task(handle.execute_update(ConnectionSync.sync_now))
        await until(lambda: script.in_turn == [2])
        assert script.hold_writing is not None
        script.hold_writing.set()
        assert (await asking).outcome == "TenantDisabled"
        assert (script.written, script.closed) == ([], ["TenantDisabled"])
        await handle.signal(ConnectionSync.resume)
        await until(lambda: script.written == [1, 2, 3, 4])


async def test_the_pass_of_a_page_that_fails_is_closed_when_no_other_is_under_way(
    environment: WorkflowEnvironment,
) -> None:
    """Page 2 still waits for its turn when page 1 fails: only when it has ended is the pass closed."""
    script = Script(pages=4, hold_writing=asyncio.Event(), writing_fails={1: TenantDisabled()})
    async with syncing(environment, script, next_due=None) as handle:
        await until(lambda: script.in_turn == [2])
        assert script.hold_writing is not None
        script.hold_writing.set()
        await failure_in(handle)
        await handle.query(ConnectionSync.progress)
        assert "close_pass" not in await scheduled_in(handle)
        await script.give_up()
        await until(lambda: script.closed == ["TenantDisabled"])
    assert script.written == []


async def test_a_page_that_cannot_be_cleaned_ends_the_pass_after_those_before_it(
    environment: WorkflowEnvironment,
) -> None:
    """Page 2 cannot be cleaned while page 1 is held up: page 1 is written and counted."""
    script = Script(pages=4, hold_writing=asyncio.Event(), cleaning_fails={2: SourceAddressWrong()})
    async with syncing(environment, script) as handle:
        asking = asyncio.create_task(handle.execute_update(ConnectionSync.sync_now))
        await until(lambda: not script.cleaning_fails and 3 in script.cleaned)
        await handle.query(ConnectionSync.progress)
        assert script.hold_writing is not None
        script.hold_writing.set()
        result = await asking
    assert (result.outcome, result.counts.pages, script.written) == ("SourceAddressWrong", 1, [1])


async def test_a_pause_lets_both_pages_be_written(environment: WorkflowEnvironment) -> None:
    """What was fetched when the pause came is written, in order, before the pause is recorded."""
    script = Script(pages=50, hold_writing=asyncio.Event())
    async with syncing(environment, script, next_due=None) as handle:
        await until(lambda: sorted(script.cleaned) == [1, 2, 3] and script.in_turn == [2])
        await handle.signal(ConnectionSync.pause, PauseRequest(reason="maintenance"))
        assert script.hold_writing is not None
        script.hold_writing.set()
        await until(lambda: script.pauses == ["maintenance"])
    assert (script.written, script.closed) == ([1, 2, 3], ["paused"])


async def test_a_workflow_that_is_cancelled_lets_both_pages_be_written(environment: WorkflowEnvironment) -> None:
    """It has not ended while one is written and the next waits; no other is begun."""
    script = Script(pages=50, hold_writing=asyncio.Event())
    async with syncing(environment, script, next_due=None) as handle:
        await until(lambda: sorted(script.cleaned) == [1, 2, 3] and script.in_turn == [2])
        await handle.cancel()
        await handle.query(ConnectionSync.progress)
        assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
        assert script.hold_writing is not None
        script.hold_writing.set()
        with pytest.raises(WorkflowFailureError) as ended:
            await handle.result()
    assert isinstance(ended.value.cause, CancelledError)
    assert script.written == [1, 2]
