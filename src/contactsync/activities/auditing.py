"""The activity that signs checkpoints of the audit logs and prints them, so that copies exist outside the database."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from temporalio import activity

from contactsync.activities.audit_messages import MAKE_CHECKPOINTS, CheckpointsMade
from contactsync.activities.heartbeat import heartbeating
from contactsync.codecs.audit.log import now_utc
from contactsync.codecs.audit.logs import AuditLogs, Signed

_BATCH: Final = 200

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Auditing:
    """What the activity works with."""

    logs: AuditLogs

    @activity.defn(name=MAKE_CHECKPOINTS)
    async def make_checkpoints(self) -> CheckpointsMade:
        """Sign a checkpoint of each log that is due: 1,000 entries or an hour after the one before.

        A log that does not go on from its newest checkpoint gets none; the line about it is an error.

        Raises:
            DatabaseError, KeysError: again; what was signed stays signed.
        """
        async with heartbeating():
            signed: list[Signed] = []
            after: UUID | None = None
            while tenants := await self.logs.due(after, _BATCH, now_utc()):
                signed += [await self._sign(tenant_id) for tenant_id in tenants]
                after = tenants[-1]
        made = sum(each.checkpoint is not None for each in signed)
        return CheckpointsMade(made=made, unsound=sum(each.verdict.flaw is not None for each in signed))

    async def _sign(self, tenant_id: UUID) -> Signed:
        signed = await self.logs.sign(tenant_id)
        if signed.checkpoint is not None:
            log.info(
                "audit checkpoint",
                tenant_id=tenant_id,
                entries=signed.checkpoint.size,
                checkpoint=signed.checkpoint.note,
            )
        if signed.verdict.flaw is not None:
            log.error("audit log is not sound", tenant_id=tenant_id, reason=signed.verdict.flaw)
        return signed
