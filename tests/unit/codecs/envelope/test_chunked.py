"""The primitive against the outside vectors of C2SP (tests/vectors/c2sp)."""

import hashlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from contactsync.codecs.envelope import chunked
from contactsync.errors import OpenRefused, SealRefused

VECTORS: Final = Path(__file__).parents[3] / "vectors" / "c2sp" / "c2sp_chunked_encryption_aes_256_gcm_test.json"
KEY: Final = bytes(range(32))


def _vectors() -> list[Mapping[str, str]]:
    groups = json.loads(VECTORS.read_text("utf-8"))["testGroups"]
    return [vector for group in groups for vector in group["tests"]]


ALL: Final = _vectors()
VALID: Final = [vector for vector in ALL if vector["result"] == "valid"]
INVALID: Final = [vector for vector in ALL if vector["result"] == "invalid"]


def _name(vector: Mapping[str, str]) -> str:
    return f"{vector['tcId']}-{vector['comment'].replace(' ', '-')}"


def _parts(vector: Mapping[str, str]) -> tuple[bytes, bytes, bytes]:
    return bytes.fromhex(vector["key"]), bytes.fromhex(vector["ctx"]), zlib.decompress(bytes.fromhex(vector["ct"]))


def test_all_outside_vectors_are_here() -> None:
    """No vector is left out by a wrong result or a cut file."""
    assert (len(ALL), len(VALID), len(INVALID)) == (35, 10, 25)


@pytest.mark.parametrize("vector", VALID, ids=_name)
def test_a_valid_vector_opens(vector: Mapping[str, str]) -> None:
    """Opening gives the message that the vector states by length and hash."""
    message = chunked.open_message(*_parts(vector))
    assert (vector["msgLength"], vector["msgSha512"]) == (len(message), hashlib.sha512(message).hexdigest())


@pytest.mark.parametrize("vector", VALID, ids=_name)
def test_a_valid_vector_is_what_sealing_makes(vector: Mapping[str, str]) -> None:
    """Sealing the message again under the vector's salt gives the vector, byte by byte."""
    key, context, sealed = _parts(vector)
    message = chunked.open_message(key, context, sealed)
    salt = sealed[: chunked.SALT_BYTES]
    assert sealed == chunked.insecure_seal_message_with_salt(key, context, message, salt)


@pytest.mark.parametrize("vector", INVALID, ids=_name)
def test_an_invalid_vector_is_refused(vector: Mapping[str, str]) -> None:
    """Every invalid vector is refused with the one constant error."""
    with pytest.raises(OpenRefused) as refusal:
        chunked.open_message(*_parts(vector))
    assert str(OpenRefused()) == str(refusal.value)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_what_was_sealed_opens(context: bytes, plaintext: bytes) -> None:
    """Any plaintext under any context comes back."""
    assert plaintext == chunked.open_message(KEY, context, chunked.seal_message(KEY, context, plaintext))


@pytest.mark.parametrize("size", [0, 1, 16_383, 16_384, 16_385, 32_767, 32_768, 32_769, 16_384 * 257])
def test_chunk_edges(size: int) -> None:
    """At and beside the edge of a chunk the message comes back, and a chunk more is spent only from a full one on."""
    sealed = chunked.seal_message(KEY, b"", b"\x5a" * size)
    assert chunked.HEADER_BYTES + size + chunked.TAG_BYTES * (size // chunked.CHUNK_BYTES + 1) == len(sealed)
    assert b"\x5a" * size == chunked.open_message(KEY, b"", sealed)


def test_no_two_messages_share_a_salt() -> None:
    """The same plaintext sealed many times never gives the same salt, commitment or ciphertext."""
    sealed = [chunked.seal_message(KEY, b"", b"same") for _ in range(1_000)]
    assert len({message[: chunked.SALT_BYTES] for message in sealed}) == 1_000
    assert len({message[chunked.SALT_BYTES :] for message in sealed}) == 1_000


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_key_of_another_length_does_not_seal(length: int) -> None:
    """Only 32-byte keys seal."""
    with pytest.raises(SealRefused):
        chunked.seal_message(bytes(length), b"", b"")


def test_a_short_salt_does_not_seal() -> None:
    """Known-answer sealing takes a whole salt only."""
    with pytest.raises(SealRefused):
        chunked.insecure_seal_message_with_salt(KEY, b"", b"", bytes(23))


def test_one_message_does_not_open_under_two_keys() -> None:
    """The commitment is checked: a foreign commitment is refused although every chunk would open."""
    sealed = bytearray(chunked.seal_message(KEY, b"", b"x"))
    sealed[chunked.SALT_BYTES] ^= 1
    with pytest.raises(OpenRefused):
        chunked.open_message(KEY, b"", bytes(sealed))


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=400))
def test_what_is_derived_is_the_library_s_hkdf(key: bytes, context: bytes) -> None:
    """Two blocks made by hand from a key's kept HMAC are what HKDF-Expand gives, and so the message opens by hand."""
    (salt,) = chunked.fresh_salts(1)
    message = chunked.InputKey(key).seal(context, b"hello", salt)
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00" + salt + context
    derived = HKDFExpand(SHA512(), 76, info).derive(key)
    assert message[:56] == salt + derived[44:]
    assert AESGCM(derived[:32]).decrypt(derived[32:44], message[56:], None) == b"hello"


def test_salts_are_drawn_together_and_differ() -> None:
    """Each is a salt of its own, of the right length; of none there is none."""
    salts = chunked.fresh_salts(1_000)
    assert len(set(salts)) == len(salts) == 1_000
    assert {len(salt) for salt in salts} == {chunked.SALT_BYTES}
    assert chunked.fresh_salts(0) == []


def test_a_salt_of_another_length_is_refused() -> None:
    """Nothing is sealed under it."""
    with pytest.raises(SealRefused):
        chunked.InputKey(bytes(32)).seal(b"", b"", bytes(23))
