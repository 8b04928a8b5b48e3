"""The activities of key rotation: new keys, what older ones wrapped wrapped again, rows under newer keys, the end of
older ones. Each may run twice, late, or beside another rotation."""

import time
from dataclasses import dataclass
from uuid import UUID

from temporalio import activity

from contactsync.activities.heartbeat import heartbeating
from contactsync.activities.rotation_messages import (
    PLAN_ROTATION,
    REINDEX_ROWS,
    RESEAL_ROWS,
    RETIRE_KEYS,
    ROTATE_KEYS,
    KeysRetired,
    KeysRewrapped,
    PlanRotation,
    ReindexRows,
    ResealRows,
    RetireKeys,
    RotateKeys,
    RotationPlan,
    RowsReindexed,
    RowsResealed,
)
from contactsync.activities.store.epochs import begin_epochs, with_sealer
from contactsync.activities.store.reindexing import Reindexing, work_since
from contactsync.activities.store.resealing import Place, Resealing
from contactsync.codecs.audit.log import AuditKind, Detail, append
from contactsync.codecs.keys.key import KeyPurpose
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.keys.rotation import KeyRotation
from contactsync.postgres import Database

SLICE_SECONDS: float = 20.0
"""So long one activity works on rows: what a worker that dies takes with it is done again quickly."""


