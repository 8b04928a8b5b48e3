"""What the codec server does with payloads: open and show them, or seal them, and write it down before it answers."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

from temporalio.api.common.v1 import Payload

from contactsync.codecs.audit.log import AuditKind, Detail
from contactsync.codecs.keys.key import DataKey
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.sealed import (
    SealedPayload,
    is_sealed,
    open_sealed,
    read_sealed,
    seal_payload,
)
from contactsync.codecs.server.access import Operator
from contactsync.codecs.server.limits import MAX_PLAIN_BYTES, JsonPayload, Refused, to_json, to_payload
from contactsync.codecs.server.masking import CODES, mask_payload, whole_payload
from contactsync.codecs.server.reasons import Reason
from contactsync.errors import KeyDestroyed, KeyUnknown, NotFound, OpenRefused
from contactsync.identifiers import PLATFORM_TENANT

CANNOT_SEAL: Final = "nothing can be sealed for this tenant"


class AuditTrail(Protocol):
    """Where the codec server writes down what it does."""

    async def record(self, tenant_id: UUID, kind: AuditKind, actor: str, detail: Detail) -> None:
        """Append an entry and return once it is there for good."""
        ...


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, from which namespace (empty: none), and why they would read payloads whole (None: masked will do)."""

    operator: Operator
    namespace: str
    reason: Reason | None = None

    def sees_whole(self, tenant_id: UUID) -> bool:
        """Whether they are shown this tenant's payloads whole."""
        return self.reason is not None and tenant_id in self.operator.grants.whole


class Refusal(StrEnum):
    """Why a payload stays as it was: for the audit log only, all are answered alike."""

    NOT_SEALED = "not_sealed"
    """it is plain: Temporal's own, such as a search attribute, or what only looks sealed"""
    MALFORMED = "malformed"
    """its metadata is not exactly that of a sealed payload"""
    UNKNOWN_KEY = "unknown_key"
    DESTROYED_KEY = "destroyed_key"
    FOREIGN_TENANT = "foreign_tenant"
    """whoever asks may not see this tenant's"""
    WEAK_SIGN_IN = "weak_sign_in"
    """whoever asks signed in with less than is required"""
    WRONG_NAMESPACE = "wrong_namespace"
    ALTERED = "altered"
    """it does not open under its key: changed, cut off, or taken from elsewhere"""


@dataclass(frozen=True, slots=True)
class Opened:
    """A payload that was opened: whose it is, and what is shown of it."""

    tenant_id: UUID
    kid: bytes
    ciphertext: bytes
    shown: Payload
    plain_bytes: int


@dataclass(frozen=True, slots=True)
class Withheld:
    """A payload that stays as it was: why, and whose log says so (the platform's, unless it is known whose it is).
    What is not sealed has no ciphertext: of what may be somebody's plaintext there is no digest in the log."""

    refusal: Refusal
    ciphertext: bytes
    tenant_id: UUID = PLATFORM_TENANT


Outcome = Opened | Withheld

_PLAIN: Final = Withheld(Refusal.NOT_SEALED, b"")


