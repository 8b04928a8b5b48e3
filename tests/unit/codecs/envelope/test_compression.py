"""Decompression produces what it was told to, or nothing."""

import tracemalloc
from typing import Final

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from contactsync.codecs.envelope import compression
from contactsync.errors import OpenRefused

RAW: Final = b"contactsync " * 200
BOMB_BYTES: Final = 50_000_000
CHECKED: Final = zstd.compress(RAW, options={int(zstd.CompressionParameter.checksum_flag): 1})
SKIPPABLE: Final = bytes.fromhex("502a4d18") + (4).to_bytes(4, "little") + b"skip"


@given(st.binary(max_size=3_000))
def test_round_trip(data: bytes) -> None:
    """What was compressed comes back."""
    assert data == compression.decompress(compression.compress(data), len(data))


@pytest.mark.parametrize("size", [0, 1, len(RAW) - 1, len(RAW) + 1, 2 * len(RAW)])
def test_a_lie_about_the_size_is_refused(size: int) -> None:
    """A frame that holds more or less than it should is refused."""
    with pytest.raises(OpenRefused):
        compression.decompress(compression.compress(RAW), size)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x00" * 20,
        compression.compress(RAW)[:-1],
        compression.compress(RAW) + b"\x00",
        compression.compress(RAW) + compression.compress(b""),
        compression.compress(RAW) + SKIPPABLE,
        SKIPPABLE + compression.compress(RAW),
        SKIPPABLE,
        CHECKED[:-4],
        CHECKED[:-1],
        CHECKED[:-1] + bytes([CHECKED[-1] ^ 1]),
    ],
    ids=[
        "empty",
        "garbage",
        "cut",
        "trailing byte",
        "second frame",
        "trailing skip",
        "leading skip",
        "only skip",
        "no check",
        "half a check",
        "wrong check",
    ],
)
def test_anything_but_one_whole_frame_is_refused(frame: bytes) -> None:
    """Exactly one frame and nothing before or after it."""
    with pytest.raises(OpenRefused):
        compression.decompress(frame, len(RAW))


def test_a_checked_frame_opens() -> None:
    """A frame may carry a check, so that it is the missing or wrong one that is refused."""
    assert compression.decompress(CHECKED, len(RAW)) == RAW


@pytest.mark.parametrize("stated", [True, False], ids=["size stated", "size not stated"])
def test_a_bomb_does_not_go_off(stated: bool) -> None:
    """Fifty megabytes in a small frame take little more memory than was allowed, whether the frame says so or not."""
    data = bytes(BOMB_BYTES)
    compressor = zstd.ZstdCompressor(level=19)
    if stated:
        compressor.set_pledged_input_size(len(data))
    bomb = compressor.compress(data, mode=zstd.ZstdCompressor.FLUSH_FRAME)
    assert len(bomb) < 20_000
    tracemalloc.start()
    try:
        with pytest.raises(OpenRefused):
            compression.decompress(bomb, 2_000)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_large_window_is_refused() -> None:
    """A frame that asks for a window over 8 MiB is refused before memory is set aside for it."""
    options = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.compression_level: 1}
    compressor = zstd.ZstdCompressor(options={int(name): value for name, value in options.items()})
    frame = compressor.compress(RAW) + compressor.flush()
    with pytest.raises(OpenRefused):
        compression.decompress(frame, len(RAW))


def test_a_window_that_is_allowed_opens() -> None:
    """The limit refuses no more than it should: a window of exactly 8 MiB opens."""
    options = {int(zstd.CompressionParameter.window_log): compression.WINDOW_LOG_MAX}
    compressor = zstd.ZstdCompressor(options=options)
    frame = compressor.compress(RAW) + compressor.flush()
    assert compression.decompress(frame, len(RAW)) == RAW
