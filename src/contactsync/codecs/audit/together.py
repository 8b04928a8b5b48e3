"""Entries that have a transaction to themselves, written together with others that come meanwhile.

Whoever records waits until the entry is there for good. While one transaction of a tenant's log is under way the next
entries gather, and share the one after it: the more come at once, the less each costs.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from contactsync.codecs.audit.chain import FIRST, Entry, link
from contactsync.codecs.audit.log import AuditKind, Detail, append, now_utc
from contactsync.postgres import Database, load_queries

TOGETHER_AT_MOST: Final = 200
"""Entries a transaction."""

_TRIES: Final = 4
_HEADS: Final = 4_096
_QUERIES: Final = load_queries("contactsync.codecs.audit", "audit.sql")


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """An entry without its number, and who waits for it."""

    at: datetime
    kind: AuditKind
    actor: str
    detail: Detail
    written: asyncio.Future[None]

    def text(self, tenant_id: UUID, seq: int) -> str:
        """The entry as it is kept under a number."""
        detail = dict(self.detail)
        return Entry(seq=seq, tenant=tenant_id, at=self.at, kind=self.kind, actor=self.actor, detail=detail).canonical()


@dataclass(frozen=True, slots=True)
class _Head:
    """The last entry of a log: its number and hash."""

    seq: int = 0
    hash: bytes = FIRST


class SharedLog:
    """Appends to every tenant's log. One of it serves a process."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = now_utc) -> None:
        self._database = database
        self._clock = clock
        self._waiting: dict[UUID, list[_Waiting]] = {}
        self._writers: dict[UUID, asyncio.Task[None]] = {}
        self._heads: OrderedDict[UUID, _Head] = OrderedDict()

    async def record(self, tenant_id: UUID, kind: AuditKind, actor: str, detail: Detail) -> None:
        """Append an entry, and return once it is there for good.

        Whoever is cancelled while waiting may find it there all the same.

        Raises:
            DatabaseError: it is not there, or that cannot be told.
        """
        entry = _Waiting(self._clock(), kind, actor, detail, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(tenant_id, []).append(entry)
        if tenant_id not in self._writers:
            self._writers[tenant_id] = asyncio.create_task(self._write(tenant_id))
        await entry.written

    async def _write(self, tenant_id: UUID) -> None:
        """Write what waits, and what comes meanwhile, until nothing does."""
        try:
            while waiting := self._waiting.pop(tenant_id, []):
                batch, rest = waiting[:TOGETHER_AT_MOST], waiting[TOGETHER_AT_MOST:]
                if rest:
                    self._waiting[tenant_id] = rest
                await self._settle(tenant_id, batch)
        finally:
            del self._writers[tenant_id]

    async def _settle(self, tenant_id: UUID, batch: Sequence[_Waiting]) -> None:
        """Write a batch, and tell whoever still waits how that went."""
        failed: Exception | None = None
        try:
            await self._append(tenant_id, batch)
        except Exception as error:  # noqa: BLE001  # it is theirs who wait
            failed = error
        for each in batch:
            if each.written.done():
                continue
            if failed is None:
                each.written.set_result(None)
            else:
                each.written.set_exception(failed)

    async def _append(self, tenant_id: UUID, batch: Sequence[_Waiting]) -> None:
        head = self._heads.get(tenant_id, _Head())
        for _ in range(_TRIES):
            head, is_appended = await self._appended(tenant_id, head, batch)
            self._remember(tenant_id, head)
            if is_appended:
                return
        await self._append_in_turn(tenant_id, batch)

    async def _appended(self, tenant_id: UUID, head: _Head, batch: Sequence[_Waiting]) -> tuple[_Head, bool]:
        """Append behind what was the last entry when it was last seen; answers what is the last one now."""
        texts = [each.text(tenant_id, seq) for seq, each in enumerate(batch, head.seq + 1)]
        hashes, last = list[bytes](), head.hash
        for text in texts:
            last = link(last, text)
            hashes.append(last)
        row = await self._database.call(_QUERIES["append_links"], tenant_id, head.seq, head.hash, texts, hashes)
        return _Head(row["last_seq"], row["last_hash"]), bool(row["appended"])

    async def _append_in_turn(self, tenant_id: UUID, batch: Sequence[_Waiting]) -> None:
        """Others append so often that the last entry is never the one that was seen: hold them up meanwhile."""
        async with self._database.transaction(tenant_id) as connection:
            for each in batch:
                await append(connection, tenant_id, each.kind, each.actor, each.detail, clock=lambda at=each.at: at)

    def _remember(self, tenant_id: UUID, head: _Head) -> None:
        self._heads[tenant_id] = head
        self._heads.move_to_end(tenant_id)
        while len(self._heads) > _HEADS:
            self._heads.popitem(last=False)
