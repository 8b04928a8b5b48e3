"""`Backfill` under the time-skipping server, sealed as in production, with scripted activities."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment
from tests.integration.workflows.running import (
    BackfillHandle,
    backfilling,
    until,
)
from tests.integration.workflows.scripted import garbage_to_the_end
from tests.integration.workflows.scripted_backfill import BackfillScript

from contactsync.activities.messages import PauseRequest
from contactsync.errors import CredentialsRejected, SourceLoops, SourceUnavailable, StalePass
from contactsync.workflows.backfill import Backfill

EVERY_PAGE = [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (2, 4)]


async def paused_for(handle: BackfillHandle, reason: str) -> None:
    """Wait until the backfill says that it is paused for this reason."""
    async with asyncio.timeout(20):
        while (await handle.query(Backfill.progress)).paused != reason:  # noqa: ASYNC110  # nobody signals it
            await asyncio.sleep(0.01)


async def seconds_taken(handle: BackfillHandle) -> float:
    """From its start to its end, in Temporal's time."""
    description = await handle.describe()
    assert description.close_time is not None
    return (description.close_time - description.start_time).total_seconds()


async def test_every_page_of_every_part_is_written_once_and_in_its_order(environment: WorkflowEnvironment) -> None:
    """Three parts of nine pages: each part in order, never more than two parts at a time, and the sum is returned."""
    script = BackfillScript(window=2)
    async with backfilling(environment, script) as handle:
        result = await handle.result()
        progress = await handle.query(Backfill.progress)
    assert sorted(script.written) == EVERY_PAGE
    assert all(
        [page for part, page in script.written if part == each] == [*range(1, count + 1)]
        for each, count in script.pages.items()
    )
    assert script.most_at_once == 2
    assert (result.outcome, result.counts.added, script.closed) == ("completed", 90, ["completed"])
    assert (progress.state, progress.parts, progress.parts_done, progress.pages) == ("ended", 3, 3, 9)


async def test_the_next_page_of_a_part_is_fetched_while_one_is_written(environment: WorkflowEnvironment) -> None:
    """With writing held back, page 2 is fetched before page 1 is written."""
    script = BackfillScript(pages={0: 3}, hold_writing=asyncio.Event())
    async with backfilling(environment, script) as handle:
        await until(lambda: "fetch 0/2" in script.events)
        assert script.written == []
        assert script.hold_writing is not None
        script.hold_writing.set()
        assert (await handle.result()).outcome == "completed"


async def test_a_pause_is_recorded_and_resuming_goes_on_after_the_last_page(environment: WorkflowEnvironment) -> None:
    """What was under way is written; after `resume` no page is written a second time."""
    script = BackfillScript(pages={0: 5, 1: 5}, hold_fetching=asyncio.Event())
    async with backfilling(environment, script) as handle:
        await until(lambda: {"fetch 0/1", "fetch 1/1"} <= set(script.events))
        await handle.signal(Backfill.pause, PauseRequest(reason="maintenance"))
        assert script.hold_fetching is not None
        script.hold_fetching.set()
        await until(lambda: script.pauses == [True])
        assert sorted(script.written) == [(0, 1), (1, 1)]
        assert (await handle.query(Backfill.progress)).state == "paused"
        await handle.signal(Backfill.resume)
        assert (await handle.result()).outcome == "completed"
    assert script.pauses == [True, False]
    assert sorted(script.written) == [(part, page) for part in (0, 1) for page in range(1, 6)]
    assert len(script.openings) == 2


async def test_resuming_while_the_pause_is_recorded_is_not_lost(environment: WorkflowEnvironment) -> None:
    """The database is told of both, one after the other, and the backfill goes on."""
    script = BackfillScript(pages={0: 3}, hold_fetching=asyncio.Event(), hold_pausing=asyncio.Event())
    async with backfilling(environment, script) as handle:
        await until(lambda: "fetch 0/1" in script.events)
        await handle.signal(Backfill.pause, PauseRequest(reason="maintenance"))
        assert script.hold_fetching is not None
        script.hold_fetching.set()
        await until(lambda: "pause True" in script.events)
        await handle.signal(Backfill.resume)
        assert script.hold_pausing is not None
        script.hold_pausing.set()
        assert (await handle.result()).outcome == "completed"
    assert script.pauses == [True, False]


async def test_a_pause_recorded_while_no_workflow_ran_is_honoured(environment: WorkflowEnvironment) -> None:
    """The ticket says paused, so nothing is fetched until `resume`."""
    script = BackfillScript(is_paused=True)
    async with backfilling(environment, script) as handle:
        await paused_for(handle, "operator")
        assert script.events == []
        await handle.signal(Backfill.resume)
        assert (await handle.result()).outcome == "completed"


