"""What was found to be wrong with logs, kept for whoever watches: no key is needed to read it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from contactsync.codecs.audit.chain import Flaw
from contactsync.postgres import Database, Transaction, load_queries

_QUERIES: Final = load_queries("contactsync.codecs.audit", "audit.sql")


@dataclass(frozen=True, slots=True)
class FlawedLog:
    """A log that is not sound: whose, a code of `Flaw`, and when that was first found."""

    tenant_id: UUID
    flaw: str
    since: datetime


async def note_flaw(connection: Transaction, tenant_id: UUID, flaw: Flaw | None, *, by_copies: bool = False) -> None:
    """Keep what a check found, with copies of checkpoints or without; None: nothing is wrong, which does not take away
    what only copies show. What is noted already keeps its time.

    Raises:
        DatabaseError: through the transaction.
    """
    await connection.execute(_QUERIES["note_flaw"], tenant_id, flaw, by_copies)


async def flawed_logs(database: Database) -> tuple[FlawedLog, ...]:
    """The logs that are not sound, by tenant. Raises DatabaseError."""
    async with database.transaction() as connection:
        rows = await connection.fetch(_QUERIES["flawed"])
    return tuple(FlawedLog(row["tenant_id"], row["flaw"], row["flawed_at"]) for row in rows)
