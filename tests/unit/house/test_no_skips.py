"""CI leaves no test out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .tree import ROOT

SKIPPED = {
    "mark": "import pytest\n@pytest.mark.skip\ndef test_x(): pass\n",
    "call": "import pytest\ndef test_x(): pytest.skip('no')\n",
    "expected": "import pytest\n@pytest.mark.xfail\ndef test_x(): assert False\n",
    "module": "import pytest\npytest.skip('no', allow_module_level=True)\n",
}


def _exit_code(folder: Path, text: str, ci: str) -> int:
    (folder / "conftest.py").write_text((ROOT / "tests" / "no_skips.py").read_text())
    (folder / "test_x.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    environment = os.environ | {"CI": ci}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False).returncode  # noqa: S603


@pytest.mark.parametrize("kind", SKIPPED)
def test_a_skipped_test_fails_in_ci(tmp_path: Path, kind: str) -> None:
    """A test that is skipped by mark, call or module, or expected to fail, makes the run fail."""
    assert _exit_code(tmp_path, SKIPPED[kind], "true") != 0


def test_a_skipped_test_passes_elsewhere(tmp_path: Path) -> None:
    """On somebody's machine a skip stays a skip."""
    assert _exit_code(tmp_path, SKIPPED["call"], "") == 0


def test_the_project_loads_the_hooks() -> None:
    """The tests' own `conftest.py` has both hooks."""
    text = (ROOT / "tests" / "conftest.py").read_text()
    assert 'pytest_plugins = ["tests.no_skips"' in text
