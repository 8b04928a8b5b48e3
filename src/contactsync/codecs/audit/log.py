"""The tamper-evident log: who did what to a tenant's data, as a chain of hashes for each tenant.

`hash_n = SHA-256(hash_{n-1} ‖ entry_n)`; an entry is an `Entry` as canonical JSON (sorted keys, no spaces, UTF-8). The
chain shows that nothing before its last entry was altered or taken out; that nothing is missing at its end shows only
against a copy kept elsewhere.
"""

import hashlib
import json
from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from contactsync.postgres import Row, Transaction, load_queries

FIRST: Final = bytes(32)
"""What stands before the first entry."""

_QUERIES: Final = load_queries("contactsync.codecs.audit", "audit.sql")

Detail = Mapping[str, str | int]
"""Ids, counts, digests and codes; never a person's value."""


class AuditKind(StrEnum):
    """What an entry tells of."""

    TENANT_ADDED = "tenant_added"
    TENANT_DISABLED = "tenant_disabled"
    TENANT_ENABLED = "tenant_enabled"
    OFFBOARDING_DECIDED = "offboarding_decided"
    TENANT_DELETED = "tenant_deleted"
    CERTIFICATE_ISSUED = "certificate_issued"
    CONNECTION_ADDED = "connection_added"
    CONNECTION_PAUSED = "connection_paused"
    CONNECTION_RESUMED = "connection_resumed"
    POLICY_CHANGED = "policy_changed"
    PAGE_COMMITTED = "page_committed"
    DELETES_HELD = "deletes_held"
    DELETES_APPROVED = "deletes_approved"
    DELETES_REJECTED = "deletes_rejected"
    DELETES_RESOLVED = "deletes_resolved"
    BACKFILL_REQUESTED = "backfill_requested"
    BACKFILL_PAUSED = "backfill_paused"
    BACKFILL_RESUMED = "backfill_resumed"
    BACKFILL_ENDED = "backfill_ended"
    CONTACTS_OPENED = "contacts_opened"
    PAYLOADS_OPENED = "payloads_opened"
    PAYLOADS_SEALED = "payloads_sealed"
    ACCESS_REFUSED = "access_refused"
    KEY_MADE = "key_made"
    KEY_HELD = "key_held"
    KEY_DESTROYED = "key_destroyed"


class Entry(BaseModel):
    """One entry. `seq` counts a tenant's entries from 1; `kind` is an `AuditKind` of some version."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    seq: int
    tenant: UUID
    at: datetime
    kind: str
    actor: str
    detail: dict[str, str | int]

    def canonical(self) -> str:
        """The JSON that is hashed."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Soundness(StrEnum):
    """The verdict on a log."""

    SOUND = "sound"
    ALTERED = "altered"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found: how many entries are sound, and the hash of the last of them."""

    soundness: Soundness
    entries: int
    head: bytes


def now_utc() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


async def append(
    connection: Transaction,
    tenant_id: UUID,
    kind: AuditKind,
    actor: str,
    detail: Detail,
    *,
    clock: Callable[[], datetime] = now_utc,
) -> int:
    """Append an entry inside the caller's transaction, which must be the tenant's; answers its number, from 1.

    Other appends to this tenant's log wait until the transaction ends, so append last.

    Args:
        connection: from `Database.transaction(tenant_id)`.
        tenant_id: whose log; the nil UUID for what is nobody's.
        kind: what happened.
        actor: who: a role or a subject's opaque id, never a person's name.
        detail: ids, counts, digests and codes.
        clock: gives the entry's time.

    Raises:
        DatabaseError: through the transaction.
    """
    head = await connection.fetchrow(_QUERIES["head"])
    assert head is not None  # noqa: S101  # the function always answers with one row
    seq: int = head["seq"] + 1
    entry = Entry(seq=seq, tenant=tenant_id, at=clock(), kind=kind, actor=actor, detail=dict(detail)).canonical()
    await connection.execute(_QUERIES["append"], tenant_id, seq, entry, link(head["hash"], entry))
    return seq


async def verify(connection: Transaction, tenant_id: UUID) -> Verdict:
    """Recompute the tenant's whole chain, inside a transaction of the tenant.

    Raises:
        DatabaseError: through the transaction.
    """
    return await _verdict(tenant_id, connection.cursor(_QUERIES["entries"], tenant_id, prefetch=500))


def link(before: bytes, entry: str) -> bytes:
    """The hash of an entry, given that of the one before."""
    return hashlib.sha256(before + entry.encode()).digest()


async def _verdict(tenant_id: UUID, rows: AsyncIterable[Row]) -> Verdict:
    count, head = 0, FIRST
    async for row in rows:
        if row["seq"] != count + 1:
            return Verdict(Soundness.INCOMPLETE, count, head)
        if row["hash"] != link(head, row["entry"]) or not _states(row["entry"], tenant_id, row["seq"]):
            return Verdict(Soundness.ALTERED, count, head)
        count, head = row["seq"], row["hash"]
    return Verdict(Soundness.SOUND, count, head)


def _states(entry: str, tenant_id: UUID, seq: int) -> bool:
    """Whether the entry itself says that it is this tenant's and has this number."""
    try:
        content = Entry.model_validate_json(entry)
    except ValidationError:
        return False
    return (content.tenant, content.seq) == (tenant_id, seq)
