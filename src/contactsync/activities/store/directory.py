"""Tenants and their connections."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID, uuid4

from pydantic import Field as Bounded

from contactsync.activities.contacts.contact import DEFAULT_FIELDS, Fields, Frozen
from contactsync.activities.store.epochs import hold_epochs, with_sealer
from contactsync.codecs.audit.log import AuditKind, append
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.rows import TenantSealer
from contactsync.errors import ConnectionNotFound, TenantDisabled, TenantNotFound
from contactsync.postgres import Database, Row, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/directory.sql")
_TABLE: Final = "connection"
OPERATOR: Final = "operator"
"""The actor of what is done by command."""


class TenantPolicy(Frozen):
    """What a tenant wants kept, the region (ISO 3166-1, two letters) whose phone numbers need no country code, and how
    many deletions one pass may make unasked: so few (`delete_floor`), or up to this share of the connection's contacts
    and this count."""

    fields: Fields = DEFAULT_FIELDS
    default_region: str = "US"
    delete_share: float = Bounded(default=0.2, ge=0, le=1)
    delete_count: int = Bounded(default=1000, ge=0)
    delete_floor: int = Bounded(default=10, ge=0)


DEFAULT_POLICY: Final = TenantPolicy()


class Tenant(Frozen):
    """A customer of the platform. `label` is for operators and is no person's name."""

    tenant_id: UUID
    label: str
    policy: TenantPolicy
    created_at: datetime
    disabled_at: datetime | None = None


class NewConnection(Frozen):
    """What a connection is made of. `secret_ref` names a secret (`env:NAME`, `file:PATH`) and is none itself;
    `settings` are the source kind's own and are sealed; `objective_seconds`: after so long without a completed pass it
    counts as late (None: by its interval)."""

    kind: str
    settings: Mapping[str, object] = Bounded(repr=False)
    secret_ref: str | None = None
    interval_seconds: int = 900
    jitter_seconds: int = 60
    page_rows: int | None = None
    objective_seconds: int | None = Bounded(default=None, gt=0)


class ConnectionInfo(Frozen):
    """A connection without its settings: what may be listed. `paused` is a code."""

    tenant_id: UUID
    connection_id: UUID
    kind: str
    secret_ref: str | None
    interval_seconds: int
    jitter_seconds: int
    page_rows: int | None
    objective_seconds: int | None = None
    paused: str | None
    created_at: datetime


class Connection(ConnectionInfo):
    """A connection with its settings opened."""

    settings: Mapping[str, object] = Bounded(repr=False)


