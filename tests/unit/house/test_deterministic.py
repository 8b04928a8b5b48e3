"""Workflows hold nothing that differs from one replay to the next: processes run them without Temporal's sandbox."""

import ast
from collections.abc import Iterator

import pytest

from .tree import PACKAGE, imports, parsed, place

FILES = sorted((PACKAGE / "workflows").glob("*.py"))
STANDARD = {"asyncio", "collections", "collections.abc", "contextlib", "dataclasses", "datetime", "typing", "uuid"}
OURS = ("contactsync.activities.", "contactsync.errors", "contactsync.identifiers", "contactsync.workflows.")
TEMPORAL = {"temporalio", "temporalio.common", "temporalio.exceptions", "temporalio.workflow"}
VARYING = {"now", "utcnow", "today", "uuid1", "uuid4", "getnode", "get_event_loop", "to_thread", "run_in_executor"}
"""Names whose calls give another answer each time, unless they are of `temporalio.workflow`."""

OTHER_TASKS = {"sleep", "wait", "as_completed", "timeout"}
"""Of asyncio: sets of tasks have no order, and Temporal has clocks of its own."""

CHANGING = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def varying(tree: ast.Module) -> Iterator[int]:
    """The lines at which an answer may differ."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield node.lineno
        if isinstance(node, ast.Call):
            owner, _, name = ast.unparse(node.func).rpartition(".")
            if owner != "workflow" and (name in VARYING or (owner == "asyncio" and name in OTHER_TASKS)):
                yield node.lineno
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, CHANGING):
            yield node.lineno


def test_workflows_import_nothing_that_varies() -> None:
    """No clock, no chance, no file, no network, no process: a closed list of modules, and messages of ours."""
    others = [
        place(path, line)
        for path in FILES
        for line, name in imports(path)
        if name.rpartition(".")[0] not in STANDARD | TEMPORAL
        and name not in STANDARD | TEMPORAL
        and not name.startswith(OURS)
    ]
    assert others == []


def test_workflows_call_nothing_that_varies() -> None:
    """Time, identifiers and chance come from `temporalio.workflow`, and no module keeps what a run has changed."""
    assert FILES
    assert [place(path, line) for path in FILES for line in varying(parsed(path))] == []


@pytest.mark.parametrize(
    "line",
    ["datetime.now(UTC)", "uuid4()", "uuid.uuid4()", "SEEN = []", "SEEN: dict[str, int] = {}", "asyncio.wait(tasks)"],
)
def test_what_varies_is_found(line: str) -> None:
    """The control: each of these is found, and `workflow.now()` is not."""
    assert list(varying(ast.parse(line))) == [1]
    assert list(varying(ast.parse("workflow.now(); workflow.uuid4(); LIMIT = 3"))) == []