async def test_cancelling_writes_what_is_under_way_or_nothing_and_closes(environment: WorkflowEnvironment) -> None:
    """The backfill is closed as cancelled, says so, and no page is written after that."""
    script = BackfillScript(pages={0: 50, 1: 50})
    async with backfilling(environment, script) as handle:
        await until(lambda: len(script.written) >= 4)
        await handle.cancel()
        result = await handle.result()
        assert (await handle.describe()).status == WorkflowExecutionStatus.COMPLETED
    assert (result.outcome, script.closed) == ("cancelled", ["cancelled"])
    assert result.counts.pages == len(script.written) < 100


@pytest.mark.parametrize("paused", [None, "operator"])
async def test_a_backfill_can_be_cancelled_whatever_it_waits_for(
    environment: WorkflowEnvironment, paused: str | None
) -> None:
    """Also while it is paused, and while a source that is down keeps it waiting."""
    script = BackfillScript(fetch_always_fails=SourceUnavailable)
    async with backfilling(environment, script, paused=paused) as handle:
        if paused is None:
            await until(lambda: bool(script.events))
        await handle.cancel()
        assert (await handle.result()).outcome == "cancelled"


async def test_a_page_overtaken_by_a_sweep_is_fetched_again(environment: WorkflowEnvironment) -> None:
    """`redo` writes nothing: the page is fetched again, and what was fetched behind it is thrown away."""
    script = BackfillScript(pages={0: 4}, redo_at={(0, 2), (0, 4)})
    async with backfilling(environment, script) as handle:
        result = await handle.result()
    assert (result.outcome, script.written) == ("completed", [(0, 1), (0, 2), (0, 3), (0, 4)])
    assert script.events.count("fetch 0/2") == 2
    assert script.events.count("fetch 0/4") >= 2


async def test_what_was_cleaned_behind_an_overtaken_page_is_thrown_away(environment: WorkflowEnvironment) -> None:
    """Pages 2 and 3 wait behind page 1, which a sweep overtakes: all three are fetched again, and written once."""
    script = BackfillScript(pages={0: 3}, redo_at={(0, 1)}, hold_writing=asyncio.Event())
    async with backfilling(environment, script) as handle:
        await until(lambda: "fetch 0/3" in script.events)
        assert script.hold_writing is not None
        script.hold_writing.set()
        assert (await handle.result()).outcome == "completed"
    assert [script.events.count(f"fetch 0/{page}") for page in (1, 2, 3)] == [2, 2, 2]
    assert script.written == [(0, 1), (0, 2), (0, 3)]


async def test_a_page_that_is_being_written_is_written_though_its_backfill_is_cancelled(
    environment: WorkflowEnvironment,
) -> None:
    """The backfill is closed only after that, and its result counts the page."""
    script = BackfillScript(pages={0: 3}, hold_writing=asyncio.Event())
    async with backfilling(environment, script) as handle:
        await until(lambda: "fetch 0/3" in script.events)
        await handle.cancel()
        await handle.query(Backfill.progress)
        assert script.closed == []
        assert script.hold_writing is not None
        script.hold_writing.set()
        result = await handle.result()
    assert (result.outcome, result.counts.pages, script.written) == ("cancelled", 1, [(0, 1)])


async def test_a_budget_that_asks_for_patience_is_waited_for_by_a_timer(skipping: WorkflowEnvironment) -> None:
    """The page is asked for again after its time, which `progress` shows; the other part goes on."""
    script = BackfillScript(pages={0: 2, 1: 2}, waits_at={(0, 2): 3600.0})
    async with backfilling(skipping, script) as handle:
        async with asyncio.timeout(20):
            while (await handle.query(Backfill.progress)).waiting_until is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await until(lambda: (1, 2) in script.written)
        assert (await handle.result()).outcome == "completed"
        assert 3600 <= await seconds_taken(handle) <= 3700
    assert script.events.count("fetch 0/2") == 2


async def test_resume_ends_the_wait_for_a_budget(skipping: WorkflowEnvironment) -> None:
    """Who knows better than the clock has the page asked for at once."""
    script = BackfillScript(pages={0: 1}, waits_at={(0, 1): 36_000.0})
    async with backfilling(skipping, script) as handle:
        await until(lambda: not script.waits_at)
        before = await skipping.get_current_time()
        await handle.signal(Backfill.resume)
        await until(lambda: script.written == [(0, 1)])
        assert await skipping.get_current_time() - before < timedelta(hours=1)


async def test_a_rate_is_kept(skipping: WorkflowEnvironment) -> None:
    """Two thousand contacts at two a second take about a thousand seconds, over two parts side by side."""
    script = BackfillScript(pages={0: 10, 1: 10}, rows=100, rows_per_second=2.0)
    async with backfilling(skipping, script) as handle:
        assert (await handle.result()).outcome == "completed"
        seconds = await seconds_taken(handle)
    assert 850 <= seconds <= 1100


