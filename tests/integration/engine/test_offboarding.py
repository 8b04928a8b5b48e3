"""A tenant's end on real Temporal and real PostgreSQL: nothing of it opens any more, and nobody else is harmed."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from tests.integration.engine.conftest import Engine
from tests.integration.engine.held import Held, held_of, keys_of

from contactsync.activities.certificate import Certificate, read_certificate
from contactsync.activities.executions import Executions
from contactsync.codecs.audit.signing import audit_signer
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.key import TenantKey, new_secret
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.keys.root import wrap_tenant_key
from contactsync.codecs.keys.store import StoredTenantKey
from contactsync.errors import KeyDestroyed, OffboardingNotFound, TenantDisabled
from contactsync.workers.offboards import Offboards
from contactsync.workers.syncs import Sync

WEEK = timedelta(days=7)
ACTOR = "cli/1000"
PEOPLE = 150
"""Two pages."""


async def synced(engine: Engine, tenant_id: UUID | None = None) -> Sync:
    """A connection with contacts, of a new tenant or of this one."""
    sync = await engine.connect(tenant_id or await engine.tenant(), {"made_up": PEOPLE})
    assert (await engine.sync(sync)).counts.added == PEOPLE
    return sync


def offboards(engine: Engine) -> Offboards:
    """The class under test."""
    return Offboards(engine.syncs.client, engine.syncs.task_queue)


def another_process(engine: Engine, folder: Path) -> KeyRing:
    """Keys as a process has them that has cached nothing."""
    return KeyRing(PostgresKeyStore(engine.parts.database), FileRootKey(folder / "root.key"))


async def offboarded(engine: Engine, tenant_id: UUID) -> Certificate:
    """From its beginning to its end; the certificate."""
    runs = offboards(engine)
    await runs.start(tenant_id, WEEK, ACTOR)
    with suppress(OffboardingNotFound):  # begun anew, it waits for nobody
        await runs.approve(tenant_id, ACTOR)
    assert (await runs.result(tenant_id)).outcome == "completed"
    note = await engine.parts.offboardings.certificate(tenant_id)
    assert note is not None
    return read_certificate(note, [audit_signer(await engine.parts.ring.audit_key()).verifier])


async def rows_left(engine: Engine, tenant_id: UUID) -> dict[str, int]:
    """Rows by table, in every table of every schema that has tenants."""
    async with engine.parts.database.transaction(tenant_id) as connection:
        tables = await connection.fetch(
            "SELECT table_name AS name FROM information_schema.columns"
            " WHERE table_schema = 'contactsync' AND column_name = 'tenant_id'"
        )
        counts = {
            row["name"]: await connection.fetchval(f'SELECT count(*) FROM contactsync."{row["name"]}"')  # noqa: S608
            for row in tables
        }
    return {name: count for name, count in counts.items() if count}


async def held(engine: Engine, tenant_id: UUID) -> Held:
    """Copies of what is held now."""
    return await held_of(engine.parts.database, engine.syncs.client, tenant_id)


async def test_nothing_of_the_tenant_opens_any_more(engine: Engine, tmp_path: Path) -> None:
    """Every row and payload copied before is noise to every process, and there is none in the live stores."""
    sync = await synced(engine)
    before = await held(engine, sync.tenant_id)
    keys = await keys_of(engine.parts.ring, sync.tenant_id)
    whole = (len(before.rows), len(before.payloads))
    assert whole > (PEOPLE, 10)
    assert await before.opened_by(engine.parts.ring) == whole

    certificate = await offboarded(engine, sync.tenant_id)

    for ring in (engine.parts.ring, another_process(engine, tmp_path)):
        assert await before.opened_by(ring) == (0, 0)
        with pytest.raises(KeyDestroyed):
            await ring.payload_key(sync.tenant_id)
    assert await rows_left(engine, sync.tenant_id) == {"tenant": 1, "offboarding": 1, "certificate": 1}
    assert await Executions(engine.syncs.client, sync.tenant_id).count() == 0
    assert certificate.rows["contact"] == PEOPLE
    assert certificate.executions > 0
    assert certificate.executions_left == 0
    kids = {key.kid.hex() for key in (*keys.tenant_keys, *keys.data_keys)}
    assert {kid for several in certificate.keys.values() for kid in several} == kids
    await nothing_begins(engine, sync, certificate)


async def nothing_begins(engine: Engine, sync: Sync, certificate: Certificate) -> None:
    """No connection, no sync, and no new keys under the same id; offboarding it again changes nothing."""
    with pytest.raises(TenantDisabled):
        await engine.connect(sync.tenant_id, {"made_up": 1})
    with pytest.raises(KeyDestroyed):
        await engine.syncs.start(sync)
    with pytest.raises(KeyDestroyed):
        await engine.parts.directory.add_tenant("again", tenant_id=sync.tenant_id)
    assert await offboarded(engine, sync.tenant_id) == certificate


async def test_what_backups_can_do(engine: Engine, tmp_path: Path) -> None:
    """Wrapped data keys are noise without the tenant's key, whichever is put in its place; a whole backup of the key
    store, with the root key, still opens: that is why the certificate says when the last of them ends."""
    sync = await synced(engine)
    before = await held(engine, sync.tenant_id)
    keys = await keys_of(engine.parts.ring, sync.tenant_id)
    certificate = await offboarded(engine, sync.tenant_id)

    root = FileRootKey(tmp_path / "root.key")
    (old,) = keys.tenant_keys
    forged = TenantKey(old.kid, old.tenant_id, old.version, new_secret())
    put = StoredTenantKey(old.kid, old.tenant_id, old.version, await wrap_tenant_key(root, forged))
    assert await before.opened_by(KeyRing(await keys.store(put), root)) == (0, 0)
    assert await before.opened_by(KeyRing(await keys.store(), root)) == (len(before.rows), len(before.payloads))
    assert certificate.final_at == certificate.effective_at + timedelta(days=30)
    until = {each.what: each.until for each in certificate.residuals}
    assert until["key_store_backups"] == certificate.final_at


async def test_every_other_tenant_is_unharmed(engine: Engine) -> None:
    """Another tenant keeps each row, key and execution, and syncs on."""
    theirs, gone = await synced(engine), await synced(engine)
    before, rows = await held(engine, theirs.tenant_id), await rows_left(engine, theirs.tenant_id)
    executions = await Executions(engine.syncs.client, theirs.tenant_id).count()
    keys = await keys_of(engine.parts.ring, theirs.tenant_id)

    await offboarded(engine, gone.tenant_id)

    assert await rows_left(engine, theirs.tenant_id) == rows
    assert await before.opened_by(engine.parts.ring) == (len(before.rows), len(before.payloads))
    assert await keys_of(engine.parts.ring, theirs.tenant_id) == keys
    assert await Executions(engine.syncs.client, theirs.tenant_id).count() == executions
    assert (await engine.sync(theirs)).outcome == "completed"
    assert len(await engine.held(theirs)) == PEOPLE


async def test_the_quarantine_can_be_cancelled(engine: Engine) -> None:
    """Syncs are stopped and refused meanwhile; cancelled, the tenant has everything that it had, and syncs on."""
    sync = await synced(engine)
    before, runs = await held(engine, sync.tenant_id), offboards(engine)
    await runs.start(sync.tenant_id, WEEK, ACTOR)
    assert (await runs.cancel(sync.tenant_id, ACTOR)).outcome == "cancelled"
    for decide in (runs.approve(sync.tenant_id, ACTOR), runs.cancel(sync.tenant_id, ACTOR)):
        with pytest.raises(OffboardingNotFound):
            await decide
    assert await before.opened_by(engine.parts.ring) == (len(before.rows), len(before.payloads))
    assert (await engine.sync(sync)).outcome == "completed"
    assert await engine.parts.offboardings.certificate(sync.tenant_id) is None


async def test_a_sync_in_the_quarantine_pauses(engine: Engine) -> None:
    """Whoever asks for a sync of a disabled tenant is told why there is none; nothing is fetched."""
    sync, runs = await synced(engine), offboards(engine)
    await engine.parts.offboardings.disable(sync.tenant_id, UUID(int=1), WEEK.total_seconds(), ACTOR)
    result = await engine.sync(sync)
    assert (result.outcome, result.paused, result.counts.pages) == ("TenantDisabled", "TenantDisabled", 0)
    connection = await engine.parts.directory.find_connection(sync.connection_id)
    assert connection.paused == "TenantDisabled"
    await engine.parts.offboardings.enable(sync.tenant_id, ACTOR)
    await engine.syncs.resume(sync)
    assert (await engine.sync(sync)).outcome == "completed"
    assert await runs.progress(sync.tenant_id) is None
