"""Samples: a row of each kind is opened to see that it opens. Nothing of what is in it is kept or shown."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from contactsync.codecs.envelope.cs1 import KID_BYTES
from contactsync.codecs.keys.ring import KeyRing
from contactsync.errors import KeyAltered, KeyDestroyed, OpenRefused, RootKeyRefused, TenantNotFound
from contactsync.postgres import Database, load_queries

_SQL: Final = load_queries("contactsync.activities.store", "sql/samples.sql")


@dataclass(frozen=True, slots=True)
class Sample:
    """A sealed row: its kind, the key id that it names, and the code of the error with which it did not open."""

    kind: str
    kid: bytes
    code: str | None


async def open_samples(database: Database, ring: KeyRing, tenant_id: UUID) -> tuple[Sample, ...]:
    """A contact of the tenant and its newest connection, as far as there are any.

    Raises:
        RootKeyUnavailable, DatabaseError: nothing can be said.
    """
    async with database.transaction(tenant_id) as connection:
        rows = await connection.fetch(_SQL["samples"], tenant_id)
    return tuple([await _opened(ring, tenant_id, row["kind"], row["id"], row["sealed"]) for row in rows])


async def _opened(ring: KeyRing, tenant_id: UUID, kind: str, row_id: UUID, sealed: bytes) -> Sample:
    kid = sealed[:KID_BYTES]
    try:
        (await ring.tenant_sealer(tenant_id)).open(kind, str(row_id), sealed)
    except (KeyAltered, KeyDestroyed, OpenRefused, RootKeyRefused, TenantNotFound) as error:
        return Sample(kind, kid, error.code)
    return Sample(kind, kid, None)
