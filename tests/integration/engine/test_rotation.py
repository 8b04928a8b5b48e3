"""A rotation of all of a tenant's keys on real Temporal and PostgreSQL, beside its live sync."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from tests.integration.engine.conftest import Engine

from contactsync.activities import rotating
from contactsync.activities.contacts.made_up import made_up_contacts
from contactsync.activities.messages import ConnectionRef, OpenPass
from contactsync.activities.rotation_messages import RotateArgs, RotationProgress
from contactsync.activities.sources.memory import AddressBook, shared
from contactsync.activities.store import reindexing, resealing
from contactsync.codecs.audit.log import AuditKind
from contactsync.codecs.keys.key import KeyPurpose
from contactsync.workers.rotations import Rotations
from contactsync.workers.syncs import Sync

BOTH = (KeyPurpose.ROW, KeyPurpose.INDEX)


def _rotations(engine: Engine) -> Rotations:
    return Rotations(engine.syncs.client, engine.parts.settings.task_queue)


async def _alive(engine: Engine, tenant: UUID) -> dict[str, list[int]]:
    """The epochs of the keys that are not destroyed; of the tenant's key, its versions."""
    keys = await engine.parts.ring.store.data_keys(tenant, BOTH)
    alive = {purpose.value: [key.epoch for key in keys if key.purpose is purpose and key.wrapped] for purpose in BOTH}
    versions = await engine.parts.ring.store.tenant_keys(tenant)
    return {**alive, "tenant": [key.version for key in versions if key.wrapped]}


async def _seen(engine: Engine, tenant: UUID, until: str) -> RotationProgress:
    """The rotation's progress once it is in a phase."""
    async with asyncio.timeout(30):
        while True:
            progress = await _rotations(engine).progress(tenant)
            if progress is not None and progress.phase == until:
                return progress
            await asyncio.sleep(0.05)


async def test_all_keys_rotate_beside_live_sync(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes go on while everything is rewrapped, reindexed and resealed; in the end one key of each is left, every
    contact is found, and the next pass has nothing to do."""
    monkeypatch.setattr(rotating, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(reindexing, "BATCH", 40)
    monkeypatch.setattr(resealing, "BATCH", 40)
    contacts = made_up_contacts(300, 5)
    book = AddressBook({str(number): contact for number, contact in enumerate(contacts)})
    with shared(book) as name:
        tenant = await engine.tenant()
        sync = await engine.connect(tenant, {"shared": name})
        await engine.sync(sync)
        before = await _ids(engine, sync)
        args = RotateArgs(tenant_id=tenant, index=True, reseal=True, settle_seconds=0.1, actor="test")
        await _rotations(engine).start(args)
        for number in range(3):
            book.put("7", contacts[number])
            await engine.sync(sync)
        async with asyncio.timeout(60):
            result = await _rotations(engine).result(tenant)
        last = await engine.sync(sync)
    assert (result.phase, last.counts.added, last.counts.updated, last.counts.deleted) == ("ended", 0, 0, 0)
    assert await _alive(engine, tenant) == {"row": [2], "index": [2], "tenant": [2]}
    assert await _ids(engine, sync) == before
    for number in (1, 150, 299):
        found = await engine.parts.contacts.find(
            tenant, email=contacts[number].emails[0].address, actor="test", reason="test"
        )
        assert str(number) in {each.source_id for each in found}
    await _check_log(engine, tenant)


async def _ids(engine: Engine, sync: Sync) -> dict[str, UUID]:
    ref = ConnectionRef(tenant_id=sync.tenant_id, connection_id=sync.connection_id)
    return {held.source_id: held.contact_id async for held in engine.parts.contacts.all_of(ref)}


async def _check_log(engine: Engine, tenant: UUID) -> None:
    """The log tells of every key that the rotation made and destroyed."""
    async with engine.parts.database.transaction(tenant) as connection:
        rows = await connection.fetch(
            "SELECT entry::jsonb ->> 'kind' AS kind FROM audit.entry WHERE entry::jsonb ->> 'actor' = 'test'"
        )
    kinds = [row["kind"] for row in rows]
    assert kinds.count(AuditKind.KEY_MADE) == 3
    assert kinds.count(AuditKind.KEYS_REWRAPPED) == 1
    assert kinds.count(AuditKind.KEY_DESTROYED) == 2


async def test_a_rotation_of_the_tenant_key_alone_is_short(engine: Engine) -> None:
    """Without more being asked, the data keys are wrapped again and that is all; a second one makes version 3."""
    tenant = await engine.tenant()
    for version in (2, 3):
        await _rotations(engine).start(RotateArgs(tenant_id=tenant))
        result = await _rotations(engine).result(tenant)
        assert result.plan is not None
        assert (result.plan.version, result.reindexed, result.resealed) == (version, 0, 0)
    assert await _alive(engine, tenant) == {"row": [1], "index": [1], "tenant": [3]}


async def test_older_keys_wait_for_work_that_began_before(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a pass is open that began before, its cursors may be under the older key: that one stays until it ends."""
    monkeypatch.setattr("contactsync.workflows.rotate_tenant_key._LONGEST_WAIT_SECONDS", 0.1)
    tenant = await engine.tenant()
    sync = await engine.connect(tenant, {"made_up": 3})
    ref = {"tenant_id": tenant, "connection_id": sync.connection_id}
    await engine.parts.passes.open(OpenPass(**ref, pass_id=UUID(int=1)))
    await _rotations(engine).start(RotateArgs(tenant_id=tenant, reseal=True, settle_seconds=0.1))
    waiting = await _seen(engine, tenant, "waiting")
    while waiting.waits is None:
        waiting = await _seen(engine, tenant, "waiting")
    assert (waiting.waits.done, waiting.waits.under_way) == (False, 1)
    assert await _alive(engine, tenant) == {"row": [1, 2], "index": [1], "tenant": [2]}
    await engine.sync(sync)
    async with asyncio.timeout(30):
        assert (await _rotations(engine).result(tenant)).phase == "ended"
    assert await _alive(engine, tenant) == {"row": [2], "index": [1], "tenant": [2]}


async def test_a_terminated_rotation_is_begun_anew(engine: Engine) -> None:
    """Ended at any point, the next rotation brings everything under its own keys and leaves no other."""
    tenant = await engine.tenant()
    sync = await engine.connect(tenant, {"made_up": 120})
    await engine.sync(sync)
    args = RotateArgs(tenant_id=tenant, index=True, reseal=True, settle_seconds=timedelta(hours=1).total_seconds())
    await _rotations(engine).start(args)
    await _seen(engine, tenant, "settling")
    await engine.syncs.client.get_workflow_handle(f"rotate/{tenant}").terminate("maintenance")
    await _rotations(engine).start(args.model_copy(update={"settle_seconds": 0.1}))
    async with asyncio.timeout(60):
        assert (await _rotations(engine).result(tenant)).phase == "ended"
    assert await _alive(engine, tenant) == {"row": [3], "index": [3], "tenant": [3]}
    assert len(await engine.held(sync)) == 120
