"""A source without a store behind it, for stories that need tens of thousands of contacts."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from contactsync.activities.contacts.contact import Field
from contactsync.activities.sources.registry import open_source
from contactsync.activities.sources.replica import Pass, Replica
from contactsync.activities.sources.simulator.face import serving
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.activities.sources.simulator.settings_file import Tables, rest_settings
from contactsync.activities.sources.source import Credentials, PageLimits, Source

LIMITS = PageLimits(rows=1000, bytes=4 * 1024 * 1024)


@dataclass(slots=True)
class Walking:
    """A source, and what its pages amount to."""

    source: Source
    replica: Replica

    async def once(self) -> Pass:
        """One pass."""
        return await self.replica.follow(self.source, LIMITS)

    async def from_the_beginning_of_time(self) -> Pass:
        """One pass over all changes that there ever were, without a listing before it."""
        (self.replica.cursor,) = await self.source.partitions(1.0)
        return await self.once()


@asynccontextmanager
async def walking(
    provider: Provider, *, paging: str = "cursor", further: Mapping[str, Tables] | None = None
) -> AsyncGenerator[Walking]:
    """A rest source that reads this provider."""
    replica = Replica()
    async with serving(provider) as url:
        settings = rest_settings(url, paging, further, page_size=LIMITS.rows)
        async with open_source("rest", settings, Credentials(), frozenset({Field.TITLES}), replica) as source:
            yield Walking(source, replica)


def versions_of(replica: Replica) -> dict[str, int]:
    """What the replica holds: id → version."""
    return {name: int(contact.titles[0].name.rpartition("r")[2]) for name, contact in replica.contacts.items()}
