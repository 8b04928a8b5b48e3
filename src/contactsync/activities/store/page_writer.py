"""Writes what a plan says of contacts: a handful of statements, whatever the number of contacts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from contactsync.activities.store.changes import Tombstone, Upsert
from contactsync.activities.store.merging import Decision, Deed, Digests, Folded, Held, Plan, Stamp
from contactsync.activities.store.records import (
    EMAIL,
    NO_DIGEST,
    PHONE,
    QUARANTINE,
    content_macs,
    etag_macs,
    packed,
    seal_contacts,
    source_indexes,
)
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import DatabaseUnavailable
from contactsync.postgres import Transaction, join_by_hash, load_queries, raced, rows_in

_SQL: Final = load_queries("contactsync.activities.store", "sql/contacts.sql")

Place = tuple[str, int, bytes, UUID]
"""Where a contact is found: kind, index epoch, blind index, contact id."""

Lookups = tuple[list[bytes], list[UUID]]
"""Places of one kind and epoch as columns: blind indexes, and beside each the contact that is found there."""

_RACED: Final = "rows of this page were changed by another writer; the page is tried again"


def digest_page(sealer: TenantSealer, connection_id: UUID, page: Mapping[str, Folded]) -> dict[str, Digests]:
    """The keyed digests of a page's contacts, by source id."""
    indexes, states = source_indexes(sealer, connection_id, page), [folded.state for folded in page.values()]
    upserts = [(index, state) for index, state in zip(indexes, states, strict=True) if isinstance(state, Upsert)]
    contents = iter(content_macs(sealer, ((index, state.content) for index, state in upserts)))
    etags = iter(etag_macs(sealer, ((state.source_id, state.etag) for _, state in upserts if state.etag is not None)))
    return {
        name: _digests(index, state, contents, etags) for name, index, state in zip(page, indexes, states, strict=True)
    }


def _digests(
    index: bytes, state: Upsert | Tombstone | None, contents: Iterator[bytes], etags: Iterator[bytes]
) -> Digests:
    """Those of one contact, the next of those made."""
    if not isinstance(state, Upsert):
        return Digests(index)
    return Digests(index, next(contents), None if state.etag is None else next(etags))


async def read_held(connection: Transaction, stamp: Stamp, indexes: Sequence[bytes]) -> dict[bytes, Held]:
    """What is held of a page's contacts, by source index."""
    rows = await connection.fetch(_SQL["held"], *stamp.ref, indexes)
    return {row[0]: Held._make(row) for row in rows}


def lookups_of(sealer: TenantSealer, kind: str, contacts: Iterable[tuple[UUID, Sequence[str]]]) -> Lookups:
    """Where contacts are found by their addresses of a kind, each a contact's id and its normal forms."""
    forms: list[str] = []
    ids: list[UUID] = []
    for contact_id, each in contacts:
        distinct = each if len(each) < 2 else tuple(dict.fromkeys(each))
        forms.extend(distinct)
        ids.extend([contact_id] * len(distinct))
    return sealer.indexes(kind, forms), ids


async def add_lookups(connection: Transaction, sealer: TenantSealer, emails: Lookups, phones: Lookups) -> None:
    """Contacts are found here from now on, at indexes of the newest epoch."""
    columns = [column for indexes, ids in (emails, phones) for column in (packed(indexes), ids)]
    if any(columns):
        await connection.execute(_SQL["add_lookups"], sealer.tenant_id, sealer.index_epoch, *columns)