@dataclass(frozen=True, slots=True)
class Rotating:
    """What these activities work with."""

    database: Database
    ring: KeyRing

    @activity.defn(name=PLAN_ROTATION)
    async def plan_rotation(self, request: PlanRotation) -> RotationPlan:
        """The next version, and the next epochs as far as they are asked for.

        Raises:
            TenantNotFound, KeyDestroyed: there is nothing to rotate.
            KeysError, DatabaseError.
        """
        rotation, tenant_id = self.ring.rotation(), request.tenant_id
        index = await rotation.newest_epoch(tenant_id, KeyPurpose.INDEX) + 1 if request.index else None
        row = await rotation.newest_epoch(tenant_id, KeyPurpose.ROW) + 1 if request.reseal else None
        return RotationPlan(version=await rotation.newest_version(tenant_id) + 1, index_epoch=index, row_epoch=row)

    @activity.defn(name=ROTATE_KEYS)
    async def rotate_keys(self, request: RotateKeys) -> KeysRewrapped:
        """Make the plan's keys, wrap the data keys by the new version, and end versions that wrap nothing any more.

        Raises:
            KeyDestroyed: the tenant's keys were destroyed, or a later rotation has ended the plan's version.
            TenantNotFound, KeysError, DatabaseError.
        """
        async with heartbeating():
            rotation, tenant_id, plan = self.ring.rotation(), request.tenant_id, request.plan
            if await rotation.add_version(tenant_id, plan.version) or _is_again():
                await self._tell(request, AuditKind.KEY_MADE, {"key": "tenant", "version": plan.version})
            keys = await rotation.rewrap_children(tenant_id, plan.version)
            retired = await rotation.retire_versions(tenant_id, plan.version)
            while await rotation.older_versions(tenant_id, plan.version):  # one wraps what was made meanwhile
                keys += await rotation.rewrap_children(tenant_id, plan.version)
                retired += await rotation.retire_versions(tenant_id, plan.version)
            if keys or retired or _is_again():
                detail = {"key": "tenant", "version": plan.version, "keys": keys, "destroyed": retired}
                await self._tell(request, AuditKind.KEYS_REWRAPPED, detail)
            await self._add_epochs(rotation, request)
        return KeysRewrapped(keys=keys, retired=retired)

    @activity.defn(name=REINDEX_ROWS)
    async def reindex_rows(self, request: ReindexRows) -> RowsReindexed:
        """Bring rows forward for some seconds.

        Raises:
            OpenRefused: a contact was altered; the older index key stays.
            KeysError, DatabaseError.
        """
        rows, until = 0, time.monotonic() + SLICE_SECONDS
        place: tuple[UUID, UUID] | None = (request.connection_id, request.contact_id)
        async with heartbeating():
            while place is not None and (rows == 0 or time.monotonic() < until):
                batch = await with_sealer(
                    self.database,
                    self.ring,
                    request.tenant_id,
                    lambda sealer, place=place: Reindexing(self.database, sealer).batch(place),
                )
                place, rows = batch.place, rows + batch.rows
        if place is None:
            return RowsReindexed(rows=rows, done=True)
        return RowsReindexed(rows=rows, connection_id=place[0], contact_id=place[1])

    @activity.defn(name=RESEAL_ROWS)
    async def reseal_rows(self, request: ResealRows) -> RowsResealed:
        """Seal rows again for some seconds.

        Raises:
            KeysError, DatabaseError.
        """
        async with heartbeating():
            return await self._resealed(request, time.monotonic() + SLICE_SECONDS)

    @activity.defn(name=RETIRE_KEYS)
    async def retire_keys(self, request: RetireKeys) -> KeysRetired:
        """Destroy the epochs before the plan's, unless something needs them still.

        Raises:
            KeyDestroyed: the plan's own keys are gone; nothing was destroyed.
            KeysError, DatabaseError.
        """
        async with heartbeating():
            found = await self._needs(request)
            if found.done:
                await self._retire(request)
            return found

    async def _needs(self, request: RetireKeys) -> KeysRetired:
        tenant_id, plan = request.tenant_id, request.plan
        under_way = await work_since(self.database, tenant_id, request.since)
        unmoved = unreadable = 0
        if plan.index_epoch is not None:
            unmoved = await with_sealer(
                self.database, self.ring, tenant_id, lambda sealer: Reindexing(self.database, sealer).left()
            )
        if plan.row_epoch is not None:
            # once more from the start: what a process with older keys wrote since
            unreadable = (await self._resealed(ResealRows(tenant_id=tenant_id), None)).unreadable
        is_done = not (under_way or unmoved or unreadable)
        return KeysRetired(done=is_done, under_way=under_way, unmoved=unmoved, unreadable=unreadable)

    async def _retire(self, request: RetireKeys) -> None:
        for purpose, epoch in _epochs(request.plan):
            ended = await self.ring.rotation().retire_epochs(request.tenant_id, purpose, epoch)
            if ended or _is_again():
                await self._tell(request, AuditKind.KEY_DESTROYED, {"purpose": purpose.value, "before_epoch": epoch})
        self.ring.forget(request.tenant_id)

    async def _add_epochs(self, rotation: KeyRotation, request: RotateKeys) -> None:
        for purpose, epoch in _epochs(request.plan):
            await rotation.add_epoch(request.tenant_id, purpose, epoch)
            await self._tell(request, AuditKind.KEY_MADE, {"key": purpose.value, "epoch": epoch})
        self.ring.forget(request.tenant_id)
        if request.plan.index_epoch is not None or request.plan.row_epoch is not None:
            await begin_epochs(self.database, self.ring, await self.ring.tenant_sealer(request.tenant_id))

    async def _resealed(self, request: ResealRows, until: float | None) -> RowsResealed:
        place: Place | None = Place(request.table, request.after, request.skip)
        rows = unreadable = 0
        while place is not None and (until is None or rows == 0 or time.monotonic() < until):
            batch = await with_sealer(
                self.database,
                self.ring,
                request.tenant_id,
                lambda sealer, place=place: Resealing(self.database, sealer).batch(place),
            )
            place, rows, unreadable = batch.place, rows + batch.rows, unreadable + batch.unreadable
        if place is None:
            return RowsResealed(rows=rows, unreadable=unreadable, done=True)
        return RowsResealed(
            rows=rows, unreadable=unreadable, table=place.table, after=place.after, skip=place.unreadable
        )

    async def _tell(self, request: RotateKeys | RetireKeys, kind: AuditKind, detail: Detail) -> None:
        await tell(self.database, request.tenant_id, kind, request.actor, detail)


async def tell(database: Database, tenant_id: UUID, kind: AuditKind, actor: str, detail: Detail) -> None:
    """One entry in the tenant's audit log."""
    async with database.transaction(tenant_id) as connection:
        await append(connection, tenant_id, kind, actor, detail)


def _epochs(plan: RotationPlan) -> list[tuple[KeyPurpose, int]]:
    epochs = ((KeyPurpose.INDEX, plan.index_epoch), (KeyPurpose.ROW, plan.row_epoch))
    return [(purpose, epoch) for purpose, epoch in epochs if epoch is not None]


def _is_again() -> bool:
    """Whether an attempt before this one may have ended between a deed and its entry: better told twice than not."""
    return activity.info().attempt > 1
