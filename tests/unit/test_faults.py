"""Fault points: inert until a test arms them, and there for every name."""

import ast
from pathlib import Path

from tests.unit.house.tree import PACKAGE, calls, python_files

from contactsync import faults

POINTS = {value for name, value in vars(faults).items() if name.isupper()}


def test_a_point_is_inert_until_it_is_armed() -> None:
    """Reaching a point does nothing before and after the block that arms it, and calls the hook inside."""
    reached: list[str] = []
    faults.reach("before")
    with faults.armed(reached.append):
        faults.reach(faults.TRANSACTION_COMMITS)
    faults.reach("after")
    assert reached == [faults.TRANSACTION_COMMITS]


def test_a_hook_is_put_back() -> None:
    """A block inside another one gives way to it again, also after an error."""
    outer: list[str] = []

    def strike(point: str) -> None:
        raise RuntimeError(point)

    with faults.armed(outer.append):
        try:
            with faults.armed(strike):
                faults.reach("inner")
        except RuntimeError:
            faults.reach("outer")
    assert outer == ["outer"]


def test_nothing_of_the_package_arms_them() -> None:
    """Only tests do: no setting, command or module of the package calls `armed`."""
    arming = [
        path.relative_to(PACKAGE).as_posix()
        for path in python_files("src")
        for call in calls(path)
        if ast.unparse(call.func).rpartition(".")[2] == "armed"
    ]
    assert arming == []


def test_every_point_is_somewhere() -> None:
    """Each name is reached by exactly one place of the package."""
    reached = [
        ast.unparse(call.args[0]).rpartition(".")[2]
        for path in python_files("src")
        for call in calls(path)
        if ast.unparse(call.func) == "faults.reach"
    ]
    assert sorted(getattr(faults, name) for name in reached) == sorted(POINTS)


def test_every_point_is_in_the_docs() -> None:
    """`docs/crashes.md` names each of them."""
    page = (Path(__file__).parents[2] / "docs" / "crashes.md").read_text()
    assert [point for point in POINTS if f"`{point}`" not in page] == []
