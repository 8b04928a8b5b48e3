"""A tenant's end on real Temporal and real PostgreSQL: nothing of it opens any more, and nobody else is harmed."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from temporalio.testing import ActivityEnvironment
from tests.integration.engine.conftest import Engine, running_engine
from tests.integration.engine.held import Held, KeyCopy, held_of, keys_of

from contactsync.activities.certificate import Certificate, read_certificate
from contactsync.activities.executions import Executions
from contactsync.activities.offboarding_messages import Certify, DisableTenant, OffboardRef, OffboardStep
from contactsync.codecs.audit.signing import audit_signer
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.key import TenantKey, new_secret
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.keys.root import wrap_tenant_key
from contactsync.codecs.keys.store import StoredTenantKey
from contactsync.errors import DatabaseRefused, KeyDestroyed, OffboardingNotFound, StalePass, TenantDisabled
from contactsync.postgres import Database
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.provision import drop_database, make_database, make_logins
from contactsync.workers.embedded.temporal import TemporalServer
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


async def opening_of(engine: Engine, tenant_id: UUID) -> UUID:
    """The newest opening."""
    found = await engine.parts.offboardings.find(tenant_id)
    assert found is not None
    return found.openings[-1]


async def held(engine: Engine, tenant_id: UUID) -> Held:
    """Copies of what is held now."""
    return await held_of(engine.parts.database, engine.syncs.client, tenant_id)


@dataclass(frozen=True)
class Ended:
    """A tenant that is gone, another that is not, and what was held of both before."""

    engine: Engine
    folder: Path
    gone: Sync
    before: Held
    keys: KeyCopy
    theirs: Sync
    their_before: Held
    their_keys: KeyCopy
    their_rows: dict[str, int]
    their_executions: int
    certificate: Certificate


@pytest.fixture(scope="module")
async def ended(
    postgres_server: PostgresServer,
    database_template: str,
    temporal_server: TemporalServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncGenerator[Ended]:
    """One offboarding for all who look at what is left: the server takes its time to forget executions."""
    name, folder = f"test_{uuid4().hex}", tmp_path_factory.mktemp("ended")
    await make_database(postgres_server, name, template=database_template)
    urls = (await make_logins(postgres_server)).urls(postgres_server.port, name)
    database = await Database.connect(urls.app)
    async with running_engine(database, temporal_server, folder) as engine:
        yield await _ended(engine, folder)
    await database.close()
    await drop_database(postgres_server, name)


async def _ended(engine: Engine, folder: Path) -> Ended:
    gone, theirs, ring = await synced(engine), await synced(engine), engine.parts.ring
    before, keys = await held(engine, gone.tenant_id), await keys_of(ring, gone.tenant_id)
    assert await before.opened_by(ring) == (len(before.rows), len(before.payloads))
    assert (len(before.rows), len(before.payloads)) > (PEOPLE, 10)
    return Ended(
        engine=engine,
        folder=folder,
        gone=gone,
        before=before,
        keys=keys,
        theirs=theirs,
        their_before=await held(engine, theirs.tenant_id),
        their_keys=await keys_of(ring, theirs.tenant_id),
        their_rows=await rows_left(engine, theirs.tenant_id),
        their_executions=await Executions(engine.syncs.client, theirs.tenant_id).count(),
        certificate=await offboarded(engine, gone.tenant_id),
    )


async def test_nothing_of_the_tenant_opens_any_more(ended: Ended) -> None:
    """Every row and payload copied before is noise to every process, whatever it has cached."""
    other_process = KeyRing(PostgresKeyStore(ended.engine.parts.database), FileRootKey(ended.folder / "root.key"))
    for ring in (ended.engine.parts.ring, other_process):
        assert await ended.before.opened_by(ring) == (0, 0)
        with pytest.raises(KeyDestroyed):
            await ring.payload_key(ended.gone.tenant_id)


async def test_nothing_of_the_tenant_is_there_any_more(ended: Ended) -> None:
    """No row but what tells of the offboarding, no execution, and the certificate names and counts what went."""
    tenant_id = ended.gone.tenant_id
    assert await rows_left(ended.engine, tenant_id) == {"tenant": 1, "offboarding": 1, "certificate": 1}
    assert await Executions(ended.engine.syncs.client, tenant_id).count() == 0
    certificate = ended.certificate
    assert (certificate.rows["contact"], certificate.executions > 0, certificate.executions_left) == (PEOPLE, True, 0)
    kids = {key.kid.hex() for key in (*ended.keys.tenant_keys, *ended.keys.data_keys)}
    assert {kid for several in certificate.keys.values() for kid in several} == kids


async def test_what_backups_can_do(ended: Ended) -> None:
    """Wrapped data keys are noise without the tenant's key, whichever is put in its place; a whole backup of the key
    store, with the root key, still opens: that is why the certificate says when the last of them ends."""
    root, before = FileRootKey(ended.folder / "root.key"), ended.before
    (old,) = ended.keys.tenant_keys
    forged = TenantKey(old.kid, old.tenant_id, old.version, new_secret())
    put = StoredTenantKey(old.kid, old.tenant_id, old.version, await wrap_tenant_key(root, forged))
    assert await before.opened_by(KeyRing(await ended.keys.store(put), root)) == (0, 0)
    assert await before.opened_by(KeyRing(await ended.keys.store(), root)) == (len(before.rows), len(before.payloads))
    until = {each.what: each.until for each in ended.certificate.residuals}
    assert until["key_store_backups"] == ended.certificate.effective_at + timedelta(days=30)


async def test_every_other_tenant_is_unharmed(ended: Ended) -> None:
    """Another tenant keeps each row, key and execution, and syncs on."""
    engine, theirs, before = ended.engine, ended.theirs, ended.their_before
    assert await rows_left(engine, theirs.tenant_id) == ended.their_rows
    assert await before.opened_by(engine.parts.ring) == (len(before.rows), len(before.payloads))
    assert await keys_of(engine.parts.ring, theirs.tenant_id) == ended.their_keys
    assert await Executions(engine.syncs.client, theirs.tenant_id).count() == ended.their_executions
    assert (await engine.sync(theirs)).outcome == "completed"
    assert len(await engine.held(theirs)) == PEOPLE


async def test_every_step_may_run_twice(engine: Engine) -> None:
    """Each activity, done twice, answers the same and counts nothing twice; one out of its order is refused."""
    sync, steps = await synced(engine), engine.parts.offboarding()
    ref = OffboardRef(tenant_id=sync.tenant_id, opening_id=uuid4())
    step = OffboardStep(**ref.model_dump(), actor=ACTOR)
    acting = ActivityEnvironment(client=engine.syncs.client)
    early: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: acting.run(steps.stop_workflows, ref),
        lambda: acting.run(steps.destroy_keys, step),
        lambda: acting.run(steps.delete_rows, ref),
        lambda: acting.run(steps.certify, Certify(**step.model_dump())),
    )
    for asked in early:
        with pytest.raises((OffboardingNotFound, DatabaseRefused)):
            await asked()
    assert await engine.held(sync) != set()
    opened = DisableTenant(**step.model_dump(), quarantine_seconds=1)
    tickets = [await acting.run(steps.disable_tenant, opened) for _ in range(2)]
    assert tickets[0] == tickets[1]
    stopped = [(await acting.run(steps.stop_workflows, ref)).executions for _ in range(2)]
    assert stopped[0] > 0
    for _ in range(2):
        await acting.run(steps.destroy_keys, step)
        await acting.run(steps.delete_rows, ref)
        await acting.run(steps.delete_executions, ref)
        await acting.run(steps.certify, Certify(**step.model_dump()))
    note = await engine.parts.offboardings.certificate(sync.tenant_id) or ""
    read = read_certificate(note, [audit_signer(await engine.parts.ring.audit_key()).verifier])
    assert (read.rows["contact"], read.rows["connection"], read.executions) == (PEOPLE, 1, 1)


async def test_nothing_begins_for_a_tenant_that_is_gone(ended: Ended) -> None:
    """No connection, no sync, and no new keys under the same id; offboarding it again changes nothing."""
    engine, gone = ended.engine, ended.gone
    with pytest.raises(TenantDisabled):
        await engine.connect(gone.tenant_id, {"made_up": 1})
    with pytest.raises(KeyDestroyed):
        await engine.syncs.start(gone)
    with pytest.raises(KeyDestroyed):
        await engine.parts.directory.add_tenant("again", tenant_id=gone.tenant_id)
    assert await offboarded(engine, gone.tenant_id) == ended.certificate


async def test_the_quarantine_can_be_cancelled(engine: Engine) -> None:
    """Syncs are stopped and refused meanwhile; cancelled, the tenant has everything that it had, and syncs on."""
    sync = await synced(engine)
    before, runs = await held(engine, sync.tenant_id), offboards(engine)
    await runs.start(sync.tenant_id, WEEK, ACTOR)
    assert (await runs.cancel(sync.tenant_id, ACTOR)).outcome == "cancelled"
    late = OffboardRef(tenant_id=sync.tenant_id, opening_id=await opening_of(engine, sync.tenant_id))
    with pytest.raises(StalePass):
        await ActivityEnvironment(client=engine.syncs.client).run(engine.parts.offboarding().stop_workflows, late)
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
