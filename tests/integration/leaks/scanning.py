"""Finds planted strings, each with a number, in whatever form a leak would show them."""

import base64
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final
from uuid import uuid4

TENANT: Final = uuid4()
"""Whose workflows these are."""

_TEXT: Final = re.compile(rb"planted-(\d{3})-([0-9a-f]{6})-person")
_REST: Final = 16
"""Characters of base64 behind the first eight: enough for the number and the token."""


def planted(number: int, token: str) -> str:
    """The string that is planted in a channel; JSON and URLs show it as it is."""
    return f"planted-{number:03d}-{token}-person"


def numbers_in(data: bytes, token: str) -> set[int]:
    """The numbers of the strings of this run that `data` holds: as they are, in base64 at each alignment, in hex."""
    found = {(int(number), mark) for number, mark in _TEXT.findall(data)}
    found |= {pair for skip in range(3) for pair in _in_base64(data, skip)}
    found |= _in_hex(data)
    return {number for number, mark in found if mark == token.encode()}


def numbers_in_folder(folder: Path, token: str, skipped: Mapping[Path, int]) -> set[int]:
    """The same for every file at any depth; `skipped`: how many bytes of a file were there before."""
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {number for path, data in files.items() for number in numbers_in(data[skipped.get(path, 0) :], token)}


def id_with(text: str) -> str:
    """A workflow id that has a tenant, and text that is no UUID."""
    return f"sync/{TENANT}/{text}"


def _in_base64(data: bytes, skip: int) -> Iterable[tuple[int, bytes]]:
    """`skip`: how many bytes of the string stand in the group before."""
    beginning = base64.b64encode(b"planted-"[skip : skip + 6])
    rest = re.compile(re.escape(beginning) + rb"([A-Za-z0-9+/_-]{%d})" % _REST)
    for match in rest.finditer(data):
        text = b"planted-"[: skip + 6] + base64.b64decode(match[1], altchars=b"-_" if b"-" in match[1] else None)
        if inner := re.match(rb"planted-(\d{3})-([0-9a-f]*)", text):
            yield int(inner[1]), inner[2][:6]


def _in_hex(data: bytes) -> set[tuple[int, bytes]]:
    pattern = re.compile(b"planted-".hex().encode() + rb"([0-9a-f]{20})", re.IGNORECASE)
    texts = [b"planted-" + bytes.fromhex(match[1].decode()) for match in pattern.finditer(data)]
    return {(int(text[8:11]), text[12:18]) for text in texts if text[8:11].isdigit()}
