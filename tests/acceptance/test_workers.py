"""Several worker processes under one command."""

import json
import os
import signal

from tests.integration.embedded.running import Living, descendants, gone

from contactsync.workers.embedded.processes import Child

from .deployment import Deployment

READY_SECONDS = 120.0


async def test_processes_work_and_end_together(deployment: Deployment) -> None:
    """One that is killed is replaced, work goes on, and with the command, whatever ends it, all of them end."""
    child = await deployment.start("worker", "--processes", "2")
    try:
        await _until_started(child, 2)
        killed, kept = _workers(child)
        os.kill(killed.pid, signal.SIGKILL)
        await _until_started(child, 3)
        assert kept in _workers(child)
        connection = await deployment.connection(await deployment.tenant(), "--kind", "memory", "--set", "made_up=20")
        await deployment.sync(connection)
        everything = descendants(child.pid)
        os.kill(child.pid, signal.SIGKILL)
        await gone(everything)
    finally:
        await child.stop()
    lines = [json.loads(line) for line in child.log.read_text().splitlines()]
    [ended] = [line for line in lines if line["event"] == "a worker process ended, another one is started"]
    assert (ended["exit_code"], ended["level"]) == (137, "warning")
    started = [line["pid"] for line in lines if line["event"] == "worker started"]
    assert (len(set(started)), {killed.pid, kept.pid} <= set(started)) == (3, True)
    assert {line["pid"] for line in lines if line["event"] == "activity done"} <= set(started) - {killed.pid}


def _workers(child: Child) -> list[Living]:
    """The workers themselves: neither the supervisor nor guards."""
    running = [each for each in descendants(child.pid) if b"guard.py" not in each.argv()]
    return [each for each in running if each.argv().endswith(b"\0contactsync\0worker\0")]


async def _until_started(child: Child, count: int) -> None:
    """Until so many processes have said that they started, those included that are gone since."""

    async def said() -> bool:
        return child.log.read_text().count('"worker started"') >= count

    await child.until(said, READY_SECONDS)
