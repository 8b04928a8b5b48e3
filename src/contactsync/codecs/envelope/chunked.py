"""C2SP chunked encryption with AES-256-GCM (Cobblestone-256, c2sp.org/chunked-encryption): the primitive below CS1.

A message is `salt(24) ‖ commitment(32) ‖ chunk_0 ‖ … ‖ chunk_n`. Each message has a key, a nonce and a commitment of
its own, derived from the input key, the salt and the context; the last chunk is always shorter than the others.
"""

import os
from collections.abc import Sequence
from ssl import RAND_bytes
from typing import Final

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

_LABEL: Final = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"
_NONCE_BYTES: Final = 12
_DRAWN_AT_ONCE: Final = 256
_NONCE_END: Final = KEY_BYTES + _NONCE_BYTES
_DERIVED_BYTES: Final = _NONCE_END + COMMITMENT_BYTES
_SEALED_CHUNK_BYTES: Final = CHUNK_BYTES + TAG_BYTES

Chunk = bytes | memoryview
"""16 KiB of what a message holds; the last has less, and may be empty."""


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

    def seal(self, context: bytes, chunks: Sequence[Chunk], salt: bytes, header: bytes = b"") -> bytes:
        """A message.

        Args:
            context: any bytes; opening needs the same.
            chunks: what is sealed, as `cut` gives it.
            salt: a fresh one; two messages under one salt give both away.
            header: put before the message as it is; whoever opens takes it off.

        Raises:
            SealRefused: the salt has the wrong length.
        """
        if len(salt) != SALT_BYTES:
            raise SealRefused("the salt to seal with has the wrong length")
        cipher, nonce, commitment = self._derive(salt, context)
        return b"".join((header, salt, commitment, *_sealed(cipher, nonce, chunks)))

    def open(self, context: bytes, data: bytes, start: int = 0) -> memoryview:
        """What was sealed with this key and context, once all of it is proved.

        Args:
            context: as it was sealed.
            data: a message, after a header of `start` bytes.

        Raises:
            OpenRefused: anything at all is wrong; it does not say what.
        """
        salt_end, end = start + SALT_BYTES, start + HEADER_BYTES
        if len(data) < end + TAG_BYTES:
            raise OpenRefused
        cipher, nonce, commitment = self._derive(data[start:salt_end], context)
        if not bytes_eq(commitment, data[salt_end:end]):
            raise OpenRefused
        try:
            return _opened(cipher, nonce, memoryview(data)[end:])
        except InvalidTag:
            raise OpenRefused from None

    def _derive(self, salt: bytes, context: bytes) -> tuple[AESGCM, bytes, bytes]:
        """Cipher, first nonce and commitment of one message: `key(32) ‖ base_nonce(12) ‖ commitment(32)`, by
        HKDF-Expand-SHA-512 (RFC 5869 §2.3): two blocks of 64 bytes.

        The library's own HKDF would make the HMAC of the key anew for each message, half of the time of a small one.
        """
        info = b"".join((_LABEL, salt, context))
        first = self._block(info + b"\x01")
        material = first + self._block(first + info + b"\x02")
        return AESGCM(material[:KEY_BYTES]), material[KEY_BYTES:_NONCE_END], material[_NONCE_END:_DERIVED_BYTES]

    def _block(self, data: bytes) -> bytes:
        mac = self._mac.copy()
        mac.update(data)
        return mac.finalize()


def cut(head: bytes, body: bytes, padding: int) -> list[Chunk]:
    """`head` (shorter than a chunk), `body` and so many zeros as chunks. Of a long body only the ends are copied."""
    start = CHUNK_BYTES - len(head)
    if len(body) < start:
        return _cut(b"".join((head, body, bytes(padding))))
    view = memoryview(body)
    end = len(body) - (len(body) - start) % CHUNK_BYTES
    whole = [view[at : at + CHUNK_BYTES] for at in range(start, end, CHUNK_BYTES)]
    return [b"".join((head, view[:start])), *whole, *_cut(b"".join((view[end:], bytes(padding))))]


def _cut(plaintext: bytes) -> list[Chunk]:
    if len(plaintext) < CHUNK_BYTES:
        return [plaintext]
    view = memoryview(plaintext)
    return [view[at : at + CHUNK_BYTES] for at in range(0, len(plaintext) + 1, CHUNK_BYTES)]


def fresh_salt() -> bytes:
    """A salt for one message, random and never handed out before; many are drawn at a time, a draw being slow."""
    try:
        return _drawn.pop()
    except IndexError:
        salt, *rest = fresh_salts(_DRAWN_AT_ONCE)
        _drawn.extend(rest)
        return salt


_drawn: Final[list[bytes]] = []
os.register_at_fork(after_in_child=_drawn.clear)  # or parent and child would hand out the same


def fresh_salts(count: int) -> list[bytes]:
    """Salts for so many messages, random and independent of each other."""
    # ssl's generator keeps the interpreter lock; os.urandom gives it up and waits for it beside a busy thread
    drawn = RAND_bytes(SALT_BYTES * count)
    return [drawn[start : start + SALT_BYTES] for start in range(0, len(drawn), SALT_BYTES)]


def _sealed(cipher: AESGCM, base_nonce: bytes, chunks: Sequence[Chunk]) -> list[bytes]:
    """Every chunk sealed under a nonce of its own: `base_nonce XOR i`."""
    if len(chunks) == 1:  # most messages have one
        return [cipher.encrypt(base_nonce, chunks[0], None)]
    base = int.from_bytes(base_nonce)
    return [cipher.encrypt((base ^ index).to_bytes(_NONCE_BYTES), chunk, None) for index, chunk in enumerate(chunks)]


def _opened(cipher: AESGCM, base_nonce: bytes, sealed: memoryview) -> memoryview:
    """What the chunks hold, each opened to where it belongs. The last must be short, or the end was cut off."""
    if len(sealed) < _SEALED_CHUNK_BYTES:
        return memoryview(cipher.decrypt(base_nonce, sealed, None))
    whole, rest = divmod(len(sealed), _SEALED_CHUNK_BYTES)
    if rest < TAG_BYTES:
        raise OpenRefused
    base, opened = int.from_bytes(base_nonce), memoryview(bytearray(whole * CHUNK_BYTES + rest - TAG_BYTES))
    for index in range(whole + 1):
        nonce, at, to = (base ^ index).to_bytes(_NONCE_BYTES), index * _SEALED_CHUNK_BYTES, index * CHUNK_BYTES
        cipher.decrypt_into(nonce, sealed[at : at + _SEALED_CHUNK_BYTES], None, opened[to : to + CHUNK_BYTES])
    return opened
