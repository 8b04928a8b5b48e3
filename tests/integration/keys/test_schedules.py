"""Schedules hold nothing but ids, so that they outlive every key (pitfall P28); each worker ensures them."""

import asyncio
import secrets
import string
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

import pytest
from temporalio.api.workflowservice.v1 import DescribeScheduleRequest
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    ScheduleActionExecutionStartWorkflow,
    UpdateScheduleInput,
)
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker
from tests.integration.keys.house import House

from contactsync.activities.key_life import KeyLife, VisibleExecutions
from contactsync.activities.key_messages import DestroyExpired
from contactsync.errors import KeyDestroyed
from contactsync.identifiers import PLATFORM_TENANT
from contactsync.workers.bootstrap import temporal_client
from contactsync.workers.embedded.temporal import TemporalServer
from contactsync.workers.registered import WORKFLOWS
from contactsync.workers.schedules import SCHEDULES, Planned, ensure_schedules, keeping_schedules
from contactsync.workers.settings import Settings
from contactsync.workflows.destroy_expired_keys import DestroyExpiredKeys

QUEUE: Final = "scheduled"
DAY: Final = timedelta(days=1)


@pytest.fixture
async def client(house: House, temporal_server: TemporalServer) -> Client:
    """A client that seals under the house's keys."""
    settings = Settings.model_validate(
        {"temporal_address": temporal_server.address, "temporal_namespace": temporal_server.namespace}
    )
    return await temporal_client(settings, house.ring)


@pytest.fixture
async def planned(client: Client) -> AsyncGenerator[Planned]:
    """A schedule of this test alone, that never comes due by itself."""
    name = "destroy-" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(12))
    planned = Planned(name, DestroyExpiredKeys.__name__, every=365 * DAY, offset=100 * DAY)
    await ensure_schedules(client, QUEUE, (planned,))
    yield planned
    await client.get_schedule_handle(planned.schedule_id).delete()


async def test_p28_a_schedule_outlives_its_keys(house: House, client: Client, planned: Planned) -> None:
    """The key of the day on which it was made is rotated away and destroyed; it still starts its workflow."""
    first = await house.key(PLATFORM_TENANT)
    house.clock.ahead = 40 * DAY
    await _rotated(house, PLATFORM_TENANT)
    await house.ring.store.destroy_data_key(first.kid, house.clock())
    house.ring.forget(PLATFORM_TENANT)
    with pytest.raises(KeyDestroyed):
        await house.ring.open_payload_key(first.kid)
    life = KeyLife(house.ring.store, house.database, VisibleExecutions(client), house.clock)
    activities = [life.judge_keys, life.settle_keys]
    async with Worker(client, task_queue=QUEUE, workflows=[DestroyExpiredKeys], activities=activities):
        done = await _triggered(client, planned)
    assert done == DestroyExpired()


async def _rotated(house: House, tenant_id: UUID) -> None:
    rotation = house.ring.rotation()
    await rotation.add_version(tenant_id, 2)
    await rotation.rewrap_children(tenant_id, 2)
    await rotation.retire_versions(tenant_id, 2)


async def _triggered(client: Client, planned: Planned) -> DestroyExpired:
    """What the run did that the schedule started now."""
    handle = client.get_schedule_handle(planned.schedule_id)
    await handle.trigger()
    async with asyncio.timeout(20):
        while not (actions := (await handle.describe()).info.recent_actions):
            pass
    started = actions[-1].action
    assert isinstance(started, ScheduleActionExecutionStartWorkflow)
    assert started.workflow_id.startswith(f"{planned.schedule_id}-20")
    async with asyncio.timeout(20):
        return await client.get_workflow_handle_for(DestroyExpiredKeys.run, started.workflow_id).result()


async def test_p28_a_schedule_holds_nothing_but_ids(client: Client, planned: Planned) -> None:
    """No payload at all: no argument, memo, header, summary, note or search attribute, sealed or not."""
    request = DescribeScheduleRequest(namespace=client.namespace, schedule_id=planned.schedule_id)
    there = await client.workflow_service.describe_schedule(request)
    start = there.schedule.action.start_workflow
    assert not start.input.payloads
    assert not there.memo.fields
    assert not start.memo.fields
    assert not start.header.fields
    assert not start.search_attributes.indexed_fields
    assert not there.search_attributes.indexed_fields
    assert not start.HasField("user_metadata")
    assert not there.schedule.state.notes
    assert b"cs-kid" not in there.SerializeToString()


async def test_schedules_are_brought_up_to_date(client: Client, planned: Planned) -> None:
    """A later version's plan replaces an earlier one's; ensuring again changes nothing; a pause by hand stays."""
    handle = client.get_schedule_handle(planned.schedule_id)
    before = (await handle.describe()).info.last_updated_at
    await ensure_schedules(client, QUEUE, (planned,))
    assert (await handle.describe()).info.last_updated_at == before
    await handle.pause(note=None)
    await ensure_schedules(client, "another-queue", (replace(planned, every=DAY, offset=timedelta(0)),))
    there = (await handle.describe()).schedule
    assert [each.every for each in there.spec.intervals] == [DAY]
    assert there.state.paused
    await ensure_schedules(client, QUEUE, (planned,))


class Busy(OutboundInterceptor):
    """Temporal has no time for the first corrections of a schedule."""

    def __init__(self, next: OutboundInterceptor) -> None:  # noqa: A002  # the base's
        super().__init__(next)
        self._refusals = 2

    async def update_schedule(self, input: UpdateScheduleInput) -> None:  # noqa: A002  # the base's
        self._refusals -= 1
        if self._refusals >= 0:
            raise RPCError("consistent query buffer is full", RPCStatusCode.RESOURCE_EXHAUSTED, b"")
        await super().update_schedule(input)


class BusyAtFirst(Interceptor):
    """As it answers when a hundred workers begin at once."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002  # the base's
        return Busy(next)


async def test_a_schedule_is_brought_up_to_date_in_time(
    planned: Planned, client: Client, temporal_server: TemporalServer
) -> None:
    """Nothing waits for a correction that Temporal has no time for, and it is made all the same."""
    address, namespace = temporal_server.address, temporal_server.namespace
    busy = await Client.connect(address, namespace=namespace, interceptors=[BusyAtFirst()])
    handle = client.get_schedule_handle(planned.schedule_id)
    async with asyncio.timeout(30), keeping_schedules(busy, QUEUE, [replace(planned, every=DAY, offset=timedelta(0))]):
        assert [each.every for each in (await handle.describe()).schedule.spec.intervals] == [365 * DAY]
        while [each.every for each in (await handle.describe()).schedule.spec.intervals] != [DAY]:
            pass


async def test_a_missing_schedule_is_made_first(client: Client, planned: Planned) -> None:
    """Whoever begins its work with it finds it there."""
    missing = replace(planned, name=f"{planned.name}-again")
    async with keeping_schedules(client, QUEUE, [missing]):
        handle = client.get_schedule_handle(missing.schedule_id)
        assert [each.every for each in (await handle.describe()).schedule.spec.intervals] == [365 * DAY]
        await handle.delete()


def test_every_planned_workflow_is_known_to_workers() -> None:
    """Each schedule starts a workflow that workers run, under an id of its own."""
    assert {each.workflow for each in SCHEDULES} <= {workflow.__name__ for workflow in WORKFLOWS}
    assert len({each.schedule_id for each in SCHEDULES}) == len(SCHEDULES)
