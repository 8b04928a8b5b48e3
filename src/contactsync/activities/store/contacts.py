"""The truth: contacts in PostgreSQL, written a page at a time and found by who may."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.messages import ConnectionRef, Counts, PageHead, PageResult
from contactsync.activities.sanitizing.normal_forms import email_normal_form, phone_normal_form
from contactsync.activities.store.changes import CleanChange, Quarantine
from contactsync.activities.store.committing import PageCommit, prepare
from contactsync.activities.store.cursors import renew_cursor
from contactsync.activities.store.epochs import hold_epochs, with_sealer
from contactsync.activities.store.guard import WORKER, DeleteGuard
from contactsync.activities.store.merging import Stamp, observation
from contactsync.activities.store.passes import advance, lock_to_work, pass_so_far, set_swept
from contactsync.activities.store.records import EMAIL, PHONE, QUARANTINE, HeldContact, open_contact
from contactsync.activities.store.sweeping import Sweep, drop_stashes
from contactsync.activities.store.turns import answered, check_follows, has_turn, kept
from contactsync.codecs.audit.log import AuditKind, append
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import ContactNotFound
from contactsync.postgres import Database, Row, Transaction, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/contacts.sql")
_FIRST_ID: Final = UUID(int=0)
_BATCH_ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class ConnectionCounts:
    """How many contacts a connection has, how many it had, how many are set aside, and of how many the deletion waits
    for a decision (they are among `live`)."""

    live: int
    gone: int
    quarantined: int
    held: int = 0


class Contacts:
    """Commits pages, and opens contacts for those who may read them: every opening is in the audit log."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database = database
        self._ring = ring

    async def commit(self, head: PageHead, changes: Sequence[CleanChange]) -> PageResult:
        """Commit a page in one transaction: rows, tombstones, quarantine, cursor, counts and audit entry.

        The page that was committed last answers the same again and changes nothing. The last page of a complete
        listing sweeps: what the listing did not name is gone.

        Raises:
            StalePass: the page is not the next one of the pass that holds the connection; nothing was written.
            ConnectionNotFound, TenantDisabled, KeysError, DatabaseError: nothing was written either.
        """
        return await with_sealer(self._database, self._ring, head.tenant_id, partial(self._commit, head, changes))

    async def commit_in_turn(self, head: PageHead, changes: Sequence[CleanChange]) -> PageResult:
        """`commit` of a page while the one before is under way: it is prepared at once and waits for its turn.

        `early`, and nothing written, if that takes too long.
        """
        return await with_sealer(
            self._database, self._ring, head.tenant_id, partial(self._commit, head, changes, waits=True)
        )

    async def _commit(
        self, head: PageHead, changes: Sequence[CleanChange], sealer: TenantSealer, *, waits: bool = False
    ) -> PageResult:
        page = prepare(sealer, head.connection_id, changes)
        if waits and not await has_turn(self._database, head):
            return PageResult(counts=Counts(), done=False, early=True)
        head = head.model_copy(update={"cursor": renew_cursor(sealer, head.connection_id, head.cursor)})
        async with self._database.transaction(head.tenant_id) as connection:
            await hold_epochs(connection, sealer)
            progress = await lock_to_work(connection, head)
            earlier = answered(progress, head)
            if earlier is not None:
                return earlier
            check_follows(sealer, head, progress["cursor"])
            guard = await _guard(connection, head, progress)
            counts = await PageCommit(connection, sealer, guard.stamp, guard).apply(page)
            counts = counts.plus(await _end(connection, head, guard)) if head.done else counts
            counts = counts.model_copy(update={"pages": 1, "downloaded": head.downloaded})
            result = PageResult(counts=counts, done=head.done)
            await advance(connection, head, progress["pass_id"], kept(progress, result), guard.tally)
            await append(connection, head.tenant_id, AuditKind.PAGE_COMMITTED, WORKER, _detail(head, result))
        return result

    async def find(
        self, tenant_id: UUID, *, email: str = "", phone: str = "", actor: str, reason: str
    ) -> tuple[HeldContact, ...]:
        """The live contacts of a tenant that have this e-mail address or (E.164) phone number.

        Args:
            tenant_id: whose contacts.
            email: in any spelling; only one of `email` and `phone`.
            phone: with its country code.
            actor: who looks, as an opaque id, for the audit log.
            reason: why, as a code or a ticket's number, for the audit log.
        """
        kind, form = (EMAIL, email_normal_form(email)) if email else (PHONE, phone_normal_form(phone))
        if form is None:
            return ()
        return await with_sealer(self._database, self._ring, tenant_id, partial(self._find, kind, form, actor, reason))

    async def _find(
        self, kind: str, form: str, actor: str, reason: str, sealer: TenantSealer
    ) -> tuple[HeldContact, ...]:
        epochs = [*sealer.older_epochs, sealer.index_epoch]
        indexes = [sealer.index(kind, form, epoch) for epoch in epochs]
        async with self._database.transaction(sealer.tenant_id) as connection:
            await hold_epochs(connection, sealer)
            rows = await connection.fetch(_SQL["find"], sealer.tenant_id, kind, epochs, indexes)
            found = tuple(open_contact(sealer, row) for row in rows)
            ids = ",".join(str(each.contact_id) for each in found)
            detail = {"by": kind, "contacts": len(found), "ids": ids, "reason": reason}
            await append(connection, sealer.tenant_id, AuditKind.CONTACTS_OPENED, actor, detail)
        return found

    async def get(self, tenant_id: UUID, contact_id: UUID, *, actor: str, reason: str) -> HeldContact:
        """One live contact, or the one that it was merged into since; `actor` and `reason` as in `find`.

        Raises:
            ContactNotFound.
        """
        return await with_sealer(self._database, self._ring, tenant_id, partial(self._get, contact_id, actor, reason))

    async def _get(self, contact_id: UUID, actor: str, reason: str, sealer: TenantSealer) -> HeldContact:
        tenant_id = sealer.tenant_id
        async with self._database.transaction(tenant_id) as connection:
            row = await connection.fetchrow(_SQL["get"], tenant_id, contact_id)
            if row is None:
                raise ContactNotFound
            contact = open_contact(sealer, row)
            detail = {"contact": str(contact.contact_id), "contacts": 1, "reason": reason}
            await append(connection, tenant_id, AuditKind.CONTACTS_OPENED, actor, detail)
        return contact

    async def all_of(
        self, ref: ConnectionRef, *, actor: str = WORKER, reason: str = "comparison"
    ) -> AsyncGenerator[HeldContact]:
        """Every live contact of a connection, to compare with its source; each batch is one audit entry."""
        after = _FIRST_ID
        while batch := await with_sealer(
            self._database, self._ring, ref.tenant_id, partial(self._batch, ref, after, actor, reason)
        ):
            for contact in batch:
                yield contact
            after = batch[-1].contact_id

    async def _batch(
        self, ref: ConnectionRef, after: UUID, actor: str, reason: str, sealer: TenantSealer
    ) -> list[HeldContact]:
        async with self._database.transaction(ref.tenant_id) as connection:
            rows = await connection.fetch(_SQL["live_after"], ref.tenant_id, ref.connection_id, after, _BATCH_ROWS)
            if rows:
                where = {"connection": str(ref.connection_id), "after": str(after), "last": str(rows[-1]["contact_id"])}
                detail = {**where, "contacts": len(rows), "reason": reason}
                await append(connection, ref.tenant_id, AuditKind.CONTACTS_OPENED, actor, detail)
        return [open_contact(sealer, row) for row in rows]

    async def counts(self, ref: ConnectionRef) -> ConnectionCounts:
        """How many contacts a connection has; none are opened."""
        async with self._database.transaction(ref.tenant_id) as connection:
            row = await connection.fetchrow(_SQL["counts"], ref.tenant_id, ref.connection_id)
        return ConnectionCounts(**dict(row)) if row else ConnectionCounts(0, 0, 0)

    async def quarantined(self, ref: ConnectionRef, *, actor: str, reason: str) -> tuple[Quarantine, ...]:
        """What a connection has set aside, the latest first; `actor` and `reason` as in `find`."""
        return await with_sealer(
            self._database, self._ring, ref.tenant_id, partial(self._quarantined, ref, actor, reason)
        )

    async def _quarantined(
        self, ref: ConnectionRef, actor: str, reason: str, sealer: TenantSealer
    ) -> tuple[Quarantine, ...]:
        async with self._database.transaction(ref.tenant_id) as connection:
            rows = await connection.fetch(_SQL["quarantined"], ref.tenant_id, ref.connection_id)
            detail = {"connection": str(ref.connection_id), "quarantined": len(rows), "reason": reason}
            await append(connection, ref.tenant_id, AuditKind.CONTACTS_OPENED, actor, detail)
        return tuple(
            Quarantine(
                sealer.open(QUARANTINE, row["source_index"].hex(), row["sealed_source_id"]).decode(),
                QuarantineReason(row["reason"]),
            )
            for row in rows
        )


async def _guard(connection: Transaction, head: PageHead, progress: Row) -> DeleteGuard:
    stamp = Stamp(
        tenant_id=head.tenant_id,
        connection_id=head.connection_id,
        writer_id=progress["pass_id"],
        observed=observation(head.epoch, head.page),
        generation=head.generation,
    )
    policy, tally = await pass_so_far(connection, head, progress["pass_id"])
    return DeleteGuard(connection, stamp, policy, tally, progress["hold_id"])


async def _end(connection: Transaction, head: PageHead, guard: DeleteGuard) -> Counts:
    """The pass ends; if it was a complete listing, what it did not name is gone."""
    await drop_stashes(connection, head)
    if not head.full:
        return Counts()
    await set_swept(connection, head, head.generation)
    return await Sweep(connection, guard.stamp, guard).run()


def _detail(head: PageHead, result: PageResult) -> dict[str, str | int]:
    counts = {name: count for name, count in result.counts.model_dump().items() if count}
    return {"connection": str(head.connection_id), "epoch": head.epoch, "page": head.page, **counts}
