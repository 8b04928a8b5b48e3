"""A command that did its work says so, each time."""

import asyncio

from .deployment import Deployment, Outcome

RUNS = 100
AT_ONCE = 4


async def test_a_hundred_commands_end_with_0(deployment: Deployment) -> None:
    """A process that used a Temporal client does not die while the interpreter shuts down."""
    tenant = await deployment.tenant()
    connection = await deployment.connection(tenant, "--kind", "memory", "--set", "made_up=1", "--no-check")
    gate = asyncio.Semaphore(AT_ONCE)

    async def once() -> Outcome:
        async with gate:
            return await deployment.run("status", connection, "--json")

    async with deployment.worker():
        await deployment.sync(connection)
        outcomes = await asyncio.gather(*(once() for _ in range(RUNS)))
    assert [outcome for outcome in outcomes if outcome.code != 0 or outcome.err] == []
    assert {outcome.at("connection", "live", "state") for outcome in outcomes} == {"waiting"}
