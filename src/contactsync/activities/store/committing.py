"""Applies a page's changes, inside the transaction that holds its connection's lock: for live sync and backfills."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from uuid import UUID

from contactsync.activities.messages import Counts
from contactsync.activities.store.changes import Alias, CleanChange
from contactsync.activities.store.guard import DeleteGuard
from contactsync.activities.store.merging import (
    Deed,
    Digests,
    Folded,
    Plan,
    Stamp,
    fold,
    make_plan,
    rounds,
    says_more_of_the_buried,
)
from contactsync.activities.store.moving import MoveWriter
from contactsync.activities.store.page_writer import PageWriter, digest_page, read_held
from contactsync.activities.store.reindexing import Forwarding
from contactsync.codecs.rows import TenantSealer
from contactsync.postgres import Transaction


@dataclass(frozen=True, slots=True)
class Part:
    """A round of a page with all digests made."""

    aliases: Sequence[Alias]
    page: Mapping[str, Folded]
    digests: Mapping[str, Digests]

    def indexes(self, names: Iterable[str]) -> list[bytes]:
        """The source indexes of these contacts."""
        return [self.digests[name].source_index for name in names]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A page, ready to be applied: the slow part, done before any lock is taken."""

    changes: Sequence[CleanChange]
    parts: Sequence[Part]


def prepare(sealer: TenantSealer, connection_id: UUID, changes: Sequence[CleanChange]) -> Prepared:
    """A page, ready to be applied."""
    return Prepared(changes, _parts(sealer, connection_id, changes))


def _parts(
    sealer: TenantSealer, connection_id: UUID, changes: Sequence[CleanChange], *, is_strict: bool = False
) -> list[Part]:
    folded = [(each.aliases, fold(each.entries)) for each in rounds(changes, is_strict=is_strict)]
    return [Part(aliases, page, digest_page(sealer, connection_id, page)) for aliases, page in folded]


def _named(changes: Sequence[CleanChange]) -> set[str]:
    named = {change.source_id for change in changes}
    return named | {change.to for change in changes if isinstance(change, Alias)}


@dataclass(frozen=True, slots=True)
class PageCommit:
    """Writes one page's rows."""

    connection: Transaction
    sealer: TenantSealer
    stamp: Stamp
    guard: DeleteGuard

    async def apply(self, page: Prepared) -> Counts:
        """Rows, look-ups, aliases and quarantine entries of a page; answers what was done to contacts.

        Raises:
            DatabaseUnavailable: another writer was there in spite of the lock; nothing stays written.
        """
        if self.sealer.older_epochs:
            await Forwarding(self.connection, self.sealer, self.stamp.ref).page(_named(page.changes))
        counts = Counts()
        for each in self._parts_of(page):
            if each.aliases:
                counts = counts.plus(await self._follow(each.aliases))
            if each.page:
                counts = counts.plus(await self._write(each))
        return counts

    def _parts_of(self, page: Prepared) -> Sequence[Part]:
        """Most pages say one thing of a contact, and then it does not matter whether deletions are held."""
        if self.guard.hold_id is None or not says_more_of_the_buried(page.changes):
            return page.parts
        return _parts(self.sealer, self.stamp.connection_id, page.changes, is_strict=True)

    async def _follow(self, aliases: Sequence[Alias]) -> Counts:
        moves = await MoveWriter(self.connection, self.sealer, self.stamp).follow(aliases)
        await self.guard.lift(moves.lifted)
        counts = moves.counts()
        self.guard.count(counts, moves.merged)
        return counts

    async def _write(self, part: Part) -> Counts:
        writer = PageWriter(self.connection, self.sealer, self.stamp)
        seen = self._seen_only(part)
        unchanged = await writer.see(part.indexes(seen)) if seen else 0
        told = {name: folded for name, folded in part.page.items() if name not in seen} if seen else part.page
        counts = await self._tell(writer, part, told) if told else Counts()
        await writer.clear_quarantine(
            part.digests[name].source_index for name, folded in part.page.items() if folded.quarantine is None
        )
        return counts.plus(Counts(unchanged=unchanged))

    def _seen_only(self, part: Part) -> Set[str]:
        """The contacts of which nothing has to be known to write that they were listed: while deletions are held,
        none."""
        if self.guard.hold_id is not None:
            return frozenset()
        return {name for name, folded in part.page.items() if folded.is_seen_only}

    async def _tell(self, writer: PageWriter, part: Part, told: Mapping[str, Folded]) -> Counts:
        held = await read_held(self.connection, self.stamp, part.indexes(told))
        plan = make_plan(told, part.digests, held, self.stamp.observed)
        await self._ask_guard(plan)
        await writer.write(plan)
        counts = plan.counts()
        self.guard.count(counts)
        return counts

    async def _ask_guard(self, plan: Plan) -> None:
        deletes = len(plan.of(Deed.DELETE))
        if deletes and not await self.guard.lets(deletes):
            plan.hold_deletes()
        await self.guard.hold(plan.newly_held(), "tombstones")
        if self.guard.hold_id is not None:
            await self.guard.lift(plan.lifted(self.stamp.observed))
