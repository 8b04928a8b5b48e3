"""The freshness watch: whatever became of a sync, it is reported, with the reason where Temporal knows it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from temporalio.api.workflowservice.v1 import PauseActivityRequest
from tests.integration.cli.running import Site, printed, until

from contactsync.postgres import Database
from contactsync.workers import syncs
from contactsync.workers.cli.main import run_command
from contactsync.workers.cli.watch import LATE, look_once
from contactsync.workers.embedded.ports import LOOPBACK, free_port
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.provision import DatabaseUrls, drop_database
from contactsync.workers.settings import PREFIX
from contactsync.workers.syncs import Sync
from contactsync.workers.watching import Cause, Reason, Watch

BOOK: dict[str, object] = {"made_up": 3}


async def reasons(site: Site, **changes: str) -> dict[Sync, Reason]:
    """Who is late, and why."""
    settings = site.settings.model_copy(update=changes)
    look = await Watch(site.parts.database, settings).look()
    late = {Sync(e.standing.tenant_id, e.standing.connection_id, e.standing.kind): e.reason for e in look.late}
    assert len(late) == sum(each.late for each in look.standings)
    return late


async def fresh(site: Site) -> Sync:
    """A connection that has completed a pass; a worker must run."""
    sync = await site.connect(BOOK)
    await (await site.syncs.sync_now(sync)).result()
    return sync


async def failing(site: Site) -> Sync:
    """A connection whose secret is not there, tried in vain some times; a worker must run."""
    sync = await site.connect(BOOK, secret_ref="env:CONTACTSYNC_NOT_THERE")
    await site.syncs.start(sync)

    async def in_trouble() -> bool:
        return await site.syncs.trouble(sync) is not None

    await until(in_trouble)
    return sync


async def test_p21_paused_terminated_and_without_workers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync that was paused, one whose workflow was terminated and one without workers are each reported."""
    async with site.worker():
        paused, terminated, alone = await fresh(site), await fresh(site), await fresh(site)
        assert await reasons(site) == {}
        await site.parts.directory.set_paused(paused.tenant_id, paused.connection_id, "operator")
        await site.syncs.client.get_workflow_handle(terminated.workflow_id).terminate()
        for sync in (paused, terminated, alone):
            await site.age(sync)
        assert await reasons(site) == {
            paused: Reason(Cause.PAUSED, "operator"),
            terminated: Reason(Cause.NO_WORKFLOW),
            alone: Reason(Cause.IDLE),
        }
    monkeypatch.setattr(syncs, "_POLLED_WITHIN", timedelta(0))  # as if the worker had gone 90 seconds ago
    assert (await reasons(site))[alone] == Reason(Cause.NO_WORKER)
    nowhere = await reasons(site, temporal_address=f"{LOOPBACK}:{free_port()}")
    assert nowhere == {
        paused: Reason(Cause.PAUSED, "operator"),
        terminated: Reason(Cause.NO_TEMPORAL),
        alone: Reason(Cause.NO_TEMPORAL),
    }


async def test_a_sync_that_keeps_failing(site: Site) -> None:
    """What it fails with is told by its code, until a person pauses it inside Temporal, which is told first."""
    async with site.worker():
        sync = await failing(site)
        await site.age(sync)
        assert await reasons(site) == {sync: Reason(Cause.FAILING, "SecretUnavailable")}
        await _pause_in_temporal(site, sync)
        assert await reasons(site) == {sync: Reason(Cause.HALTED)}


async def _pause_in_temporal(site: Site, sync: Sync) -> None:
    client = site.syncs.client
    description = await client.get_workflow_handle(sync.workflow_id).describe()
    [pending] = description.raw_description.pending_activities
    request = PauseActivityRequest(namespace=client.namespace, id=pending.activity_id)
    request.execution.workflow_id = sync.workflow_id
    await client.workflow_service.pause_activity(request)


async def test_an_objective_of_its_own(site: Site) -> None:
    """A connection is late by its own objective, not by its interval, where it was given one."""
    patient = await site.connect(BOOK, objective_seconds=3 * 3600)
    eager = await site.connect(BOOK, objective_seconds=60)
    usual = await site.connect(BOOK)
    for sync in (patient, eager, usual):
        await site.age(sync, timedelta(minutes=10))
    assert await reasons(site) == {eager: Reason(Cause.NO_WORKFLOW)}
    for sync in (patient, eager, usual):
        await site.age(sync, timedelta(minutes=30))
    assert set(await reasons(site)) == {eager, usual}


async def test_looking_once(site: Site) -> None:
    """`--once` ends with 0 while all are fresh and with 1 as soon as one is late, and says which and why."""
    sync = await site.connect(BOOK)
    calm = await look_once()
    assert (calm.exit_code, printed(calm)["connections"], printed(calm)["late"]) == (0, 1, [])
    await site.age(sync)
    report = await look_once()
    [late] = printed(report)["late"]
    assert report.exit_code == LATE
    assert (late["connection"], late["reason"], late["code"]) == (str(sync.connection_id), "no_workflow", None)


async def test_nothing_but_a_database_is_needed(
    database: Database, database_urls: DatabaseUrls, site: Site, postgres_server: PostgresServer
) -> None:
    """Without a root key, Temporal and workers it serves metrics; without the database it says so and goes on."""
    assert database
    sync = await site.connect(BOOK)
    await site.age(sync)
    settings = {"database_url": database_urls.app, "temporal_address": f"{LOOPBACK}:{free_port()}"}
    async with watching(settings) as (process, url):
        assert process.stdout
        first = (await process.stdout.readline()).decode()
        assert first.endswith("1 connections, 1 late\n")
        told = (await process.stdout.readline()).decode()
        assert f"late: {sync.connection_id} (memory)" in told
        assert "Temporal does not answer" in told
        async with httpx.AsyncClient() as client:
            page = (await client.get(f"{url}/metrics")).text
            assert f'connection="{sync.connection_id}",kind="memory",reason="no_temporal",code=""}} 1\n' in page
            assert (await client.get(f"{url}/healthz")).status_code == 200
            await drop_database(postgres_server, database_urls.app.rpartition("/")[2])
            assert "database" in (await process.stdout.readline()).decode()
            assert (await client.get(f"{url}/healthz")).status_code == 503
            assert "contactsync_watch_up 0\n" in (await client.get(f"{url}/metrics")).text
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


@asynccontextmanager
async def watching(settings: dict[str, str]) -> AsyncGenerator[tuple[asyncio.subprocess.Process, str]]:
    """The command as a process with these settings only, and the address of its metrics."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "contactsync", "watch", "--every", "1s", "--listen", f"{LOOPBACK}:0"),
        env=environment | {f"{PREFIX}{name.upper()}": value for name, value in settings.items()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr
        said = (await process.stderr.readline()).decode()
        yield process, said.rpartition(" ")[2].removesuffix("/metrics\n")
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("arguments", [("--once", "--listen", "127.0.0.1:0"), ("--listen", "nonsense")])
def test_arguments_that_do_not_fit(arguments: tuple[str, ...]) -> None:
    """What cannot be meant is refused before anything is opened."""
    assert run_command(["watch", *arguments]) == 2
