"""A command that did its work says so, each time."""

import asyncio

from .deployment import Deployment, Outcome

RUNS = 100
AT_ONCE = 4


async def test_a_hundred_commands_end_with_0(deployment: Deployment) -> None:
    """A process that used a Temporal client does not die while the interpreter shuts down.

    Without `end_process` two or three in a hundred did: those that had waited for Temporal, as `sync now --wait` does.
    """
    tenant = await deployment.tenant()
    connection = await deployment.connection(tenant, "--kind", "memory", "--set", "made_up=1", "--no-check")
    gate = asyncio.Semaphore(AT_ONCE)

    async def once() -> Outcome:
        async with gate:
            return await deployment.run("sync", "now", connection, "--wait", "--json")

    async with deployment.worker():
        outcomes = await asyncio.gather(*(once() for _ in range(RUNS)))
    assert [outcome for outcome in outcomes if outcome.code != 0 or outcome.err] == []
    assert {outcome.at("outcome") for outcome in outcomes} == {"completed"}