@dataclass(frozen=True, slots=True)
class PageWriter:
    """Writes inside the transaction that holds its connection's lock."""

    connection: Transaction
    sealer: TenantSealer
    stamp: Stamp

    async def write(self, plan: Plan) -> None:
        """Rows and look-ups of a plan, and what it sets aside.

        Raises:
            DatabaseUnavailable: another writer was there in spite of the lock; nothing stays written.
        """
        written = plan.of(Deed.ADD, Deed.UPDATE, Deed.DELETE, Deed.BURY)
        with raced(_RACED):
            await self._write_rows("add", [decision for decision in written if decision.held is None])
        changed = [decision for decision in written if decision.held is not None]
        touched = plan.of(Deed.TOUCH, Deed.REFRESH)
        if changed or touched:
            await join_by_hash(self.connection)
        await self._write_rows("change", changed)
        await self._touch_rows(touched)
        await self._hold_rows(plan.of(Deed.HOLD))
        await self._write_lookups(plan)
        await self._set_quarantine(plan)

    async def see(self, indexes: Sequence[bytes]) -> int:
        """Contacts that were listed unchanged, while no deletion is held; answers how many of them are there."""
        stamp = self.stamp
        return rows_in(
            await self.connection.execute(_SQL["seen"], *stamp.ref, indexes, stamp.observed, stamp.generation)
        )

    async def clear_quarantine(self, indexes: Iterable[bytes]) -> None:
        """What arrived well, or is gone, is set aside no longer."""
        if await self.connection.fetchval(_SQL["has_quarantine"], *self.stamp.ref):
            await self.connection.execute(_SQL["clear_quarantine"], *self.stamp.ref, list(indexes), self.stamp.observed)

    async def _write_rows(self, query: str, decisions: Sequence[Decision]) -> None:
        if not decisions:
            return
        status = await self.connection.execute(
            _SQL[query],
            *self.stamp.ref,
            self.sealer.index_epoch,
            self.stamp.observed,
            self.stamp.generation,
            [decision.contact_id for decision in decisions],
            [decision.digests.source_index for decision in decisions],
            self._sealed(decisions),
            packed(decision.digests.content_mac for decision in decisions),
            packed(decision.digests.etag_mac for decision in decisions),
            [decision.folded.state.version if decision.folded.state else None for decision in decisions],
            NO_DIGEST,
        )
        if rows_in(status) != len(decisions):
            raise DatabaseUnavailable(_RACED)

    def _sealed(self, decisions: Sequence[Decision]) -> list[bytes | None]:
        """The blobs of contacts, and None for tombstones, in their order."""
        states = [decision.folded.state for decision in decisions]
        blobs = iter(
            seal_contacts(
                self.sealer,
                (
                    (decision.contact_id, state.source_id, state.content)
                    for decision, state in zip(decisions, states, strict=True)
                    if isinstance(state, Upsert)
                ),
            )
        )
        return [next(blobs) if isinstance(state, Upsert) else None for state in states]

    async def _touch_rows(self, decisions: Sequence[Decision]) -> None:
        touched = [(decision, decision.held) for decision in decisions if decision.held]
        if not touched:
            return
        rows = [_after_touch(decision, held, self.stamp) for decision, held in touched]
        await self.connection.execute(_SQL["touch"], *self.stamp.ref, *map(list, zip(*rows, strict=True)))

    async def _hold_rows(self, decisions: Sequence[Decision]) -> None:
        if decisions:
            indexes = [decision.digests.source_index for decision in decisions]
            await self.connection.execute(_SQL["hold"], *self.stamp.ref, indexes, self.stamp.observed)

    async def _write_lookups(self, plan: Plan) -> None:
        """Only what differs is written: most contacts that change keep their addresses."""
        await add_lookups(self.connection, self.sealer, *self._lookups(plan.of(Deed.ADD)))
        wanted = self._places(plan.of(Deed.UPDATE))
        held = await self._held_lookups([decision.contact_id for decision in plan.of(Deed.UPDATE, Deed.DELETE)])
        if left := held - wanted:
            columns = map(list, zip(*left, strict=True))
            await self.connection.execute(_SQL["drop_lookups"], self.stamp.tenant_id, *columns)
        new = wanted - held
        await add_lookups(self.connection, self.sealer, _of_kind(EMAIL, new), _of_kind(PHONE, new))

    async def _held_lookups(self, contact_ids: Sequence[UUID]) -> set[Place]:
        if not contact_ids:
            return set()
        rows = await self.connection.fetch(_SQL["held_lookups"], self.stamp.tenant_id, contact_ids)
        return {(row[0], row[1], row[2], row[3]) for row in rows}

    def _places(self, decisions: Sequence[Decision]) -> set[Place]:
        """Where contacts are found from now on."""
        epoch, (emails, phones) = self.sealer.index_epoch, self._lookups(decisions)
        kinds = ((EMAIL, emails), (PHONE, phones))
        return {(kind, epoch, *place) for kind, lookups in kinds for place in zip(*lookups, strict=True)}

    def _lookups(self, decisions: Sequence[Decision]) -> tuple[Lookups, Lookups]:
        """The same as columns, e-mails and phones."""
        states = [(each.contact_id, each.folded.state) for each in decisions]
        found = [(contact_id, state) for contact_id, state in states if isinstance(state, Upsert)]
        emails = lookups_of(self.sealer, EMAIL, [(contact_id, state.emails) for contact_id, state in found])
        return emails, lookups_of(self.sealer, PHONE, [(contact_id, state.phones) for contact_id, state in found])

    async def _set_quarantine(self, plan: Plan) -> None:
        entries = [
            (each.digests.source_index, each.folded.quarantine.reason.value, self._sealed_id(each))
            for each in plan.decisions
            if each.folded.quarantine and (each.held is None or each.held.observed <= self.stamp.observed)
        ]
        if entries:
            stamp = self.stamp
            written_by = (*stamp.ref, stamp.writer_id, stamp.observed, stamp.generation, self.sealer.index_epoch)
            columns = map(list, zip(*entries, strict=True))
            await self.connection.execute(_SQL["set_quarantine"], *written_by, *columns)

    def _sealed_id(self, decision: Decision) -> bytes:
        assert decision.folded.quarantine  # noqa: S101 - the caller's filter
        source_id = decision.folded.quarantine.source_id
        return self.sealer.seal(QUARANTINE, decision.digests.source_index.hex(), source_id.encode())


def _of_kind(kind: str, places: Iterable[Place]) -> Lookups:
    found = [place for place in places if place[0] == kind]
    return [place[2] for place in found], [place[3] for place in found]


def _after_touch(
    decision: Decision, held: Held, stamp: Stamp
) -> tuple[bytes, bytes | None, int | None, int, int, int | None]:
    """Source index, etag digest, source version, observation, generation and held deletion of a row that keeps its
    content."""
    state = decision.folded.state
    listed = max(held.generation, stamp.generation)
    delete_held = None if decision.lifts(stamp.observed) else held.delete_held
    observed = max(held.observed, stamp.observed)
    index = decision.digests.source_index
    if decision.deed is Deed.REFRESH and state is not None:
        return index, decision.digests.etag_mac, state.version, observed, listed, delete_held
    if not decision.folded.seen or state is not None:
        observed = held.observed
    return index, held.etag_mac, held.source_version, observed, listed, delete_held
