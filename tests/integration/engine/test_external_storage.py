"""External storage: large payloads in PostgreSQL, references in Temporal's history, and gone with their run."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowHandle, WorkflowHistory
from temporalio.converter import StorageDriverStoreContext, StorageDriverWorkflowInfo
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Replayer
from tests.integration.engine.conftest import Engine

from contactsync.activities.purging import Purging
from contactsync.activities.purging_messages import Purged
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.client_plugin import SealingPlugin
from contactsync.codecs.payloads.sealed import seal_payload
from contactsync.codecs.payloads.staging import Stage
from contactsync.postgres import Database
from contactsync.workers.bootstrap import Parts, temporal_client
from contactsync.workers.embedded.temporal import TemporalServer
from contactsync.workers.settings import Settings
from contactsync.workers.syncs import Sync, Syncs
from contactsync.workers.worker import make_worker
from contactsync.workflows.connection_sync import ConnectionSync

FROM_BYTES = 4096
REFERENCE = b"temporal.api.sdk.v1.ExternalStorageReference"


@pytest.fixture
async def staging(database: Database, temporal_server: TemporalServer, tmp_path: Path) -> AsyncGenerator[Engine]:
    """A running engine whose large payloads stand in PostgreSQL."""
    settings = Settings.model_validate(
        {
            "temporal_address": temporal_server.address,
            "temporal_namespace": temporal_server.namespace,
            "task_queue": f"staging-{tmp_path.name}",
            "page_rows": 100,
            "external_storage_bytes": FROM_BYTES,
        }
    )
    ring = KeyRing(PostgresKeyStore(database), FileRootKey.create(tmp_path / "root.key"))
    parts = Parts(settings, database, ring)
    client = await temporal_client(settings, ring, stage=parts.stage)
    async with make_worker(parts, client):
        yield Engine(parts, Syncs(client, settings.task_queue))


def stage_of(engine: Engine) -> Stage:
    """The engine's stage."""
    assert engine.parts.stage is not None
    return engine.parts.stage


async def runs(engine: Engine) -> set[str]:
    """The runs that have something staged."""
    return {str(run.run_id) for run in await stage_of(engine).runs(None, quiet_seconds=-60, limit=100)}


def run_of(engine: Engine, sync: Sync, run_id: str) -> "WorkflowHandle[ConnectionSync, None]":
    """One run of the sync."""
    return engine.syncs.client.get_workflow_handle_for(ConnectionSync.run, sync.workflow_id, run_id=run_id)


def payloads(history: WorkflowHistory) -> list[Payload]:
    """The results of the history's activities."""
    events = [event.activity_task_completed_event_attributes for event in history.events]
    return [payload for event in events for payload in event.result.payloads]


async def replay(engine: Engine, history: WorkflowHistory) -> Exception | None:
    """What a worker that has forgotten the workflow meets."""
    storage = stage_of(engine).storage(FROM_BYTES)
    plugin = SealingPlugin(engine.parts.ring, storage=storage)
    namespace = engine.parts.settings.temporal_namespace
    replayer = Replayer(workflows=[ConnectionSync], plugins=[plugin], namespace=namespace)
    return (await replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure


async def test_pages_stand_outside_the_history_and_go_with_their_run(staging: Engine) -> None:
    """The first run holds references only, can be replayed while its objects are there, and loses them to the next."""
    sync = await staging.connect(await staging.tenant(), {"made_up": 350})
    first = await staging.sync(sync)
    assert (first.outcome, first.counts.added) == ("completed", 350)
    (earlier,) = await runs(staging)
    history = await run_of(staging, sync, earlier).fetch_history()
    assert sum(payload.metadata.get("messageType") == REFERENCE for payload in payloads(history)) >= 8
    assert max(payload.ByteSize() for payload in payloads(history)) < FROM_BYTES
    assert await replay(staging, history) is None
    second = await staging.sync(sync)
    assert (second.outcome, second.counts.updated, len(await staging.held(sync))) == ("completed", 0, 350)
    assert earlier not in await runs(staging)
    assert await replay(staging, history) is not None


async def test_what_ended_runs_left_is_purged(staging: Engine) -> None:
    """And what a run has that is still open, or staged something just now, is not."""
    sync = await staging.connect(await staging.tenant(), {"made_up": 150})
    await staging.sync(sync)
    (ended,) = await runs(staging)
    hourly = Purging(stage_of(staging), staging.syncs.client)
    assert await ActivityEnvironment().run(hourly.purge_staged) == Purged()
    open_run = await stage_something(staging, sync)
    at_once = Purging(stage_of(staging), staging.syncs.client, quiet_seconds=-60)
    purged = await ActivityEnvironment().run(at_once.purge_staged)
    assert (purged.runs, await runs(staging)) == (1, {open_run} - {ended})
    await run_of(staging, sync, open_run).terminate()
    assert await ActivityEnvironment().run(at_once.purge_staged) == Purged(runs=1, objects=1)


async def stage_something(engine: Engine, sync: Sync) -> str:
    """A payload for the run that is open now; returns its id."""
    latest = engine.syncs.client.get_workflow_handle(sync.workflow_id)
    run_id = (await latest.describe()).run_id
    assert run_id is not None
    key = await engine.parts.ring.payload_key(sync.tenant_id)
    target = StorageDriverWorkflowInfo(namespace=engine.syncs.client.namespace, id=sync.workflow_id, run_id=run_id)
    await stage_of(engine).store(StorageDriverStoreContext(target), [seal_payload(key, "default", "", Payload())])
    return run_id
