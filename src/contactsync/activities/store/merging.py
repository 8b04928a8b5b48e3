"""What a page changes, given what is held: pure rules, no database.

Committing a page is the same as committing its entries one after the other. Of two states of a contact the newer
stays: by the source's own version where both have one and they differ, else by when they were observed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple, TypeGuard
from uuid import UUID

from msgspec import Struct, structs

from contactsync.activities.messages import Counts
from contactsync.activities.store.changes import Alias, CleanChange, Entry, Quarantine, Seen, Tombstone, Upsert
from contactsync.postgres import new_ids

_PAGE_BITS: Final = 20
_LAST_PAGE: Final = (1 << _PAGE_BITS) - 1


def observation(epoch: int, page: int) -> int:
    """When something was observed, as one number: later pages and later passes are greater."""
    return epoch << _PAGE_BITS | page


def cutoff_observation(cutoff_epoch: int) -> int:
    """When a backfill observes: after all pages of that live epoch, before any of the next."""
    return observation(cutoff_epoch, _LAST_PAGE)


@dataclass(frozen=True, slots=True)
class Stamp:
    """Under what a page is written: its connection, its pass or backfill, when it was observed, its generation."""

    tenant_id: UUID
    connection_id: UUID
    writer_id: UUID
    observed: int
    generation: int

    @property
    def ref(self) -> tuple[UUID, UUID]:
        """Tenant and connection, as queries begin."""
        return self.tenant_id, self.connection_id


class Held(NamedTuple):
    """What is stored of a contact, as a row of the query `held`. One that is gone has no digests; `delete_held`: the
    observation by which it is gone, while that waits for a decision."""

    source_index: bytes
    contact_id: UUID
    content_mac: bytes | None
    etag_mac: bytes | None
    source_version: int | None
    observed: int
    generation: int
    gone: bool
    delete_held: int | None = None


class Folded(Struct, gc=False):
    """All that one page says of one contact: its newest state, whether it was listed unchanged, and whether the last
    word is that it cannot be kept."""

    state: Upsert | Tombstone | None = None
    seen: bool = False
    quarantine: Quarantine | None = None

    @property
    def is_seen_only(self) -> bool:
        """Whether it was listed unchanged, and nothing else is said."""
        return self.state is None and self.quarantine is None

    def add(self, change: Entry) -> None:
        """Take in the page's next entry on this contact."""
        if isinstance(change, Quarantine):
            self.quarantine = change
            return
        self.quarantine = None
        if isinstance(change, Seen):
            self.seen = True
        elif self.state is None or not is_older(change.version, 0, self.state.version, 0):
            self.state = change


@dataclass(slots=True)
class Round:
    """A part of a page: first its aliases, in order, then what it says of contacts.

    No alias names a contact of which the page spoke before it. Of one contact either all states have versions or none
    has, since only then the newest of them can be told before it is compared with what is held. Where deletions are
    held (`is_strict`), a tombstone is all that a round says of a contact: whether the page also named it, and when,
    decides whether the deletion still waits.
    """

    is_strict: bool = False

    aliases: list[Alias] = field(default_factory=list[Alias])
    entries: list[Entry] = field(default_factory=list[Entry])
    named: set[str] = field(default_factory=set[str])
    buried: set[str] = field(default_factory=set[str])
    versioned: dict[str, bool] = field(default_factory=dict[str, bool])

    def takes(self, change: CleanChange) -> bool:
        """Whether the page's next change may join."""
        if isinstance(change, Alias):
            return self.named.isdisjoint((change.source_id, change.to))
        if self.is_strict and change.source_id in (self.named if isinstance(change, Tombstone) else self.buried):
            return False
        if isinstance(change, Upsert | Tombstone):
            return self.versioned.get(change.source_id, _has_version(change)) == _has_version(change)
        return True

    def add(self, change: CleanChange) -> None:
        """Take it in."""
        if isinstance(change, Alias):
            self.aliases.append(change)
            return
        self.entries.append(change)
        self.named.add(change.source_id)
        if isinstance(change, Upsert | Tombstone):
            self.versioned[change.source_id] = _has_version(change)
        if isinstance(change, Tombstone):
            self.buried.add(change.source_id)


def _has_version(change: Upsert | Tombstone) -> bool:
    return change.version is not None


def rounds(changes: Iterable[CleanChange], *, is_strict: bool = False) -> list[Round]:
    """The page as rounds that mean, one after the other, what its changes mean in their order. Most pages are one."""
    changes = list(changes)
    if _names_each_once(changes):
        return [Round(is_strict, entries=changes)]
    split = [Round(is_strict)]
    for change in changes:
        if isinstance(change, Alias) and change.source_id == change.to:
            continue
        if not split[-1].takes(change):
            split.append(Round(is_strict))
        split[-1].add(change)
    return split


def _names_each_once(changes: Sequence[CleanChange]) -> TypeGuard[list[Entry]]:
    """Whether it is one round as it stands: no aliases, and one thing said of each contact."""
    if any(isinstance(change, Alias) for change in changes):
        return False
    return len({change.source_id for change in changes}) == len(changes)


