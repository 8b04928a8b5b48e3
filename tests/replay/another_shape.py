"""Workflows of the same names as ours that do something else first: the control of the replay tests."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.key_messages import DestroyExpired
    from contactsync.activities.messages import BackfillArgs, SyncArgs
    from contactsync.activities.offboarding_messages import OffboardArgs, OffboardDecision
    from contactsync.activities.rotation_messages import RotateArgs


@workflow.defn(name="ConnectionSync")
class AnotherSync:
    """Not `ConnectionSync`."""

    @workflow.run
    async def run(self, args: SyncArgs) -> None:
        """Start a timer where the real one starts an activity."""
        await workflow.sleep(args.passes + 1)


@workflow.defn(name="Backfill")
class AnotherBackfill:
    """Not `Backfill`."""

    @workflow.run
    async def run(self, args: BackfillArgs) -> None:
        """Start a timer where the real one starts an activity."""
        await workflow.sleep(args.troubles + 1)


@workflow.defn(name="DestroyExpiredKeys")
class AnotherDestruction:
    """Not `DestroyExpiredKeys`."""

    @workflow.run
    async def run(self, args: DestroyExpired | None = None) -> None:
        """Start a timer where the real one starts an activity."""
        await workflow.sleep(1 if args is None else 2)


@workflow.defn(name="OffboardTenant")
class AnotherOffboarding:
    """Not `OffboardTenant`."""

    @workflow.run
    async def run(self, args: OffboardArgs) -> None:
        """Start a timer where the real one starts an activity."""
        await workflow.sleep(args.quarantine_seconds)

    @workflow.update
    def approve(self, decision: OffboardDecision) -> None:
        """Nothing comes of it."""

    @workflow.update
    def cancel(self, decision: OffboardDecision) -> None:
        """Nothing comes of it."""


@workflow.defn(name="CheckpointLogs")
class AnotherCheckpointing:
    """Not `CheckpointLogs`."""

    @workflow.run
    async def run(self) -> None:
        """Start a timer where the real one starts an activity."""
        await workflow.sleep(1)


@workflow.defn(name="RotateTenantKey")
class AnotherRotation:
    """Not `RotateTenantKey`."""

    @workflow.run
    async def run(self, args: RotateArgs) -> None:
        """Start a timer where the real one starts an activity."""
        await workflow.sleep(args.settle_seconds)
