"""A workflow that answers with what it was told, so that Temporal Web has something to show."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.messages import Message


class Told(Message):
    """Somebody's name and address, as a contact has them."""

    name: str
    email: str
    count: int = 3


@workflow.defn
class Telling:
    """Answers with what it was told."""

    @workflow.init
    def __init__(self, told: Told) -> None:
        self._told = told

    @workflow.run
    async def run(self, told: Told) -> Told:
        """Answer."""
        return told

    @workflow.query
    def told(self) -> Told:
        """What it was told."""
        return self._told
