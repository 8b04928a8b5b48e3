"""A workflow that never continues as new, whatever its keys do."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.messages import ConnectionRef


@workflow.defn
class Lasting:
    """Waits for its end, and answers with what it was started with."""

    def __init__(self) -> None:
        self._ended = False

    @workflow.run
    async def run(self, request: ConnectionRef) -> ConnectionRef:
        """Until `end`."""
        await workflow.wait_condition(lambda: self._ended)
        return request

    @workflow.signal
    def end(self) -> None:
        """Let it end."""
        self._ended = True