@dataclass(frozen=True, slots=True)
class _Entry:
    """What one tenant's log says of a request."""

    tenant_id: UUID
    kind: AuditKind
    detail: dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Desk:
    """Opens and seals for operators. `codes`: keys whose words stay when masked."""

    ring: KeyRing
    trail: AuditTrail
    codes: frozenset[str] = CODES

    async def decode(self, items: Sequence[JsonPayload], asking: Asking) -> list[JsonPayload]:
        """Each sealed payload masked, or whole for whoever may and says why. Plain ones, and all that are withheld for
        whatever reason, stay as they are, and are counted.

        Raises:
            Refused: 400 one is no payload, 413 they are too large together.
            KeysError, DatabaseError: keys cannot be had, or it cannot be written down.
        """
        outcomes = await self._outcomes([to_payload(item) for item in items], asking)
        await self._write_down(outcomes, asking)
        return [
            to_json(one.shown) if isinstance(one, Opened) else item for one, item in zip(outcomes, items, strict=True)
        ]

    async def encode(self, items: Sequence[JsonPayload], tenant_id: UUID, asking: Asking) -> list[JsonPayload]:
        """Each payload sealed for a tenant, for whichever of its workflows.

        Raises:
            Refused: 400 one is no payload, or whoever asks may not seal for the tenant.
            SealRefused: one is sealed already.
            KeysError, DatabaseError, TenantNotFound: the key cannot be had, or it cannot be written down.
        """
        payloads = [to_payload(item) for item in items]
        subject = asking.operator.subject
        if tenant_id not in asking.operator.grants.encode:
            refused: Detail = {"tenant": str(tenant_id), "wanted": "seal", Refusal.FOREIGN_TENANT.value: len(payloads)}
            await self.trail.record(PLATFORM_TENANT, AuditKind.ACCESS_REFUSED, subject, refused)
            raise Refused(400, CANNOT_SEAL)
        key = await self.ring.payload_key(tenant_id)
        sealed = [seal_payload(key, asking.namespace, "", payload) for payload in payloads]
        detail = {"payloads": len(sealed), "keys": key.kid.hex(), "digest": _digest([one.data for one in sealed])}
        await self.trail.record(tenant_id, AuditKind.PAYLOADS_SEALED, subject, detail)
        return [to_json(payload) for payload in sealed]

    async def _outcomes(self, payloads: Sequence[Payload], asking: Asking) -> list[Outcome]:
        outcomes: list[Outcome] = []
        plain_bytes = 0
        for payload in payloads:
            one = await self._outcome(payload, asking)
            plain_bytes += one.plain_bytes if isinstance(one, Opened) else 0
            if plain_bytes > MAX_PLAIN_BYTES:
                raise Refused(413, "the payloads are too large together")
            outcomes.append(one)
        return outcomes

    async def _outcome(self, payload: Payload, asking: Asking) -> Outcome:
        if not is_sealed(payload):
            return _PLAIN
        try:
            sealed = read_sealed(payload)
            key = await self.ring.open_payload_key(sealed.kid)
        except OpenRefused:
            return Withheld(Refusal.MALFORMED, payload.data)
        except KeyUnknown:
            return Withheld(Refusal.UNKNOWN_KEY, payload.data)
        except (KeyDestroyed, NotFound):
            return Withheld(Refusal.DESTROYED_KEY, payload.data)
        return self._opened(key, sealed, asking)

    def _opened(self, key: DataKey, sealed: SealedPayload, asking: Asking) -> Outcome:
        tenant_id, grants = key.tenant_id, asking.operator.grants
        if tenant_id not in grants.masked:
            refusal = Refusal.WEAK_SIGN_IN if grants.weak else Refusal.FOREIGN_TENANT
            return Withheld(refusal, sealed.data, tenant_id)
        if sealed.namespace != asking.namespace:
            return Withheld(Refusal.WRONG_NAMESPACE, sealed.data, tenant_id)
        try:
            plain = open_sealed(key, sealed).payload
        except OpenRefused:
            return Withheld(Refusal.ALTERED, sealed.data, tenant_id)
        shown = whole_payload(plain) if asking.sees_whole(tenant_id) else mask_payload(plain, self.codes)
        return Opened(tenant_id, key.kid, sealed.data, shown, plain.ByteSize())

    async def _write_down(self, outcomes: Sequence[Outcome], asking: Asking) -> None:
        for entry in _entries(outcomes, asking):
            await self.trail.record(entry.tenant_id, entry.kind, asking.operator.subject, entry.detail)


def _entries(outcomes: Sequence[Outcome], asking: Asking) -> list[_Entry]:
    """One for each tenant of whose payloads some were opened, and one for each of whose some were withheld. How many
    were not sealed stands in the first of them, or in one of the platform's if there is none."""
    opened: dict[UUID, list[Opened]] = defaultdict(list)
    withheld: dict[UUID, list[Withheld]] = defaultdict(list)
    for one in outcomes:
        if isinstance(one, Opened):
            opened[one.tenant_id].append(one)
        elif one is not _PLAIN:
            withheld[one.tenant_id].append(one)
    entries = [_Entry(each, AuditKind.PAYLOADS_OPENED, _opened_detail(opened[each], asking)) for each in opened]
    entries += [_Entry(each, AuditKind.ACCESS_REFUSED, _withheld_detail(withheld[each], asking)) for each in withheld]
    if plain := outcomes.count(_PLAIN):
        entries = entries or [_Entry(PLATFORM_TENANT, AuditKind.ACCESS_REFUSED, {"payloads": plain, **_why(asking)})]
        entries[0].detail[Refusal.NOT_SEALED.value] = plain
    return entries


def _opened_detail(group: Sequence[Opened], asking: Asking) -> dict[str, str | int]:
    return {
        "payloads": len(group),
        "keys": ",".join(sorted({one.kid.hex() for one in group})),
        "digest": _digest([one.ciphertext for one in group]),
        "shown": "whole" if asking.sees_whole(group[0].tenant_id) else "masked",
        **_why(asking),
    }


def _withheld_detail(group: Sequence[Withheld], asking: Asking) -> dict[str, str | int]:
    return {
        "payloads": len(group),
        "digest": _digest([one.ciphertext for one in group]),
        **Counter(one.refusal.value for one in group),
        **_why(asking),
    }


def _why(asking: Asking) -> dict[str, str | int]:
    if asking.reason is None:
        return {}
    ticket = {"ticket": asking.reason.ticket} if asking.reason.ticket else {}
    return {"reason": asking.reason.code.value, **ticket}


def _digest(ciphertexts: Sequence[bytes]) -> str:
    """SHA-256 over the SHA-256 of each ciphertext, in their order: proves later which payloads an entry tells of."""
    return hashlib.sha256(b"".join(hashlib.sha256(data).digest() for data in ciphertexts)).hexdigest()
