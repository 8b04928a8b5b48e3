"""Two workers that share the work of a connection, as `worker --processes 2` has them."""

from contextlib import AsyncExitStack
from dataclasses import replace
from uuid import uuid4

from tests.integration.engine.conftest import Engine

from contactsync.workers.bootstrap import temporal_client
from contactsync.workers.syncs import Syncs
from contactsync.workers.worker import make_worker


async def test_workers_that_share_bring_every_contact(engine: Engine) -> None:
    """A first pass of eleven pages is complete, whoever did which activity; and so is the stop of both workers."""
    settings = engine.parts.settings.model_copy(update={"share_work": True, "task_queue": f"shared-{uuid4()}"})
    parts = replace(engine.parts, settings=settings)
    clients = [await temporal_client(settings, parts.ring) for _ in range(2)]
    sharing = Engine(parts, Syncs(clients[0], settings.task_queue))
    async with AsyncExitStack() as running:
        for client in clients:
            await running.enter_async_context(make_worker(parts, client))
        sync = await sharing.connect(await sharing.tenant(), {"made_up": 1050})
        result = await sharing.sync(sync)
    assert (result.outcome, result.counts.added) == ("completed", 1050)
    assert len(await sharing.held(sync)) == 1050
