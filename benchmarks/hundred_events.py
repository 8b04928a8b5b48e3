"""A workflow whose history has about a hundred events with some fifty payloads, for whoever shows histories."""

from datetime import timedelta
from typing import Final

from temporalio import activity, workflow

ACTIVITIES: Final = 16
"""Six events each: three of the activity, three of the workflow task that follows it."""

_TEXT: Final = "a page's worth of nothing in particular, " * 10


@activity.defn
async def echo(said: str) -> str:
    """Answer the same."""
    return said


@workflow.defn
class HundredEvents:
    """Activities one after the other."""

    @workflow.run
    async def run(self) -> str:
        """Answers what they answered last."""
        said = _TEXT
        for _ in range(ACTIVITIES):
            said = await workflow.execute_activity(echo, said, start_to_close_timeout=timedelta(minutes=1))
        return said
