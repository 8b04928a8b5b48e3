"""What is built: the wheel and the source distribution hold the package, and nothing that only looks like it."""

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from .tree import PACKAGE, ROOT

BUILD = "import sys, uv_build; uv_build.build_wheel(sys.argv[1]); uv_build.build_sdist(sys.argv[1])"

BESIDE = {"PKG-INFO", "pyproject.toml", "pyproject.toml.orig", "README.md", "LICENSE"}
"""What stands beside the package; uv_build keeps our pyproject.toml as `.orig` and writes a plain one."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    # uv_build looks for its program on the PATH, where it need not be when pytest is called by its path
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, env=environment, check=True, capture_output=True
    )
    return folder


def _ours() -> set[str]:
    files = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(PACKAGE.parent).as_posix() for path in files}


def _wheel(built: Path) -> zipfile.ZipFile:
    [wheel] = built.glob("*.whl")
    return zipfile.ZipFile(wheel)


def test_the_wheel_holds_exactly_the_package(built: Path) -> None:
    """Every file of the package, its metadata and its licence; no door, no test, no cache."""
    with _wheel(built) as wheel:
        names = set(wheel.namelist())
    metadata = {name for name in names if name.partition("/")[0].endswith(".dist-info")}
    assert {name for name in names - metadata if not name.endswith("/")} == _ours()
    assert any(name.endswith("licenses/LICENSE") for name in metadata)


def test_the_wheel_is_typed_and_has_the_command(built: Path) -> None:
    """`py.typed` and the SQL files travel along, and `contactsync` is the one command."""
    with _wheel(built) as wheel:
        names = wheel.namelist()
        [entry_points] = [wheel.read(name).decode() for name in names if name.endswith("entry_points.txt")]
    assert "contactsync/py.typed" in names
    assert [name for name in names if name.endswith(".sql")]
    assert "contactsync = contactsync.workers.cli.main:main" in entry_points


def test_the_source_distribution_holds_what_builds_the_wheel(built: Path) -> None:
    """The package, pyproject.toml, README and LICENSE; no door, no test, no cache."""
    [archive] = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {member.name.partition("/")[2] for member in opened.getmembers() if member.isfile()}
        links = [member.name for member in opened.getmembers() if member.issym()]
    assert names == {f"src/{name}" for name in _ours()} | BESIDE
    assert links == []


def _named(requirements: list[object]) -> set[str]:
    """The distributions that a list of requirements names, without extras, versions and markers."""
    texts = [text for text in requirements if isinstance(text, str)]
    return {_name(text) for text in texts} - {"contactsync"}


def _name(requirement: str) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-_."
    end = next((index for index, letter in enumerate(requirement.lower()) if letter not in letters), len(requirement))
    return requirement[:end].lower().replace("_", "-")


PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_dependency_is_pinned_for_uv_run() -> None:
    """Every dependency, of every extra and group, has an exact version among the constraints."""
    project, groups = PYPROJECT["project"], PYPROJECT["dependency-groups"]
    lists = [project["dependencies"], *project["optional-dependencies"].values(), *groups.values()]
    constraints: list[str] = PYPROJECT["tool"]["uv"]["constraint-dependencies"]
    assert {name for each in lists for name in _named(each)} - {_name(pin) for pin in constraints} == set()
    assert [pin for pin in constraints if "==" not in pin] == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-build.lock"])
def test_what_images_install_is_pinned_by_hash(lock: str) -> None:
    """Every line of a lock is an exact version with hashes, and agrees with the constraints of `uv run`."""
    entries = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    entries = [entry for entry in entries if entry and not entry.startswith("#")]
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    constraints = {pin.partition(" ")[0] for pin in PYPROJECT["tool"]["uv"]["constraint-dependencies"]}
    assert {entry.partition(" ")[0] for entry in entries} - constraints == set()


def test_images_get_all_that_runs_and_nothing_else() -> None:
    """The image's lock names every runtime dependency and those of `aws`, and nothing of the others."""
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    wanted = _named([*project["dependencies"], *extras["aws"]])
    locked = {_name(line) for line in (ROOT / "requirements.lock").read_text().splitlines() if line[:1].isalnum()}
    assert wanted - locked == set()
    assert locked & (_named(extras["embedded"]) | {"pytest", "ruff", "pyright", "hypothesis"}) == set()
