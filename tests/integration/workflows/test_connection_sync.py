"""`ConnectionSync` under the time-skipping server, sealed as in production, with scripted activities."""

import asyncio
from datetime import timedelta

from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from tests.integration.workflows.running import failure_in, result_of, syncing, until
from tests.integration.workflows.scripted import Script

from contactsync.activities.messages import PauseRequest
from contactsync.errors import CredentialsRejected, SourceAddressWrong, SourceUnavailable
from contactsync.workflows.connection_sync import ConnectionSync


async def test_a_pass_writes_every_page_once_in_order_and_reports_the_sum(environment: WorkflowEnvironment) -> None:
    """Three pages of ten are written in order, and the update returns thirty added."""
    script = Script(pages=3)
    async with syncing(environment, script) as handle:
        result = await handle.execute_update(ConnectionSync.sync_now)
    assert result.outcome == "completed"
    assert script.written[:3] == [1, 2, 3]
    assert (result.counts.pages, result.counts.added) == (3, 30)


async def test_the_next_page_is_fetched_while_one_is_written(environment: WorkflowEnvironment) -> None:
    """With writing held back, page 2 is fetched before page 1 is written."""
    script = Script(pages=3, hold_writing=asyncio.Event())
    async with syncing(environment, script, next_due=None):
        await until(lambda: "fetch 2" in script.events)
        assert "write 1" not in script.events
        assert script.hold_writing is not None
        script.hold_writing.set()
        await until(lambda: script.written == [1, 2, 3])


async def test_so_many_pages_are_cleaned_ahead_of_a_slow_write_and_no_more(environment: WorkflowEnvironment) -> None:
    """While page 1 is written, pages 2 and 3 become clean; page 4 is asked for when page 2 is written."""
    script = Script(pages=9, hold_writing=asyncio.Event())
    async with syncing(environment, script, next_due=None) as handle:
        await until(lambda: sorted(script.cleaned) == [1, 2, 3])
        await handle.query(ConnectionSync.progress)
        assert (script.events, script.written) == (["open", "fetch 1", "fetch 2", "fetch 3"], [])
        assert script.hold_writing is not None
        script.hold_writing.set()
        await until(lambda: script.written == [*range(1, 10)])


async def test_pages_before_an_error_of_the_source_are_written(environment: WorkflowEnvironment) -> None:
    """The third fetch has failed while page 1 is being written: the pass ends with its code, after pages 1 and 2."""
    script = Script(pages=9, hold_writing=asyncio.Event(), fails_at={3: SourceAddressWrong()})
    async with syncing(environment, script) as handle:
        asking = asyncio.create_task(handle.execute_update(ConnectionSync.sync_now))
        await failure_in(handle)
        await handle.query(ConnectionSync.progress)
        assert script.hold_writing is not None
        script.hold_writing.set()
        result = await asking
    assert (result.outcome, result.counts.pages, script.closed) == ("SourceAddressWrong", 2, ["SourceAddressWrong"])
    assert script.written == [1, 2]


async def test_only_pages_with_contacts_are_cleaned(environment: WorkflowEnvironment) -> None:
    """A page of tombstones, unchanged contacts or nothing goes to the store as it is, in its turn."""
    script = Script(pages=4, quiet=frozenset({1, 3, 4}))
    async with syncing(environment, script) as handle:
        await handle.execute_update(ConnectionSync.sync_now)
    assert (script.cleaned[:1], script.written[:4]) == ([2], [1, 2, 3, 4])
    assert set(script.cleaned) == {2}


async def test_passes_follow_each_other_at_the_interval(skipping: WorkflowEnvironment) -> None:
    """An hour at an interval of 15 to 16 minutes has four more passes, none asked for."""
    script = Script(pages=1)
    async with syncing(skipping, script) as handle:
        await handle.execute_update(ConnectionSync.sync_now)
        before = script.passes
        await skipping.sleep(timedelta(minutes=65))
        assert script.passes - before == 4


