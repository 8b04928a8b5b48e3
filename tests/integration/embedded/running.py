"""Processes as the system knows them, and programs of the tests as another user."""

import asyncio
import os
import shutil
import site
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import contactsync.errors
from contactsync.workers.embedded.folders import closed_folder
from contactsync.workers.embedded.processes import RunAs

GONE_SECONDS = 60.0
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Living:
    """A process; its start time tells it from a later one of the same number."""

    pid: int
    started: int

    @property
    def lives(self) -> bool:
        """Whether it still runs."""
        return process_at(self.pid) == self

    def argv(self) -> bytes:
        """Its command line, which every user may read."""
        return Path(f"/proc/{self.pid}/cmdline").read_bytes()

    def environment(self) -> bytes:
        """Its environment, which its own user may read."""
        return Path(f"/proc/{self.pid}/environ").read_bytes()


def process_at(pid: int) -> Living | None:
    """The running process of this number; a zombie does not run."""
    fields = _fields(pid)
    return Living(pid, int(fields[19])) if fields and fields[0] not in "ZX" else None


def descendants(pid: int) -> list[Living]:
    """Everything the process started, and what that started, and so on."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _fields(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for parent in found:
        found.extend(children.get(parent, []))
    return [process for process in map(process_at, found[1:]) if process]


async def gone(processes: Iterable[Living]) -> None:
    """Return when none of them runs any more."""
    async with asyncio.timeout(GONE_SECONDS):
        for process in processes:
            while process.lives:  # noqa: ASYNC110  # the end of another's child is no event here
                await asyncio.sleep(POLL_SECONDS)


def _fields(pid: int) -> list[str]:
    """proc(5), stat: state, parent, … after the name, which may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter with contactsync in it, and the variables it needs."""

    program: Path
    environment: dict[str, str]


def python_for(user: RunAs | None, place: Path) -> Python:
    """This interpreter if the user can reach it, else a copy in `place`, which the user can."""
    environment = {"PATH": os.environ["PATH"]}
    needed = [Path(sys.executable).resolve(), *map(Path, _import_path())]
    if user is None or not any(closed_folder(path, user) for path in needed):
        return Python(Path(sys.executable), environment)
    return Python(_copied_environment(place, user), {**environment, "LD_LIBRARY_PATH": str(place / "base" / "lib")})


def _import_path() -> list[str]:
    project = str(Path(contactsync.errors.__file__).parents[1])
    return [*(folder for folder in site.getsitepackages() if Path(folder).exists()), project]


def _copied_environment(place: Path, user: RunAs) -> Path:
    base = _copied_base(place / "base")
    packages = place / "venv" / "lib" / base.name / "site-packages"
    packages.mkdir(parents=True)
    (packages / "path.pth").write_text("\n".join(_reachable(path, place, user) for path in _import_path()))
    program = place / "venv" / "bin" / "python"
    program.parent.mkdir()
    program.symlink_to(place / "base" / "bin" / base.name)
    (place / "venv" / "pyvenv.cfg").write_text(f"home = {place / 'base' / 'bin'}\n")
    return program


def _copied_base(target: Path) -> Path:
    """The interpreter itself: program, shared library, standard library."""
    source = Path(sysconfig.get_path("stdlib"))
    unneeded = shutil.ignore_patterns("site-packages", "test", "idlelib", "config-*")
    shutil.copytree(source, target / "lib" / source.name, ignore=unneeded)
    for library in source.parent.glob("libpython*.so*"):
        shutil.copy2(library, target / "lib")
    (target / "bin").mkdir()
    shutil.copy2(Path(sys.executable).resolve(), target / "bin" / source.name)
    return target / "lib" / source.name


def _reachable(path: str, place: Path, user: RunAs) -> str:
    if closed_folder(Path(path), user) is None:
        return path
    copy = place / "copied" / path.lstrip("/")
    shutil.copytree(path, copy)
    programs = Path(sysconfig.get_path("scripts"))  # packages find their programs from where they lie themselves
    if programs.parent in Path(path).parents:
        shutil.copytree(programs, place / "copied" / str(programs).lstrip("/"), symlinks=True)
    return str(copy)
