"""What the log says of activities."""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest
from structlog.testing import capture_logs
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from contactsync.activities.messages import Counts, PageResult
from contactsync.errors import DatabaseFull
from contactsync.workers.activity_logs import ActivityLogs
from contactsync.workers.log_lines import FIELDS

Work = Callable[[], Coroutine[Any, Any, object]]


class Next(ActivityInboundInterceptor):
    """The activity itself."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002, ARG002  # the base's
        """Run it."""
        return await self._work()


async def _logged(work: Work) -> dict[str, Any]:
    """The one line of an activity that does this."""
    call = ExecuteActivityInput(fn=work, args=[], executor=None, headers={})
    with capture_logs() as lines, suppress(DatabaseFull, ValueError):
        await ActivityEnvironment().run(ActivityLogs().intercept_activity(Next(work)).execute_activity, call)
    [line] = lines
    return dict(line)


async def _commits() -> object:
    return PageResult(counts=Counts(pages=1, added=3), done=True)


async def _fetches() -> object:
    return "a page that nobody looks into"


async def _is_full() -> object:
    raise DatabaseFull


async def _breaks() -> object:
    raise ValueError("zoe.planted@example.com")


async def test_a_commit_shows_its_counts() -> None:
    """The line of a committed page has the workflow, the attempt, the duration and the page's counts."""
    line = await _logged(_commits)
    assert (line["event"], line["log_level"], line["added"], line["attempt"]) == ("activity done", "info", 3, 1)
    assert line["workflow_id"] == "test"
    assert line["duration_ms"] >= 0


async def test_a_failure_shows_its_code() -> None:
    """The line of an activity that failed has the error's code, and nothing of its text."""
    assert (await _logged(_is_full))["code"] == "DatabaseFull"
    line = await _logged(_breaks)
    assert (line["event"], line["code"]) == ("activity failed", "ValueError")
    assert "planted" not in str(line)


@pytest.mark.parametrize("work", [_commits, _fetches, _is_full])
async def test_every_field_is_on_the_list(work: Work) -> None:
    """Nothing of the line would be dropped."""
    assert set(await _logged(work)) - {"event", "log_level"} - set(FIELDS) == set()
