"""A sealed payload: envelope CS1 in a Temporal payload.

Clear metadata are `encoding`, `cs-kid` and `cs-ns`, nothing else. Inside is the whole original payload and, under
`cs-workflow`, the workflow id it was sealed for: the envelope states it under seal, and whoever knows the id compares.
The id is not part of the envelope's context, since Temporal Web, the `temporal` command and schedules do not know it.
"""

from dataclasses import dataclass
from functools import lru_cache
from re import compile as pattern
from typing import Final

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload

from contactsync.codecs.envelope.cs1 import Binding, open_, seal
from contactsync.codecs.keys.key import DataKey
from contactsync.errors import OpenRefused, SealRefused

ENCODING: Final = b"binary/x-contactsync-cs1"
KEY_ID: Final = "cs-kid"
NAMESPACE: Final = "cs-ns"
WORKFLOW: Final = "cs-workflow"
_OURS: Final = "cs-"
_CLEAR: Final = {KEY_ID, NAMESPACE}
_KID: Final = pattern(rb"[0-9a-f]{32}")
_SCHEDULED: Final = pattern(r"-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True, slots=True)
class SealedPayload:
    """What a sealed payload says of itself, unproved until it is opened."""

    kid: bytes
    namespace: str
    data: bytes


@dataclass(frozen=True, slots=True)
class OpenedPayload:
    """The original payload, and the workflow id it was sealed for (empty: none)."""

    payload: Payload
    workflow_id: str

    def belongs_to(self, workflow_id: str) -> bool:
        """Whether a workflow of this id may read it: the same id, or the schedule's whose run it is."""
        if self.workflow_id in {"", workflow_id}:
            return True
        timestamp = workflow_id.removeprefix(self.workflow_id)
        return timestamp != workflow_id and _SCHEDULED.fullmatch(timestamp) is not None


def is_sealed(payload: Payload) -> bool:
    """Whether a payload claims to be sealed by contactsync."""
    return payload.metadata.get("encoding") == ENCODING


def has_our_metadata(payload: Payload) -> bool:
    """Whether a payload carries metadata that only a sealed one has."""
    return any(name.startswith(_OURS) for name in payload.metadata)


def seal_payload(key: DataKey, namespace: str, workflow_id: str, payload: Payload) -> Payload:
    """`payload` sealed for a namespace and a workflow id (empty: for any workflow of the tenant).

    Raises:
        SealRefused: it is sealed already, or cannot be sealed.
    """
    if is_sealed(payload) or has_our_metadata(payload):
        raise SealRefused("the payload is sealed already; nothing is sealed twice")
    return Payload(
        metadata={"encoding": ENCODING, KEY_ID: key.kid.hex().encode(), NAMESPACE: namespace.encode()},
        data=seal(key, _binding(key, namespace), _inner(payload, workflow_id)),
    )


def read_sealed(payload: Payload) -> SealedPayload:
    """The parts of a sealed payload.

    Raises:
        OpenRefused: it is not sealed, or not in exactly this form.
    """
    ours = {name for name in payload.metadata if name.startswith(_OURS)}
    kid = payload.metadata.get(KEY_ID, b"")
    if not is_sealed(payload) or ours != _CLEAR or not _KID.fullmatch(kid):
        raise OpenRefused
    try:
        namespace = payload.metadata[NAMESPACE].decode()
    except UnicodeDecodeError:
        raise OpenRefused from None
    return SealedPayload(bytes.fromhex(kid.decode()), namespace, payload.data)


def open_sealed(key: DataKey, sealed: SealedPayload) -> OpenedPayload:
    """The original payload.

    Raises:
        OpenRefused: anything at all is wrong; it does not say what.
    """
    try:
        inner = Payload.FromString(open_(key, _binding(key, sealed.namespace), sealed.data))
        workflow_id = inner.metadata.pop(WORKFLOW, b"").decode()
    except (DecodeError, UnicodeDecodeError):
        raise OpenRefused from None
    if is_sealed(inner) or has_our_metadata(inner):
        raise OpenRefused
    return OpenedPayload(inner, workflow_id)


def _inner(payload: Payload, workflow_id: str) -> bytes:
    """The payload with the workflow id among its metadata; messages on the wire merge where they meet, so that no copy
    of it need be made for that (protobuf.dev/programming-guides/encoding, "Last One Wins")."""
    written = payload.SerializeToString()
    return written + _workflow_part(workflow_id) if workflow_id else written


@lru_cache(maxsize=1024)
def _workflow_part(workflow_id: str) -> bytes:
    return Payload(metadata={WORKFLOW: workflow_id.encode()}).SerializeToString()


def _binding(key: DataKey, namespace: str) -> Binding:
    return Binding("payload/v1", key.tenant_id, (namespace, ""))
