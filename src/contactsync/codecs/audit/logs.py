"""The logs as a whole: check them, sign checkpoints of them, read them."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from contactsync.codecs.audit.chain import FIRST, ChainCheck, Entry, Flaw, Link, Verdict, read_entry
from contactsync.codecs.audit.checkpoints import Checkpoint, copies_of, make_checkpoint, read_checkpoint, roots_of
from contactsync.codecs.audit.flaws import note_flaw
from contactsync.codecs.audit.log import AuditKind, Detail, append
from contactsync.codecs.audit.signing import NoteSigner, VerifierKey, audit_signer
from contactsync.codecs.keys.ring import KeyRing
from contactsync.errors import DatabaseReadOnly, NoteRefused
from contactsync.postgres import Database, Row, Transaction, grant, load_queries

ENTRIES_AT_MOST: Final = 1_000
"""So many entries at most are meant to be without a checkpoint."""

AGE_AT_MOST: Final = timedelta(hours=1)
"""So long at most is a new entry meant to be without one."""

_QUERIES: Final = load_queries("contactsync.codecs.audit", "audit.sql")
_WHOLE_LOG_SECONDS: Final = 3_600.0
_PREFETCH: Final = 500


@dataclass(frozen=True, slots=True)
class Signed:
    """What came of asking for a checkpoint: the new one, or None where nothing is new or the log is not sound."""

    verdict: Verdict
    checkpoint: Checkpoint | None


class AuditLogs:
    """Every tenant's log. All methods raise DatabaseError; those that sign or check signatures KeysError too."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database = database
        self._ring = ring

    async def signer(self) -> NoteSigner:
        """Signs as this installation; its `verifier` is the public key."""
        return audit_signer(await self._ring.audit_key())

    async def logs(self) -> tuple[UUID, ...]:
        """The tenants that have a log, the nil UUID for the platform's own among them."""
        async with self._database.transaction() as connection:
            return tuple(row["tenant_id"] for row in await connection.fetch(_QUERIES["logs"]))

    async def due(self, after: UUID | None, limit: int, now: datetime) -> tuple[UUID, ...]:
        """Up to `limit` tenants, by id, behind `after`, whose log should have a checkpoint now."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_QUERIES["due"], after, ENTRIES_AT_MOST, now - AGE_AT_MOST, limit)
        return tuple(row["tenant_id"] for row in rows)

    async def verify(self, tenant_id: UUID, notes: Sequence[str] = (), *, expected: bool = False) -> Verdict:
        """Recompute the tenant's whole chain, and compare it with its checkpoints and with copies kept elsewhere.

        `notes`: the copies, those of other logs among them. `expected`: there is such a tenant, so there must be a log.
        What is wrong with the log itself is noted for whoever watches; that nothing is, too.
        """
        verifiers = [(await self.signer()).verifier]
        copies, forged = copies_of(tenant_id, notes, verifiers)
        async with self._database.transaction(tenant_id) as connection:
            await grant(connection, _WHOLE_LOG_SECONDS)
            found = await check_log(connection, tenant_id, verifiers, copies, least=1 if expected else 0)
        with suppress(DatabaseReadOnly):  # a replica can be checked, too
            async with self._database.transaction(tenant_id) as connection:
                await note_flaw(connection, tenant_id, found.flaw, by_copies=bool(copies))
        return found.unless(Flaw.CHECKPOINT_FORGED if forged else None)

    async def sign(self, tenant_id: UUID) -> Signed:
        """Sign a checkpoint of the log as it is, if it goes on from the newest one there is; a broken log gets
        none, and that is noted until `verify` finds it sound."""
        signer = await self.signer()
        async with self._database.transaction(tenant_id) as connection:
            await grant(connection, _WHOLE_LOG_SECONDS)
            await connection.execute(_QUERIES["checkpointing"], tenant_id)
            last = await connection.fetchrow(_QUERIES["last_checkpoint"], tenant_id)
            verdict = await _since(connection, tenant_id, last, signer.verifier)
            if verdict.flaw is not None:
                await note_flaw(connection, tenant_id, verdict.flaw)
            if verdict.flaw is not None or verdict.entries <= (last["size"] if last else 0):
                return Signed(verdict, None)
            checkpoint = make_checkpoint(signer, tenant_id, verdict.entries, verdict.head)
            await connection.execute(_QUERIES["add_checkpoint"], tenant_id, checkpoint.size, checkpoint.note)
        return Signed(verdict, checkpoint)

    async def record(self, tenant_id: UUID, kind: AuditKind, actor: str, detail: Detail) -> None:
        """Append an entry in a transaction of its own, and return once it is there for good."""
        async with self._database.transaction(tenant_id) as connection:
            await append(connection, tenant_id, kind, actor, detail)

    async def notes(self, tenant_id: UUID) -> tuple[str, ...]:
        """The tenant's checkpoints as they are kept, the oldest first."""
        async with self._database.transaction(tenant_id) as connection:
            return tuple(row["note"] for row in await connection.fetch(_QUERIES["checkpoints"], tenant_id))

    async def links(self, tenant_id: UUID, first: int = 1, last: int | None = None) -> AsyncIterator[Link]:
        """The entries from one number to another, in order."""
        async with self._database.transaction(tenant_id) as connection:
            await grant(connection, _WHOLE_LOG_SECONDS)
            async for each in _links(connection, tenant_id, first, last):
                yield each

    async def entries(
        self, tenant_id: UUID, kinds: Iterable[AuditKind], since: datetime | None = None
    ) -> tuple[Entry, ...]:
        """The entries of these kinds since a time, in order; entries that were altered beyond reading are left out."""
        names = {kind.value for kind in kinds}
        likely = [f'%"kind":"{name}"%' for name in names]
        async with self._database.transaction(tenant_id) as connection:
            await grant(connection, _WHOLE_LOG_SECONDS)
            rows = connection.cursor(_QUERIES["entries_like"], tenant_id, likely, prefetch=_PREFETCH)
            found = [entry async for row in rows if (entry := read_entry(row["entry"]))]
        return tuple(each for each in found if each.kind in names and (since is None or each.at >= since))


