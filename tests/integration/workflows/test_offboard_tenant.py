"""`OffboardTenant` with scripted activities: the order of things, who may decide when, and what runs late."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.testing import WorkflowEnvironment
from tests.integration.workflows.running import until
from tests.integration.workflows.scripted_offboarding import (
    OffboardHandle,
    OffboardScript,
    offboarding,
)

from contactsync.activities.offboarding_messages import (
    CERTIFY,
    DELETE_EXECUTIONS,
    DELETE_ROWS,
    DESTROY_KEYS,
    DISABLE_TENANT,
    ENABLE_TENANT,
    STOP_WORKFLOWS,
    OffboardDecision,
)
from contactsync.errors import DatabaseUnavailable, StalePass
from contactsync.workflows.offboard_tenant import OffboardTenant

BEGINNING = [DISABLE_TENANT, STOP_WORKFLOWS]
END = [DESTROY_KEYS, DELETE_ROWS, DELETE_EXECUTIONS, CERTIFY]
WHO = OffboardDecision(actor="cli/2")


async def phase(handle: OffboardHandle) -> str:
    """Where it stands."""
    return (await handle.query(OffboardTenant.progress)).phase


async def quarantined(handle: OffboardHandle) -> None:
    """Wait for the quarantine."""
    async with asyncio.timeout(20):
        while await phase(handle) != "quarantine":  # noqa: ASYNC110  # what a query tells; nobody signals it
            await asyncio.sleep(0.05)


async def refused(handle: OffboardHandle, decision: OffboardDecision = WHO) -> set[str]:
    """The errors of approving and cancelling."""
    codes: set[str] = set()
    for update in (OffboardTenant.approve, OffboardTenant.cancel):
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await handle.execute_update(update, decision)
        assert isinstance(caught.value.cause, ApplicationError)
        codes.add(caught.value.cause.type or "")
    return codes


async def test_approval_ends_the_quarantine(environment: WorkflowEnvironment) -> None:
    """Keys, rows, executions, certificate, in this order, in the name of who approved."""
    script = OffboardScript(executions=[5, 0, 1])
    async with offboarding(environment, script) as handle:
        await quarantined(handle)
        assert script.events == BEGINNING
        told = await handle.execute_update(OffboardTenant.approve, WHO)
        assert (told.approved, told.cancelled) == (True, False)
        assert (await handle.result()).outcome == "completed"
    assert script.events == [*BEGINNING, *END]
    assert script.actors == {DISABLE_TENANT: "cli/1", DESTROY_KEYS: "cli/2", CERTIFY: "cli/2"}
    assert (len(script.openings), script.left, script.executions) == (1, 0, [])


async def test_the_quarantine_ends_by_itself(skipping: WorkflowEnvironment) -> None:
    """After a week, not before, over several runs; then nobody may decide any more."""
    script = OffboardScript()
    async with offboarding(skipping, script) as handle:
        await quarantined(handle)
        await skipping.sleep(timedelta(days=6, hours=23))
        assert (await phase(handle), script.events) == ("quarantine", BEGINNING)
        first = await handle.describe()
        script.fail(DESTROY_KEYS, *[DatabaseUnavailable()] * 3)
        await skipping.sleep(timedelta(hours=2))
        assert (await handle.result()).outcome == "completed"
        assert script.events[-4:] == END
    assert first.raw_description.workflow_execution_info.first_run_id != first.run_id
    assert script.actors[DESTROY_KEYS] == "worker"
    assert (len(script.openings), script.events.count(DISABLE_TENANT)) == (1, 1)


async def test_cancelling_undoes_it(environment: WorkflowEnvironment) -> None:
    """Nothing but disabling, stopping and enabling was done."""
    script = OffboardScript()
    async with offboarding(environment, script) as handle:
        await quarantined(handle)
        assert (await handle.execute_update(OffboardTenant.cancel, WHO)).cancelled
        assert (await handle.result()).outcome == "cancelled"
    assert script.events == [*BEGINNING, ENABLE_TENANT]
    assert script.actors[ENABLE_TENANT] == "cli/2"


async def test_the_first_decision_counts(environment: WorkflowEnvironment) -> None:
    """It may come before the quarantine has begun; a second one is refused, and so is one by nobody."""
    script = OffboardScript(hold_disabling=asyncio.Event())
    async with offboarding(environment, script) as handle:
        await until(lambda: script.events == [DISABLE_TENANT])
        assert await refused(handle, OffboardDecision(actor="")) == {"SettingsError"}
        await handle.execute_update(OffboardTenant.cancel, WHO)
        assert await refused(handle) == {"OffboardingNotFound"}
        assert script.hold_disabling is not None
        script.hold_disabling.set()
        assert (await handle.result()).outcome == "cancelled"
    assert DESTROY_KEYS not in script.events


async def test_what_was_decided_before_goes_on_at_once(environment: WorkflowEnvironment) -> None:
    """A workflow that takes over after the point of no return waits for nobody, also if somebody wants to cancel."""
    script = OffboardScript(decided=True, hold_disabling=asyncio.Event())
    async with offboarding(environment, script) as handle:
        await until(lambda: script.events == [DISABLE_TENANT])
        await handle.execute_update(OffboardTenant.cancel, WHO)
        assert script.hold_disabling is not None
        script.hold_disabling.set()
        assert (await handle.result()).outcome == "completed"
    assert script.events == [*BEGINNING, *END]


async def test_a_server_that_deletes_nothing(environment: WorkflowEnvironment) -> None:
    """The certificate is told how many executions are left."""
    script = OffboardScript(executions=[7], refused=True)
    async with offboarding(environment, script, quarantine_seconds=0.01) as handle:
        assert (await handle.result()).outcome == "completed"
    assert script.left == 7


async def test_troubles_pass_and_an_overtaken_run_ends(environment: WorkflowEnvironment) -> None:
    """What can be tried again is; a run that another one overtook destroys nothing and fails with the reason."""
    script = OffboardScript()
    for name in (DISABLE_TENANT, DELETE_ROWS, CERTIFY):
        script.fail(name)
    async with offboarding(environment, script, quarantine_seconds=0.01) as handle:
        assert (await handle.result()).outcome == "completed"
    script = OffboardScript()
    script.fail(DESTROY_KEYS, StalePass())
    async with offboarding(environment, script, quarantine_seconds=0.01) as handle:
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
    assert isinstance(caught.value.cause, ActivityError)
    assert isinstance(caught.value.cause.cause, ApplicationError)
    assert caught.value.cause.cause.type == "StalePass"
    assert DELETE_ROWS not in script.events
