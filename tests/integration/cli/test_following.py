"""Waiting for a pass, also where its workflow goes on in another run meanwhile."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from temporalio import workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from tests.integration.cli.running import Site

from contactsync.workers.cli.following import follow
from contactsync.workflows.connection_sync import ConnectionSync

PAGES = 8


@asynccontextmanager
async def leaving_in_mid_pass(site: Site, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[None]:
    """A worker whose workflows continue as new after two pages, once."""

    def leaves(sync: ConnectionSync) -> bool:
        return workflow.info().continued_run_id is None and sync.progress().page >= 2

    monkeypatch.setattr(ConnectionSync, "should_stop", leaves)
    fetching, cleaning, storing = site.parts.fetching(), site.parts.cleaning(), site.parts.storing()
    async with Worker(
        site.syncs.client,
        task_queue=site.settings.task_queue,
        workflows=[ConnectionSync],
        activities=[
            fetching.fetch_page,
            cleaning.sanitize_page,
            storing.open_pass,
            storing.upsert_page,
            storing.upsert_in_turn,
            storing.close_pass,
            storing.set_paused,
        ],
        workflow_runner=UnsandboxedWorkflowRunner(),  # so that it is the class changed here that runs
    ):
        yield


async def test_a_pass_that_goes_on_in_another_run(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a pass is given what all of it did, not what it had done when the run ended."""
    sync = await site.connect({"made_up": PAGES * 100})
    async with leaving_in_mid_pass(site, monkeypatch):
        handle = await site.syncs.sync_now(sync)
        assert (await handle.result()).outcome == "under_way"
        result = await follow(site.syncs, sync, handle, 60.0, lambda _: None)
        run = await site.syncs.client.get_workflow_handle(sync.workflow_id).describe()
        await site.syncs.client.get_workflow_handle(sync.workflow_id).terminate()
    assert (result.outcome, result.counts.added, result.counts.pages) == ("completed", PAGES * 100, PAGES)
    assert run.run_id != handle.workflow_run_id
