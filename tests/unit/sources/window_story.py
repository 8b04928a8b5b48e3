"""A provider, its source and a replica: what the tests of windows begin with."""

from dataclasses import dataclass, field

from pydantic import TypeAdapter
from tests.unit.sources.queried import SECOND, Habits, Provider

from contactsync.activities.sources.replica import Pass, Replica
from contactsync.activities.sources.source import FetchedPage, PageLimits
from contactsync.activities.sources.windows import windowed

HOUR = 3_600 * SECOND


@dataclass(slots=True)
class Story:
    """A provider, its source and a replica."""

    provider: Provider
    replica: Replica = field(default_factory=Replica)
    limits: PageLimits = field(default_factory=PageLimits)

    def put(self, *names: str, text: str = "first", tick: int = 1_000) -> None:
        """Edits, one after the other."""
        for name in names:
            self.provider.put(name, text)
            self.provider.now += tick

    async def page(self) -> FetchedPage:
        """One page, taken in."""
        source = windowed(self.provider, self.replica, self.provider.clock)
        page = await source.fetch(self.replica.cursor, self.limits)
        self.replica.apply(page)
        return page

    async def follow(self) -> Pass:
        """A pass."""
        source = windowed(self.provider, self.replica, self.provider.clock)
        return await self.replica.follow(source, self.limits, max_pages=500)

    def is_equal(self) -> bool:
        """Whether the replica holds what the provider does."""
        held = {name: contact.name.full if contact.name else "" for name, contact in self.replica.contacts.items()}
        return held == self.provider.contents()


def habits_of(**chosen: object) -> Habits:
    """Habits by name."""
    return TypeAdapter(Habits).validate_python(chosen)


def story(habits: Habits | None = None, *, names: int = 0) -> Story:
    """A story that begins with so many contacts."""
    begun = Story(Provider(habits or Habits()))
    begun.put(*(f"{number:04}" for number in range(names)))
    begun.provider.now += HOUR
    return begun
