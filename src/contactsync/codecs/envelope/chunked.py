"""C2SP chunked encryption with AES-256-GCM (Cobblestone-256, c2sp.org/chunked-encryption): the primitive below CS1.

A message is `salt(24) ‖ commitment(32) ‖ chunk_0 ‖ … ‖ chunk_n`. Each message has a key, a nonce and a commitment of
its own, derived from the input key, the salt and the context; the last chunk is always shorter than the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ssl import RAND_bytes
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from contactsync.errors import OpenRefused, SealRefused

KEY_BYTES: Final = 32
SALT_BYTES: Final = 24
COMMITMENT_BYTES: Final = 32
HEADER_BYTES: Final = SALT_BYTES + COMMITMENT_BYTES
CHUNK_BYTES: Final = 16 * 1024
TAG_BYTES: Final = 16

_LABEL: Final = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM"
_NONCE_BYTES: Final = 12
_SEALED_CHUNK_BYTES: Final = CHUNK_BYTES + TAG_BYTES


@dataclass(frozen=True, slots=True, repr=False)
class _Derived:
    """What one message is sealed with."""

    key: bytes
    base_nonce: int
    commitment: bytes


def seal_message(input_key: bytes, context: bytes, plaintext: bytes, header: bytes = b"") -> bytes:
    """Seal under a fresh salt.

    Args:
        input_key: 32 bytes, used for nothing else.
        context: any bytes; opening needs the same.
        plaintext: any length.
        header: put before the message as it is; whoever opens takes it off.

    Raises:
        SealRefused: the key is not 32 bytes.
    """
    # ssl's generator keeps the interpreter lock; os.urandom gives it up and waits for it beside a busy thread
    return insecure_seal_message_with_salt(input_key, context, plaintext, RAND_bytes(SALT_BYTES), header)


def insecure_seal_message_with_salt(
    input_key: bytes, context: bytes, plaintext: bytes, salt: bytes, header: bytes = b""
) -> bytes:
    """Seal under a given salt, for known-answer tests only: two messages under one salt give both away.

    Raises:
        SealRefused: the key or the salt has the wrong length.
    """
    if len(input_key) != KEY_BYTES or len(salt) != SALT_BYTES:
        raise SealRefused("the key to seal with has the wrong length")
    derived = _derive(input_key, salt, context)
    return b"".join((header, salt, derived.commitment, *_sealed_chunks(derived, plaintext)))


def open_message(input_key: bytes, context: bytes, message: bytes | memoryview) -> bytes:
    """Open what `seal_message` sealed under the same key and context.

    Raises:
        OpenRefused: anything at all is wrong; it does not say what.
    """
    if len(input_key) != KEY_BYTES or len(message) < HEADER_BYTES + TAG_BYTES:
        raise OpenRefused
    view = memoryview(message)
    derived = _derive(input_key, bytes(view[:SALT_BYTES]), context)
    if not bytes_eq(derived.commitment, bytes(view[SALT_BYTES:HEADER_BYTES])):
        raise OpenRefused
    try:
        return b"".join(_opened_chunks(derived, view[HEADER_BYTES:]))
    except InvalidTag:
        raise OpenRefused from None


def _derive(input_key: bytes, salt: bytes, context: bytes) -> _Derived:
    """`key(32) ‖ base_nonce(12) ‖ commitment(32)`, by HKDF-Expand-SHA-512 (RFC 5869 §2.3)."""
    info = b"".join((_LABEL, b"\x00", salt, context))
    material = HKDFExpand(SHA512(), KEY_BYTES + _NONCE_BYTES + COMMITMENT_BYTES, info).derive(input_key)
    nonce_end = KEY_BYTES + _NONCE_BYTES
    return _Derived(material[:KEY_BYTES], int.from_bytes(material[KEY_BYTES:nonce_end]), material[nonce_end:])


def _sealed_chunks(derived: _Derived, plaintext: bytes) -> Iterator[bytes]:
    """The sealed chunks. A plaintext of whole chunks is followed by an empty one, so that the last is always short."""
    cipher, view = AESGCM(derived.key), memoryview(plaintext)
    for index in range(len(plaintext) // CHUNK_BYTES + 1):
        start = index * CHUNK_BYTES
        yield cipher.encrypt(_nonce(derived, index), view[start : start + CHUNK_BYTES], None)


def _opened_chunks(derived: _Derived, sealed: memoryview) -> Iterator[bytes]:
    """The opened chunks; the last must be short, or the end was cut off."""
    full, rest = divmod(len(sealed), _SEALED_CHUNK_BYTES)
    if rest < TAG_BYTES:
        raise OpenRefused
    cipher = AESGCM(derived.key)
    for index in range(full + 1):
        start = index * _SEALED_CHUNK_BYTES
        yield cipher.decrypt(_nonce(derived, index), sealed[start : start + _SEALED_CHUNK_BYTES], None)


def _nonce(derived: _Derived, index: int) -> bytes:
    return (derived.base_nonce ^ index).to_bytes(_NONCE_BYTES)
