"""Envelope CS1: frozen answers, round trips, and everything that must be refused."""

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.codecs.envelope.messages import sealed_message

from contactsync.codecs.envelope import chunked, compression, cs1
from contactsync.codecs.keys.key import DataKey, KeyPurpose, SecretBytes
from contactsync.errors import OpenRefused, SealRefused

ANSWERS: Final = json.loads((Path(__file__).parents[3] / "vectors" / "cs1" / "known_answers.json").read_text("utf-8"))
TENANT: Final = UUID("0f0e0d0c-0b0a-4908-8706-050403020100")
KEY: Final = DataKey(bytes(range(16)), TENANT, KeyPurpose.PAYLOAD, 1, SecretBytes(bytes(range(32))))
BINDING: Final = cs1.Binding("payload/v1", TENANT, ("default", "sync/a/b"))
SHORT: Final = cs1.seal(KEY, BINDING, b"short")
RAW: Final = b"contactsync " * 200

Answer = Mapping[str, Any]


def _named(answer: Answer) -> str:
    return str(answer.get("name", answer.get("field")))


def _key_of(answer: Answer) -> DataKey:
    secret = SecretBytes(bytes.fromhex(answer["key"]))
    return DataKey(bytes.fromhex(answer["kid"]), UUID(answer["tenant"]), KeyPurpose.PAYLOAD, 1, secret)


def _binding_of(answer: Answer) -> cs1.Binding:
    return cs1.Binding(answer["purpose"], UUID(answer["tenant"]), tuple(answer["fields"]))


def _sealed_inner(inner: bytes) -> bytes:
    """An envelope whose seal is right and whose inside is as given."""
    return cs1.HEADER + sealed_message(KEY.secret.expose(), cs1.context(KEY.kid, BINDING), inner)


def _inner(algorithm: int, raw_length: int, body_length: int, body: bytes) -> bytes:
    framed = struct.pack(">BII", algorithm, raw_length, body_length) + body
    return framed.ljust(cs1.padded_length(len(framed)), b"\x00")


def _refused(data: bytes, key: cs1.SealingKey = KEY, binding: cs1.Binding = BINDING) -> None:
    with pytest.raises(OpenRefused) as refusal:
        cs1.open_(key, binding, data)
    assert str(OpenRefused()) == str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize("answer", ANSWERS["envelopes"], ids=_named)
def test_known_answers_are_sealed(answer: Answer) -> None:
    """The context and the envelope are, byte by byte, what an independent program makes of the same parts."""
    key, binding = _key_of(answer), _binding_of(answer)
    assert answer["context"] == cs1.context(key.kid, binding).hex()
    plaintext, salt = bytes.fromhex(answer["plaintext"]), bytes.fromhex(answer["salt"])
    assert answer["sealed"] == cs1.insecure_seal_with_salt(key, binding, plaintext, salt).hex()


@pytest.mark.parametrize("answer", ANSWERS["envelopes"] + ANSWERS["opened_only"], ids=_named)
def test_known_answers_open(answer: Answer) -> None:
    """What was sealed once opens for ever, compressed envelopes too."""
    sealed = bytes.fromhex(answer["sealed"])
    assert answer["plaintext"] == cs1.open_(_key_of(answer), _binding_of(answer), sealed).hex()


@given(st.binary(max_size=4_000), st.sampled_from(sorted(cs1.PURPOSES)), st.lists(st.text(max_size=20), max_size=5))
@settings(max_examples=300)
def test_round_trip(plaintext: bytes, purpose: cs1.Purpose, fields: list[str]) -> None:
    """Any plaintext comes back under an equal binding."""
    sealed = cs1.seal(KEY, cs1.Binding(purpose, TENANT, tuple(fields)), plaintext)
    assert plaintext == cs1.open_(KEY, cs1.Binding(purpose, TENANT, tuple(fields)), sealed)


@pytest.mark.parametrize("size", [16_383, 16_384, 16_385])
@pytest.mark.parametrize("fill", [b"\x00", None], ids=["compressed", "stored"])
def test_bodies_beside_a_chunk(size: int, fill: bytes | None) -> None:
    """Bodies beside the size of a chunk come back, stored or compressed."""
    plaintext = fill * size if fill else _noise(size)
    assert plaintext == cs1.open_(KEY, BINDING, cs1.seal(KEY, BINDING, plaintext))


@pytest.mark.parametrize("size", [16_383, 16_384, 16_385])
def test_insides_beside_a_chunk(size: int) -> None:
    """The same where header, body and padding together come near a chunk's size."""
    body = bytes(size - 9)
    assert body == cs1.open_(KEY, BINDING, _sealed_inner(_inner(cs1.STORED, len(body), len(body), body)))


