"""The key store in PostgreSQL, schema `keys` (its own role, and, where wanted, its own database)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from contactsync.codecs.keys.key import KeyPurpose
from contactsync.codecs.keys.store import KeyCount, KeyTally, StoredDataKey, StoredTenantKey
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

    async def due(
        self, at: datetime, limit: int, *, tenant_id: UUID | None = None, after: tuple[UUID, bytes] | None = None
    ) -> Sequence[StoredDataKey]:
        """See `KeyStore`."""
        behind = after or (None, None)
        async with self._database.transaction() as connection:
            return _data_keys(await connection.fetch(_QUERIES["due"], at, limit, tenant_id, *behind))

    async def hold_data_key(self, kid: bytes, at: datetime) -> bool:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            return bool(await connection.fetch(_QUERIES["hold_data_key"], kid, at))

    async def counts(self, at: datetime, tenant_id: UUID | None = None) -> Sequence[KeyCount]:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_QUERIES["counts"], at, tenant_id)
        return tuple(_count(row) for row in rows)

    async def tally(self, at: datetime) -> KeyTally:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_QUERIES["tally"], at)
        return KeyTally(row["held"], row["overdue"]) if row else KeyTally(0, 0)

    async def held(self) -> Sequence[StoredDataKey]:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            return _data_keys(await connection.fetch(_QUERIES["held"]))

    async def tenant_keys(self, tenant_id: UUID | None = None) -> Sequence[StoredTenantKey]:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_QUERIES["tenant_keys"], tenant_id)
        return tuple(StoredTenantKey(row["kid"], row["tenant_id"], row["version"], row["wrapped"]) for row in rows)

    async def destroy_data_key(self, kid: bytes, at: datetime) -> bool:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            return bool(await connection.fetch(_QUERIES["destroy_data_key"], kid, at))

    async def rewrap_data_keys(self, tenant_id: UUID, keys: Sequence[StoredDataKey]) -> int:
        """See `KeyStore`."""
        count = 0
        async with self._database.transaction() as connection:
            for version in {key.tenant_version for key in keys}:
                if not await connection.fetchval(_QUERIES["hold_tenant_key"], tenant_id, version):
                    raise KeyDestroyed
                again = [(key.kid, key.wrapped) for key in keys if key.tenant_version == version]
                columns = map(list, zip(*again, strict=True))
                count += len(await connection.fetch(_QUERIES["rewrap_data_keys"], tenant_id, version, *columns))
        return count

    async def retire_tenant_keys(self, tenant_id: UUID, version: int, at: datetime) -> int:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            # two statements: a child that was added while the first waited is seen by the second only
            await connection.execute(_QUERIES["lock_older_tenant_keys"], tenant_id, version)
            return len(await connection.fetch(_QUERIES["retire_tenant_keys"], tenant_id, version, at))

    async def rewrap_tenant_key(self, key: StoredTenantKey, was: bytes) -> bool:
        """See `KeyStore`."""
        async with self._database.transaction() as connection:
            arguments = (key.tenant_id, key.version, key.wrapped, was)
            return bool(await connection.fetch(_QUERIES["rewrap_tenant_key"], *arguments))

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
            held_at=row["held_at"],
        )
        for row in rows
    )


def _count(row: Row) -> KeyCount:
    return KeyCount(
        tenant_id=row["tenant_id"],
        purpose=KeyPurpose(row["purpose"]),
        live=row["live"],
        destroyed=row["destroyed"],
        held=row["held"],
        overdue=row["overdue"],
        newest=row["newest"],
        next_destroy=row["next_destroy"],
    )