def says_more_of_the_buried(changes: Sequence[CleanChange]) -> bool:
    """Whether a page has more to say of a contact that it says is gone."""
    named = Counter(change.source_id for change in changes)
    return any(isinstance(change, Tombstone) and named[change.source_id] > 1 for change in changes)


def fold(changes: Iterable[Entry]) -> dict[str, Folded]:
    """The entries by source id: duplicates become one, the newest, and of equals the later."""
    page: dict[str, Folded] = {}
    for change in changes:
        folded = page.get(change.source_id)
        if folded is None:
            folded = page[change.source_id] = Folded()
        folded.add(change)
    return page


def is_older(version: int | None, observed: int, than_version: int | None, than_observed: int) -> bool:
    """Which of two states is the newer: see above."""
    if version is not None and than_version is not None and version != than_version:
        return version < than_version
    return observed < than_observed


class Deed(Enum):
    """What is done to a contact's row."""

    ADD = "add"
    UPDATE = "update"
    DELETE = "delete"
    HOLD = "hold"  # a deletion that waits for a decision
    BURY = "bury"  # a tombstone for what is not there: it keeps out what arrives late
    REFRESH = "refresh"  # equal content: only its digests and versions move on
    TOUCH = "touch"  # it was listed, and that is all there is to say
    NOTHING = "nothing"


class Digests(Struct, frozen=True, gc=False):
    """The keyed digests of a contact: of its source id, and of its content and etag where it has them."""

    source_index: bytes
    content_mac: bytes | None = None
    etag_mac: bytes | None = None


class Decision(Struct, frozen=True, gc=False):
    """What becomes of one contact."""

    deed: Deed
    contact_id: UUID
    digests: Digests
    folded: Folded
    held: Held | None

    def lifts(self, observed: int) -> bool:
        """Whether it shows that a contact whose deletion is held is there after all."""
        if self.held is None or self.held.delete_held is None or observed < self.held.delete_held:
            return False
        return isinstance(self.folded.state, Upsert) or self.folded.seen or self.folded.quarantine is not None


@dataclass(slots=True)
class Plan:
    """What becomes of a page."""

    decisions: list[Decision] = field(default_factory=list[Decision])

    def hold_deletes(self) -> None:
        """What would be deleted is held instead."""
        self.decisions = [
            structs.replace(each, deed=Deed.HOLD) if each.deed is Deed.DELETE else each for each in self.decisions
        ]

    def newly_held(self) -> int:
        """How many deletions it holds that were not held already."""
        return sum(each.held is not None and each.held.delete_held is None for each in self.of(Deed.HOLD))

    def lifted(self, observed: int) -> int:
        """How many held deletions it clears."""
        return sum(each.lifts(observed) for each in self.decisions)

    def of(self, *deeds: Deed) -> list[Decision]:
        """The decisions to do these."""
        return [decision for decision in self.decisions if decision.deed in deeds]

    def counts(self) -> Counts:
        """The contacts of the page in numbers."""
        return Counts(
            added=len(self.of(Deed.ADD)),
            updated=len(self.of(Deed.UPDATE)),
            unchanged=len(self.of(Deed.REFRESH)) + sum(_is_listed_well(each.folded) for each in self.of(Deed.TOUCH)),
            deleted=len(self.of(Deed.DELETE)),
            quarantined=sum(each.folded.quarantine is not None for each in self.decisions),
            held=self.newly_held(),
        )


def _is_listed_well(folded: Folded) -> bool:
    return folded.state is not None or folded.seen


def make_plan(
    page: Mapping[str, Folded], digests: Mapping[str, Digests], held: Mapping[bytes, Held], observed: int
) -> Plan:
    """Decides for each contact of a page. `digests` by source id, `held` by source index."""
    ids = iter(new_ids(len(page) - len(held)))
    return Plan([_decide(folded, digests[name], held, observed, ids) for name, folded in page.items()])


def _decide(
    folded: Folded, digests: Digests, held: Mapping[bytes, Held], observed: int, ids: Iterator[UUID]
) -> Decision:
    mine = held.get(digests.source_index)
    if mine is None:
        return Decision(_deed_on_nothing(folded.state), next(ids), digests, folded, None)
    return Decision(_deed(folded.state, digests, mine, observed), mine.contact_id, digests, folded, mine)


def _deed_on_nothing(state: Upsert | Tombstone | None) -> Deed:
    if state is None:
        return Deed.NOTHING
    return Deed.ADD if isinstance(state, Upsert) else Deed.BURY


def _deed(state: Upsert | Tombstone | None, digests: Digests, held: Held, observed: int) -> Deed:
    if state is None or is_older(state.version, observed, held.source_version, held.observed):
        return Deed.NOTHING if held.gone else Deed.TOUCH
    if isinstance(state, Tombstone):
        return _deed_of_a_tombstone(held)
    if held.gone:
        return Deed.ADD
    return Deed.REFRESH if digests.content_mac == held.content_mac else Deed.UPDATE


def _deed_of_a_tombstone(held: Held) -> Deed:
    if held.gone:
        return Deed.BURY
    return Deed.DELETE if held.delete_held is None else Deed.HOLD
