"""Bounded zstd (RFC 8878): one frame, no dictionary, an exact and limited size."""

import sys
from typing import Final

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from contactsync.errors import OpenRefused

WINDOW_LOG_MAX: Final = 23
"""8 MiB, the window every decoder is asked to support (RFC 8878 §3.1.1.1.2); a larger one is refused."""

_LEVEL: Final = 1
_OPTIONS: Final[dict[int, int]] = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG_MAX}


def compress(data: bytes) -> bytes:
    """`data` as one zstd frame."""
    return zstd.compress(data, level=_LEVEL)


def decompress(frame: bytes | memoryview, size: int) -> bytes:
    """The `size` bytes that `frame` holds; no more than that is ever produced, whatever the frame says of itself.

    Raises:
        OpenRefused: not exactly one whole frame of exactly `size` bytes, or its window is too large.
    """
    decompressor = zstd.ZstdDecompressor(options=_OPTIONS)
    try:
        # one byte more than allowed, so that a longer frame shows and an exact one reaches its end
        data = decompressor.decompress(frame, max_length=size + 1)
    except zstd.ZstdError:
        raise OpenRefused from None
    if not decompressor.eof or decompressor.unused_data or len(data) != size:
        raise OpenRefused
    return data
