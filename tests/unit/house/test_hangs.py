"""A test that hangs ends by itself and says where."""

import subprocess
import sys
from pathlib import Path

from .tree import ROOT

HANGS = """
import asyncio

async def test_it_waits_for_ever():
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up")

async def test_another(): ...
"""


def test_a_hanging_test_is_cancelled(tmp_path: Path) -> None:
    """Its `finally` clauses run, its report shows the tasks, and the others go on in the same loop."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "hangs.py").read_text())
    (tmp_path / "test_x.py").write_text(HANGS)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_test_loop_scope = session\ntimeout = 10\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603
    assert "1 failed, 1 passed" in run.stdout
    assert "cleaned up" in run.stdout
    assert "Stack for <Task" in run.stdout
    assert "TimeoutError" in run.stdout


def test_the_project_loads_the_hooks() -> None:
    """The tests' own `conftest.py` has them."""
    assert '"tests.hangs"' in (ROOT / "tests" / "conftest.py").read_text()
