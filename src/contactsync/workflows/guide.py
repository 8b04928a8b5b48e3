"""Who has pages walked (`page_walk`)."""

from typing import Protocol

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contactsync.activities.messages import PageHead, PageResult


class Guide(Protocol):
    """Says when to stop and how fast to go, and hears what was fetched and committed."""

    def should_stop(self) -> bool:
        """Whether no further page is to be asked for; those under way are still written."""
        ...

    def delay(self) -> float:
        """Seconds until the next page may be asked for."""
        ...

    async def wait(self, seconds: float) -> None:
        """Sleep for so long, or until there is a reason to look again."""
        ...

    def fetched(self, head: PageHead) -> None:
        """A page was fetched: its source has been asked for so much."""
        ...

    def committed(self, head: PageHead, result: PageResult) -> None:
        """A page was written."""
        ...
