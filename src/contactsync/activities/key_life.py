"""The end of payload keys: which are due, which an open execution still needs, and what becomes of each.

A key may be destroyed when its destroy date has passed and no open execution may have payloads under it. Which
executions are open is asked of Temporal's visibility; while one is, the key is held: it goes on opening, and is
reported. Keys are held ahead of their date, so that no execution loses one that it needs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final, Protocol
from uuid import UUID

from temporalio import activity
from temporalio.client import Client

from contactsync.activities.heartbeat import heartbeating
from contactsync.activities.key_messages import (
    JUDGE_KEYS,
    SETTLE_KEYS,
    JudgedKeys,
    JudgeKeys,
    KeyRef,
    KeysSettled,
    SettleKeys,
)
from contactsync.activities.store.guard import WORKER
from contactsync.codecs.audit.log import AuditKind, append, now_utc
from contactsync.codecs.keys.key import KeyPurpose
from contactsync.codecs.keys.store import KeyStore, StoredDataKey
from contactsync.codecs.payloads.connect import temporal_errors
from contactsync.identifiers import WORKFLOW_KINDS
from contactsync.postgres import Database

BATCH: Final = 500
"""Keys judged in one activity."""

HELD_AHEAD: Final = timedelta(hours=2)
"""So long before its date a key that is needed is held: more than from one hourly run to the next."""

SETTLED: Final = timedelta(minutes=10)
"""So long after its date a key is destroyed at the earliest: processes whose clocks are late are done with it then."""

_LEEWAY: Final = timedelta(days=2)
_CALL: Final = timedelta(seconds=20)


class OpenExecutions(Protocol):
    """What Temporal has open."""

    async def count(self, tenant_id: UUID, before: datetime) -> int:
        """How many executions of the tenant are open that started before this.

        Raises:
            TemporalUnavailable, TemporalRefused.
        """
        ...


@dataclass(frozen=True, slots=True)
class VisibleExecutions:
    """`OpenExecutions` of a client's namespace, as visibility has them.

    The tenant is looked for in the workflow id, since that is where the codec finds whom to seal for.
    """

    client: Client

    async def count(self, tenant_id: UUID, before: datetime) -> int:
        """See `OpenExecutions`."""
        whose = " OR ".join(f"WorkflowId STARTS_WITH '{kind}/{tenant_id}'" for kind in sorted(WORKFLOW_KINDS))
        when = before.astimezone(UTC).isoformat()
        query = f"({whose}) AND CloseTime IS NULL AND StartTime < '{when}'"
        with temporal_errors():
            return (await self.client.count_workflows(query, rpc_timeout=_CALL)).count


@dataclass(frozen=True, slots=True)
class KeyLife:
    """What the key-life activities, and the commands for people, work with."""

    store: KeyStore
    database: Database
    executions: OpenExecutions
    clock: Callable[[], datetime] = now_utc

    @activity.defn(name=JUDGE_KEYS)
    async def judge_keys(self, request: JudgeKeys) -> JudgedKeys:
        """Ask of up to 500 keys whether they are needed; changes nothing."""
        async with heartbeating():
            return await self.judge(request.after)

    @activity.defn(name=SETTLE_KEYS)
    async def settle_keys(self, request: SettleKeys) -> KeysSettled:
        """Destroy and hold keys, each with an audit entry; what is done already stays as it is."""
        async with heartbeating():
            return await self.settle(request, actor=WORKER, again=activity.info().attempt > 1)

    async def judge(self, after: KeyRef | None = None, *, tenant_id: UUID | None = None) -> JudgedKeys:
        """What is to become of the next keys, of one tenant or of all.

        Raises:
            TemporalUnavailable, TemporalRefused, DatabaseError: nothing can be said, so nothing is destroyed.
        """
        now = self.clock()
        place = (after.tenant_id, after.kid_bytes) if after else None
        due = await self.store.due(now + HELD_AHEAD, BATCH, tenant_id=tenant_id, after=place)
        destroy: list[KeyRef] = []
        hold: list[KeyRef] = []
        held = 0
        for key, needed in [pair for keys in _by_tenant(due) for pair in await self._needed(keys)]:
            held += needed
            if needed and key.held_at is None:
                hold.append(_ref(key))
            elif not needed and _has_ended(key, now):
                destroy.append(_ref(key))
        last = _ref(due[-1]) if len(due) == BATCH else None
        return JudgedKeys(destroy=tuple(destroy), hold=tuple(hold), held=held, next=last)

    async def settle(self, request: SettleKeys, *, actor: str, again: bool = False) -> KeysSettled:
        """Do what was judged. `again`: an attempt before this one may have ended between a key and its audit entry,
        so that entries are written once more rather than not at all.

        Raises:
            DatabaseError.
        """
        for tenant_id, refs in _grouped(request.hold):
            held = [key for key in await self._found(tenant_id, refs) if await self._hold(key) or again]
            await self._tell(AuditKind.KEY_HELD, actor, tenant_id, held)
        count = 0
        for tenant_id, refs in _grouped(request.destroy):
            ended = [key for key in await self._found(tenant_id, refs) if _has_ended(key, self.clock())]
            destroyed = [key for key in ended if await self.store.destroy_data_key(key.kid, self.clock()) or again]
            await self._tell(AuditKind.KEY_DESTROYED, actor, tenant_id, destroyed)
            count += len(destroyed)
        return KeysSettled(destroyed=count)

    async def _needed(self, keys: Sequence[StoredDataKey]) -> list[tuple[StoredDataKey, bool]]:
        """Of one tenant's keys, oldest first: what an older one is needed for needs the younger ones too."""
        judged: list[tuple[StoredDataKey, bool]] = []
        needed = False
        for key in sorted(keys, key=lambda each: each.epoch):
            needed = needed or await self.executions.count(key.tenant_id, _started_before(key)) > 0
            judged.append((key, needed))
        return judged

    async def _found(self, tenant_id: UUID, refs: Sequence[KeyRef]) -> list[StoredDataKey]:
        """The payload keys named, as far as they are this tenant's."""
        found = [await self.store.data_key(ref.kid_bytes) for ref in refs]
        return [key for key in found if key and key.tenant_id == tenant_id and key.purpose is KeyPurpose.PAYLOAD]

    async def _hold(self, key: StoredDataKey) -> bool:
        return await self.store.hold_data_key(key.kid, self.clock())

    async def _tell(self, kind: AuditKind, actor: str, tenant_id: UUID, keys: Sequence[StoredDataKey]) -> None:
        if not keys:
            return
        async with self.database.transaction(tenant_id) as connection:
            for key in keys:
                detail = {"key": key.kid.hex(), "purpose": key.purpose.value, "epoch": key.epoch}
                await append(connection, tenant_id, kind, actor, detail, clock=self.clock)


