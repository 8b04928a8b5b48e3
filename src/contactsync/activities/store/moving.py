"""Renames and merges: a contact that the source has under another id now keeps its place, and its old id says where.

If only the old id is held, its row takes the new one: the contact keeps its `contact_id`. If both are, the contact of
the old id becomes a tombstone that names the other. Either way the old id stays behind as a tombstone, so that a late
page cannot bring it back; a newer one may, as a contact of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from msgspec import structs

from contactsync.activities.messages import Counts
from contactsync.activities.store.changes import Alias
from contactsync.activities.store.merging import Stamp, is_older
from contactsync.activities.store.records import CONTACT, contact_of_blob, content_mac, seal_contact, source_index
from contactsync.codecs.rows import TenantSealer
from contactsync.postgres import Transaction, join_by_hash, load_queries, new_ids

_SQL: Final = load_queries("contactsync.activities.store", "sql/moving.sql")
_CONTACTS: Final = load_queries("contactsync.activities.store", "sql/contacts.sql")


@dataclass(slots=True, eq=False)
class Place:
    """A row as it stands after the aliases so far. `index` is where; `came_from` where it was in the database (None: it
    is new); `source_id` its new one, if it was renamed."""

    contact_id: UUID
    index: bytes
    came_from: bytes | None
    gone: bool
    version: int | None
    observed: int
    generation: int
    merged_into: UUID | None = None
    delete_held: int | None = None
    sealed: bytes | None = field(default=None, repr=False)
    source_id: str | None = field(default=None, repr=False)
    was_live: bool = False
    touched: bool = False


@dataclass(slots=True)
class Moves:
    """What aliases do to rows: pure rules, no database."""

    stamp: Stamp
    places: dict[bytes, Place]
    renamed: int = 0
    merged: int = 0
    lifted: int = 0

    def follow(self, alias: Alias, old_index: bytes, new_index: bytes) -> None:
        """Take in the next alias."""
        old, new = self.places.get(old_index), self.places.get(new_index)
        if old is None:
            self._leave_behind(alias, old_index, new.contact_id if new and not new.gone else None)
        elif is_older(alias.version, self.stamp.observed, old.version, old.observed):
            return
        elif old.gone:
            version = old.version if alias.version is None else alias.version  # what is known of it stays known
            into = new.contact_id if new and not new.gone else old.merged_into
            self._bury(old, structs.replace(alias, version=version), into)
        elif new is None or (new.gone and new.observed <= self.stamp.observed):
            self._rename(old, alias, new, old_index, new_index)
        else:
            self._merge(old, alias, None if new.gone else new.contact_id)

    def _rename(self, old: Place, alias: Alias, new: Place | None, old_index: bytes, new_index: bytes) -> None:
        if new is None:
            self._leave_behind(alias, old_index, old.contact_id)
        else:
            new.index = old_index
            self.places[old_index] = new
            self._bury(new, alias, old.contact_id)
        self._lift(old)
        old.index, old.source_id, old.version = new_index, alias.to, None
        self.places[new_index] = old
        self._touch(old)
        self.renamed += 1

    def _merge(self, old: Place, alias: Alias, into: UUID | None) -> None:
        self._lift(old)
        old.gone, old.sealed, old.source_id = True, None, None
        self._bury(old, alias, into)
        self.merged += 1

    def _leave_behind(self, alias: Alias, index: bytes, into: UUID | None) -> None:
        observed, generation = self.stamp.observed, self.stamp.generation
        self.places[index] = Place(new_ids(1)[0], index, None, True, alias.version, observed, generation, into)

    def _bury(self, place: Place, alias: Alias, into: UUID | None) -> None:
        place.version, place.merged_into = alias.version, into
        self._touch(place)

    def _touch(self, place: Place) -> None:
        place.touched = True
        place.observed = max(place.observed, self.stamp.observed)
        place.generation = max(place.generation, self.stamp.generation)

    def _lift(self, place: Place) -> None:
        self.lifted += place.delete_held is not None
        place.delete_held = None

    def counts(self) -> Counts:
        """Renamed contacts were updated; merged ones are gone as contacts of their own."""
        return Counts(updated=self.renamed, deleted=self.merged)


class MoveWriter:
    """Follows a page's aliases inside the transaction that holds the connection's lock."""

    def __init__(self, connection: Transaction, sealer: TenantSealer, stamp: Stamp) -> None:
        self._connection = connection
        self._sealer = sealer
        self._stamp = stamp

    async def follow(self, aliases: Sequence[Alias]) -> Moves:
        """Move and bury rows as the aliases say, one after the other; answers with what was done."""
        indexes = {name: self._index(name) for alias in aliases for name in (alias.source_id, alias.to)}
        moves = Moves(self._stamp, await self._read(list(indexes.values())))
        for alias in aliases:
            moves.follow(alias, indexes[alias.source_id], indexes[alias.to])
        await self._write(moves.places.values())
        left = [indexes[alias.source_id] for alias in aliases]
        await self._connection.execute(_CONTACTS["clear_quarantine"], *self._stamp.ref, left, self._stamp.observed)
        return moves

    def _index(self, source_id: str) -> bytes:
        return source_index(self._sealer, self._stamp.connection_id, source_id)

    async def _read(self, indexes: Sequence[bytes]) -> dict[bytes, Place]:
        rows = await self._connection.fetch(_SQL["to_move"], *self._stamp.ref, indexes)
        return {
            row["source_index"]: Place(
                contact_id=row["contact_id"],
                index=row["source_index"],
                came_from=row["source_index"],
                gone=row["gone"],
                version=row["source_version"],
                observed=row["observed"],
                generation=row["generation"],
                merged_into=row["merged_into"],
                delete_held=row["delete_held"],
                sealed=row["sealed"],
                was_live=not row["gone"],
            )
            for row in rows
        }

    async def _write(self, places: Iterable[Place]) -> None:
        held = [place for place in places if place.touched and place.came_from is not None]
        new = [place for place in places if place.came_from is None]
        if changing := [place.contact_id for place in held if place.index != place.came_from]:
            await self._connection.execute(_SQL["vacate"], self._stamp.tenant_id, changing)
        if held:
            columns = map(list, zip(*map(self._moved, held), strict=True))
            await join_by_hash(self._connection)
            await self._connection.execute(_SQL["move"], self._stamp.tenant_id, self._sealer.index_epoch, *columns)
        if new:
            columns = map(list, zip(*map(_buried, new), strict=True))
            await self._connection.execute(_SQL["bury"], *self._stamp.ref, self._sealer.index_epoch, *columns)
        if lost := [place.contact_id for place in held if place.was_live and place.gone]:
            await self._connection.execute(_SQL["unfind"], self._stamp.tenant_id, lost)

    def _moved(self, place: Place) -> tuple[UUID, bytes, bytes | None, bytes | None, int | None, int, int, UUID | None]:
        sealed = mac = None
        if place.sealed is not None and not place.gone:
            blob = self._sealer.open(CONTACT, str(place.contact_id), place.sealed)
            held_id, content = contact_of_blob(blob)
            sealed = seal_contact(self._sealer, place.contact_id, place.source_id or held_id, content)
            mac = content_mac(self._sealer, place.index, content)
        row = (place.version, place.observed, place.generation, place.merged_into)
        return (place.contact_id, place.index, sealed, mac, *row)


def _buried(place: Place) -> tuple[UUID, bytes, int | None, int, int, UUID | None]:
    return place.contact_id, place.index, place.version, place.observed, place.generation, place.merged_into
