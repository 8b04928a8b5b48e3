"""What one workflow task may ask for: Temporal takes it in one request, and ends a workflow that asks for more."""

from datetime import timedelta
from typing import Final

from temporalio import workflow

REQUEST_BYTES: Final = 4 * 1024 * 1024
"""What Temporal takes in one request, and writes in one transaction."""

BODIES_BYTES: Final = 1_950_000
"""Of that, for the bodies of pages as they are carried; one of the largest fits (`activities/pages.py`). Half of a
transaction may be taken by results that arrive while a task is worked on, and sealing pads bodies by 3 %."""

ROOM: Final = "room-in-task"
"""A patch: runs that began before there was such a thing ask for everything at once."""

_MOMENT: Final = timedelta(milliseconds=1)


class TaskRoom:
    """How much room the workflow task under way has left; one for each run of a workflow."""

    def __init__(self) -> None:
        self.largest = 0
        """Bytes of the largest page that was fetched."""
        self._task = -1
        self._taken = 0

    def saw(self, size: int) -> None:
        """A page of so many bytes was fetched."""
        self.largest = max(self.largest, size)

    async def take(self, size: int) -> None:
        """Take room for a body of so many bytes; where there is none left, of a later workflow task."""
        while not self._has(size) and workflow.patched(ROOM):
            await workflow.sleep(_MOMENT)  # a timer ends this task; nothing else is sure to bring another one
        self._taken += size

    def _has(self, size: int) -> bool:
        task = workflow.info().get_current_history_length()  # another one in each task
        if task != self._task:
            self._task, self._taken = task, 0
        return not self._taken or self._taken + size <= BODIES_BYTES
