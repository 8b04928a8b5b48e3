"""A workflow of the same name as `ConnectionSync` that does something else first."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.messages import SyncArgs


@workflow.defn(name="ConnectionSync")
class AnotherShape:
    """The control of the replay tests."""

    @workflow.run
    async def run(self, args: SyncArgs) -> None:
        """Start a timer where the real one starts an activity."""
        await workflow.sleep(args.passes + 1)
