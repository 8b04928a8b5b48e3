"""Stories that need a whole engine: workflows, workers and the simulator at their own pace."""

from temporalio.api.enums.v1 import EventType
from tests.pitfalls.engines import Engine

from contactsync.activities.sources.simulator.faults import Faults, Refused
from contactsync.activities.sources.simulator.provider import Asked, Provider
from contactsync.activities.sources.simulator.users import Users
from contactsync.activities.store.backfills import NewBackfill

SPANS = {"parts": {"params": {"folder": "{value}"}, "values": ["a", "b", "c"]}}


async def test_p01_p13_contacts_that_change_during_a_backfill_are_not_lost(engine: Engine) -> None:
    """Three changes at each request, while the first listing is a backfill in parts and live sync runs beside it."""
    provider = Provider(1_200, folders=("a", "b", "c"))
    users = Users(provider, seed=3)

    def change(_: Asked) -> None:
        users.act()
        users.act()
        users.act()

    async with engine.reading(provider, SPANS) as connected:
        provider.before_answers = change
        backfill = await connected.backfill(NewBackfill())
        assert (await connected.pass_now()).outcome == "completed"
        assert (await backfill.result()).outcome == "completed"
        provider.before_answers = None
        await connected.pass_now()
        assert await connected.copy() == dict(provider.live())


async def test_p33_patience_is_a_timer_and_no_failure(engine: Engine) -> None:
    """The source asks for two seconds in mid-pass: a durable timer, no attempt that failed, and all contacts."""
    provider = Provider(250)
    async with engine.reading(provider) as connected:
        provider.fail(Refused(429, retry_after=2), 1, "contacts")
        result = await connected.pass_now()
        assert (result.outcome, result.counts.added) == ("completed", 250)
        events = await connected.events()
        assert EventType.EVENT_TYPE_TIMER_STARTED in events
        assert EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED not in events
        assert await connected.copy() == dict(provider.live())


async def test_pages_without_an_end_pause_the_connection(engine: Engine) -> None:
    """The reason says so, nothing is deleted, and a mended source syncs on after somebody resumes it."""
    provider = Provider(300)
    async with engine.reading(provider) as connected:
        await connected.pass_now()
        provider.faults = Faults(loop="repeats")
        provider.edit(*dict(provider.live()))
        result = await connected.pass_now()
        assert (result.outcome, result.paused) == ("SourceLoops", "SourceLoops")
        assert set(await connected.copy()) == set(dict(provider.live()))
        provider.faults = Faults()
        await connected.syncs.resume(connected.sync)
        await connected.pass_now()
        assert await connected.copy() == dict(provider.live())
