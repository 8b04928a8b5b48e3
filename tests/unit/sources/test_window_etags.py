"""Records without ETags: what is listed again and equal is not told again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from contactsync.activities.contacts.contact import Contact, Name, written
from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sources.query import Listed
from contactsync.activities.sources.replica import Replica
from contactsync.activities.sources.source import Change, Changed, Moved, Removed, Unchanged, Unreadable
from contactsync.activities.sources.window_etags import told_once


@dataclass(slots=True)
class Holding(Replica):
    """A workbench that holds what it is told, and remembers what it was asked."""

    asked: list[str] = field(default_factory=list[str])

    async def unchanged(self, etags: Mapping[str, str]) -> frozenset[str]:
        """See `Workbench.unchanged`."""
        self.asked.extend(etags)
        return frozenset(name for name, etag in etags.items() if self.etags.get(name) == etag)

    async def hold(self, *changes: Listed | Change) -> list[Change]:
        """Hold what is new of these changes; gives them as they were told."""
        told = await told_once(self, changes)
        self.etags |= {each.source_id: each.etag or "" for each in told if isinstance(each, Changed)}
        return told


def changed(name: str, full: str = "Ada", etag: str | None = None, version: int | None = None) -> Changed:
    """A contact as a source tells it."""
    return Changed(name, written(Contact(name=Name(full=full))), etag, version)


@dataclass(slots=True)
class Shelf:
    """Contacts that count how often they are read."""

    read: list[str] = field(default_factory=list[str])

    def listed(self, name: str, full: str = "Ada") -> Listed:
        """A contact that is not read yet."""

        def content() -> bytes | QuarantineReason:
            self.read.append(name)
            return written(Contact(name=Name(full=full))) if full else QuarantineReason.INVALID

        return Listed(name, f"{name}-{full}", 1, content)


async def test_what_is_held_is_not_read() -> None:
    """A contact is read where its ETag is not held, once; and what cannot be read says why."""
    bench, shelf = Holding(), Shelf()
    first = await bench.hold(shelf.listed("1"), shelf.listed("2"), shelf.listed("3", ""))
    content = written(Contact(name=Name(full="Ada")))
    assert first[:2] == [Changed("1", content, "1-Ada", 1), Changed("2", content, "2-Ada", 1)]
    assert first[2] == Unreadable("3", QuarantineReason.INVALID)
    again = await bench.hold(shelf.listed("1"), shelf.listed("2", "Eve"), shelf.listed("3", ""))
    assert [type(each) for each in again] == [Unchanged, Changed, Unreadable]
    assert shelf.read == ["1", "2", "3", "2", "3"]


async def test_what_is_listed_twice_is_read() -> None:
    """Of a contact that a page names twice, the last word counts, though the first was held."""
    bench, shelf = Holding(), Shelf()
    await bench.hold(shelf.listed("1"))
    assert [type(each) for each in await bench.hold(shelf.listed("1"), shelf.listed("1", "Eve"))] == [Changed, Changed]


def test_a_listed_contact_shows_nobody() -> None:
    """Its text in a log or an error holds no value of a person."""
    assert "content" not in repr(Shelf().listed("1"))


async def test_equal_records_are_told_once() -> None:
    """The second time they are only named."""
    bench = Holding()
    first = await bench.hold(changed("1"), changed("2"))
    assert all(isinstance(each, Changed) and each.etag for each in first)
    assert await bench.hold(changed("1"), changed("2", "Grace")) == [Unchanged("1"), *(await told("2", "Grace"))]


async def told(name: str, full: str) -> list[Change]:
    """What somebody who holds nothing is told."""
    return await told_once(Holding(), [changed(name, full)])


async def test_whatever_is_kept_of_a_record_counts() -> None:
    """Another content, version or ETag of the source's own is another record; and no two contacts look alike."""
    ways = [changed("1"), changed("1", "Eve"), changed("1", version=1), changed("1", version=2), changed("1", etag="1")]
    etags = {(await Holding().hold(way))[0] for way in ways}
    assert len(etags) == len(ways)
    assert len({each.etag for each in etags if isinstance(each, Changed)}) == len(ways)


async def test_what_a_page_names_twice_is_told_in_full() -> None:
    """Its last word counts: that an earlier one is held already must not make it the newest."""
    bench = Holding()
    await bench.hold(changed("1"), changed("2"), changed("3"))
    bench.asked.clear()
    page = (changed("1"), changed("1", "Eve"), changed("2"), Removed("2"), Moved("0", "3"), changed("3"))
    assert [type(each) for each in await bench.hold(*page)] == [Changed, Changed, Changed, Removed, Moved, Changed]
    assert bench.asked == []