def _started_before(key: StoredDataKey) -> datetime:
    """An execution that started later has no payload under the key.

    A run that was reset shows the time of the reset as its start and keeps payloads from before; a start may be sealed
    shortly before midnight and arrive after it. Hence the leeway: at most a quarter of the time that the key opens for.
    """
    assert key.encrypt_until is not None  # noqa: S101  # the table has both dates for every payload key
    assert key.destroy_at is not None  # noqa: S101
    return key.encrypt_until + min(_LEEWAY, (key.destroy_at - key.encrypt_until) / 4)


def _has_ended(key: StoredDataKey, now: datetime) -> bool:
    return key.destroy_at is not None and key.destroy_at + SETTLED <= now


def _ref(key: StoredDataKey) -> KeyRef:
    return KeyRef(tenant_id=key.tenant_id, kid=key.kid.hex())


def _by_tenant(keys: Sequence[StoredDataKey]) -> Iterator[list[StoredDataKey]]:
    for _, group in groupby(keys, key=lambda key: key.tenant_id):
        yield list(group)


def _grouped(refs: Sequence[KeyRef]) -> Iterator[tuple[UUID, list[KeyRef]]]:
    for tenant_id, group in groupby(refs, key=lambda ref: ref.tenant_id):
        yield tenant_id, list(group)
