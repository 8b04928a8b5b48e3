"""What the demo measured, and whether all of it holds."""

from pydantic import BaseModel, ConfigDict, computed_field

from contactsync.activities.messages import Counts
from contactsync.workers.demo.book import Expected


class Part(BaseModel):
    """Base of the report's parts."""

    model_config = ConfigDict(frozen=True)


class PassReport(Part):
    """One pass of one tenant."""

    name: str
    tenant: str
    outcome: str
    counts: Counts
    seconds: float
    as_expected: bool


class ComparisonReport(Part):
    """One tenant's address book beside its rows."""

    tenant: str
    equal: int
    missing: int
    surplus: int
    different: int


class HistoryReport(Part):
    """A payload as Temporal holds it, and the same opened by the codec server."""

    encoding: str
    key_id: str
    bytes: int
    ciphertext: str
    masked: str


class LeakReport(Part):
    """Planted strings looked for and found, by channel."""

    strings: int
    found: dict[str, int]


class DemoReport(Part):
    """The whole story."""

    passes: tuple[PassReport, ...]
    worker_killed_at_page: int
    comparisons: tuple[ComparisonReport, ...]
    history: HistoryReport
    leaks: LeakReport
    seconds: float

    @computed_field
    @property
    def problems(self) -> tuple[str, ...]:
        """What does not hold, one sentence each; empty when all does."""
        return (
            *(f"{p.tenant}: the {p.name} pass is not as expected" for p in self.passes if not p.as_expected),
            *(
                f"{c.tenant}: {c.missing} missing, {c.surplus} too many, {c.different} different"
                for c in self.comparisons
                if c.missing or c.surplus or c.different
            ),
            *(f"{count} planted strings in {channel}" for channel, count in self.leaks.found.items() if count),
        )

    @computed_field
    @property
    def holds(self) -> bool:
        """Whether everything holds."""
        return not self.problems


def as_expected(outcome: str, counts: Counts, expected: Expected) -> bool:
    """Whether a pass did exactly what the edits at the source call for."""
    return outcome == "completed" and expected == Expected(
        added=counts.added, updated=counts.updated, deleted=counts.deleted, downloaded=counts.downloaded
    )
