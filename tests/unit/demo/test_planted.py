"""The search for planted strings finds them in every form, and nothing else."""

import base64
import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from contactsync.workers.demo.planted import PlantedStrings

NAME = "Zoë Ångström-O'Neill"


@pytest.mark.parametrize(
    "form",
    [
        NAME.encode(),
        json.dumps(NAME).encode(),
        json.dumps(NAME, ensure_ascii=False).encode(),
        quote(NAME).encode(),
        base64.b64encode(b"a" + NAME.encode() + b"z"),
        base64.b64encode(b"ab" + NAME.encode() + b"yz"),
        base64.b64encode(b"abc" + NAME.encode()),
    ],
    ids=["utf-8", "json escapes", "json", "percent", "base64+1", "base64+2", "base64"],
)
def test_every_form_is_found(form: bytes) -> None:
    """Whatever stands around it."""
    planted = PlantedStrings([NAME])
    assert planted.in_bytes(b"\x00{" + form + b"}\xff") == 1


def test_noise_holds_none() -> None:
    """A megabyte of random bytes."""
    planted = PlantedStrings([NAME, "somebody@place.example", "+4915112345678"])
    assert planted.in_bytes(os.urandom(1_000_000)) == 0


def test_a_string_across_two_blocks_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the block ends."""
    monkeypatch.setattr("contactsync.workers.demo.planted._BLOCK_BYTES", 64)
    needle = b"somebody@place.example"
    planted = PlantedStrings([needle.decode()])
    for offset in range(40, 70):
        path = tmp_path / str(offset)
        path.write_bytes(b"." * offset + needle + b"." * 200 + needle)
        assert planted.in_file(path) == 2


def test_a_tree_is_searched_file_by_file(tmp_path: Path) -> None:
    """Only files that hold something are named."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "server.log").write_text("hello somebody@place.example")
    (tmp_path / "clean.log").write_text("nothing here")
    found = PlantedStrings(["somebody@place.example"]).in_tree(tmp_path)
    assert found == {tmp_path / "deep" / "server.log": 1}
