"""The tamper-evident log: who did what to a tenant's data, as a chain of hashes for each tenant (`chain`).

The chain shows that nothing before its last entry was altered or taken out; that nothing is missing at its end, and
that it was not written anew as a whole, shows against its signed checkpoints and copies of them (`checkpoints`).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from contactsync.codecs.audit.chain import Entry, link
from contactsync.postgres import Transaction, load_queries

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
    AUDIT_READ = "audit_read"
    AUDIT_EXPORTED = "audit_exported"
    KEY_MADE = "key_made"
    KEYS_REWRAPPED = "keys_rewrapped"
    KEY_HELD = "key_held"
    KEY_DESTROYED = "key_destroyed"


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
