"""C2SP chunked encryption with AES-256-GCM (Cobblestone-256, c2sp.org/chunked-encryption): the primitive below CS1.

A message is `salt(24) ‖ commitment(32) ‖ chunk_0 ‖ … ‖ chunk_n`. Each message has a key, a nonce and a commitment of
its own, derived from the input key, the salt and the context; the last chunk is always shorter than the others.
"""

from ssl import RAND_bytes
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.hmac import HMAC

from contactsync.errors import OpenRefused, SealRefused

KEY_BYTES: Final = 32
SALT_BYTES: Final = 24
COMMITMENT_BYTES: Final = 32
HEADER_BYTES: Final = SALT_BYTES + COMMITMENT_BYTES
CHUNK_BYTES: Final = 16 * 1024
TAG_BYTES: Final = 16

_LABEL: Final = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM"
_NONCE_BYTES: Final = 12
_NONCE_END: Final = KEY_BYTES + _NONCE_BYTES
_DERIVED_BYTES: Final = _NONCE_END + COMMITMENT_BYTES
_SEALED_CHUNK_BYTES: Final = CHUNK_BYTES + TAG_BYTES


class _Derived(NamedTuple):
    """What one message is sealed with."""

    key: bytes
    base_nonce: bytes
    commitment: bytes

    def __repr__(self) -> str:
        return "_Derived(…)"


class InputKey:
    """A key, made ready for many messages: what depends on nothing but the key is done once. Shows nothing of it."""

    __slots__ = ("_mac",)

    def __init__(self, key: bytes) -> None:
        """`key`: 32 bytes, used for nothing else.

        Raises:
            SealRefused: it is not 32 bytes.
        """
        if len(key) != KEY_BYTES:
            raise SealRefused("the key to seal with has the wrong length")
        self._mac: Final = HMAC(key, SHA512())

    def seal(self, context: bytes, plaintext: bytes, salt: bytes, header: bytes = b"") -> bytes:
        """`seal_message` under a salt of `fresh_salts`, which must be used once: two messages under one give both away.

        Raises:
            SealRefused: the salt has the wrong length.
        """
        if len(salt) != SALT_BYTES:
            raise SealRefused("the salt to seal with has the wrong length")
        derived = self._derive(salt, context)
        return b"".join((header, salt, derived.commitment, *_sealed_chunks(derived, plaintext)))

    def open(self, context: bytes, message: bytes | memoryview) -> bytes:
        """See `open_message`."""
        if len(message) < HEADER_BYTES + TAG_BYTES:
            raise OpenRefused
        view = memoryview(message)
        derived = self._derive(bytes(view[:SALT_BYTES]), context)
        if not bytes_eq(derived.commitment, bytes(view[SALT_BYTES:HEADER_BYTES])):
            raise OpenRefused
        try:
            return b"".join(_opened_chunks(derived, view[HEADER_BYTES:]))
        except InvalidTag:
            raise OpenRefused from None

    def _derive(self, salt: bytes, context: bytes) -> _Derived:
        """`key(32) ‖ base_nonce(12) ‖ commitment(32)`, by HKDF-Expand-SHA-512 (RFC 5869 §2.3): two blocks of 64 bytes.

        The library's own HKDF would make the HMAC of the key anew for each message, half of the time of a small one.
        """
        info = b"".join((_LABEL, b"\x00", salt, context))
        first = self._block(info + b"\x01")
        material = first + self._block(first + info + b"\x02")
        return _Derived(material[:KEY_BYTES], material[KEY_BYTES:_NONCE_END], material[_NONCE_END:_DERIVED_BYTES])

    def _block(self, data: bytes) -> bytes:
        mac = self._mac.copy()
        mac.update(data)
        return mac.finalize()


def fresh_salts(count: int) -> list[bytes]:
    """Salts for so many messages, random and independent of each other."""
    # ssl's generator keeps the interpreter lock; os.urandom gives it up and waits for it beside a busy thread
    drawn = RAND_bytes(SALT_BYTES * count)
    return [drawn[start : start + SALT_BYTES] for start in range(0, len(drawn), SALT_BYTES)]


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
    return InputKey(input_key).seal(context, plaintext, fresh_salts(1)[0], header)


def insecure_seal_message_with_salt(
    input_key: bytes, context: bytes, plaintext: bytes, salt: bytes, header: bytes = b""
) -> bytes:
    """Seal under a given salt, for known-answer tests only: two messages under one salt give both away.

    Raises:
        SealRefused: the key or the salt has the wrong length.
    """
    return InputKey(input_key).seal(context, plaintext, salt, header)


def open_message(input_key: bytes, context: bytes, message: bytes | memoryview) -> bytes:
    """Open what `seal_message` sealed under the same key and context.

    Raises:
        OpenRefused: anything at all is wrong; it does not say what.
    """
    if len(input_key) != KEY_BYTES:
        raise OpenRefused
    return InputKey(input_key).open(context, message)


def _sealed_chunks(derived: _Derived, plaintext: bytes) -> list[bytes]:
    """The sealed chunks. A plaintext of whole chunks is followed by an empty one, so that the last is always short."""
    encrypt = AESGCM(derived.key).encrypt
    if len(plaintext) < CHUNK_BYTES:  # most are, and what follows would take them longer than to be sealed
        return [encrypt(derived.base_nonce, plaintext, None)]
    view = memoryview(plaintext)
    chunks = _numbered(len(plaintext), CHUNK_BYTES, derived.base_nonce)
    return [encrypt(nonce, view[at : at + CHUNK_BYTES], None) for nonce, at in chunks]


def _opened_chunks(derived: _Derived, sealed: memoryview) -> list[bytes]:
    """The opened chunks; the last must be short, or the end was cut off."""
    if len(sealed) % _SEALED_CHUNK_BYTES < TAG_BYTES:
        raise OpenRefused
    decrypt = AESGCM(derived.key).decrypt
    chunks = _numbered(len(sealed), _SEALED_CHUNK_BYTES, derived.base_nonce)
    return [decrypt(nonce, sealed[at : at + _SEALED_CHUNK_BYTES], None) for nonce, at in chunks]


def _numbered(length: int, size: int, base_nonce: bytes) -> list[tuple[bytes, int]]:
    """The nonce and the start of each chunk of so many bytes; the last, short one may be empty."""
    base, starts = int.from_bytes(base_nonce), range(0, length + 1, size)
    return [((base ^ index).to_bytes(_NONCE_BYTES), at) for index, at in enumerate(starts)]
