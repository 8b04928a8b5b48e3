"""Keys in memory: no repr of their bytes, no pickling."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from secrets import token_bytes
from typing import NoReturn
from uuid import UUID

from contactsync.codecs.envelope.chunked import KEY_BYTES, InputKey
from contactsync.codecs.envelope.cs1 import KID_BYTES


class SecretBytes:
    """Bytes that show themselves only through `expose`, and cannot be copied, compared, pickled or printed."""

    __slots__ = ("_sealing", "_value")

    def __init__(self, value: bytes) -> None:
        self._value = value
        self._sealing: InputKey | None = None

    def expose(self) -> bytes:
        """The bytes themselves."""
        return self._value

    def sealing(self) -> InputKey:
        """The bytes made ready to seal and open with, once for all messages; it lives as long as they do.

        Raises:
            SealRefused: they are not 32.
        """
        if self._sealing is None:
            self._sealing = InputKey(self._value)
        return self._sealing

    def __repr__(self) -> str:
        return "SecretBytes(…)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuses pickle and copy alike.

        Raises:
            TypeError: always.
        """
        raise TypeError("a secret cannot be pickled or copied")


class KeyPurpose(StrEnum):
    """What a data key is for."""

    PAYLOAD = "payload"
    ROW = "row"
    INDEX = "index"
    SUPPRESSION = "suppression"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True, eq=False)
class TenantKey:
    """A tenant's key of one version: 32 bytes that wrap the tenant's data keys and nothing else."""

    kid: bytes
    tenant_id: UUID
    version: int
    secret: SecretBytes


@dataclass(frozen=True, slots=True, eq=False)
class DataKey:
    """A key that seals, digests or derives for one tenant and purpose.

    `kid` is a random 16-byte id. `epoch` counts a purpose's keys; that of a payload key is its UTC day, in days since
    1970-01-01. `encrypt_until` and `destroy_at` are set for payload keys only. `held`: an open execution needs it,
    so it opens beyond its destroy date.
    """

    kid: bytes
    tenant_id: UUID
    purpose: KeyPurpose
    epoch: int
    secret: SecretBytes
    encrypt_until: datetime | None = None
    destroy_at: datetime | None = None
    held: bool = False


def new_kid() -> bytes:
    """A random 16-byte key id."""
    return token_bytes(KID_BYTES)


def new_secret() -> SecretBytes:
    """32 random bytes."""
    return SecretBytes(token_bytes(KEY_BYTES))
