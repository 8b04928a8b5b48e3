"""Contacts under a newer index key: their places, digests and look-ups made anew, in batches and on the way.

A contact stands at one index at any time. Until the older key is destroyed, who looks for one looks at the older index
too; who writes a page first brings the page's contacts forward, under the connection's lock. So a rotation may take
any time, and no contact is missed or made twice meanwhile. Of what is gone no name is kept: its index moves when a page
names it, and counts for nothing once the older key is gone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from contactsync.activities.contacts.contact import Contact
from contactsync.activities.messages import ConnectionRef
from contactsync.activities.sanitizing.normal_forms import forms_of
from contactsync.activities.store.epochs import hold_epochs
from contactsync.activities.store.page_writer import add_lookups, lookups_of
from contactsync.activities.store.passes import lock_progress
from contactsync.activities.store.records import (
    CONTACT,
    EMAIL,
    PHONE,
    QUARANTINE,
    contact_of_blob,
    content_mac,
    source_index,
)
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import OpenRefused
from contactsync.postgres import Database, Row, Transaction, join_by_hash, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/rotation.sql")

BATCH: Final = 250
"""Contacts a transaction, during which their connection's pages wait."""

FIRST: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Brings contacts of one connection forward, inside the transaction that holds its lock."""

    connection: Transaction
    sealer: TenantSealer
    ref: tuple[UUID, UUID]

    async def page(self, source_ids: Collection[str]) -> None:
        """Those that a page names, and that stand at older indexes."""
        for epoch in self.sealer.older_epochs:
            older = {source_index(self.sealer, self.ref[1], name, epoch): name for name in source_ids}
            rows = await self.connection.fetch(_SQL["contacts_at"], *self.ref, list(older))
            await self._move([(row, older[row["source_index"]]) for row in rows])
            rows = await self.connection.fetch(_SQL["quarantine_at"], *self.ref, list(older))
            await self._move_quarantine([(row, older[row["source_index"]]) for row in rows])

    async def contacts(self, rows: Sequence[Row]) -> None:
        """These live ones."""
        await self._move([(row, self._opened(row)[0]) for row in rows])

    async def quarantine(self, rows: Sequence[Row]) -> None:
        """These entries."""
        await self._move_quarantine([(row, self._set_aside(row).decode()) for row in rows])

    async def _move(self, named: Sequence[tuple[Row, str]]) -> None:
        if not named:
            return
        moved = [self._moved(row, source_id) for row, source_id in named]
        columns = map(list, zip(*moved, strict=True))
        await join_by_hash(self.connection)
        await self.connection.execute(_SQL["forward_contacts"], self.ref[0], self.sealer.index_epoch, *columns)
        await self.connection.execute(_SQL["drop_lookups"], self.ref[0], [row["contact_id"] for row, _ in named])
        await self._find([row for row, _ in named if row["sealed"] is not None])

    async def _find(self, rows: Sequence[Row]) -> None:
        """They are found at their new indexes."""
        forms = [(row["contact_id"], *forms_of(_contact(self._opened(row)[1]))) for row in rows]
        emails = lookups_of(self.sealer, EMAIL, [(contact_id, emails) for contact_id, emails, _ in forms])
        phones = lookups_of(self.sealer, PHONE, [(contact_id, phones) for contact_id, _, phones in forms])
        await add_lookups(self.connection, self.sealer, emails, phones)

    def _moved(self, row: Row, source_id: str) -> tuple[UUID, bytes, bytes | None]:
        index = source_index(self.sealer, self.ref[1], source_id)
        mac = None if row["sealed"] is None else content_mac(self.sealer, index, self._opened(row)[1])
        return row["contact_id"], index, mac

    def _opened(self, row: Row) -> tuple[str, bytes]:
        return contact_of_blob(self.sealer.open(CONTACT, str(row["contact_id"]), row["sealed"]))

    async def _move_quarantine(self, named: Sequence[tuple[Row, str]]) -> None:
        if not named:
            return
        moved = [self._moved_entry(row, source_id) for row, source_id in named]
        columns = map(list, zip(*moved, strict=True))
        await self.connection.execute(_SQL["forward_quarantine"], *self.ref, self.sealer.index_epoch, *columns)

    def _moved_entry(self, row: Row, source_id: str) -> tuple[bytes, bytes, bytes]:
        index = source_index(self.sealer, self.ref[1], source_id)
        return row["source_index"], index, self.sealer.seal(QUARANTINE, index.hex(), source_id.encode())

    def _set_aside(self, row: Row) -> bytes:
        return self.sealer.open(QUARANTINE, row["source_index"].hex(), row["sealed_source_id"])


@dataclass(frozen=True, slots=True)
class Reindexed:
    """A batch: the connection and contact it came to (None: the tenant is through), and how many rows it moved."""

    place: tuple[UUID, UUID] | None
    rows: int


class Reindexing:
    """Brings a tenant's contacts forward in batches, connection by connection."""

    def __init__(self, database: Database, sealer: TenantSealer) -> None:
        self._database = database
        self._sealer = sealer

    async def batch(self, place: tuple[UUID, UUID]) -> Reindexed:
        """The next batch after a connection's contact; (`FIRST`, `FIRST`) begins.

        Raises:
            KeysRotated: the sealer is not of the newest keys.
            OpenRefused: a row was altered. DatabaseError.
        """
        connection_id, after = place
        if connection_id == FIRST:
            return Reindexed(await self._next_connection(FIRST), 0)
        ref = ConnectionRef(tenant_id=self._sealer.tenant_id, connection_id=connection_id)
        async with self._database.transaction(ref.tenant_id) as connection:
            await hold_epochs(connection, self._sealer)
            await lock_progress(connection, ref)
            forwarding = Forwarding(connection, self._sealer, (ref.tenant_id, connection_id))
            rows = await connection.fetch(_SQL["old_contacts"], *forwarding.ref, after, self._sealer.index_epoch, BATCH)
            await forwarding.contacts(rows)
            aside = 0 if rows else await self._set_aside(forwarding)
        if rows:
            return Reindexed((connection_id, rows[-1]["contact_id"]), len(rows))
        return Reindexed(place if aside else await self._next_connection(connection_id), aside)

    async def left(self) -> int:
        """How much is still under older indexes, beside what is gone."""
        async with self._database.transaction(self._sealer.tenant_id) as connection:
            arguments = (self._sealer.tenant_id, self._sealer.index_epoch)
            return int(await connection.fetchval(_SQL["indexed_before"], *arguments))

    async def _set_aside(self, forwarding: Forwarding) -> int:
        rows = await forwarding.connection.fetch(
            _SQL["old_quarantine"], *forwarding.ref, self._sealer.index_epoch, BATCH
        )
        await forwarding.quarantine(rows)
        return len(rows)

    async def _next_connection(self, after: UUID) -> tuple[UUID, UUID] | None:
        async with self._database.transaction(self._sealer.tenant_id) as connection:
            found = await connection.fetchval(_SQL["connections"], self._sealer.tenant_id, after)
        return None if found is None else (found, FIRST)


async def work_since(database: Database, tenant_id: UUID, since: float) -> int:
    """How many passes and backfills are under way that began before a time, in seconds since the epoch."""
    async with database.transaction(tenant_id) as connection:
        return int(await connection.fetchval(_SQL["work_since"], tenant_id, since))


def _contact(content: bytes) -> Contact:
    try:
        return Contact.model_validate_json(content)
    except ValidationError:
        raise OpenRefused from None
