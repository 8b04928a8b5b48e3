"""Envelope CS1: `"CS1" ‖ suite(0x01) ‖ message`, bound to purpose, key, tenant and fields.

The message is C2SP chunked encryption of
`alg(1) ‖ raw_len(4) ‖ body_len(4) ‖ body ‖ zero padding to the Padmé length` under the context
`"contactsync/" ‖ purpose ‖ 0x00 ‖ LP(header) ‖ LP(kid) ‖ LP(tenant) ‖ uint8(n) ‖ LP(field)…`, where
`LP(x) = uint16_be(len(x)) ‖ x`. docs/sealing.md holds the promise this format makes.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from struct import Struct
from typing import Final, Literal, Protocol, get_args
from uuid import UUID

from contactsync.codecs.envelope import chunked, compression
from contactsync.errors import OpenRefused, SealRefused

HEADER: Final = b"CS1\x01"
"""Magic and suite. Suite 1 names exactly the primitive of `chunked`."""

KID_BYTES: Final = 16
MAX_RAW_BYTES: Final = 32 * 1024 * 1024
"""The largest plaintext sealed or opened."""

COMPRESS_FROM_BYTES: Final = 1024
STORED: Final = 0
ZSTD: Final = 2

Purpose = Literal["payload/v1", "row/v1", "wrap/v1", "stage/v1"]
PURPOSES: Final[frozenset[str]] = frozenset(get_args(Purpose))

_INNER: Final = Struct(">BII")
_NAMESPACE: Final = b"contactsync/"
_UNBOUND: Final = "what is to be sealed cannot be bound: a part is too long or no text"


class Secret(Protocol):
    """Secret bytes that show themselves to nobody, and can be sealed with."""

    def sealing(self) -> chunked.InputKey: ...


class SealingKey(Protocol):
    """A key as the envelope needs it: a 16-byte id, which is bound, and a 32-byte secret."""

    @property
    def kid(self) -> bytes: ...
    @property
    def secret(self) -> Secret: ...


@dataclass(frozen=True, slots=True)
class Binding:
    """What sealed bytes belong to; they open under an equal binding only.

    `fields` by purpose: `payload/v1` namespace, workflow id or empty; `row/v1` table, row id, schema version;
    `wrap/v1` child purpose, child key id; `stage/v1` the object's name.
    """

    purpose: Purpose
    tenant_id: UUID
    fields: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.purpose not in PURPOSES:
            raise ValueError("no such purpose")

    def __hash__(self) -> int:
        return hash(self.fields)  # a UUID's hash is slow, and what is looked up by a binding names its key beside it


def seal(key: SealingKey, binding: Binding, plaintext: bytes) -> bytes:
    """`plaintext` (up to 32 MiB) as an envelope.

    Raises:
        SealRefused: too large, or the key or the binding has a part of the wrong length or form.
    """
    return _sealed(key, binding, plaintext, chunked.fresh_salt())


def insecure_seal_with_salt(key: SealingKey, binding: Binding, plaintext: bytes, salt: bytes) -> bytes:
    """`seal` under a given salt, for known-answer tests only: two messages under one salt give both away."""
    return _sealed(key, binding, plaintext, salt)


def _sealed(key: SealingKey, binding: Binding, plaintext: bytes, salt: bytes) -> bytes:
    try:
        bound = context(key.kid, binding)
    except ValueError:
        raise SealRefused(_UNBOUND) from None
    return key.secret.sealing().seal(bound, _inner(plaintext), salt, HEADER)


def open_(key: SealingKey, binding: Binding, data: bytes) -> bytes:
    """What `seal` sealed under the same key and an equal binding.

    Raises:
        OpenRefused: anything at all is wrong; it does not say what.
    """
    if not data.startswith(HEADER):
        raise OpenRefused
    try:
        bound, input_key = context(key.kid, binding), key.secret.sealing()
    except (ValueError, SealRefused):
        raise OpenRefused from None
    return _outer(input_key.open(bound, data, len(HEADER)))


class Series:
    """Envelopes under one key, of bindings that differ in one field only: what they share is made once."""

    def __init__(self, key: SealingKey, binding: Binding, varying: int) -> None:
        """`varying`: which of the binding's fields is another one each time; what stands there now does not matter.

        Raises:
            ValueError, SealRefused: as `context` and `seal`.
        """
        fields = binding.fields
        after = b"".join(_prefixed(field.encode()) for field in fields[varying + 1 :])
        whole = context(key.kid, replace(binding, fields=(*fields[:varying], "", *fields[varying + 1 :])))
        self._before: Final = whole[: len(whole) - len(after) - len(_prefixed(b""))]
        self._after: Final = after
        self._key: Final = key.secret.sealing()

    def seal(self, field: str, plaintext: bytes, salt: bytes, header: bytes = b"") -> bytes:
        """`header`, and the envelope that `seal` makes with `field` in its place, under a salt of `fresh_salts`.

        Raises:
            SealRefused: as `seal`.
        """
        try:
            bound = self._context(field)
        except ValueError:
            raise SealRefused(_UNBOUND) from None
        return self._key.seal(bound, _inner(plaintext), salt, header + HEADER)

    def open(self, field: str, data: bytes) -> bytes:
        """What was sealed with this field.

        Raises:
            OpenRefused: anything at all is wrong; it does not say what.
        """
        if not data.startswith(HEADER):
            raise OpenRefused
        try:
            bound = self._context(field)
        except ValueError:
            raise OpenRefused from None
        return _outer(self._key.open(bound, data, len(HEADER)))

    def _context(self, field: str) -> bytes:
        return b"".join((self._before, _prefixed(field.encode()), self._after))


@lru_cache(maxsize=1024)
def context(kid: bytes, binding: Binding) -> bytes:
    """The bytes that a message is bound to.

    Raises:
        ValueError: the key id is not 16 bytes, a field is over 65,535 bytes or no text, or there are over 255.
    """
    if len(kid) != KID_BYTES or len(binding.fields) > 0xFF:
        raise ValueError("the binding has a part of the wrong length")
    parts = (HEADER, kid, binding.tenant_id.bytes)
    fields = [_prefixed(field.encode()) for field in binding.fields]
    head = (_NAMESPACE, binding.purpose.encode(), b"\x00", *map(_prefixed, parts), len(fields).to_bytes())
    return b"".join((*head, *fields))


def padded_length(length: int) -> int:
    """The Padmé length: at most 12 % more, so that few lengths are told apart (Nikitin et al., PETS 2019, §4)."""
    exponent = length.bit_length() - 1
    low_bits = exponent - exponent.bit_length()
    mask = (1 << max(low_bits, 0)) - 1
    return (length + mask) & ~mask


def _prefixed(part: bytes) -> bytes:
    if len(part) > 0xFFFF:
        raise ValueError("the binding has a part of the wrong length")
    return len(part).to_bytes(2) + part


def _inner(plaintext: bytes) -> list[chunked.Chunk]:
    if len(plaintext) > MAX_RAW_BYTES:
        raise SealRefused("more than 32 MiB cannot be sealed as one; split it")
    algorithm, body = _compressed(plaintext)
    length = _INNER.size + len(body)
    return chunked.cut(_INNER.pack(algorithm, len(plaintext), len(body)), body, padded_length(length) - length)


def _compressed(plaintext: bytes) -> tuple[int, bytes]:
    """Compression from 1 KiB up and only where it helps; below, it would cost more than it saves."""
    if len(plaintext) >= COMPRESS_FROM_BYTES:
        body = compression.compress(plaintext)
        if len(body) < len(plaintext):
            return ZSTD, body
    return STORED, plaintext


def _outer(inner: memoryview) -> bytes:
    length = len(inner)
    if length < _INNER.size:
        raise OpenRefused
    algorithm, raw_length, body_length = _INNER.unpack_from(inner)
    end = _INNER.size + body_length
    if raw_length > MAX_RAW_BYTES or length != padded_length(end):
        raise OpenRefused
    if bytes(inner[end:]) != bytes(length - end):  # a view would be compared item by item
        raise OpenRefused
    return _decompressed(algorithm, raw_length, inner[_INNER.size : end])


def _decompressed(algorithm: int, raw_length: int, body: memoryview) -> bytes:
    """The plaintext; only the forms that `_compressed` makes are accepted."""
    if algorithm == STORED and raw_length == len(body):
        return bytes(body)
    if algorithm == ZSTD and raw_length >= COMPRESS_FROM_BYTES and raw_length > len(body):
        return compression.decompress(body, raw_length)
    raise OpenRefused
