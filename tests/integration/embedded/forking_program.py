"""A program of the tests: a child process, and a fork of ours that holds all our pipes open."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from contactsync.workers.embedded.processes import Child, Command, plain_environment


async def main(folder: Path) -> None:
    """Say both numbers and wait to be killed."""
    child = await Child.start(Command(("/bin/sleep", "600"), folder / "log", folder, plain_environment(folder)))
    fork = os.fork()
    if fork == 0:
        signal.alarm(120)  # even if the test fails and forgets it
        signal.pause()
    print(child.pid, fork, flush=True)  # noqa: T201  # the test reads it
    await child.wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
