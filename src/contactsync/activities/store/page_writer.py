"""Writes what a plan says of contacts: a handful of statements, whatever the number of contacts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from contactsync.activities.store.changes import Upsert
from contactsync.activities.store.merging import Decision, Deed, Digests, Folded, Held, Plan, Stamp
from contactsync.activities.store.records import (
    EMAIL,
    PHONE,
    QUARANTINE,
    content_macs,
    etag_macs,
    seal_contacts,
    source_indexes,
)
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import DatabaseUnavailable
from contactsync.postgres import Transaction, load_queries, raced, rows_in

_SQL: Final = load_queries("contactsync.activities.store", "sql/contacts.sql")

Place = tuple[str, int, bytes, UUID]
"""Where a contact is found: kind, index epoch, blind index, contact id."""

_RACED: Final = "rows of this page were changed by another writer; the page is tried again"


def digest_page(sealer: TenantSealer, connection_id: UUID, page: Mapping[str, Folded]) -> dict[str, Digests]:
    """The keyed digests of a page's contacts, by source id."""
    indexes = dict(zip(page, source_indexes(sealer, connection_id, page), strict=True))
    states = {name: folded.state for name, folded in page.items() if isinstance(folded.state, Upsert)}
    contents = content_macs(sealer, ((indexes[name], state.content) for name, state in states.items()))
    of_content = dict(zip(states, contents, strict=True))
    etags = [(name, state.etag) for name, state in states.items() if state.etag is not None]
    of_etag = dict(zip((name for name, _ in etags), etag_macs(sealer, etags), strict=True))
    return {name: Digests(index, of_content.get(name), of_etag.get(name)) for name, index in indexes.items()}


async def read_held(connection: Transaction, stamp: Stamp, indexes: Sequence[bytes]) -> dict[bytes, Held]:
    """What is held of a page's contacts, by source index."""
    rows = await connection.fetch(_SQL["held"], *stamp.ref, indexes)
    return {row[0]: Held._make(row) for row in rows}


def places_of(sealer: TenantSealer, kind: str, forms: Sequence[tuple[str, UUID]]) -> list[Place]:
    """Where contacts are found by their addresses of a kind, each a normal form and its contact's id."""
    epoch, indexes = sealer.index_epoch, sealer.indexes(kind, (form for form, _ in forms))
    return [(kind, epoch, index, contact_id) for index, (_, contact_id) in zip(indexes, forms, strict=True)]


async def add_lookups(connection: Transaction, tenant_id: UUID, places: Sequence[Place]) -> None:
    """Contacts are found here from now on; all places are of one epoch."""
    if not places:
        return
    columns: list[list[bytes] | list[UUID]] = []
    for kind in (EMAIL, PHONE):
        found = [place for place in places if place[0] == kind]
        columns += [[place[2] for place in found], [place[3] for place in found]]
    await connection.execute(_SQL["add_lookups"], tenant_id, places[0][1], *columns)


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
        await self._write_rows("change", [decision for decision in written if decision.held is not None])
        await self._touch_rows(plan.of(Deed.TOUCH, Deed.REFRESH))
        await self._hold_rows(plan.of(Deed.HOLD))
        await self._write_lookups(plan)
        await self._set_quarantine(plan)

    async def see(self, indexes: Sequence[bytes]) -> int:
        """Contacts that were listed unchanged, while no deletion is held; answers how many of them are there."""
        stamp = self.stamp
        return rows_in(
            await self.connection.execute(_SQL["seen"], *stamp.ref, indexes, stamp.observed, stamp.generation)
        )

    async def clear_quarantine(self, indexes: Sequence[bytes]) -> None:
        """What arrived well, or is gone, is set aside no longer."""
        if indexes and await self.connection.fetchval(_SQL["has_quarantine"], *self.stamp.ref):
            await self.connection.execute(_SQL["clear_quarantine"], *self.stamp.ref, indexes, self.stamp.observed)

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
            [decision.digests.content_mac for decision in decisions],
            [decision.digests.etag_mac for decision in decisions],
            [decision.folded.state.version if decision.folded.state else None for decision in decisions],
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
        wanted = set(self._places(plan.of(Deed.UPDATE)))
        held = await self._held_lookups([decision.contact_id for decision in plan.of(Deed.UPDATE, Deed.DELETE)])
        if left := held - wanted:
            columns = map(list, zip(*left, strict=True))
            await self.connection.execute(_SQL["drop_lookups"], self.stamp.tenant_id, *columns)
        await add_lookups(self.connection, self.stamp.tenant_id, [*self._places(plan.of(Deed.ADD)), *(wanted - held)])

    async def _held_lookups(self, contact_ids: Sequence[UUID]) -> set[Place]:
        if not contact_ids:
            return set()
        rows = await self.connection.fetch(_SQL["held_lookups"], self.stamp.tenant_id, contact_ids)
        return {(row[0], row[1], row[2], row[3]) for row in rows}

    def _places(self, decisions: Sequence[Decision]) -> list[Place]:
        """Where contacts are found from now on."""
        states = [(each.contact_id, each.folded.state) for each in decisions]
        found = [(contact_id, state) for contact_id, state in states if isinstance(state, Upsert)]
        emails = [(form, contact_id) for contact_id, state in found for form in set(state.emails)]
        phones = [(form, contact_id) for contact_id, state in found for form in set(state.phones)]
        return [*places_of(self.sealer, EMAIL, emails), *places_of(self.sealer, PHONE, phones)]

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