async def check_log(
    connection: Transaction,
    tenant_id: UUID,
    verifiers: Sequence[VerifierKey],
    copies: Sequence[Checkpoint] = (),
    *,
    least: int = 0,
) -> Verdict:
    """Check the tenant's whole log, inside a transaction of the tenant: the chain, its checkpoints, copies of them, and
    that there are at least so many entries.

    Raises:
        DatabaseError: through the transaction.
    """
    # checkpoints and counts before the entries: what is appended meanwhile must not look as if it were missing
    chain = await connection.fetchrow(_QUERIES["chain"], tenant_id)
    held = await connection.fetch(_QUERIES["checkpoints"], tenant_id)
    told = [_read(row, tenant_id, verifiers) for row in held]
    genuine = [each for each in told if each is not None]
    check = ChainCheck(tenant_id, roots_of([*genuine, *copies]))
    async for each in _links(connection, tenant_id, 1, None):
        if not check.add(each):
            break
    found = check.verdict(max(least, chain["entries"] if chain else 0))
    if len(genuine) < len(told):
        return found.unless(Flaw.CHECKPOINT_FORGED)
    counted = chain["checkpointed"] if chain else 0
    newest = max((each.size for each in genuine), default=0)
    return found.unless(Flaw.CHECKPOINT_MISSING if counted > newest else None)


async def _since(connection: Transaction, tenant_id: UUID, last: Row | None, verifier: VerifierKey) -> Verdict:
    """The verdict on what was appended since the newest checkpoint, whose own entry must still be what it says."""
    if last is None:
        check, first = ChainCheck(tenant_id, {}), 1
    else:
        checkpoint = _read(last, tenant_id, [verifier])
        if checkpoint is None:
            return Verdict(Flaw.CHECKPOINT_FORGED.soundness, 0, FIRST, 0, Flaw.CHECKPOINT_FORGED)
        before = await _hash_at(connection, tenant_id, checkpoint.size)
        if before is None:
            return Verdict(Flaw.TAIL_MISSING.soundness, 0, FIRST, 0, Flaw.TAIL_MISSING)
        check = ChainCheck(tenant_id, roots_of([checkpoint]), after=checkpoint.size, before=before)
        first = checkpoint.size + 1
    async for each in _links(connection, tenant_id, first, None):
        if not check.add(each):
            break
    return check.verdict()


async def _hash_at(connection: Transaction, tenant_id: UUID, seq: int) -> bytes | None:
    found = [each.hash async for each in _links(connection, tenant_id, seq, seq)]
    return found[0] if found else None


def _read(row: Row, tenant_id: UUID, verifiers: Sequence[VerifierKey]) -> Checkpoint | None:
    """The checkpoint that a row holds; None where it is not what it should be."""
    try:
        checkpoint = read_checkpoint(row["note"], verifiers)
    except NoteRefused:
        return None
    return checkpoint if (checkpoint.tenant_id, checkpoint.size) == (tenant_id, row["size"]) else None


async def _links(connection: Transaction, tenant_id: UUID, first: int, last: int | None) -> AsyncIterator[Link]:
    async for row in connection.cursor(_QUERIES["entries"], tenant_id, first, last, prefetch=_PREFETCH):
        yield Link(row["seq"], row["entry"], row["hash"])
