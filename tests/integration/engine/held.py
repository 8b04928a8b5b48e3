"""What is held of a tenant, copied: sealed rows and payloads, and wrapped keys, as somebody with backups has them."""

from dataclasses import dataclass
from uuid import UUID

from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from tests.integration.codecs.histories import payloads_in, stored_events

from contactsync.codecs.keys.key import KeyPurpose
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.keys.store import StoredDataKey, StoredTenantKey
from contactsync.codecs.payloads.sealed import is_sealed, open_sealed, read_sealed
from contactsync.errors import ContactSyncError
from contactsync.identifiers import sync_workflow_id
from contactsync.postgres import Database


@dataclass(frozen=True, slots=True)
class KeyCopy:
    """A backup of a tenant's part of the key store."""

    tenant_keys: tuple[StoredTenantKey, ...]
    data_keys: tuple[StoredDataKey, ...]

    async def store(self, *tenant_keys: StoredTenantKey) -> MemoryKeyStore:
        """The backup restored, with these tenant keys in the place of its own."""
        store = MemoryKeyStore()
        for tenant_key in tenant_keys or self.tenant_keys:
            await store.add_tenant_key(tenant_key)
        for data_key in self.data_keys:
            await store.add_data_key(data_key)
        return store


@dataclass(frozen=True, slots=True)
class Held:
    """A tenant's sealed rows and payloads."""

    tenant_id: UUID
    rows: tuple[tuple[str, str, bytes], ...]
    payloads: tuple[Payload, ...]

    async def opened_by(self, ring: KeyRing) -> tuple[int, int]:
        """How many rows and how many payloads open."""
        rows = sum([await self._opens_row(ring, *row) for row in self.rows])
        return rows, sum([await self._opens_payload(ring, payload) for payload in self.payloads])

    async def _opens_row(self, ring: KeyRing, table: str, row_id: str, sealed: bytes) -> bool:
        try:
            (await ring.tenant_sealer(self.tenant_id)).open(table, row_id, sealed)
        except ContactSyncError:
            return False
        return True

    async def _opens_payload(self, ring: KeyRing, payload: Payload) -> bool:
        sealed = read_sealed(payload)
        try:
            open_sealed(await ring.open_payload_key(sealed.kid), sealed)
        except ContactSyncError:
            return False
        return True


async def held_of(database: Database, client: Client, tenant_id: UUID) -> Held:
    """Copies of what is held of a tenant now."""
    async with database.transaction(tenant_id) as connection:
        contacts = await connection.fetch("SELECT contact_id, sealed FROM contactsync.contact")
        links = await connection.fetch("SELECT connection_id, sealed_settings FROM contactsync.connection")
    rows = [("contact", str(row["contact_id"]), row["sealed"]) for row in contacts if row["sealed"]]
    rows += [("connection", str(row["connection_id"]), row["sealed_settings"]) for row in links]
    payloads: list[Payload] = []
    for row in links:
        for event in await stored_events(client, sync_workflow_id(tenant_id, row["connection_id"])):
            payloads += [payload for payload in payloads_in(event) if is_sealed(payload)]
    return Held(tenant_id, tuple(rows), tuple(payloads))


async def keys_of(ring: KeyRing, tenant_id: UUID) -> KeyCopy:
    """A backup of the tenant's keys."""
    data_keys = await ring.store.data_keys(tenant_id, tuple(KeyPurpose))
    return KeyCopy(tuple(await ring.store.tenant_keys(tenant_id)), tuple(data_keys))