def _noise(size: int) -> bytes:
    """Bytes that no compression makes shorter."""
    return sealed_message(bytes(32), b"", bytes(size))[-size:]


@pytest.mark.parametrize("size", [16_374, 16_375, 16_376, 32_759, 65_536, 65_527, 1_048_577])
def test_long_bodies_that_are_stored(size: int) -> None:
    """A body over several chunks, and padding of more than one, come back; the body is what was given."""
    body = _noise(size)
    assert body == cs1.open_(KEY, BINDING, cs1.seal(KEY, BINDING, body))
    assert body == cs1.open_(KEY, BINDING, _sealed_inner(_inner(cs1.STORED, size, size, body)))


@pytest.mark.parametrize("back", [1, 16_384, 20_000, 32_758])
def test_every_byte_of_long_padding_is_checked(back: int) -> None:
    """Wherever in padding over several chunks a byte is not zero, the envelope is refused."""
    inside = bytearray(_inner(cs1.STORED, 1_048_568, 1_048_568, _noise(1_048_568)))
    assert len(inside) - 1_048_568 - 9 == 32_767
    inside[-back] = 1
    _refused(_sealed_inner(bytes(inside)))


def test_a_key_id_can_be_read_off_nowhere() -> None:
    """The envelope names its format and nothing else: no key id, no tenant, no field."""
    assert SHORT[:4] == cs1.HEADER
    for part in (KEY.kid, TENANT.bytes, b"default", b"sync", b"short"):
        assert part not in SHORT


