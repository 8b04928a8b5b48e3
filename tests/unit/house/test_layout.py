"""The house: doors, the direction of imports, what files may be."""

import ast
from pathlib import Path

import pytest

from .tree import PACKAGE, ROOT, calls, imports, parsed, place, python_files

DOORS = ("workers", "workflows", "activities", "codecs")
ROOMS = ("errors", "faults", "identifiers", "postgres", "codecs", "activities", "workflows", "workers")
"""From the lowest up: each imports from itself and from those before it."""

MOST_LINES = 400


@pytest.mark.parametrize("door", DOORS)
def test_a_door_leads_to_its_room(door: str) -> None:
    """Each door is a relative link to the room of its name, and the room is a package."""
    link = ROOT / door
    assert link.is_symlink()
    assert link.readlink() == Path("src") / "contactsync" / door
    assert (link / "__init__.py").is_file()


def test_no_code_goes_through_a_door() -> None:
    """Nothing imports `workers`, `workflows`, `activities` or `codecs` as if they were packages at the top."""
    through = [
        place(path, line) for path in python_files() for line, name in imports(path) if name.partition(".")[0] in DOORS
    ]
    assert through == []


def _room(dotted: str) -> int | None:
    parts = dotted.split(".")
    if parts[-1] == "__main__":  # `python -m contactsync`
        return len(ROOMS)
    if parts[0] != "contactsync" or len(parts) < 2:
        return None
    return ROOMS.index(parts[1])


def _room_of_file(path: Path) -> int | None:
    return _room(".".join(["contactsync", *path.relative_to(PACKAGE).with_suffix("").parts]))


def test_every_module_is_in_a_known_room() -> None:
    """A new module at the top of the package has its place in the order of imports."""
    top = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert top - {"__init__", "__main__"} == set(ROOMS)


def test_imports_point_one_way() -> None:
    """workers → workflows → activities → codecs → postgres → identifiers → errors, in every file and every function."""
    upwards: list[str] = []
    for path in python_files("src"):
        if path == PACKAGE / "__init__.py":
            continue
        own = _room_of_file(path)
        for line, name in imports(path):
            other = _room(name)
            if own is not None and other is not None and other > own:
                upwards.append(f"{place(path, line)} imports {name}")
    assert upwards == []


def test_the_package_imports_itself_by_name() -> None:
    """No relative import in the package: a moved file would change its meaning."""
    relative = [
        place(path, node.lineno)
        for path in python_files("src")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_package_files_do_no_work() -> None:
    """`__init__.py` files are empty: the workflow sandbox runs them again and again."""
    assert [str(path) for path in python_files() if path.name == "__init__.py" and path.read_text().strip()] == []


def test_files_stay_short() -> None:
    """No file of code is longer than 400 lines."""
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in python_files()}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_every_test_says_what_it_expects() -> None:
    """Each test has a docstring: the expected behaviour in a sentence."""
    silent = [
        place(path, node.lineno)
        for path in python_files("tests")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


MAY_SKIP = ["tests/integration/sources/conftest.py", "tests/integration/web/test_temporal_web.py"]
"""Cyrus and Chromium come from Debian's packages, which a machine with only Python does not have; CI has them."""


def test_no_test_is_marked_to_be_skipped() -> None:
    """There is no skip and no xfail in the tests, neither as a mark nor as a call, but for those explained above."""
    banned = {"skip", "skipif", "xfail", "importorskip", "SkipTest"}
    found = [
        path.relative_to(ROOT).as_posix()
        for path in python_files("tests")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and node.attr in banned and _is_of_a_test_library(node.value)
    ]
    assert found == MAY_SKIP


def _is_of_a_test_library(node: ast.expr) -> bool:
    """`pytest.…`, `pytest.mark.…` and the like; a message may well have a member of that name."""
    return ast.unparse(node).partition(".")[0] in {"pytest", "mark", "unittest", "self"}


LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def test_nothing_is_said_through_the_standard_library() -> None:
    """Our own lines go through structlog: what is said through `logging` would lose its message."""
    said = [
        place(path, call.lineno)
        for path in python_files("src")
        for call in calls(path)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in LEVELS
        and ast.unparse(call.func.value).partition("(")[0] in {"logging", "logging.getLogger"}
    ]
    assert said == []


def test_events_are_constants() -> None:
    """The event of a log line is written in the code, never put together from values."""
    built = [
        place(path, call.lineno)
        for path in python_files("src")
        for call in calls(path)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in LEVELS
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in {"log", "_log", "logger"}
        and not (call.args and isinstance(call.args[0], ast.Constant))
    ]
    assert built == []


def test_uvicorn_brings_no_log_of_its_own() -> None:
    """Every server of ours is made without uvicorn's log configuration and without its access log, which shows URLs."""
    wrong: list[str] = []
    for path in python_files("src"):
        for call in calls(path):
            name = ast.unparse(call.func)
            if name.rpartition(".")[0] != "uvicorn" or name.rpartition(".")[2] not in {"Config", "run"}:
                continue
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            if given.get("log_config") != "None" or given.get("access_log") != "False":
                wrong.append(place(path, call.lineno))
    assert wrong == []