async def test_refused_credentials_pause_the_connection_with_the_reason(skipping: WorkflowEnvironment) -> None:
    """The pass ends at once, the pause is recorded with its code, and no further pass is tried."""
    script = Script(fetch_fails=[CredentialsRejected()])
    async with syncing(skipping, script) as handle:
        result = await handle.execute_update(ConnectionSync.sync_now)
        assert (result.outcome, result.paused) == ("CredentialsRejected", "CredentialsRejected")
        await until(lambda: script.pauses == ["CredentialsRejected"])
        await skipping.sleep(timedelta(hours=5))
        assert script.passes == 1
        assert (await handle.query(ConnectionSync.progress)).state == "paused"


async def test_resume_syncs_at_once(environment: WorkflowEnvironment) -> None:
    """After `resume` the pause is cleared in the database and a pass runs."""
    script = Script(pages=1, fetch_fails=[CredentialsRejected()])
    async with syncing(environment, script) as handle:
        await handle.execute_update(ConnectionSync.sync_now)
        await until(lambda: script.pauses == ["CredentialsRejected"])
        await handle.signal(ConnectionSync.resume)
        await until(lambda: script.written == [1])
        assert script.pauses == ["CredentialsRejected", None]


async def test_an_unavailable_source_is_tried_again(environment: WorkflowEnvironment) -> None:
    """Two failures that may be retried do not end the pass."""
    script = Script(pages=1, fetch_fails=[SourceUnavailable(), SourceUnavailable()])
    async with syncing(environment, script) as handle:
        result = await handle.execute_update(ConnectionSync.sync_now)
    assert result.outcome == "completed"
    assert script.events.count("fetch 1") == 3


async def test_an_error_that_cannot_be_retried_ends_the_pass_and_the_next_one_tries_anew(
    environment: WorkflowEnvironment,
) -> None:
    """The pass is closed with the error's code, and the next pass completes."""
    script = Script(pages=1, fetch_fails=[SourceAddressWrong()])
    async with syncing(environment, script) as handle:
        assert (await handle.execute_update(ConnectionSync.sync_now)).outcome == "SourceAddressWrong"
        assert script.closed == ["SourceAddressWrong"]
        assert (await handle.execute_update(ConnectionSync.sync_now)).outcome == "completed"


async def test_a_pause_stops_after_the_page_under_way(environment: WorkflowEnvironment) -> None:
    """What was fetched is written, no further page is; the cursor stays where it was."""
    script = Script(pages=50, hold_fetching=asyncio.Event())
    async with syncing(environment, script, next_due=None) as handle:
        await until(lambda: "fetch 1" in script.events)
        await handle.signal(ConnectionSync.pause, PauseRequest(reason="maintenance"))
        assert script.hold_fetching is not None
        script.hold_fetching.set()
        await until(lambda: script.closed == ["paused"])
        assert script.written == [1]
        await until(lambda: script.pauses == ["maintenance"])
        assert (await handle.execute_update(ConnectionSync.sync_now)).outcome == "paused"


async def test_a_pause_recorded_while_no_workflow_ran_is_honoured(environment: WorkflowEnvironment) -> None:
    """The ticket says paused, so nothing is fetched."""
    script = Script(paused_in_database="operator")
    async with syncing(environment, script) as handle:
        result = await handle.execute_update(ConnectionSync.sync_now)
        assert (result.outcome, result.paused) == ("paused", "operator")
        assert script.events == ["open", "close"]


async def test_resuming_while_the_pause_is_recorded_is_not_lost(environment: WorkflowEnvironment) -> None:
    """The database is told of both, one after the other, and the sync goes on."""
    script = Script(pages=1, hold_pausing=asyncio.Event())
    async with syncing(environment, script) as handle:
        await handle.signal(ConnectionSync.pause, PauseRequest(reason="maintenance"))
        await until(lambda: "pause maintenance" in script.events)
        await handle.signal(ConnectionSync.resume)
        assert script.hold_pausing is not None
        script.hold_pausing.set()
        await until(lambda: script.written == [1])
    assert script.pauses == ["maintenance", None]


