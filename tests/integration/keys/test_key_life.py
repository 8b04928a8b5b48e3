"""The end of payload keys on real servers: destroyed in time, held while an open execution needs them, never lost."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker
from tests.integration.keys.house import Executions, House
from tests.integration.keys.lasting import Lasting

from contactsync.activities import key_life
from contactsync.activities.key_life import KeyLife, VisibleExecutions
from contactsync.activities.key_messages import DestroyExpired, JudgedKeys, SettleKeys
from contactsync.activities.messages import ConnectionRef
from contactsync.codecs.keys.key import KeyPurpose
from contactsync.errors import DatabaseUnavailable, KeyDestroyed, TemporalUnavailable
from contactsync.identifiers import backfill_workflow_id, platform_workflow_id
from contactsync.postgres import Database
from contactsync.workers.bootstrap import temporal_client
from contactsync.workers.embedded.provision import DatabaseUrls
from contactsync.workers.embedded.temporal import TemporalServer
from contactsync.workers.settings import Settings
from contactsync.workflows.destroy_expired_keys import DestroyExpiredKeys

DAY: Final = timedelta(days=1)
OPEN_DAYS: Final = 15 * DAY
"""A day, and the fourteen after it."""


async def _settle(life: KeyLife, judged: JudgedKeys) -> int:
    settled = await life.settle(SettleKeys(destroy=judged.destroy, hold=judged.hold), actor="worker")
    return settled.destroyed


async def test_a_key_is_destroyed_after_its_date(house: House) -> None:
    """Ten minutes after its destroy date and not before; with one audit entry, however often it is done."""
    tenant_id, life = await house.tenant(), house.life(Executions())
    old, young = await house.key(tenant_id, 40 * DAY), await house.key(tenant_id)
    assert old.destroy_at is not None
    house.clock.ahead = old.destroy_at + timedelta(minutes=9) - datetime.now(UTC)
    assert await life.judge() == JudgedKeys()
    house.clock.ahead += timedelta(minutes=2)
    judged = await life.judge()
    assert (len(judged.destroy), judged.hold, judged.held) == (1, (), 0)
    assert [await _settle(life, judged), await _settle(life, judged)] == [1, 0]
    assert await house.is_destroyed(old)
    assert not await house.is_destroyed(young)
    assert await house.told(tenant_id) == [("key_destroyed", old.kid.hex())]


async def test_a_key_that_is_needed_is_held_and_goes_on_opening(house: House) -> None:
    """From before its date on: told once, opened beyond it, and destroyed when the execution has ended."""
    executions = Executions()
    tenant_id, life = await house.tenant(), house.life(executions)
    key = await house.key(tenant_id)
    assert key.destroy_at is not None
    executions.open_since[tenant_id] = datetime.now(UTC)
    house.clock.ahead = key.destroy_at - timedelta(hours=1) - datetime.now(UTC)
    judged = await life.judge()
    assert ([ref.kid for ref in judged.hold], judged.held, judged.destroy) == ([key.kid.hex()], 1, ())
    await _settle(life, judged)
    house.clock.ahead += 2 * DAY
    house.ring.forget_payload_key(key.kid)
    assert (await house.ring.open_payload_key(key.kid)).held
    assert await life.judge() == JudgedKeys(held=1)
    executions.open_since.clear()
    assert await _settle(life, await life.judge()) == 1
    assert await house.told(tenant_id) == [("key_held", key.kid.hex()), ("key_destroyed", key.kid.hex())]


async def test_only_the_keys_that_are_needed_are_held(house: House) -> None:
    """An execution holds the keys from its start on: older ones of its tenant end, and those of other tenants."""
    executions = Executions()
    tenant_id, other, life = await house.tenant(), await house.tenant(), house.life(executions)
    keys = {age: await house.key(tenant_id, age * DAY) for age in (60, 50, 40, 30)}
    foreign = await house.key(other, 40 * DAY)
    executions.open_since[tenant_id] = datetime.now(UTC) - 45 * DAY
    judged = await life.judge()
    assert {ref.kid for ref in judged.hold} == {keys[40].kid.hex(), keys[30].kid.hex()}
    assert {ref.kid for ref in judged.destroy} == {keys[60].kid.hex(), keys[50].kid.hex(), foreign.kid.hex()}
    assert executions.asked == 4  # three of one tenant, until one is needed, and one of the other


async def test_there_is_leeway_after_a_keys_day(house: House) -> None:
    """A run that Temporal dates shortly after the day may hold its payloads: sealed before midnight, or reset."""
    executions = Executions()
    tenant_id, life = await house.tenant(), house.life(executions)
    key = await house.key(tenant_id, 40 * DAY)
    assert key.encrypt_until is not None
    executions.open_since[tenant_id] = key.encrypt_until + timedelta(hours=47)
    assert (await life.judge()).held == 1
    executions.open_since[tenant_id] = key.encrypt_until + timedelta(hours=49)
    assert (await life.judge()).held == 0


async def test_nothing_is_destroyed_while_temporal_is_silent(house: House) -> None:
    """Who cannot ask destroys nothing."""
    executions = Executions()
    tenant_id, life = await house.tenant(), house.life(executions)
    key = await house.key(tenant_id, 40 * DAY)
    executions.down = True
    with pytest.raises(TemporalUnavailable):
        await life.judge()
    assert not await house.is_destroyed(key)


async def test_what_was_judged_wrongly_is_not_destroyed(house: House) -> None:
    """A key of another tenant than it says, one before its date, one that lasts, and one that is not there."""
    tenant_id, other, life = await house.tenant(), await house.tenant(), house.life(Executions())
    [ref] = (await _due(house, tenant_id, life)).destroy
    today = await house.key(tenant_id)
    lasting = (await house.ring.store.data_keys(tenant_id, [KeyPurpose.ROW]))[0]
    wrong = (
        ref.model_copy(update={"tenant_id": other}),
        ref.model_copy(update={"kid": today.kid.hex()}),
        ref.model_copy(update={"kid": lasting.kid.hex()}),
        ref.model_copy(update={"kid": "00" * 16}),
    )
    settled = await life.settle(SettleKeys(destroy=wrong, hold=wrong[2:]), actor="worker", again=True)
    assert settled.destroyed == 0
    assert (await life.judge()).destroy == (ref,)
    assert await house.told(tenant_id) == await house.told(other) == []


async def _due(house: House, tenant_id: UUID, life: KeyLife) -> JudgedKeys:
    """One key of the tenant is due."""
    await house.key(tenant_id, 40 * DAY)
    return await life.judge(tenant_id=tenant_id)


async def test_a_crash_between_key_and_entry_loses_no_entry(house: House, database_urls: DatabaseUrls) -> None:
    """The database fails when the audit entry is to be written: the next attempt writes it."""
    tenant_id, life = await house.tenant(), house.life(Executions())
    judged = await _due(house, tenant_id, life)

    request = SettleKeys(destroy=judged.destroy)
    gone = await Database.connect(database_urls.app)
    await gone.close()
    with pytest.raises(DatabaseUnavailable):
        await replace(life, database=gone).settle(request, actor="worker")
    assert await house.told(tenant_id) == []
    await life.settle(request, actor="worker", again=True)
    assert await house.told(tenant_id) == [("key_destroyed", judged.destroy[0].kid)]


async def test_many_keys_are_judged_in_batches(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, also where held ones stay in the way."""
    monkeypatch.setattr(key_life, "BATCH", 3)
    executions = Executions()
    life = house.life(executions)
    tenants = [await house.tenant() for _ in range(4)]
    for tenant_id in tenants:
        for age in (40, 41):
            await house.key(tenant_id, age * DAY)
    executions.open_since[min(tenants)] = datetime.now(UTC) - 100 * DAY
    seen: list[str] = []
    held, place = 0, None
    while True:
        judged = await life.judge(place)
        seen += [ref.kid for ref in (*judged.destroy, *judged.hold)]
        held, place = held + judged.held, judged.next
        if place is None:
            break
    assert (len(seen), len(set(seen)), held) == (8, 8, 2)


