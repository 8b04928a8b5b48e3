"""The primitive against the outside vectors of C2SP (tests/vectors/c2sp)."""

import hashlib
import json
import subprocess
import sys
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
from tests.unit.codecs.envelope.messages import opened_message, sealed_message

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
    message = opened_message(*_parts(vector))
    assert (vector["msgLength"], vector["msgSha512"]) == (len(message), hashlib.sha512(message).hexdigest())


@pytest.mark.parametrize("vector", VALID, ids=_name)
def test_a_valid_vector_is_what_sealing_makes(vector: Mapping[str, str]) -> None:
    """Sealing the message again under the vector's salt gives the vector, byte by byte."""
    key, context, sealed = _parts(vector)
    message = opened_message(key, context, sealed)
    salt = sealed[: chunked.SALT_BYTES]
    assert sealed == sealed_message(key, context, message, salt)


@pytest.mark.parametrize("vector", INVALID, ids=_name)
def test_an_invalid_vector_is_refused(vector: Mapping[str, str]) -> None:
    """Every invalid vector is refused with one constant error; with a key of another length nothing is even begun."""
    key, context, sealed = _parts(vector)
    error = OpenRefused if len(key) == chunked.KEY_BYTES else SealRefused
    with pytest.raises(error) as refusal:
        opened_message(key, context, sealed)
    assert error is SealRefused or str(OpenRefused()) == str(refusal.value)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_what_was_sealed_opens(context: bytes, plaintext: bytes) -> None:
    """Any plaintext under any context comes back."""
    assert plaintext == opened_message(KEY, context, sealed_message(KEY, context, plaintext))


@pytest.mark.parametrize("size", [0, 1, 16_383, 16_384, 16_385, 32_767, 32_768, 32_769, 16_384 * 257])
def test_chunk_edges(size: int) -> None:
    """At and beside the edge of a chunk the message comes back, and a chunk more is spent only from a full one on."""
    sealed = sealed_message(KEY, b"", b"\x5a" * size)
    assert chunked.HEADER_BYTES + size + chunked.TAG_BYTES * (size // chunked.CHUNK_BYTES + 1) == len(sealed)
    assert b"\x5a" * size == opened_message(KEY, b"", sealed)


def test_no_two_messages_share_a_salt() -> None:
    """The same plaintext sealed many times never gives the same salt, commitment or ciphertext."""
    sealed = [sealed_message(KEY, b"", b"same") for _ in range(1_000)]
    assert len({message[: chunked.SALT_BYTES] for message in sealed}) == 1_000
    assert len({message[chunked.SALT_BYTES :] for message in sealed}) == 1_000


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_key_of_another_length_does_not_seal(length: int) -> None:
    """Only 32-byte keys seal."""
    with pytest.raises(SealRefused):
        sealed_message(bytes(length), b"", b"")


def test_a_short_salt_does_not_seal() -> None:
    """Known-answer sealing takes a whole salt only."""
    with pytest.raises(SealRefused):
        sealed_message(KEY, b"", b"", bytes(23))


def test_one_message_does_not_open_under_two_keys() -> None:
    """The commitment is checked: a foreign commitment is refused although every chunk would open."""
    sealed = bytearray(sealed_message(KEY, b"", b"x"))
    sealed[chunked.SALT_BYTES] ^= 1
    with pytest.raises(OpenRefused):
        opened_message(KEY, b"", bytes(sealed))


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=400))
def test_what_is_derived_is_the_library_s_hkdf(key: bytes, context: bytes) -> None:
    """Two blocks made by hand from a key's kept HMAC are what HKDF-Expand gives, and so the message opens by hand."""
    (salt,) = chunked.fresh_salts(1)
    message = chunked.InputKey(key).seal(context, [b"hello"], salt)
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


def test_salts_are_handed_out_once() -> None:
    """Over more than one draw, none is handed out twice."""
    assert len({chunked.fresh_salt() for _ in range(1_000)}) == 1_000


_FORKED: Final = """
import os
from contactsync.codecs.envelope.chunked import fresh_salt
fresh_salt()
child = os.fork()
if not child:
    print(*(fresh_salt().hex() for _ in range(300)), flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(*(fresh_salt().hex() for _ in range(300)))
"""


def test_a_forked_process_draws_salts_of_its_own() -> None:
    """Parent and child hand out none that the other has."""
    told = subprocess.check_output([sys.executable, "-c", _FORKED], text=True)  # noqa: S603
    child, parent = (set(line.split()) for line in told.splitlines())
    assert (len(child), len(parent), child & parent) == (300, 300, set())


_EDGES: Final = [0, 1, 16_374, 16_375, 16_376, 16_383, 16_384, 16_385, 32_758, 32_759, 32_760, 49_152, 65_536]


@pytest.mark.parametrize("padding", [0, 1, 8, 9, 2_039, 16_383, 16_384, 40_000])
@pytest.mark.parametrize("size", _EDGES)
def test_a_body_is_cut_where_it_lies(size: int, padding: int) -> None:
    """Head, body and zeros, one after the other, in whole chunks and a short one."""
    body = bytes(index % 251 + 1 for index in range(size))
    for head in (b"", b"123456789"):
        chunks = chunked.cut(head, body, padding)
        assert b"".join(chunks) == head + body + bytes(padding)
        assert {len(chunk) for chunk in chunks[:-1]} <= {chunked.CHUNK_BYTES}
        assert len(chunks[-1]) < chunked.CHUNK_BYTES
