"""The wheel, installed as people install it."""

import json
import subprocess
from importlib.metadata import version

from .conftest import ROOT, Installed


def test_the_command_is_the_installed_one(installed_contactsync: Installed) -> None:
    """`contactsync --version` answers from an environment that does not reach the project's sources."""
    done = installed_contactsync.run("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"contactsync {version('contactsync')}")
    found = _python(installed_contactsync, "import contactsync, json; print(json.dumps(list(contactsync.__path__)))")
    [path] = json.loads(found)
    assert str(installed_contactsync.python.parent.parent) in path
    assert not path.startswith(str(ROOT))


def test_no_tool_of_ours_is_installed_with_it(installed_contactsync: Installed) -> None:
    """An installation brings neither tests nor the tools of the dev group, and no door becomes a package."""
    probe = "import importlib.util as u; print([n for n in {names!r} if u.find_spec(n)])"
    names = ["pytest", "hypothesis", "xandikos", "tests", "workers", "workflows", "activities"]
    assert _python(installed_contactsync, probe.format(names=names)).strip() == "[]"


def _python(installed: Installed, code: str) -> str:
    return subprocess.run(  # noqa: S603  # the interpreter just made
        [str(installed.python), "-I", "-c", code],
        cwd=installed.home,
        env=installed.environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
