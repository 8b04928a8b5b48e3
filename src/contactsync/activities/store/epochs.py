"""Which keys a tenant's rows are written under: all writers agree, though each keeps its keys for minutes.

Newer keys begin by being there: the first who has them writes it into the tenant's row, and from then on whoever comes
with older ones is refused, fetches the newer ones and does it again. So no row is written where others do not look.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from uuid import UUID

from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import KeysRotated
from contactsync.postgres import Database, Transaction, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/rotation.sql")

T = TypeVar("T")


async def with_sealer(
    database: Database, ring: KeyRing, tenant_id: UUID, work: Callable[[TenantSealer], Awaitable[T]]
) -> T:
    """What `work` answers; where keys were rotated meanwhile, it is done again with the newest. It must be whole: a
    transaction or a part of one, which leaves nothing behind when it fails.

    Raises:
        KeysRotated: once more in this very moment.
        KeysError, DatabaseError; as `work`.
    """
    sealer = await ring.tenant_sealer(tenant_id)
    try:
        return await work(sealer)
    except KeysRotated:
        return await work(await begin_epochs(database, ring, sealer))


async def begin_epochs(database: Database, ring: KeyRing, older: TenantSealer) -> TenantSealer:
    """A sealer of the newest keys instead of an older one; its epochs are those that all write under from now on."""
    sealer = await ring.tenant_sealer(older.tenant_id, instead_of=older)
    async with database.transaction(sealer.tenant_id) as connection:
        await connection.execute(_SQL["begin_epochs"], sealer.tenant_id, sealer.row_epoch, sealer.index_epoch)
    return sealer


async def hold_epochs(connection: Transaction, sealer: TenantSealer) -> None:
    """Nobody begins newer epochs until the transaction ends. Call it before any other lock is taken.

    Raises:
        KeysRotated: the sealer's are not the present ones.
    """
    row = await connection.fetchrow(_SQL["hold_epochs"], sealer.tenant_id)
    if row is not None and (row["row_epoch"], row["index_epoch"]) != (sealer.row_epoch, sealer.index_epoch):
        raise KeysRotated
