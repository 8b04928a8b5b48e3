"""What the project's text may not say."""

import re

import pytest

from .tree import text_files

# put together from parts, so that this file does not say them either
REGISTRIES = (
    "py" + "pi.org",
    "python" + "hosted",
    "npm" + "js",
    "registry." + "npm",
    "crates" + ".io",
    "proxy.go" + "lang",
)
MACHINE = r"(?<![\w./-])/(?:wo" + r"rk|ro" + r"ot|op" + r"t/py)/?[\w.-]*"
NEIGHBOUR = r"\.\./sha" + "red"


@pytest.mark.parametrize("host", REGISTRIES)
def test_no_registry_is_named(host: str) -> None:
    """No file names the host of a package registry: any mirror works unchanged."""
    assert [name for name, text in text_files() if host in text] == []


def test_no_path_of_a_machine_is_named() -> None:
    """No file refers to a folder of somebody's machine or to one beside the project."""
    pattern = re.compile(f"{MACHINE}|{NEIGHBOUR}")
    found = {name: match.group() for name, text in text_files() if (match := pattern.search(text))}
    assert found == {}


def test_text_files_end_with_a_newline() -> None:
    """Every file that is not empty ends with a newline and holds no carriage return."""
    assert [name for name, text in text_files() if text and (not text.endswith("\n") or "\r" in text)] == []