async def test_a_source_that_is_down_for_long_only_delays(skipping: WorkflowEnvironment) -> None:
    """After a page has been given up, the backfill waits, opens anew and goes on from the last page committed."""
    script = BackfillScript(pages={0: 3}, window=1, down_from=(0, 2))
    async with backfilling(skipping, script) as handle:
        await until(lambda: (0, 1) in script.written)
        for _ in range(24):
            if len(script.openings) > 2:
                break
            await skipping.sleep(timedelta(minutes=15))
        script.down_from = None
        result = await handle.result()
    assert len(script.openings) > 2
    assert (result.outcome, script.pauses) == ("completed", [])
    assert sorted(script.written) == [(0, 1), (0, 2), (0, 3)]


@pytest.mark.parametrize("error", [CredentialsRejected, SourceLoops])
async def test_what_somebody_has_to_mend_pauses_with_its_code(
    environment: WorkflowEnvironment, error: type[CredentialsRejected | SourceLoops]
) -> None:
    """The other part's page is written, the pause is recorded, and after `resume` it goes on to its end."""
    script = BackfillScript(pages={0: 3, 1: 3}, fails_at={(0, 2): error()})
    async with backfilling(environment, script) as handle:
        await until(lambda: script.pauses == [True])
        await paused_for(handle, error.__name__)
        assert script.closed == []
        await handle.signal(Backfill.resume)
        assert (await handle.result()).outcome == "completed"
    assert len(script.written) == len(set(script.written)) == 6


async def test_a_source_that_keeps_sending_garbage_pauses_the_backfill(skipping: WorkflowEnvironment) -> None:
    """Three times in a row, the first of them in the run before, and no page in between: paused, with the reason."""
    script = BackfillScript(pages={0: 1}, fetch_always_fails=garbage_to_the_end)
    async with backfilling(skipping, script, misbehaved=1) as handle:
        for _ in range(24):
            if script.pauses:
                break
            await skipping.sleep(timedelta(minutes=15))
        await paused_for(handle, "SourceMisbehaved")
    assert (len(script.openings), script.written, script.closed) == (2, [], [])


async def test_a_backfill_that_somebody_closed_ends_with_what_the_database_says(
    skipping: WorkflowEnvironment,
) -> None:
    """A page is refused as stale; opening it again tells that it was cancelled."""
    script = BackfillScript(pages={0: 1}, hold_writing=asyncio.Event())
    async with backfilling(skipping, script) as handle:
        await until(lambda: "fetch 0/1" in script.events)
        assert script.hold_writing is not None
        script.ended = "cancelled"
        script.hold_writing.set()
        assert (await handle.result()).outcome == "cancelled"


async def test_an_opening_that_was_taken_over_is_opened_again(skipping: WorkflowEnvironment) -> None:
    """Nothing is paused and nothing is lost because of it."""
    script = BackfillScript(pages={0: 2}, open_fails=[StalePass()])
    async with backfilling(skipping, script) as handle:
        assert (await handle.result()).outcome == "completed"
    assert script.pauses == []


async def test_a_backfill_that_is_not_there_ends_with_its_code(environment: WorkflowEnvironment) -> None:
    """There is nothing to work on and nothing to close."""
    script = BackfillScript(is_known=False)
    async with backfilling(environment, script) as handle:
        assert (await handle.result()).outcome == "BackfillNotFound"
    assert script.closed == []


async def test_the_server_holds_no_contact_of_a_backfill_in_the_clear(environment: WorkflowEnvironment) -> None:
    """The body that the scripted source returns is nowhere in the history."""
    script = BackfillScript()
    async with backfilling(environment, script) as handle:
        await handle.result()
        blob = b"".join(event.SerializeToString() for event in (await handle.fetch_history()).events)
    assert b"Zaphod" not in blob
    assert b"betelgeuse" not in blob


async def test_a_long_backfill_goes_on_in_new_runs(suggesting: WorkflowEnvironment) -> None:
    """Four parts of 56 pages take several runs; each page is written once."""
    script = BackfillScript(pages={0: 14, 1: 14, 2: 14, 3: 14}, window=3)
    async with backfilling(suggesting, script) as handle:
        result = await handle.result()
    assert (result.outcome, result.counts.pages) == ("completed", 56)
    assert len(script.written) == len(set(script.written)) == 56
    assert len(script.openings) > 3


async def test_a_worker_that_forgets_everything_makes_the_same_decisions(environment: WorkflowEnvironment) -> None:
    """Each workflow task replays all before it: parts, waits, pages fetched again and errors come out the same."""
    script = BackfillScript(
        pages={0: 2, 1: 2}, redo_at={(0, 1)}, waits_at={(1, 2): 0.5}, fails_at={(0, 2): SourceUnavailable()}
    )
    async with backfilling(environment, script, cached=0) as handle:
        result = await handle.result()
    assert (result.outcome, sorted(script.written)) == ("completed", [(0, 1), (0, 2), (1, 1), (1, 2)])