@pytest.fixture
async def client(house: House, temporal_server: TemporalServer) -> AsyncGenerator[Client]:
    """A client, and a worker that keeps no workflow in memory, for key life and for a workflow that lasts."""
    settings = Settings.model_validate(
        {"temporal_address": temporal_server.address, "temporal_namespace": temporal_server.namespace}
    )
    client = await temporal_client(settings, house.ring, Lasting)
    life = KeyLife(house.ring.store, house.database, VisibleExecutions(client), house.clock)
    worker = Worker(
        client,
        task_queue="keys",
        workflows=[Lasting, DestroyExpiredKeys],
        activities=[life.judge_keys, life.settle_keys],
        max_cached_workflows=0,
    )
    async with worker:
        yield client


async def _lasting(client: Client, tenant_id: UUID) -> WorkflowHandle[Lasting, ConnectionRef]:
    """An execution that has begun, and that visibility knows."""
    request = ConnectionRef(tenant_id=tenant_id, connection_id=uuid4())
    workflow_id = backfill_workflow_id(tenant_id, uuid4(), 1)
    handle = await client.start_workflow(Lasting.run, request, id=workflow_id, task_queue="keys")
    await _counted(client, tenant_id, 1)
    return handle


async def _counted(client: Client, tenant_id: UUID, count: int) -> None:
    """Return when visibility has so many open executions."""
    async with asyncio.timeout(20):
        while True:
            if await VisibleExecutions(client).count(tenant_id, datetime.now(UTC) + DAY) == count:
                return
            await asyncio.sleep(0.05)


