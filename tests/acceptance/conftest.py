"""Acceptance tests run what people install: the built wheel, in an environment of its own."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from contactsync.workers.embedded.provision import DatabaseUrls
from contactsync.workers.embedded.temporal import TemporalServer

from .address_books import AddressBook, address_book
from .deployment import Deployment, deployment_of

ROOT = Path(__file__).resolve().parents[2]
BUILD_SECONDS = 300
COMMAND_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Installed:
    """The command as people have it: no source in reach, no setting but those given."""

    python: Path
    command: Path
    home: Path

    def environment(self, settings: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a process: a PATH, a home, a language, and these settings."""
        kept = {name: os.environ[name] for name in ("TMPDIR", "CI") if name in os.environ}
        path = f"{self.command.parent}{os.pathsep}{os.defpath}"
        return {"PATH": path, "HOME": str(self.home), "LANG": "C.UTF-8", **kept, **(settings or {})}

    def run(
        self,
        *arguments: str,
        settings: Mapping[str, str] | None = None,
        timeout: float = COMMAND_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, in a folder that is not the project."""
        return subprocess.run(  # noqa: S603  # what was just installed
            [str(self.command), *arguments],
            cwd=self.home,
            env=self.environment(settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@pytest.fixture(scope="session")
def installed_contactsync(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The built wheel with the extra `embedded`, in an environment of its own, with the versions that are pinned."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = _build(folder / "dist")
    constraints = folder / "constraints.txt"
    pinned: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]
    constraints.write_text("\n".join(pinned) + "\n")
    environment = folder / "environment"
    _uv("venv", "--quiet", "--python", sys.executable, str(environment))
    python = environment / "bin" / "python"
    wanted = ["--quiet", "--python", str(python), "--constraints", str(constraints), f"{wheel}[embedded]"]
    _install(wanted)
    home = folder / "home"
    home.mkdir()
    return Installed(python, environment / "bin" / "contactsync", home)


def _build(folder: Path) -> Path:
    _uv("build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT))
    [wheel] = folder.glob("*.whl")
    return wheel


def _install(wanted: Sequence[str]) -> None:
    """From uv's cache where all is there, so that the tests need no network twice; else from the index."""
    try:
        _uv("pip", "install", "--offline", *wanted)
    except subprocess.CalledProcessError:
        _uv("pip", "install", *wanted)


def _uv(*arguments: str) -> None:
    """`uv run` says which uv it is; elsewhere it is on the PATH."""
    uv = os.environ.get("UV") or shutil.which("uv")
    assert uv, "acceptance tests need uv: pip install uv"
    subprocess.run([uv, *arguments], cwd=ROOT, check=True, timeout=BUILD_SECONDS, capture_output=True, text=True)  # noqa: S603


@pytest.fixture
async def deployment(
    installed_contactsync: Installed, database_urls: DatabaseUrls, temporal_server: TemporalServer, tmp_path: Path
) -> Deployment:
    """An installation on a fresh database."""
    return deployment_of(installed_contactsync, tmp_path, database_urls, temporal_server)


@pytest.fixture
async def book(tmp_path: Path) -> AsyncGenerator[AddressBook]:
    """An address book of two cards on a CardDAV server of its own."""
    async with address_book(tmp_path / "dav") as book:
        yield book
