"""An audit trail in memory."""

from uuid import UUID

from contactsync.codecs.audit.log import AuditKind, Detail
from contactsync.errors import DatabaseUnavailable


class MemoryTrail:
    """Remembers what was written down; `broken`: it cannot be."""

    def __init__(self) -> None:
        self.entries: list[tuple[UUID, AuditKind, str, Detail]] = []
        self.broken = False

    async def record(self, tenant_id: UUID, kind: AuditKind, actor: str, detail: Detail) -> None:
        """See `AuditTrail`."""
        if self.broken:
            raise DatabaseUnavailable
        self.entries.append((tenant_id, kind, actor, detail))

    def kinds(self) -> list[tuple[UUID, AuditKind]]:
        """Whose entries there are, and of what kind."""
        return [(tenant, kind) for tenant, kind, _, _ in self.entries]
