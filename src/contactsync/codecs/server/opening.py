"""What the codec server does with payloads: open and mask them, or seal them, and write it down before it answers."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from temporalio.api.common.v1 import Payload

from contactsync.codecs.audit.log import AuditKind, Detail, append
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.sealed import is_sealed, open_sealed, read_sealed, seal_payload
from contactsync.codecs.server.access import Operator
from contactsync.codecs.server.limits import MAX_PLAIN_BYTES, JsonPayload, Refused, to_json, to_payload
from contactsync.codecs.server.masking import mask_payload
from contactsync.errors import KeyDestroyed, KeyUnknown, NotFound, OpenRefused
from contactsync.identifiers import PLATFORM_TENANT
from contactsync.postgres import Database

_NOT_FOR_YOU: Final = (OpenRefused, KeyUnknown, KeyDestroyed, NotFound)


class AuditTrail(Protocol):
    """Where the codec server writes down what it does."""

    async def record(self, tenant_id: UUID, kind: AuditKind, actor: str, detail: Detail) -> None:
        """Append an entry and return once it is there for good."""
        ...


@dataclass(frozen=True, slots=True)
class DatabaseTrail:
    """The audit log in the database, one transaction an entry."""

    database: Database

    async def record(self, tenant_id: UUID, kind: AuditKind, actor: str, detail: Detail) -> None:
        """See `AuditTrail`. Raises DatabaseError."""
        async with self.database.transaction(tenant_id) as connection:
            await append(connection, tenant_id, kind, actor, detail)


@dataclass(frozen=True, slots=True)
class Opened:
    """A payload that was opened: whose it is, and its masked form."""

    tenant_id: UUID
    kid: bytes
    ciphertext: bytes
    masked: Payload
    plain_bytes: int


@dataclass(frozen=True, slots=True)
class Desk:
    """Opens and seals for operators."""

    ring: KeyRing
    trail: AuditTrail

    async def decode(self, items: Sequence[JsonPayload], namespace: str, operator: Operator) -> list[JsonPayload]:
        """Each sealed payload masked. Plain ones, and all that cannot be opened for whatever reason, stay as they are.

        Raises:
            Refused: 400 one is no payload, 413 they are too large together.
            KeysError, DatabaseError: keys cannot be had, or it cannot be written down.
        """
        payloads = [to_payload(item) for item in items]
        opened = await self._opened(payloads, namespace)
        await self._write_down(payloads, opened, operator)
        return [to_json(one.masked) if one else item for one, item in zip(opened, items, strict=True)]

    async def encode(
        self, items: Sequence[JsonPayload], namespace: str, tenant_id: UUID, operator: Operator
    ) -> list[JsonPayload]:
        """Each payload sealed for a tenant, for whichever of its workflows.

        Raises:
            Refused: 400 one is no payload.
            SealRefused: one is sealed already.
            KeysError, DatabaseError, TenantNotFound: the key cannot be had, or it cannot be written down.
        """
        payloads = [to_payload(item) for item in items]
        key = await self.ring.payload_key(tenant_id)
        sealed = [seal_payload(key, namespace, "", payload) for payload in payloads]
        detail = {"payloads": len(sealed), "keys": key.kid.hex(), "digest": _digest([one.data for one in sealed])}
        await self.trail.record(tenant_id, AuditKind.PAYLOADS_SEALED, operator.subject, detail)
        return [to_json(payload) for payload in sealed]

    async def _opened(self, payloads: Sequence[Payload], namespace: str) -> list[Opened | None]:
        opened: list[Opened | None] = []
        plain_bytes = 0
        for payload in payloads:
            one = await self._open(payload, namespace) if is_sealed(payload) else None
            plain_bytes += one.plain_bytes if one else 0
            if plain_bytes > MAX_PLAIN_BYTES:
                raise Refused(413, "the payloads are too large together")
            opened.append(one)
        return opened

    async def _open(self, payload: Payload, namespace: str) -> Opened | None:
        try:
            sealed = read_sealed(payload)
            key = await self.ring.open_payload_key(sealed.kid)
            plain = open_sealed(key, sealed).payload
        except _NOT_FOR_YOU:
            return None
        if sealed.namespace != namespace:
            return None
        return Opened(key.tenant_id, key.kid, sealed.data, mask_payload(plain), plain.ByteSize())

    async def _write_down(
        self, payloads: Sequence[Payload], opened: Sequence[Opened | None], operator: Operator
    ) -> None:
        by_tenant: dict[UUID, list[Opened]] = defaultdict(list)
        for one in opened:
            if one is not None:
                by_tenant[one.tenant_id].append(one)
        for tenant_id, group in by_tenant.items():
            await self.trail.record(tenant_id, AuditKind.PAYLOADS_OPENED, operator.subject, _detail(group))
        refused = [p.data for p, one in zip(payloads, opened, strict=True) if one is None and is_sealed(p)]
        if refused:
            detail: Detail = {"payloads": len(refused), "digest": _digest(refused)}
            await self.trail.record(PLATFORM_TENANT, AuditKind.ACCESS_REFUSED, operator.subject, detail)


def _detail(group: Sequence[Opened]) -> Detail:
    return {
        "payloads": len(group),
        "keys": ",".join(sorted({one.kid.hex() for one in group})),
        "digest": _digest([one.ciphertext for one in group]),
        "shown": "masked",
    }


def _digest(ciphertexts: Sequence[bytes]) -> str:
    """SHA-256 over the SHA-256 of each ciphertext, in their order: proves later which payloads an entry tells of."""
    return hashlib.sha256(b"".join(hashlib.sha256(data).digest() for data in ciphertexts)).hexdigest()
