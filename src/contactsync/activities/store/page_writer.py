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
    content_mac,
    etag_mac,
    seal_contact,
    source_index,
)
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import DatabaseUnavailable
from contactsync.postgres import Transaction, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/contacts.sql")

Place = tuple[str, int, bytes, UUID]
"""Where a contact is found: kind, index epoch, blind index, contact id."""


def digest_page(sealer: TenantSealer, connection_id: UUID, page: Mapping[str, Folded]) -> dict[str, Digests]:
    """The keyed digests of a page's contacts, by source id."""
    return {source_id: _digests(sealer, connection_id, source_id, folded) for source_id, folded in page.items()}


def _digests(sealer: TenantSealer, connection_id: UUID, source_id: str, folded: Folded) -> Digests:
    index = source_index(sealer, connection_id, source_id)
    state = folded.state
    if not isinstance(state, Upsert):
        return Digests(index)
    return Digests(index, content_mac(sealer, index, state.content), etag_mac(sealer, source_id, state.etag))


async def read_held(connection: Transaction, stamp: Stamp, indexes: Sequence[bytes]) -> dict[bytes, Held]:
    """What is held of a page's contacts, by source index."""
    rows = await connection.fetch(_SQL["held"], *stamp.ref, indexes)
    return {
        row["source_index"]: Held(
            row["contact_id"],
            row["content_mac"],
            row["etag_mac"],
            row["source_version"],
            row["observed"],
            row["generation"],
            row["gone"],
            row["delete_held"],
        )
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class PageWriter:
    """Writes inside the transaction that holds its connection's lock."""

    connection: Transaction
    sealer: TenantSealer
    stamp: Stamp

    async def write(self, plan: Plan) -> None:
        """Rows, look-ups and quarantine entries of a plan.

        Raises:
            DatabaseUnavailable: another writer was there in spite of the lock; nothing stays written.
        """
        await self._write_rows(plan.of(Deed.ADD, Deed.UPDATE, Deed.DELETE, Deed.BURY))
        await self._touch_rows(plan.of(Deed.TOUCH, Deed.REFRESH))
        await self._hold_rows(plan.of(Deed.HOLD))
        await self._write_lookups(plan)
        await self._clear_quarantine(plan)
        await self._set_quarantine(plan)

    async def _write_rows(self, decisions: Sequence[Decision]) -> None:
        if not decisions:
            return
        written = await self.connection.fetch(
            _SQL["write"],
            *self.stamp.ref,
            self.sealer.index_epoch,
            self.stamp.observed,
            self.stamp.generation,
            [decision.contact_id for decision in decisions],
            [decision.digests.source_index for decision in decisions],
            [self._sealed(decision) for decision in decisions],
            [decision.digests.content_mac for decision in decisions],
            [decision.digests.etag_mac for decision in decisions],
            [decision.folded.state.version if decision.folded.state else None for decision in decisions],
        )
        if len(written) != len(decisions):
            raise DatabaseUnavailable("rows of this page were changed by another writer; the page is tried again")

    def _sealed(self, decision: Decision) -> bytes | None:
        state = decision.folded.state
        if not isinstance(state, Upsert):
            return None
        return seal_contact(self.sealer, decision.contact_id, state.source_id, state.content)

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
        wanted = {place for decision in plan.of(Deed.UPDATE) for place in self._places(decision)}
        held = await self._held_lookups([decision.contact_id for decision in plan.of(Deed.UPDATE, Deed.DELETE)])
        first = [place for decision in plan.of(Deed.ADD) for place in self._places(decision)]
        for query, places in (("drop_lookups", held - wanted), ("add_lookups", [*first, *(wanted - held)])):
            if places:
                columns = map(list, zip(*places, strict=True))
                await self.connection.execute(_SQL[query], self.stamp.tenant_id, *columns)

    async def _held_lookups(self, contact_ids: Sequence[UUID]) -> set[Place]:
        if not contact_ids:
            return set()
        rows = await self.connection.fetch(_SQL["held_lookups"], self.stamp.tenant_id, contact_ids)
        return {(row["kind"], row["epoch"], row["blind_index"], row["contact_id"]) for row in rows}

    def _places(self, decision: Decision) -> list[Place]:
        state = decision.folded.state
        if not isinstance(state, Upsert):
            return []
        forms = [*((EMAIL, form) for form in set(state.emails)), *((PHONE, form) for form in set(state.phones))]
        epoch = self.sealer.index_epoch
        return [(kind, epoch, self.sealer.index(kind, form), decision.contact_id) for kind, form in forms]

    async def _clear_quarantine(self, plan: Plan) -> None:
        well = [each.digests.source_index for each in plan.decisions if each.folded.quarantine is None]
        if well:
            await self.connection.execute(_SQL["clear_quarantine"], *self.stamp.ref, well, self.stamp.observed)

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