class Directory:
    """Adds and finds tenants and connections; what changes one is in its tenant's audit log, with its `actor`."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database = database
        self._ring = ring

    async def add_tenant(
        self,
        label: str,
        policy: TenantPolicy = DEFAULT_POLICY,
        *,
        tenant_id: UUID | None = None,
        actor: str = OPERATOR,
    ) -> Tenant:
        """A new tenant with keys of its own.

        Raises:
            KeysError, DatabaseError: there is no tenant then.
        """
        tenant_id = tenant_id or uuid4()
        # keys first: a tenant without keys could not sync, keys without a tenant are only bytes
        await self._ring.create_tenant(tenant_id)
        async with self._database.transaction(tenant_id) as connection:
            row = await connection.fetchrow(_SQL["add_tenant"], tenant_id, label, _policy_json(policy))
            await append(connection, tenant_id, AuditKind.TENANT_ADDED, actor, {"policy": _policy_json(policy)})
        return _tenant(row)

    async def list_tenants(self) -> tuple[Tenant, ...]:
        """All tenants, the oldest first."""
        async with self._database.transaction(directory=True) as connection:
            return tuple(_tenant(row) for row in await connection.fetch(_SQL["list_tenants"]))

    async def get_tenant(self, tenant_id: UUID) -> Tenant:
        """One tenant.

        Raises:
            TenantNotFound.
        """
        async with self._database.transaction(tenant_id) as connection:
            return _tenant(await connection.fetchrow(_SQL["get_tenant"], tenant_id))

    async def working_tenant(self, tenant_id: UUID) -> Tenant:
        """One tenant that is not disabled.

        Raises:
            TenantNotFound, TenantDisabled.
        """
        return _working(await self.get_tenant(tenant_id))

    async def working_connection(self, tenant_id: UUID, connection_id: UUID) -> tuple[Tenant, Connection]:
        """One connection with its settings, and its tenant, which is not disabled.

        Raises:
            TenantNotFound, TenantDisabled, ConnectionNotFound.
        """
        async with self._database.transaction(tenant_id) as connection:
            tenant = _working(_tenant(await connection.fetchrow(_SQL["get_tenant"], tenant_id)))
            row = await connection.fetchrow(_SQL["get_connection"], tenant_id, connection_id)
        return tenant, await self._opened(row)

    async def set_policy(self, tenant_id: UUID, policy: TenantPolicy, *, actor: str = OPERATOR) -> Tenant:
        """Another policy for a tenant; the next pass of each connection goes by it.

        Raises:
            TenantNotFound.
        """
        async with self._database.transaction(tenant_id) as connection:
            held = await connection.fetchval(_SQL["lock_policy"], tenant_id)
            if held is None or TenantPolicy.model_validate_json(held) == policy:
                return _tenant(await connection.fetchrow(_SQL["get_tenant"], tenant_id))
            row = await connection.fetchrow(_SQL["set_policy"], tenant_id, _policy_json(policy))
            await append(connection, tenant_id, AuditKind.POLICY_CHANGED, actor, {"policy": _policy_json(policy)})
        return _tenant(row)

    async def add_connection(self, tenant_id: UUID, new: NewConnection, *, actor: str = OPERATOR) -> Connection:
        """A new connection of a tenant.

        Raises:
            TenantNotFound, TenantDisabled.
        """
        await self.working_tenant(tenant_id)
        row = await with_sealer(self._database, self._ring, tenant_id, partial(self._add_connection, new, actor))
        return await self._opened(row)

    async def _add_connection(self, new: NewConnection, actor: str, sealer: TenantSealer) -> Row | None:
        tenant_id, connection_id = sealer.tenant_id, uuid4()
        sealed = sealer.seal(_TABLE, str(connection_id), json.dumps(dict(new.settings)).encode())
        async with self._database.transaction(tenant_id) as connection:
            await hold_epochs(connection, sealer)
            if not await connection.fetchval(_SQL["works"], tenant_id):  # disabled since it was looked at
                raise TenantDisabled
            row = await connection.fetchrow(
                _SQL["add_connection"],
                tenant_id,
                connection_id,
                new.kind,
                sealed,
                new.secret_ref,
                new.interval_seconds,
                new.jitter_seconds,
                new.page_rows,
                new.objective_seconds,
            )
            await connection.execute(_SQL["add_progress"], tenant_id, connection_id)
            detail = {"connection": str(connection_id), "kind": new.kind}
            await append(connection, tenant_id, AuditKind.CONNECTION_ADDED, actor, detail)
        return row

    async def list_connections(self, tenant_id: UUID | None = None) -> tuple[ConnectionInfo, ...]:
        """The connections of one tenant, or of all, the oldest first.

        Raises:
            TenantNotFound: `tenant_id` names none.
        """
        if tenant_id is not None:
            await self.get_tenant(tenant_id)
        async with self._database.transaction(tenant_id, directory=tenant_id is None) as connection:
            rows = await connection.fetch(_SQL["list_connections"], tenant_id)
        return tuple(ConnectionInfo.model_validate(dict(row)) for row in rows)

    async def get_connection(self, connection_id: UUID, tenant_id: UUID | None = None) -> Connection:
        """One connection with its settings; where the tenant is known, only if it is that tenant's.

        Raises:
            ConnectionNotFound.
        """
        return await self._opened(await self._row(connection_id, tenant_id))

    async def find_connection(self, connection_id: UUID) -> ConnectionInfo:
        """One connection, whatever its tenant, without its settings: no key is needed.

        Raises:
            ConnectionNotFound.
        """
        row = await self._row(connection_id, None)
        if row is None:
            raise ConnectionNotFound
        return ConnectionInfo.model_validate(dict(row))

    async def set_paused(
        self, tenant_id: UUID, connection_id: UUID, paused: str | None, *, actor: str = OPERATOR
    ) -> None:
        """Record that a connection is paused, with a code, or (None) no longer is.

        Raises:
            ConnectionNotFound.
        """
        async with self._database.transaction(tenant_id) as connection:
            row = await connection.fetchrow(_SQL["lock_connection"], tenant_id, connection_id)
            if row is None:
                raise ConnectionNotFound
            if row["paused"] == paused:
                return
            await connection.execute(_SQL["set_paused"], tenant_id, connection_id, paused)
            kind = AuditKind.CONNECTION_PAUSED if paused else AuditKind.CONNECTION_RESUMED
            detail = {"connection": str(connection_id), "reason": paused or ""}
            await append(connection, tenant_id, kind, actor, detail)

    async def _row(self, connection_id: UUID, tenant_id: UUID | None) -> Row | None:
        async with self._database.transaction(tenant_id, directory=tenant_id is None) as connection:
            if tenant_id is None:
                return await connection.fetchrow(_SQL["find_connection"], connection_id)
            return await connection.fetchrow(_SQL["get_connection"], tenant_id, connection_id)

    async def _opened(self, row: Row | None) -> Connection:
        if row is None:
            raise ConnectionNotFound
        return await with_sealer(self._database, self._ring, row["tenant_id"], partial(_connection, row))


async def _connection(row: Row, sealer: TenantSealer) -> Connection:
    settings = sealer.open(_TABLE, str(row["connection_id"]), row["sealed_settings"])
    return Connection.model_validate({**dict(row), "settings": json.loads(settings)})


def _policy_json(policy: TenantPolicy) -> str:
    # sorted, so that equal policies are equal rows
    return json.dumps({**policy.model_dump(mode="json"), "fields": sorted(policy.fields)})


def _working(tenant: Tenant) -> Tenant:
    if tenant.disabled_at is not None:
        raise TenantDisabled
    return tenant


def _tenant(row: Row | None) -> Tenant:
    if row is None:
        raise TenantNotFound
    return Tenant.model_validate({**dict(row), "policy": json.loads(row["policy"])})
