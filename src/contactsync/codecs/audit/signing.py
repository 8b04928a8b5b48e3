"""Signed notes (c2sp.org/signed-note) with Ed25519 (RFC 8032): what a checkpoint and a certificate are written on.

The key is derived from the platform tenant's `audit` data key, so it is wrapped, rotated and lost like any other key.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from contactsync.codecs.keys.key import DataKey, KeyPurpose
from contactsync.errors import NoteRefused, SealRefused

KEY_NAME: Final = "contactsync/audit"
"""The name of an installation's audit key in its notes."""

MAX_NOTE_BYTES: Final = 1_048_576
MAX_SIGNATURES: Final = 16

_LABEL: Final = b"contactsync/audit-signing/v1\x00"
_ED25519: Final = b"\x01"
_ID_BYTES: Final = 4
_PUBLIC_BYTES: Final = 32
_MARK: Final = "\u2014 "


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public half: a name and 32 bytes."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256 over name, newline, signature type and public key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]

    @property
    def text(self) -> str:
        """`name+id+key`, as note tools write it: eight hexadecimal digits, then base64 of type and public key."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """The key that `text` shows.

        Raises:
            NoteRefused: it is no Ed25519 verifier key, or its id is not its own.
        """
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        key = _decoded(encoded)
        if not _usable_name(name) or key[:1] != _ED25519 or len(key) != 1 + _PUBLIC_BYTES:
            raise NoteRefused("this is no verifier key; it looks like name+1a2b3c4d+AQ…")
        verifier = cls(name, key[1:])
        if verifier.key_id.hex() != key_id:
            raise NoteRefused("the verifier key's id is not its own; copy it anew")
        return verifier

    def holds(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature over the message is by this key."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):  # a public key that is no point is a ValueError
            return False
        return True


class NoteSigner:
    """Signs notes; shows nothing of its key."""

    def __init__(self, name: str, seed: bytes) -> None:
        """`seed`: the 32 bytes of an Ed25519 private key (RFC 8032 §5.1.5)."""
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier: Final = VerifierKey(name, self._private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The signature over the message, 64 bytes."""
        return self._private.sign(message)


def audit_signer(key: DataKey) -> NoteSigner:
    """The signer of checkpoints and certificates, from `KeyRing.audit_key`.

    Raises:
        SealRefused: the key is of another purpose.
    """
    if key.purpose is not KeyPurpose.AUDIT:
        raise SealRefused("only an audit key signs")
    return NoteSigner(KEY_NAME, HKDFExpand(SHA512(), _PUBLIC_BYTES, _LABEL).derive(key.secret.expose()))


def sign_note(text: str, signer: NoteSigner) -> str:
    """The signed note of a text, which must end with a newline.

    Raises:
        SealRefused: the text does not end so, holds other control characters, or is too long.
    """
    signature = signer.verifier.key_id + signer.sign(_text_bytes(text))
    return f"{text}\n{_MARK}{signer.verifier.name} {base64.b64encode(signature).decode()}\n"


def verify_note(note: str, verifiers: Sequence[VerifierKey]) -> str:
    """The note's text, signed by one of the verifiers' keys; signatures by other keys are passed over.

    Raises:
        NoteRefused: it is no note, no known key signed it, or a known key's signature does not hold.
    """
    text, separator, tail = note.rpartition("\n\n")
    text += "\n"
    if not separator or len(note) > MAX_NOTE_BYTES or not _clean(text):
        raise NoteRefused
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    found = [(known.get((name, key_id)), signature) for name, key_id, signature in _signatures(tail)]
    verdicts = [verifier.holds(text.encode(), signature) for verifier, signature in found if verifier is not None]
    if not verdicts or not all(verdicts):
        raise NoteRefused
    return text


def _signatures(tail: str) -> list[tuple[str, bytes, bytes]]:
    """Name, key id and signature of each line after the last empty one."""
    lines = tail.split("\n")
    if lines.pop() != "" or not 1 <= len(lines) <= MAX_SIGNATURES:
        raise NoteRefused
    return [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(_MARK).partition(" ")
    decoded = _decoded(encoded)
    if not line.startswith(_MARK) or not _usable_name(name) or len(decoded) <= _ID_BYTES:
        raise NoteRefused
    return name, decoded[:_ID_BYTES], decoded[_ID_BYTES:]


def _decoded(encoded: str) -> bytes:
    """Standard base64, in its one spelling; nothing where it is none."""
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return decoded if base64.b64encode(decoded).decode() == encoded else b""


def _usable_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(character.isspace() for character in name)


def _clean(text: str) -> bool:
    """Whether a note may hold this: text that UTF-8 can carry, without control characters but newline."""
    if any(character < " " and character != "\n" for character in text):
        return False
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _text_bytes(text: str) -> bytes:
    if not text.endswith("\n") or len(text) > MAX_NOTE_BYTES // 4 or not _clean(text):
        raise SealRefused("what is to be signed is no text that a note can hold")
    return text.encode()
