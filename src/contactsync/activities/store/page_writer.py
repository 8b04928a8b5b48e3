"""Writes what a page's plan says: a handful of statements a page, whatever the number of its contacts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from contactsync.activities.messages import PageHead
from contactsync.activities.store.changes import Upsert
from contactsync.activities.store.merging import Decision, Deed, Digests, Folded, Held, Plan, observation
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


async def read_held(connection: Transaction, head: PageHead, indexes: Sequence[bytes]) -> dict[bytes, Held]:
    """What is held of a page's contacts, by source index."""
    rows = await connection.fetch(_SQL["held"], head.tenant_id, head.connection_id, indexes)
    return {
        row["source_index"]: Held(
            row["contact_id"],
            row["content_mac"],
            row["etag_mac"],
            row["source_version"],
            row["observed"],
            row["generation"],
            row["gone"],
        )
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class PageWriter:
    """Writes one page inside the transaction that holds its connection's lock."""

    connection: Transaction
    sealer: TenantSealer
    head: PageHead
    pass_id: UUID

    @property
    def _ref(self) -> tuple[UUID, UUID]:
        return self.head.tenant_id, self.head.connection_id

    async def write(self, plan: Plan) -> None:
        """Rows, look-ups and quarantine entries of a page.

        Raises:
            DatabaseUnavailable: another writer was there in spite of the lock; nothing stays written.
        """
        await self._write_rows(plan.of(Deed.ADD, Deed.UPDATE, Deed.DELETE, Deed.BURY))
        await self._touch_rows(plan.of(Deed.TOUCH, Deed.REFRESH))
        await self._write_lookups(plan)
        await self._clear_quarantine(plan)
        await self._set_quarantine(plan)

    async def sweep(self) -> int:
        """What a complete listing did not list is gone; answers how many contacts that were."""
        observed = observation(self.head.epoch, self.head.page)
        swept = await self.connection.fetchval(_SQL["sweep"], *self._ref, self.head.generation, observed)
        await self.connection.execute(_SQL["sweep_quarantine"], *self._ref, self.head.generation)
        return swept

    async def drop_stashes(self) -> None:
        """The pass is over; its listings are worked through."""
        await self.connection.execute(_SQL["drop_stashes"], *self._ref)

    async def _write_rows(self, decisions: Sequence[Decision]) -> None:
        if not decisions:
            return
        written = await self.connection.fetch(
            _SQL["write"],
            *self._ref,
            self.sealer.index_epoch,
            observation(self.head.epoch, self.head.page),
            self.head.generation,
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
        now = observation(self.head.epoch, self.head.page)
        rows = [_after_touch(decision, held, now, self.head.generation) for decision, held in touched]
        await self.connection.execute(_SQL["touch"], *self._ref, *map(list, zip(*rows, strict=True)))

    async def _write_lookups(self, plan: Plan) -> None:
        """Only what differs is written: most contacts that change keep their addresses."""
        wanted = {place for decision in plan.of(Deed.UPDATE) for place in self._places(decision)}
        held = await self._held_lookups([decision.contact_id for decision in plan.of(Deed.UPDATE, Deed.DELETE)])
        first = [place for decision in plan.of(Deed.ADD) for place in self._places(decision)]
        for query, places in (("drop_lookups", held - wanted), ("add_lookups", [*first, *(wanted - held)])):
            if places:
                columns = map(list, zip(*places, strict=True))
                await self.connection.execute(_SQL[query], self.head.tenant_id, *columns)

    async def _held_lookups(self, contact_ids: Sequence[UUID]) -> set[Place]:
        if not contact_ids:
            return set()
        rows = await self.connection.fetch(_SQL["held_lookups"], self.head.tenant_id, contact_ids)
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
            await self.connection.execute(_SQL["clear_quarantine"], *self._ref, well)

    async def _set_quarantine(self, plan: Plan) -> None:
        entries = [
            (each.digests.source_index, each.folded.quarantine.reason.value, self._sealed_id(each))
            for each in plan.decisions
            if each.folded.quarantine
        ]
        if entries:
            columns = map(list, zip(*entries, strict=True))
            await self.connection.execute(
                _SQL["set_quarantine"], *self._ref, self.pass_id, self.head.generation, *columns
            )

    def _sealed_id(self, decision: Decision) -> bytes:
        assert decision.folded.quarantine  # noqa: S101 - the caller's filter
        source_id = decision.folded.quarantine.source_id
        return self.sealer.seal(QUARANTINE, decision.digests.source_index.hex(), source_id.encode())


def _after_touch(
    decision: Decision, held: Held, now: int, generation: int
) -> tuple[bytes, bytes | None, int | None, int, int]:
    """Source index, etag digest, source version, observation and generation of a row that keeps its content."""
    state = decision.folded.state
    listed = max(held.generation, generation)
    if decision.deed is Deed.REFRESH and state is not None:
        return decision.digests.source_index, decision.digests.etag_mac, state.version, now, listed
    observed = now if decision.folded.seen and state is None else held.observed
    return decision.digests.source_index, held.etag_mac, held.source_version, observed, listed
