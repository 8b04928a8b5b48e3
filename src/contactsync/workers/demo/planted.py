"""Looks for planted personal strings in files that should hold none.

The strings are those of made-up contacts, in every form in which a leak would show them: as they are (UTF-8), as
JSON escapes, percent-encoded, and in base64 at each of its three alignments.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

_SHORTEST_BYTES: Final = 6
"""A shorter string would be found by chance in ciphertext of this size."""

_BLOCK_BYTES: Final = 4 * 1024 * 1024

_Trie = dict[int, "_Trie"]


class PlantedStrings:
    """Strings to look for, compiled to one pattern, so that thousands cost about as much as one."""

    def __init__(self, strings: Iterable[str]) -> None:
        needles = {form for text in strings for form in _forms(text) if len(form) >= _SHORTEST_BYTES}
        self._longest = max((len(needle) for needle in needles), default=0)
        self._pattern = re.compile(_alternatives(_trie(needles)), re.DOTALL) if needles else None
        self.count = len(needles)

    def in_bytes(self, haystack: bytes) -> int:
        """How many occurrences `haystack` holds."""
        return sum(1 for _ in self._pattern.finditer(haystack)) if self._pattern else 0

    def in_file(self, path: Path) -> int:
        """How many occurrences the file holds; read in blocks that overlap by the longest string."""
        found, tail = 0, b""
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                window = tail + block
                found += self.in_bytes(window)
                tail = window[-(self._longest - 1) :] if self._longest > 1 else b""
                found -= self.in_bytes(tail)  # counted again with the next block
        return found + self.in_bytes(tail)

    def in_tree(self, root: Path, pattern: str = "*") -> Mapping[Path, int]:
        """Occurrences in each file at any depth below `root` whose name fits; files without any are left out."""
        counts = {path: self.in_file(path) for path in root.rglob(pattern) if path.is_file()}
        return {path: count for path, count in counts.items() if count}


def _forms(text: str) -> set[bytes]:
    raw = text.encode()
    return {raw, json.dumps(text)[1:-1].encode(), quote(text).encode(), *_base64_forms(raw)}


def _base64_forms(raw: bytes) -> set[bytes]:
    """What every base64 text that holds `raw` must hold, whatever stands before and behind it."""
    whole_groups = len(raw) // 3 * 3
    if whole_groups < _SHORTEST_BYTES:
        return set()
    return {base64.b64encode(raw[skip : skip + (len(raw) - skip) // 3 * 3]) for skip in range(3)}


def _trie(needles: Iterable[bytes]) -> _Trie:
    root: _Trie = {}
    for needle in needles:
        node = root
        for byte in needle:
            node = node.setdefault(byte, {})
        node[_END] = {}
    return root


_END: Final = -1


def _alternatives(node: _Trie) -> bytes:
    """The trie as a pattern: common beginnings once, so that a mismatch ends after a byte or two."""
    if _END in node:
        return b""  # the shorter string is enough
    parts = [re.escape(bytes([byte])) + _alternatives(child) for byte, child in sorted(node.items())]
    return parts[0] if len(parts) == 1 else b"(?:" + b"|".join(parts) + b")"
