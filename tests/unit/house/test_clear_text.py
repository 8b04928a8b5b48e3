"""What no guard sees, because Temporal's SDK has no place for one: our code sends constants there, or nothing."""

import ast
from collections.abc import Iterator

import pytest

from contactsync.activities import messages

from .tree import PACKAGE, calls, imports, place, python_files

NEVER = {"upsert_memo", "get_external_workflow_handle", "set_current_details"}
"""Calls of workflows that send a key, an id or a reason in clear, or details that Temporal Web asks for."""

PATCHES = {"patched", "deprecate_patch"}
ATTRIBUTES = PACKAGE / "workflows" / "state_attribute.py"
IN_CLEAR = {"reason", "note", "memo", "details", "cron_schedule"}
"""Members of the raw service's requests that hold whatever they are given."""


def said_in_clear(tree: ast.Module, *, may_set_attributes: bool = False) -> Iterator[ast.Call]:
    """The calls by which a value of any kind could travel."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func).rpartition(".")[2]
        if (
            name in NEVER
            or (name == "upsert_search_attributes" and not may_set_attributes)
            or (name in PATCHES and not all(map(_is_constant, call.args)))
            or (_is_raw(name) and any(keyword.arg in IN_CLEAR and _varies(keyword) for keyword in call.keywords))
        ):
            yield call


def _is_raw(name: str) -> bool:
    """A request of Temporal's API; ours of that name are messages, which are sealed."""
    return name.endswith("Request") and not hasattr(messages, name)


def _is_constant(node: ast.expr) -> bool:
    """A text in the code, or a name that is written as constants are."""
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id.lstrip("_").isupper())


def _varies(keyword: ast.keyword) -> bool:
    return not _is_constant(keyword.value)


def test_workflows_send_constants_past_the_guard() -> None:
    """Patches, search attributes of a workflow's own and requests of the raw service hold no value."""
    said = [
        place(path, call.lineno)
        for path in python_files("src")
        for call in said_in_clear(ast.parse(path.read_text()), may_set_attributes=path == ATTRIBUTES)
    ]
    assert said == []


@pytest.mark.parametrize(
    "line",
    [
        "workflow.upsert_memo({name: 1})",
        "workflow.patched(name)",
        "workflow.deprecate_patch(f'{name}')",
        "workflow.upsert_search_attributes([STATE.value_set(name)])",
        "workflow.get_external_workflow_handle(name).cancel(reason=name)",
        "ResetWorkflowExecutionRequest(namespace=namespace, reason=name)",
        "w.StartBatchOperationRequest(reason=f'for {name}')",
        "PauseActivityRequest(reason=name)",
    ],
)
def test_the_reading_finds_what_varies(line: str) -> None:
    """The control: each of these lines is found."""
    assert len(list(said_in_clear(ast.parse(line)))) >= 1


def test_there_is_no_tracer() -> None:
    """Spans hold ids and names of calls: nothing here makes any."""
    tracing = [place(path, line) for path in python_files("src") for line, name in imports(path) if "telemetry" in name]
    assert tracing == []


def test_the_product_s_client_knows_its_names() -> None:
    """Clients are connected in one place, which says which workflows, signals, queries and updates there are."""
    connecting = {
        path: [
            {keyword.arg for keyword in call.keywords} for call in calls(path) if ast.unparse(call.func) == "connect"
        ]
        for path in python_files("src")
        if any(name == "contactsync.codecs.payloads.connect.connect" for _, name in imports(path))
    }
    assert list(connecting) == [PACKAGE / "workers" / "bootstrap.py"]
    assert all("names" in given for given in connecting[PACKAGE / "workers" / "bootstrap.py"])
