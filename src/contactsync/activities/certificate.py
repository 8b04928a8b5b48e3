"""What is certified of a tenant that was offboarded, and no more than can be known. docs/offboarding.md explains it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contactsync.activities.store.offboarding import LogHead, Offboarding
from contactsync.codecs.audit.signing import NoteSigner, VerifierKey, sign_note, verify_note
from contactsync.codecs.keys.cache import CacheLimits
from contactsync.codecs.keys.key import KeyPurpose
from contactsync.codecs.keys.store import KeyStore
from contactsync.errors import NoteRefused, OffboardingNotFound

FORMAT: Final = "contactsync-offboarding/1"


class Residual(BaseModel):
    """Something that is left: a code of docs/offboarding.md, and until when (None: without end)."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    what: str
    until: datetime | None = None


class Certificate(BaseModel):
    """Times in UTC. Keys by purpose (`tenant`: the tenant's own) as hexadecimal ids; rows by table; `audit_entries`
    and `audit_head` (hexadecimal) are the tenant's log just before the certificate was issued."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    format: str
    tenant: UUID
    namespace: str
    requested_at: datetime
    quarantine_until: datetime
    decided_at: datetime
    effective_at: datetime
    final_at: datetime
    issued_at: datetime
    keys: dict[str, tuple[str, ...]]
    rows: dict[str, int]
    executions: int
    executions_left: int
    audit_entries: int
    audit_head: str
    residuals: tuple[Residual, ...]

    def signed(self, signer: NoteSigner) -> str:
        """The certificate as a signed note (c2sp.org/signed-note): one line of JSON, sorted, and the signature."""
        document = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return sign_note(f"{document}\n", signer)


def certificate_of(
    done: Offboarding,
    head: LogHead,
    keys: Mapping[str, Sequence[str]],
    *,
    namespace: str,
    executions_left: int,
    backups: timedelta,
    caches: CacheLimits,
) -> Certificate:
    """The certificate of what was done. `backups`: how old a backup of the key store gets; `caches`: how long a process
    may hold a key that is gone.

    Raises:
        OffboardingNotFound: its end is not decided, or the keys are not gone.
    """
    if done.decided_at is None or done.effective_at is None:
        raise OffboardingNotFound("this tenant's keys are not destroyed; there is nothing to certify yet")
    final_at = done.effective_at + backups
    return Certificate(
        format=FORMAT,
        tenant=done.tenant_id,
        namespace=namespace,
        requested_at=done.requested_at,
        quarantine_until=done.quarantine_until,
        decided_at=done.decided_at,
        effective_at=done.effective_at,
        final_at=final_at,
        issued_at=head.at,
        keys={purpose: tuple(kids) for purpose, kids in keys.items()},
        rows=dict(done.deleted),
        executions=done.executions or 0,
        executions_left=executions_left,
        audit_entries=head.entries,
        audit_head=head.hash.hex(),
        residuals=(
            Residual(what="caches", until=done.effective_at + timedelta(seconds=caches.ttl + caches.grace)),
            Residual(what="key_store_backups", until=final_at),
            Residual(what="data_backups"),
            Residual(what="audit_log"),
            Residual(what="tenant_row"),
            *((Residual(what="temporal_histories"),) if executions_left else ()),
        ),
    )


def read_certificate(note: str, verifiers: Sequence[VerifierKey]) -> Certificate:
    """The certificate that a note holds.

    Raises:
        NoteRefused: none of these keys signed it, it was altered, or it is no certificate of this version.
    """
    text = verify_note(note, verifiers)
    try:
        certificate = Certificate.model_validate_json(text)
    except ValueError:
        raise NoteRefused("this note is no certificate of an offboarding") from None
    if certificate.format != FORMAT:
        raise NoteRefused("this certificate is of another version")
    return certificate


async def destroyed_keys(store: KeyStore, tenant_id: UUID) -> Mapping[str, tuple[str, ...]]:
    """The ids of the tenant's keys by purpose, as hexadecimal.

    Raises:
        OffboardingNotFound: one of them is not destroyed.
    """
    tenant_keys = await store.tenant_keys(tenant_id)
    data_keys = await store.data_keys(tenant_id, tuple(KeyPurpose))
    if any(key.wrapped is not None for key in (*tenant_keys, *data_keys)):
        raise OffboardingNotFound("a key of this tenant is not destroyed; there is nothing to certify yet")
    found: dict[str, tuple[str, ...]] = {"tenant": tuple(key.kid.hex() for key in tenant_keys)}
    for key in data_keys:
        found[key.purpose.value] = (*found.get(key.purpose.value, ()), key.kid.hex())
    return found


def digest_of(note: str) -> str:
    """The note's SHA-256, as the audit log names it."""
    return hashlib.sha256(note.encode()).hexdigest()
