"""`ConnectionSync` with sources that ask for patience, send garbage or never end, and with deletions that are held."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from tests.integration.workflows.running import Handle, syncing, until
from tests.integration.workflows.scripted import Script, garbage_to_the_end

from contactsync.activities.messages import DeleteDecision, PassResult, PauseRequest, Progress
from contactsync.errors import CredentialsRejected, SourceLoops
from contactsync.workflows.connection_sync import ConnectionSync
from contactsync.workflows.state_attribute import STATE_ATTRIBUTE


async def progress_until(handle: Handle, condition: Callable[[Progress], bool]) -> Progress:
    """The progress, once the condition holds."""
    async with asyncio.timeout(20):
        while not condition(progress := await handle.query(ConnectionSync.progress)):  # noqa: ASYNC110  # no signal
            await asyncio.sleep(0.01)
    return progress


async def states_of(handle: Handle) -> list[str]:
    """Each state that the workflow told, in order."""
    kind = EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES
    events = [event for event in (await handle.fetch_history()).events if event.event_type == kind]
    fields = [event.upsert_workflow_search_attributes_event_attributes.search_attributes for event in events]
    told = [each.indexed_fields for each in fields if STATE_ATTRIBUTE.name in each.indexed_fields]
    return [each[STATE_ATTRIBUTE.name].data.decode().strip('["]') for each in told]


async def synced(environment: WorkflowEnvironment, handle: Handle) -> PassResult:
    """A pass that is asked for now; time is skipped until it has ended, at most a day."""
    update = await handle.start_update(ConnectionSync.sync_now, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    waiting = asyncio.create_task(update.result())
    for _ in range(24 * 6):
        if waiting.done():
            break
        await environment.sleep(timedelta(minutes=10))
    return await waiting


async def test_patience_is_a_timer_of_temporal(skipping: WorkflowEnvironment) -> None:
    """Pages that ask for an hour and then for two are asked for again after that; nothing is written twice."""
    script = Script(pages=2, interval_seconds=86_400, waits=[3600.0, 7200.0])
    async with syncing(skipping, script) as handle:
        result = await synced(skipping, handle)
    assert 3 * 3600 <= result.ended_at - result.started_at < 4 * 3600
    assert (result.outcome, script.written) == ("completed", [1, 2])
    assert script.events.count("fetch 1") == 3


async def test_progress_says_until_when_it_waits_and_a_pause_ends_the_wait(environment: WorkflowEnvironment) -> None:
    """A wait of ten hours is over with the pause; the pass is closed and the pause recorded."""
    script = Script(pages=2, waits=[36_000.0])
    async with syncing(environment, script, next_due=None) as handle:
        progress = await progress_until(handle, lambda progress: progress.waiting_until is not None)
        now = (await environment.get_current_time()).timestamp()
        assert progress.waiting_until is not None
        assert abs(progress.waiting_until - now - 36_000) < 60
        await handle.signal(ConnectionSync.pause, PauseRequest(reason="operator"))
        await until(lambda: script.pauses == ["operator"])
        assert (await handle.query(ConnectionSync.progress)).waiting_until is None
    assert (script.closed, script.written) == (["paused"], [])


async def test_who_asks_for_a_sync_has_the_wait_tried_at_once(environment: WorkflowEnvironment) -> None:
    """The page that waits is asked for again, and the pass that was asked for follows it."""
    script = Script(pages=1, waits=[36_000.0])
    async with syncing(environment, script, next_due=None) as handle:
        await progress_until(handle, lambda progress: progress.waiting_until is not None)
        before = await environment.get_current_time()
        result = await handle.execute_update(ConnectionSync.sync_now)
        assert await environment.get_current_time() - before < timedelta(hours=1)
    assert (result.outcome, script.passes, script.written) == ("completed", 2, [1, 1])


async def test_a_page_under_way_is_written_while_the_next_one_waits(environment: WorkflowEnvironment) -> None:
    """Page 1 is in the database although page 2 has ten hours to wait."""
    script = Script(pages=2, hold_fetching=asyncio.Event())
    async with syncing(environment, script, next_due=None) as handle:
        await until(lambda: "fetch 1" in script.events)
        assert script.hold_fetching is not None
        script.waits_at = {2: 36_000.0}
        script.hold_fetching.set()
        await progress_until(handle, lambda progress: progress.waiting_until is not None)
        await until(lambda: script.written == [1])
        assert (await handle.query(ConnectionSync.progress)).waiting_until is not None


async def test_a_pause_writes_what_was_fetched_ahead_and_no_more(environment: WorkflowEnvironment) -> None:
    """Three pages were fetched when the pause came: they are written, the pass is closed, nothing else is asked for."""
    script = Script(pages=9, hold_writing=asyncio.Event())
    async with syncing(environment, script, next_due=None) as handle:
        await until(lambda: sorted(script.cleaned) == [1, 2, 3])
        await handle.signal(ConnectionSync.pause, PauseRequest(reason="operator"))
        assert script.hold_writing is not None
        script.hold_writing.set()
        await until(lambda: script.pauses == ["operator"])
    assert (script.written, script.closed) == ([1, 2, 3], ["paused"])
    assert "fetch 4" not in script.events


async def test_pages_without_end_pause_the_connection_at_once(skipping: WorkflowEnvironment) -> None:
    """`SourceLoops` is the reason; what was committed stays and nothing is tried again."""
    script = Script(pages=2, fetch_fails=[SourceLoops()])
    async with syncing(skipping, script) as handle:
        result = await handle.execute_update(ConnectionSync.sync_now)
        assert (result.outcome, result.paused) == ("SourceLoops", "SourceLoops")
        await until(lambda: script.pauses == ["SourceLoops"])
        await skipping.sleep(timedelta(hours=5))
    assert (script.passes, script.closed) == (1, ["SourceLoops"])


async def test_three_passes_of_garbage_pause_the_connection(environment: WorkflowEnvironment) -> None:
    """Not before the third, also where the first was in a run before this one."""
    script = Script(pages=1, fetch_always_fails=garbage_to_the_end)
    async with syncing(environment, script, misbehaved=1) as handle:
        assert (await handle.execute_update(ConnectionSync.sync_now)).paused is None
        assert (await handle.execute_update(ConnectionSync.sync_now)).paused == "SourceMisbehaved"
        await until(lambda: script.pauses == ["SourceMisbehaved"])


async def test_a_pass_that_completes_ends_the_count_of_garbage(environment: WorkflowEnvironment) -> None:
    """After two passes of garbage and a good one, the next of garbage is the first again."""
    script = Script(pages=1)
    async with syncing(environment, script, misbehaved=2) as handle:
        assert (await handle.execute_update(ConnectionSync.sync_now)).outcome == "completed"
        script.fetch_always_fails = garbage_to_the_end
        result = await handle.execute_update(ConnectionSync.sync_now)
    assert (result.outcome, result.paused) == ("SourceMisbehaved", None)


@pytest.mark.parametrize(("approve", "outcome"), [(True, "approved"), (False, "rejected")])
async def test_held_deletions_are_decided_by_an_update_also_while_paused(
    environment: WorkflowEnvironment, approve: bool, outcome: str
) -> None:
    """The decision reaches the database with its actor, and its answer the one who decided."""
    script = Script(pages=1, hold_id=uuid4(), held=7)
    async with syncing(environment, script, paused="operator") as handle:
        assert script.hold_id is not None
        decision = DeleteDecision(hold_id=script.hold_id, actor="cli/0")
        update = ConnectionSync.approve_deletes if approve else ConnectionSync.reject_deletes
        decided = await handle.execute_update(update, decision)
    assert (decided.outcome, decided.contacts) == (outcome, 7)
    assert [(each.approve, each.actor) for each in script.decisions] == [(approve, "cli/0")]
    assert script.passes == 0


async def test_a_decision_about_nothing_is_refused_by_its_code(environment: WorkflowEnvironment) -> None:
    """The update fails with `HoldNotFound`, and the workflow goes on."""
    script = Script(pages=1)
    async with syncing(environment, script) as handle:
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await handle.execute_update(ConnectionSync.approve_deletes, DeleteDecision(hold_id=uuid4(), actor="cli/0"))
        assert isinstance(failed.value.cause, ApplicationError)
        assert failed.value.cause.type == "HoldNotFound"
        assert (await handle.execute_update(ConnectionSync.sync_now)).outcome == "completed"


@pytest.mark.parametrize("actor", ["", "x" * 201])
async def test_a_decision_needs_somebody_who_decides(environment: WorkflowEnvironment, actor: str) -> None:
    """It is refused before it is accepted: nothing of it is in the history."""
    script = Script(pages=1, hold_id=uuid4())
    async with syncing(environment, script) as handle:
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await handle.execute_update(ConnectionSync.reject_deletes, DeleteDecision(hold_id=uuid4(), actor=actor))
        assert isinstance(failed.value.cause, ApplicationError)
        assert failed.value.cause.type == "SettingsError"
    assert script.decisions == []


async def test_the_state_can_be_searched_for_and_is_told_only_when_it_changes(
    environment: WorkflowEnvironment,
) -> None:
    """Well, paused, failing until it has synced again, holding, decided: six times in the history of nine passes."""
    script = Script(pages=1)
    async with syncing(environment, script) as handle:
        for _ in range(3):
            await handle.execute_update(ConnectionSync.sync_now)
        script.fetch_fails = [SourceLoops()]
        await handle.execute_update(ConnectionSync.sync_now)
        await until(lambda: script.pauses == ["SourceLoops"])
        await handle.signal(ConnectionSync.resume)
        await handle.execute_update(ConnectionSync.sync_now)
        script.hold_id, script.held = uuid4(), 3
        for _ in range(3):
            await handle.execute_update(ConnectionSync.sync_now)
        decision = DeleteDecision(hold_id=script.hold_id, actor="cli/0")
        await handle.execute_update(ConnectionSync.approve_deletes, decision)
        await handle.execute_update(ConnectionSync.sync_now)
        states = await states_of(handle)
    assert states == ["ok", "paused", "failing", "ok", "holding", "ok"]


async def test_p14_no_stage_outlives_its_pass(environment: WorkflowEnvironment) -> None:
    """A pass whose fetch failed ends only when the page that is being written is written; no other begins before."""
    script = Script(pages=3, interval_seconds=60, hold_writing=asyncio.Event())
    script.fails_at = {2: CredentialsRejected()}
    async with syncing(environment, script, next_due=None) as handle:
        await until(lambda: "fetch 2" in script.events)
        await handle.signal(ConnectionSync.resume)
        await handle.query(ConnectionSync.progress)
        assert (script.closed, script.passes, script.written) == ([], 1, [])
        assert (await handle.query(ConnectionSync.progress)).state == "syncing"
        assert script.hold_writing is not None
        script.hold_writing.set()
        await until(lambda: script.pauses == ["CredentialsRejected"])
    assert (script.written, script.closed, script.passes) == ([1], ["CredentialsRejected"], 1)
    assert script.events.index("write 1") < script.events.index("close")
