"""Nothing that somebody else wrote crashes what reads it, or takes memory without bound."""

import json
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.targets import BINDING, KEY, TARGETS, Target, envelope, inside_an_envelope, json_body, vcard

from contactsync.codecs.envelope import compression, cs1

RUNS: Final = 20_000
MEGABYTE: Final = 1024 * 1024
ROOT: Final = Path(__file__).resolve().parents[2]

json_text: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
).map(lambda value: json.dumps(value).encode())
payload_text: Final = st.fixed_dictionaries(
    {
        "payloads": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "metadata": st.dictionaries(st.text(max_size=10), st.text(max_size=20), max_size=4),
                    "data": st.text(max_size=40),
                    "unknown": st.integers(),
                },
            ),
            max_size=4,
        )
    }
).map(lambda value: json.dumps(value).encode())
bytes_of_others: Final = st.binary(max_size=2_000) | json_text | payload_text


@contextmanager
def at_most(megabytes: int) -> Generator[None]:
    """What Python allocates inside stays below."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * MEGABYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_no_bytes_crash_a_reader(target: Target) -> None:
    """Whatever the bytes, a reader answers or refuses with the error it promises."""

    @settings(max_examples=150, derandomize=True)
    @given(bytes_of_others)
    def any_bytes(data: bytes) -> None:
        target(data)

    any_bytes()


@pytest.mark.parametrize("byte", range(0, 400, 7))
def test_no_flipped_byte_crashes_an_envelope(byte: int) -> None:
    """A sealed message with any one byte changed is refused, and nothing else happens."""
    sealed = bytearray(cs1.seal(KEY, BINDING, b"{" + b"1" * 300 + b"}"))
    sealed[byte % len(sealed)] ^= 0xFF
    envelope(bytes(sealed))


if find_spec("atheris"):  # there is one for Python 3.11; newer ones have the other tests

    def test_guided_fuzzing_finds_no_crash(tmp_path: Path) -> None:
        """Some thousand inputs that are led by coverage crash none of the readers, within 1 GiB and 10 s each."""
        command = [
            sys.executable,
            "-m",
            "tests.fuzz",
            f"-runs={RUNS}",
            "-max_len=4096",
            "-seed=1",
            f"-artifact_prefix={tmp_path}/",
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # ourselves
        assert done.returncode == 0, done.stderr[-4000:]
        assert f"Done {RUNS} runs" in done.stderr


def test_a_zstd_bomb_takes_no_more_memory_than_is_allowed() -> None:
    """A small frame that says 4 GiB, and one that holds more than it says, are refused before they unfold."""
    bomb = compression.compress(bytes(256 * MEGABYTE))
    lies = (len(bomb) + 1, 2 * MEGABYTE, cs1.MAX_RAW_BYTES, cs1.MAX_RAW_BYTES + 1, 0xFFFF_FFFF)
    with at_most(3 * cs1.MAX_RAW_BYTES // MEGABYTE):
        for said in lies:
            inner = struct.pack(">BII", cs1.ZSTD, said, len(bomb)) + bomb
            inside_an_envelope(inner.ljust(cs1.padded_length(len(inner)), b"\0"))


@pytest.mark.parametrize("lengths", [(0xFFFF_FFFF, 0xFFFF_FFFF), (0, 0xFFFF_FFFF), (0xFFFF_FFFF, 0), (1, 0)])
def test_huge_lengths_are_only_numbers(lengths: tuple[int, int]) -> None:
    """Nothing is allocated because a length says so."""
    with at_most(4):
        for algorithm in (cs1.STORED, cs1.ZSTD, 1, 255):
            inner = struct.pack(">BII", algorithm, *lengths)
            inside_an_envelope(inner.ljust(cs1.padded_length(len(inner)), b"\0"))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"payloads":' + b"[" * 500_000 + b"]" * 500_000 + b"}",
        b'{"payloads":[' + b'{"metadata":' * 100_000,
        b'{"payloads":[{"data":"' + b"\\\\" * 500_000,
        b'{"payloads":[' + b"1" * 1_000_000 + b"]}",
        b'{"payloads":[{"data":"' + b"A" * 2_000_000 + b'"}]}',
        b'{"payloads":[{"metadata":{"encoding":"' + b"=" * 100_000 + b'"}}]}',
    ],
    ids=["open", "deep", "objects", "escapes", "number", "long", "base64"],
)
def test_json_made_to_hurt_is_refused_or_read(body: bytes) -> None:
    """Depth, endless strings and numbers end in a refusal, within bounded memory."""
    with at_most(64):
        json_body(body)


def test_cards_made_to_hurt_are_refused_or_read() -> None:
    """Endless folding, parameters and groups end, within bounded memory."""
    with at_most(64):
        for line in (b"FN:" + b"a\r\n " * 20_000, b"TEL;" + b"TYPE=a;" * 20_000 + b":1", b"a." * 20_000 + b"FN:x"):
            vcard(b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\n" + line + b"\r\nEND:VCARD\r\n")
