"""What the engine lends a source: what is held already, and a place for long listings. See `sources.source`."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final
from uuid import UUID, uuid4

from contactsync.activities.messages import ConnectionRef, PartRef
from contactsync.activities.sources.addresses import AddressRules
from contactsync.activities.sources.meter import Meter
from contactsync.activities.sources.secrets import Secrets
from contactsync.activities.store.oauth_tokens import StoredTokens
from contactsync.activities.store.records import etag_macs, source_indexes
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.rows import DIGEST_BYTES, TenantSealer
from contactsync.errors import CursorExpired
from contactsync.postgres import Database, Transaction, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/workbench.sql")
_TABLE: Final = "stash"
_CHUNK: Final = 2_000
"""Source ids a query; between two, the worker's other work has its turn."""
_STASHES_KEPT: Final = 8
_PAIR: Final = 2 * DIGEST_BYTES


class StoreWorkbench:
    """The `Workbench` of one connection, in PostgreSQL; for a `part` of a backfill, which keeps its listings apart and
    reads every body again."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        ref: ConnectionRef,
        meter: Meter,
        addresses: AddressRules,
        *,
        part: PartRef | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        self.meter = meter
        self.addresses = addresses
        self.tokens: Final = StoredTokens(database, ring, ref)
        self.secrets: Final = secrets or Secrets()
        self._database = database
        self._ring = ring
        self._tenant_id = ref.tenant_id
        self._connection_id = ref.connection_id
        self._part = part

    async def unchanged(self, etags: Mapping[str, str]) -> frozenset[str]:
        """See `Workbench`."""
        if self._part is not None:
            return frozenset()
        sealer = await self._ring.tenant_sealer(self._tenant_id)
        listed = iter(etags.items())
        unchanged: set[str] = set()
        async with self._database.transaction(self._tenant_id) as connection:
            while chunk := list(islice(listed, _CHUNK)):
                unchanged |= await self._unchanged(connection, sealer, chunk)
        return frozenset(unchanged)

    async def _unchanged(
        self, connection: Transaction, sealer: TenantSealer, etags: Sequence[tuple[str, str]]
    ) -> set[str]:
        # under the newest index only: what a rotation has yet to bring forward is read once more
        indexes = source_indexes(sealer, self._connection_id, (name for name, _ in etags))
        answer = await connection.fetchval(_SQL["held_etags"], self._tenant_id, self._connection_id, indexes)
        held = _cut(answer or b"")
        listed = zip(etags, indexes, etag_macs(sealer, etags), strict=True)
        return {name for (name, _), index, mac in listed if index + mac in held}

    async def wants_more(self, records: int, size: int) -> bool:
        """Who fetches knows, not the store."""
        del records, size
        return False

    async def stash(self, parts: Sequence[bytes]) -> UUID:
        """See `Workbench`."""
        sealer = await self._ring.tenant_sealer(self._tenant_id)
        handle = uuid4()
        sealed = [sealer.seal(_TABLE, _name(handle, index), part) for index, part in enumerate(parts)]
        part = self._part
        owner = (part.backfill_id, part.part) if part else (None, None)
        place = (self._tenant_id, self._connection_id, *owner)
        async with self._database.transaction(self._tenant_id) as connection:
            await connection.execute(_SQL["drop_forgotten"], *place, _STASHES_KEPT - 1)
            await connection.execute(_SQL["stash"], *place, handle, sealed)
        return handle

    async def stashed(self, handle: UUID, index: int) -> bytes:
        """See `Workbench`."""
        sealer = await self._ring.tenant_sealer(self._tenant_id)
        async with self._database.transaction(self._tenant_id) as connection:
            sealed = await connection.fetchval(_SQL["stashed"], self._tenant_id, self._connection_id, handle, index)
        if sealed is None:
            raise CursorExpired
        return sealer.open(_TABLE, _name(handle, index), sealed)


def _cut(answer: bytes) -> frozenset[bytes]:
    """The pairs of digests in an answer."""
    return frozenset(answer[start : start + _PAIR] for start in range(0, len(answer), _PAIR))


def _name(handle: UUID, index: int) -> str:
    return f"{handle}/{index}"
