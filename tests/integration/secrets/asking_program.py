"""Activities of one worker process: says `ready`, waits for a line, then asks for pages at the same time.

Arguments: database URL, root key file, tenant, connection, how many. Prints how many pages came.
"""

import asyncio
import sys
from pathlib import Path
from uuid import UUID

from contactsync.activities.contacts.contact import DEFAULT_FIELDS
from contactsync.activities.reaching import Reach
from contactsync.activities.sources.addresses import ANY_LOOPBACK
from contactsync.activities.sources.meter import Meter
from contactsync.activities.sources.source import PageLimits
from contactsync.activities.store.directory import Directory
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.postgres import Database


async def main(url: str, root_key: str, tenant: str, connection: str, many: str) -> None:
    """Ask."""
    database = await Database.connect(url)
    ring = KeyRing(PostgresKeyStore(database), FileRootKey(Path(root_key)))
    reach = Reach(database, ring, ANY_LOOPBACK)
    known = await Directory(database, ring).get_connection(UUID(connection), UUID(tenant))

    async def ask() -> int:
        async with reach.source(known, DEFAULT_FIELDS, Meter()) as source:
            return len((await source.fetch(None, PageLimits())).changes)

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    sys.stdout.write(f"{sum(await asyncio.gather(*(ask() for _ in range(int(many)))))}\n")
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
