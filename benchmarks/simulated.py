"""A simulated provider in a process of its own: `python -m benchmarks.simulated CONTACTS PARTS FOLDER`.

Writes its address to `FOLDER/url` once it listens, and what it was asked to `FOLDER/asked.json` when it is stopped.
"""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

from contactsync.activities.sources.simulator.face import serving
from contactsync.activities.sources.simulator.provider import Asked, Provider
from contactsync.workers.stopping import stop_requested


def folders(parts: int) -> tuple[str, ...]:
    """The folders over which the contacts are spread; each is a part of a backfill."""
    return tuple(f"folder-{number}" for number in range(1, parts + 1))


async def serve(contacts: int, parts: int, folder: Path) -> None:
    """Serve until the process is asked to stop."""
    asked = Counter[str]()

    def count(request: Asked) -> None:
        asked[request.what] += 1

    provider = Provider(contacts, folders=folders(parts))
    provider.before_answers = count
    async with serving(provider) as url:
        written = folder / "url.new"
        written.write_text(url)
        written.rename(folder / "url")
        await stop_requested()
    (folder / "asked.json").write_text(json.dumps(asked))


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