@pytest.mark.parametrize("bit", range(len(SHORT) * 8))
def test_every_flipped_bit_is_refused(bit: int) -> None:
    """Not one bit of an envelope can be changed."""
    flipped = bytearray(SHORT)
    flipped[bit // 8] ^= 1 << bit % 8
    _refused(bytes(flipped))


def test_every_header_byte_is_checked() -> None:
    """All 255 other values of each of the four header bytes are refused."""
    for position in range(len(cs1.HEADER)):
        for value in set(range(256)) - {cs1.HEADER[position]}:
            _refused(SHORT[:position] + bytes([value]) + SHORT[position + 1 :])


def test_every_truncation_is_refused() -> None:
    """An envelope cut at any place, on either side, or lengthened, is refused."""
    for length in range(len(SHORT)):
        _refused(SHORT[:length])
    for start in range(1, len(SHORT)):
        _refused(SHORT[start:])
    for more in (b"\x00", SHORT):
        _refused(SHORT + more)


@pytest.mark.parametrize(
    "binding",
    [
        replace(BINDING, purpose="row/v1"),
        replace(BINDING, purpose="wrap/v1"),
        replace(BINDING, purpose="stage/v1"),
        replace(BINDING, tenant_id=UUID(int=0)),
        replace(BINDING, fields=("other", "sync/a/b")),
        replace(BINDING, fields=("default", "sync/a/c")),
        replace(BINDING, fields=("default", "")),
        replace(BINDING, fields=("default",)),
        replace(BINDING, fields=("default", "sync/a/b", "")),
        replace(BINDING, fields=("defaults", "ync/a/b")),
        replace(BINDING, fields=("sync/a/b", "default")),
        replace(BINDING, fields=("default\x00\x08sync/a/b",)),
        replace(BINDING, fields=("default", "\ud800")),
        replace(BINDING, fields=("default", "x" * 65_536)),
        replace(BINDING, fields=("",) * 256),
    ],
    ids=str,
)
def test_another_binding_is_refused(binding: cs1.Binding) -> None:
    """Another purpose, tenant, namespace or workflow, fields moved, split, joined or unbindable: all are refused."""
    _refused(SHORT, binding=binding)


@pytest.mark.parametrize(
    "kid", [b"", KEY.kid[:-1], KEY.kid + b"\x00", bytes(16), KEY.kid.hex().encode(), KEY.kid[::-1]], ids=repr
)
def test_another_key_id_is_refused(kid: bytes) -> None:
    """The right secret under another key id, or an id of another form, is refused."""
    _refused(SHORT, key=replace(KEY, kid=kid))


@pytest.mark.parametrize("secret", [bytes(32), b"", bytes(range(31)), bytes(range(33))], ids=len)
def test_another_secret_is_refused(secret: bytes) -> None:
    """Another secret under the right key id is refused."""
    _refused(SHORT, key=replace(KEY, secret=SecretBytes(secret)))


_FRAME: Final = compression.compress(RAW)
_LIES: Final[dict[str, Callable[[], bytes]]] = {
    "nothing inside": lambda: b"",
    "half a header": lambda: bytes(8),
    "stored, raw length short": lambda: _inner(cs1.STORED, 4, 5, b"12345"),
    "stored, raw length long": lambda: _inner(cs1.STORED, 6, 5, b"12345"),
    "body length short": lambda: _inner(cs1.STORED, 4, 4, b"12345"),
    "body length long": lambda: _inner(cs1.STORED, 6, 6, b"12345"),
    "body length enormous": lambda: _inner(cs1.STORED, 0xFFFFFFFF, 0xFFFFFFFF, b"12345"),
    "raw length over the limit": lambda: _inner(cs1.ZSTD, cs1.MAX_RAW_BYTES + 1, len(_enormous()), _enormous()),
    "no padding": lambda: _inner(cs1.STORED, 40, 40, bytes(40))[:49],
    "a byte of padding too many": lambda: _inner(cs1.STORED, 5, 5, b"12345") + b"\x00",
    "the next padded length": lambda: _inner(cs1.STORED, 5, 5, b"12345").ljust(16, b"\x00"),
    "padding that is not zero": lambda: _inner(cs1.STORED, 1_000, 1_000, bytes(1_000))[:-1] + b"\x01",
    "unknown algorithm 1": lambda: _inner(1, 5, 5, b"12345"),
    "unknown algorithm 3": lambda: _inner(3, len(RAW), len(_FRAME), _FRAME),
    "zstd, raw length short": lambda: _inner(cs1.ZSTD, len(RAW) - 1, len(_FRAME), _FRAME),
    "zstd, raw length long": lambda: _inner(cs1.ZSTD, len(RAW) + 1, len(_FRAME), _FRAME),
    "zstd below 1 KiB": lambda: _inner(cs1.ZSTD, 1_023, len(_small()), _small()),
    "zstd that does not help": lambda: _inner(cs1.ZSTD, 1_024, len(_helpless()), _helpless()),
    "zstd, cut": lambda: _inner(cs1.ZSTD, len(RAW), len(_FRAME) - 1, _FRAME[:-1]),
    "zstd, two frames": lambda: _inner(cs1.ZSTD, len(RAW), len(_FRAME) * 2, _FRAME * 2),
    "zstd, bytes behind": lambda: _inner(cs1.ZSTD, len(RAW), len(_FRAME) + 1, _FRAME + b"\x00"),
    "zstd that is none": lambda: _inner(cs1.ZSTD, 2_000, 1_000, bytes(1_000)),
}


def _small() -> bytes:
    return compression.compress(bytes(1_023))


def _helpless() -> bytes:
    """A right frame four times as long as the 1,024 bytes it holds: one raw block a byte (RFC 8878 §3.1.1)."""
    blocks = [(1 << 3 | (index == 1_023)).to_bytes(3, "little") + b"x" for index in range(1_024)]
    return bytes.fromhex("28b52ffd0000") + b"".join(blocks)


def _enormous() -> bytes:
    """A right frame of one byte more than may be opened."""
    return compression.compress(bytes(cs1.MAX_RAW_BYTES + 1))


@pytest.mark.parametrize("inside", _LIES.values(), ids=_LIES.keys())
def test_a_lying_inside_is_refused(inside: Callable[[], bytes]) -> None:
    """Whoever holds the key still cannot make an envelope that says one thing and holds another."""
    _refused(_sealed_inner(inside()))


def test_an_honest_inside_opens() -> None:
    """The helper that makes lying insides makes honest ones too, so the lies are what is refused."""
    assert cs1.open_(KEY, BINDING, _sealed_inner(_inner(cs1.STORED, 5, 5, b"12345"))) == b"12345"
    assert cs1.open_(KEY, BINDING, _sealed_inner(_inner(cs1.ZSTD, len(RAW), len(_FRAME), _FRAME))) == RAW


def test_the_frame_that_does_not_help_is_a_right_one() -> None:
    """It is refused for its length alone."""
    assert compression.decompress(_helpless(), 1_024) == b"x" * 1_024


def test_an_envelope_inside_an_envelope_stays_one() -> None:
    """Opening opens once: what was sealed twice is not opened twice."""
    assert cs1.open_(KEY, BINDING, cs1.seal(KEY, BINDING, SHORT)) == SHORT


def test_compression_from_1_kib_up_and_only_where_it_helps() -> None:
    """1,023 bytes are stored, 1,024 compressed, and noise is stored."""
    overhead = len(cs1.HEADER) + chunked.HEADER_BYTES + chunked.TAG_BYTES
    noise = _noise(2_000)
    assert overhead + cs1.padded_length(9 + 1_023) == len(cs1.seal(KEY, BINDING, bytes(1_023)))
    assert len(cs1.seal(KEY, BINDING, bytes(1_024))) < 200
    assert overhead + cs1.padded_length(9 + 2_000) == len(cs1.seal(KEY, BINDING, noise))


def test_too_much_is_not_sealed() -> None:
    """One byte over the limit is refused before anything is done with it."""
    with pytest.raises(SealRefused):
        cs1.seal(KEY, BINDING, bytes(cs1.MAX_RAW_BYTES + 1))


def test_the_limit_itself_opens() -> None:
    """What the limit allows to be sealed also opens, although it compresses ten thousandfold."""
    assert cs1.open_(KEY, BINDING, cs1.seal(KEY, BINDING, bytes(cs1.MAX_RAW_BYTES))) == bytes(cs1.MAX_RAW_BYTES)


@pytest.mark.parametrize("fields", [("x" * 65_536,), ("",) * 256, ("Zoë \ud800",)], ids=["long", "many", "surrogate"])
def test_what_cannot_be_bound_is_not_sealed(fields: tuple[str, ...]) -> None:
    """Fields that do not fit are refused, in words that hold no value."""
    with pytest.raises(SealRefused) as refusal:
        cs1.seal(KEY, replace(BINDING, fields=fields), b"")
    assert "Zo" not in str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize("purpose", ["", "payload", "payload/v2", "payload/v1\x00"])
def test_there_are_four_purposes(purpose: Any) -> None:
    """A purpose that is not on the list binds nothing."""
    with pytest.raises(ValueError, match="purpose"):
        cs1.Binding(purpose, TENANT, ())


@pytest.mark.parametrize(
    ("length", "padded"),
    [(9, 10), (10, 10), (17, 18), (33, 36), (63, 64), (64, 64), (65, 72), (1_000, 1_024), (16_385, 17_408)],
)
def test_padded_lengths(length: int, padded: int) -> None:
    """Padmé as published: these lengths were worked out by hand from its formula."""
    assert padded == cs1.padded_length(length)


@given(st.integers(min_value=9, max_value=cs1.MAX_RAW_BYTES))
def test_padding_is_small_and_settled(length: int) -> None:
    """Padding never shortens, adds 12 % at most, and padded lengths stay as they are."""
    padded = cs1.padded_length(length)
    assert length <= padded <= length * 1.12 + 1
    assert padded == cs1.padded_length(padded)


@given(
    st.sampled_from(sorted(cs1.PURPOSES)),
    st.lists(st.text(max_size=20), min_size=1, max_size=4),
    st.integers(0, 3),
    st.text(max_size=40),
    st.binary(max_size=3_000),
    st.binary(min_size=chunked.SALT_BYTES, max_size=chunked.SALT_BYTES),
)
def test_a_series_seals_and_opens_what_single_envelopes_do(
    purpose: cs1.Purpose, fields: list[str], varying: int, field: str, plaintext: bytes, salt: bytes
) -> None:
    """Byte for byte, whichever field is the one that differs."""
    varying %= len(fields)
    series = cs1.Series(KEY, cs1.Binding(purpose, TENANT, tuple(fields)), varying)
    fields[varying] = field
    binding = cs1.Binding(purpose, TENANT, tuple(fields))
    sealed = series.seal(field, plaintext, salt, b"header")
    assert sealed == b"header" + cs1.insecure_seal_with_salt(KEY, binding, plaintext, salt)
    assert plaintext == cs1.open_(KEY, binding, sealed[len(b"header") :])
    assert plaintext == series.open(field, sealed[len(b"header") :])


def test_a_series_refuses_what_cannot_be_bound_or_is_another_s() -> None:
    """A field that is too long or no text is refused both ways; so is a message of another field or form."""
    series, (salt,) = cs1.Series(KEY, BINDING, 1), chunked.fresh_salts(1)
    sealed = series.seal("sync/a/b", b"short", salt)
    for field in ("x" * 65_536, "\ud800"):
        with pytest.raises(SealRefused):
            series.seal(field, b"", salt)
        with pytest.raises(OpenRefused):
            series.open(field, sealed)
    for other in (sealed[:-1], b"CS2" + sealed[3:], b""):
        with pytest.raises(OpenRefused):
            series.open("sync/a/b", other)
    with pytest.raises(OpenRefused):
        series.open("sync/a/c", sealed)
