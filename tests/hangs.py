"""A test that hangs ends by itself, says where, and leaves the others alone.

pytest-timeout ends a test from outside: the event loop that all share then still holds its tasks, and later tests and
the servers' end fail with it. So each asynchronous test is cancelled from inside some time before, which runs its
`finally` clauses, and its report shows where every task stood.
"""

import asyncio
import functools
import gc
import inspect
import io
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Final, ParamSpec

import pytest

_SHARE: Final = 0.8
"""Of a test's time limit; the rest is for fixtures."""

_Given = ParamSpec("_Given")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Put a limit on asynchronous tests. Those of Hypothesis have their own body, and no servers to leave behind."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = _limited(item.obj, item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make the report without collecting garbage.

    A finaliser that runs while pytest parses a source for its report, and whose own warning is formatted with parsed
    source, makes CPython 3.11 raise SystemError (https://github.com/python/cpython/issues/106905), which ends the run.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def _limited(test: Callable[_Given, Awaitable[None]], item: pytest.Function) -> Callable[_Given, Awaitable[None]]:
    @functools.wraps(test)
    async def limited(*args: _Given.args, **kwargs: _Given.kwargs) -> None:
        loop = asyncio.get_running_loop()
        telling = loop.call_later(_seconds(item), _tell, item)
        try:
            async with asyncio.timeout(_seconds(item)):
                await test(*args, **kwargs)
        finally:
            telling.cancel()

    return limited


def _seconds(item: pytest.Function) -> float:
    marker = item.get_closest_marker("timeout")
    return _SHARE * float(marker.args[0] if marker else item.config.getini("timeout"))


def _tell(item: pytest.Function) -> None:
    """Show where every task stands."""
    text = io.StringIO()
    for task in asyncio.all_tasks():
        task.print_stack(file=text)
    item.add_report_section("call", "tasks", text.getvalue())
