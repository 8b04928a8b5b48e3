"""The key store in PostgreSQL, schema `keys` (its own role, and, where wanted, its own database)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from contactsync.codecs.keys.key import KeyPurpose
from contactsync.codecs.keys.store import StoredDataKey, StoredTenantKey
from contactsync.errors import DatabaseRefused, KeyDestroyed
from contactsync.postgres import Database, Row, load_queries

_QUERIES: Final = load_queries("contactsync.codecs.keys", "keys.sql")


class PostgresKeyStore:
    """A `KeyStore`. Its user needs the role `contactsync_keys`; with `contactsync_codec` it reads payload keys only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_tenant_key(self, key: StoredTenantKey) -> StoredTenantKey:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            await connection.execute(_QUERIES["add_tenant_key"], key.tenant_id, key.version, key.kid, key.wrapped)
            row = await connection.fetchrow(_QUERIES["tenant_key"], key.tenant_id, key.version)
        if (kept := _tenant_key(row)) is None:
            raise DatabaseRefused("the key store did not keep a tenant key; look at its user's rights")
        return kept

    async def tenant_key(self, tenant_id: UUID, version: int | None = None) -> StoredTenantKey | None:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            return _tenant_key(await connection.fetchrow(_QUERIES["tenant_key"], tenant_id, version))

    async def add_data_key(self, key: StoredDataKey) -> StoredDataKey:
        """See `KeyStore`."""
        identity = (key.kid, key.tenant_id, key.purpose.value, key.epoch)
        async with self._database.transaction() as connection:
            await connection.execute(
                _QUERIES["add_data_key"], *identity, key.tenant_version, key.wrapped, key.encrypt_until, key.destroy_at
            )
            row = await connection.fetchrow(_QUERIES["data_key_of"], key.tenant_id, key.purpose.value, key.epoch)
        if (kept := _data_key(row)) is None:
            raise KeyDestroyed
        return kept

    async def data_key(self, kid: bytes) -> StoredDataKey | None:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            return _data_key(await connection.fetchrow(_QUERIES["data_key"], kid))

    async def data_keys(self, tenant_id: UUID, purposes: Sequence[KeyPurpose]) -> Sequence[StoredDataKey]:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            names = [purpose.value for purpose in purposes]
            return _data_keys(await connection.fetch(_QUERIES["data_keys"], tenant_id, names))

    async def data_key_of(self, tenant_id: UUID, purpose: KeyPurpose, epoch: int) -> StoredDataKey | None:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            return _data_key(await connection.fetchrow(_QUERIES["data_key_of"], tenant_id, purpose.value, epoch))

    async def due(self, at: datetime, limit: int) -> Sequence[StoredDataKey]:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            return _data_keys(await connection.fetch(_QUERIES["due"], at, limit))

    async def destroy_data_key(self, kid: bytes, at: datetime) -> bool:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            return bool(await connection.fetch(_QUERIES["destroy_data_key"], kid, at))

    async def destroy_tenant(self, tenant_id: UUID, at: datetime) -> int:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            tenant = await connection.fetch(_QUERIES["destroy_tenant_keys"], tenant_id, at)
            data = await connection.fetch(_QUERIES["destroy_data_keys"], tenant_id, at)
        return len(tenant) + len(data)

    async def health(self) -> None:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            await connection.execute(_QUERIES["health"])


def _tenant_key(row: Row | None) -> StoredTenantKey | None:
    if row is None:
        return None
    return StoredTenantKey(row["kid"], row["tenant_id"], row["version"], row["wrapped"])


def _data_key(row: Row | None) -> StoredDataKey | None:
    return None if row is None else _data_keys([row])[0]


def _data_keys(rows: Sequence[Row]) -> tuple[StoredDataKey, ...]:
    return tuple(
        StoredDataKey(
            kid=row["kid"],
            tenant_id=row["tenant_id"],
            purpose=KeyPurpose(row["purpose"]),
            epoch=row["epoch"],
            tenant_version=row["tenant_version"],
            wrapped=row["wrapped"],
            encrypt_until=row["encrypt_until"],
            destroy_at=row["destroy_at"],
        )
        for row in rows
    )