async def _run(client: Client) -> DestroyExpired:
    workflow_id = f"{platform_workflow_id('destroy-expired-keys')}/{uuid4()}"
    return await client.execute_workflow(DestroyExpiredKeys.run, id=workflow_id, task_queue="keys")


async def test_a_workflow_that_lasts_outlives_its_keys_date(house: House, client: Client) -> None:
    """An execution that did not continue as new: its key is held, it goes on and ends; then its key ends, and with it
    its history."""
    tenant_id = await house.tenant()
    handle = await _lasting(client, tenant_id)
    key = await house.key(tenant_id)
    house.clock.ahead = OPEN_DAYS
    assert await _run(client) == DestroyExpired(held=1)
    house.ring.forget_payload_key(key.kid)
    await handle.signal(Lasting.end)
    assert (await handle.result()).tenant_id == tenant_id
    await _counted(client, tenant_id, 0)
    assert await _run(client) == DestroyExpired(destroyed=1)
    house.ring.forget_payload_key(key.kid)
    with pytest.raises(KeyDestroyed):
        await house.ring.open_payload_key(key.kid)
    assert await house.told(tenant_id) == [("key_held", key.kid.hex()), ("key_destroyed", key.kid.hex())]


async def test_executions_are_seen_by_their_ids(house: House, client: Client) -> None:
    """Those of this tenant that are open and began before the time; another tenant's, and none that has ended."""
    tenant_id, other = await house.tenant(), await house.tenant()
    handle = await _lasting(client, tenant_id)
    seen = VisibleExecutions(client)
    began = (await handle.describe()).start_time
    assert await seen.count(tenant_id, began) == 0
    assert await seen.count(tenant_id, began + timedelta(milliseconds=10)) == 1
    assert await seen.count(other, began + DAY) == 0
    await handle.terminate()
    await _counted(client, tenant_id, 0)


async def test_the_workflow_runs_again_harmlessly(house: House, client: Client) -> None:
    """Two at once destroy each key once, and count it once."""
    tenant_id = await house.tenant()
    key = await house.key(tenant_id)
    house.clock.ahead = OPEN_DAYS + DAY
    both = await asyncio.gather(_run(client), _run(client))
    assert await house.is_destroyed(key)
    assert {kid for kind, kid in await house.told(tenant_id) if kind == "key_destroyed"} == {key.kid.hex()}
    assert sum(done.destroyed for done in both) >= 1
    assert (await _run(client)).destroyed == 0