async def test_resuming_while_an_older_pause_is_read_is_not_lost(environment: WorkflowEnvironment) -> None:
    """What the database said a moment before is older than what somebody wants now: it is told, and the pass runs."""
    script = Script(pages=1, paused_in_database="operator", hold_opening=asyncio.Event())
    async with syncing(environment, script, next_due=None) as handle:
        await until(lambda: "open" in script.events)
        await handle.signal(ConnectionSync.resume)
        assert script.hold_opening is not None
        script.hold_opening.set()
        await until(lambda: script.written == [1])
    assert script.pauses == [None]


async def test_a_sync_asked_for_during_a_pass_starts_after_that_moment(environment: WorkflowEnvironment) -> None:
    """An update that comes while a pass runs is answered by the next pass, not by the one under way."""
    script = Script(pages=1, hold_fetching=asyncio.Event())
    async with syncing(environment, script, next_due=None) as handle:
        await until(lambda: "fetch 1" in script.events)
        asking = asyncio.create_task(handle.execute_update(ConnectionSync.sync_now))
        await handle.query(ConnectionSync.progress)
        assert script.hold_fetching is not None
        script.hold_fetching.set()
        await asking
        assert script.passes == 2


async def test_a_run_ends_within_a_day_and_carries_its_state_on(skipping: WorkflowEnvironment) -> None:
    """After 25 idle hours the workflow is another run, still paused and with the same last pass."""
    script = Script(pages=1, fetch_fails=[CredentialsRejected()])
    async with syncing(skipping, script) as handle:
        await handle.execute_update(ConnectionSync.sync_now)
        before = await handle.query(ConnectionSync.progress)
        await skipping.sleep(timedelta(hours=25))
        latest: WorkflowHandle[ConnectionSync, None] = skipping.client.get_workflow_handle_for(
            ConnectionSync.run, handle.id
        )
        description = await latest.describe()
        after = await latest.query(ConnectionSync.progress)
        assert description.run_id != handle.first_execution_run_id
        assert description.status == WorkflowExecutionStatus.RUNNING
        assert (after.state, after.paused, after.last) == ("paused", "CredentialsRejected", before.last)


async def test_the_state_travels_with_continue_as_new_while_somebody_waits(skipping: WorkflowEnvironment) -> None:
    """An update sent while a run is about to end is answered, whichever run answers it."""
    script = Script(pages=1, interval_seconds=6 * 3600)
    async with syncing(skipping, script) as handle:
        latest = skipping.client.get_workflow_handle_for(ConnectionSync.run, handle.id)
        for _ in range(3):
            await skipping.sleep(timedelta(hours=23, minutes=59))
            assert (await latest.execute_update(ConnectionSync.sync_now)).outcome == "completed"


async def test_the_server_holds_no_contact_in_the_clear(environment: WorkflowEnvironment) -> None:
    """The body that the scripted source returns is nowhere in the history."""
    script = Script(pages=2)
    async with syncing(environment, script) as handle:
        await handle.execute_update(ConnectionSync.sync_now)
        history = await handle.fetch_history()
        blob = b"".join(event.SerializeToString() for event in history.events)
        assert b"Zaphod" not in blob
        assert b"betelgeuse" not in blob


async def test_a_run_ends_when_temporal_suggests_it(suggesting: WorkflowEnvironment) -> None:
    """Passes go on in new runs, and no state is lost."""
    script = Script(pages=2)
    async with syncing(suggesting, script) as handle:
        latest = suggesting.client.get_workflow_handle_for(ConnectionSync.run, handle.id)
        for number in range(1, 8):
            asked = await latest.execute_update(ConnectionSync.sync_now)
            assert (await result_of(suggesting, handle, asked)).counts.added == 20
            assert (await latest.query(ConnectionSync.progress)).passes == number
        assert (await latest.describe()).run_id != handle.first_execution_run_id
