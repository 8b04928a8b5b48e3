"""Renews the pins: `constraint-dependencies` in pyproject.toml, for `uv run`, and, for images, requirements.lock
(what runs) and requirements-build.lock (what builds the package).

    python scripts/renew_locks.py             resolve again, keep the pins that still fit
    python scripts/renew_locks.py --upgrade   take the newest of everything

All hold names, versions and hashes and no index's address, so that any mirror works unchanged; `uv.lock`, which
holds addresses, stays ignored. The resolution is for every Python of `requires-python` and every platform.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PYPROJECT: Final = ROOT / "pyproject.toml"
IMAGE_LOCK: Final = ROOT / "requirements.lock"
BUILD_LOCK: Final = ROOT / "requirements-build.lock"
IMAGE_EXTRAS: Final = ("aws",)
CONSTRAINTS: Final = re.compile(r"^constraint-dependencies = \[\n(.*?)^\]\n", re.MULTILINE | re.DOTALL)
TABLE: Final = "[tool.uv]\n"
HEADER: Final = "# written by scripts/renew_locks.py, with the hashes of every platform's files\n"


def main() -> int:
    """Renew all three; says what changed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--upgrade", action="store_true", help="take the newest of everything")
    upgrade = bool(parser.parse_args().upgrade)
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        lock(project, with_constraints(PYPROJECT.read_text(), []) if upgrade else PYPROJECT.read_text())
        pins = export(project, "--all-extras", "--all-groups", "--no-hashes")
        image = export(project, "--no-dev", *(f"--extra={extra}" for extra in IMAGE_EXTRAS))
        build = export(project, "--only-group", "build")
    report(PYPROJECT, with_constraints(PYPROJECT.read_text(), pins.splitlines()))
    report(IMAGE_LOCK, HEADER + image)
    report(BUILD_LOCK, HEADER + build)
    return 0


def lock(project: Path, pyproject: str) -> None:
    """Resolve in a folder of its own, so that neither this tree nor its environment changes."""
    (project / "pyproject.toml").write_text(pyproject)
    for name in ("README.md", "LICENSE"):  # the metadata names them
        (project / name).touch()
    _uv(project, "lock", "--quiet")


def export(project: Path, *options: str) -> str:
    """`name==version ; marker` lines, with hashes unless told otherwise."""
    return _uv(project, "export", "--quiet", "--no-emit-project", "--no-header", "--no-annotate", "--frozen", *options)


def with_constraints(pyproject: str, pins: list[str]) -> str:
    """The text of pyproject.toml with these constraints in place of those it has."""
    entries = "".join(f"    {_quoted(pin)},\n" for pin in sorted(pins))
    block = f"constraint-dependencies = [\n{entries}]\n"
    if CONSTRAINTS.search(pyproject):
        return CONSTRAINTS.sub(lambda _: block, pyproject, count=1)
    return pyproject.replace(TABLE, TABLE + block, 1)


def report(file: Path, text: str) -> None:
    """Write a file if it changes, and say so."""
    changed = not file.exists() or file.read_text() != text
    if changed:
        file.write_text(text)
    print(f"{file.name}: {'renewed' if changed else 'unchanged'}")


def _quoted(pin: str) -> str:
    return '"' + " ".join(pin.split()).replace('"', "'") + '"'


def _uv(project: Path, *arguments: str) -> str:
    command = ["uv", *arguments, "--project", str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"uv {arguments[0]} failed:\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
