"""A program of the tests: a whole stack on the folder given, which says what it is and runs until its input ends."""

import asyncio
import json
import sys
from pathlib import Path

from contactsync.workers.embedded.carddav import CardDavServer
from contactsync.workers.embedded.stack import Stack


async def main(folder: Path) -> None:
    """Run it."""
    async with Stack.running(folder / "stack") as stack:
        carddav = await CardDavServer.start(folder / "carddav", ["anna"])
        facts = {
            "superuser": stack.postgres.url(),
            "temporal": stack.temporal.address,
            "servers": [stack.postgres.child.pid, stack.temporal.child.pid, carddav.child.pid],
            "ports": [stack.postgres.port, stack.temporal.port, stack.temporal.ui_port, carddav.port],
        }
        print(json.dumps(facts), flush=True)  # noqa: T201  # the test reads it
        await asyncio.to_thread(sys.stdin.read)
        await carddav.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
