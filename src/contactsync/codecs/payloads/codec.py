"""The payload codec: whatever leaves for Temporal is sealed, and only what is sealed comes back in.

It fails closed. Without a tenant nothing is encoded; plaintext, another tenant's, another namespace's or another
workflow's payload is not decoded. Core reads the markers it writes as plain JSON (patches, local activities) by itself:
they never pass here, so no plain payload need be let through.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.payloads.sealed import open_sealed, read_sealed, seal_payload
from contactsync.errors import ContactSyncError, OpenRefused, SealError, SealRefused
from contactsync.identifiers import tenant_of_workflow


@dataclass(frozen=True, slots=True)
class Place:
    """Where a payload belongs."""

    namespace: str
    workflow_id: str

    @property
    def tenant_id(self) -> UUID:
        """The tenant in the workflow id.

        Raises:
            SealRefused: the id holds none.
        """
        return tenant_of_workflow(self.workflow_id)


class SealingCodec(PayloadCodec, WithSerializationContext):
    """Seals for the tenant in the workflow id, which comes with Temporal's serialization context.

    Decoding without a context, as Temporal does for descriptions and schedules, opens by key id alone.
    """

    def __init__(self, ring: KeyRing, place: Place | None = None) -> None:
        self._ring: Final = ring
        self._place: Final = place

    def with_context(self, context: SerializationContext) -> Self:
        """The codec for a workflow or one of its activities; for anything else one that refuses to encode."""
        return type(self)(self._ring, _place_of(context))

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Seal each payload.

        Raises:
            SealRefused: there is no tenant, or a payload is sealed already.
            KeysError, TenantNotFound, DatabaseError: the tenant's key cannot be had.
        """
        try:
            return await self._sealed(payloads)
        except ContactSyncError:
            raise
        except Exception:  # noqa: BLE001  # the SDK writes this error's text into history in clear
            raise SealError from None

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Open each payload.

        Raises:
            OpenRefused: one is not sealed, not whole, or belongs elsewhere; it does not say what.
            KeysError, DatabaseError: its key cannot be had.
        """
        try:
            return [await self._opened(payload) for payload in payloads]
        except ContactSyncError:
            raise
        except Exception:  # noqa: BLE001  # the SDK writes this error's text into history in clear
            raise OpenRefused from None

    async def _sealed(self, payloads: Sequence[Payload]) -> list[Payload]:
        place = self._place
        if place is None:
            raise SealRefused
        key = await self._ring.payload_key(place.tenant_id)
        return [seal_payload(key, place.namespace, place.workflow_id, payload) for payload in payloads]

    async def _opened(self, payload: Payload) -> Payload:
        sealed = read_sealed(payload)
        place = self._place
        if place is not None and sealed.namespace != place.namespace:
            raise OpenRefused
        key = await self._ring.open_payload_key(sealed.kid)
        if place is not None and key.tenant_id != _tenant_that_reads(place):
            raise OpenRefused
        opened = open_sealed(key, sealed)
        if place is not None and not opened.belongs_to(place.workflow_id):
            raise OpenRefused
        return opened.payload


def _place_of(context: SerializationContext) -> Place | None:
    if not isinstance(context, WorkflowSerializationContext | ActivitySerializationContext):
        return None
    return Place(context.namespace, context.workflow_id) if context.workflow_id else None


def _tenant_that_reads(place: Place) -> UUID:
    try:
        return place.tenant_id
    except SealRefused:
        raise OpenRefused from None
