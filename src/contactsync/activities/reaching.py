"""Opens the source of a connection: its settings, its secret, its allow-list and the workbench it is lent."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from contactsync.activities.contacts.contact import Fields
from contactsync.activities.messages import ConnectionRef, PartRef
from contactsync.activities.sources.addresses import AddressRules
from contactsync.activities.sources.meter import Meter
from contactsync.activities.sources.registry import open_source
from contactsync.activities.sources.secrets import Secrets
from contactsync.activities.sources.source import Credentials, Source, Workbench
from contactsync.activities.store.directory import Connection, NewConnection
from contactsync.activities.store.workbench import StoreWorkbench
from contactsync.codecs.keys.ring import KeyRing
from contactsync.postgres import Database


@dataclass(frozen=True, slots=True)
class Reach:
    """How sources are reached from here."""

    database: Database
    ring: KeyRing
    addresses: AddressRules
    secrets: Secrets = field(default_factory=Secrets)

    @asynccontextmanager
    async def source(
        self,
        connection: Connection,
        fields: Fields,
        meter: Meter,
        *,
        part: PartRef | None = None,
        reread: bool = False,
    ) -> AsyncGenerator[Source]:
        """The connection's source, to be entered. With `reread` nothing counts as held already: all bodies are read.

        Raises:
            SettingsError, SecretUnavailable.
        """
        ref = ConnectionRef(tenant_id=connection.tenant_id, connection_id=connection.connection_id)
        bench = StoreWorkbench(self.database, self.ring, ref, meter, self.addresses, part=part, secrets=self.secrets)
        lent = Rereading(bench) if reread else bench
        credentials = await credentials_of(connection, self.secrets)
        async with open_source(connection.kind, connection.settings, credentials, fields, lent) as source:
            yield source


class Rereading:
    """A workbench on which nothing is unchanged: another allow-list may want more of a contact than is held."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self.meter = bench.meter
        self.addresses = bench.addresses
        self.tokens = bench.tokens
        self.secrets = bench.secrets

    async def unchanged(self, etags: Mapping[str, str]) -> frozenset[str]:  # noqa: ARG002  # the contract's name
        """See `Workbench`."""
        return frozenset()

    async def stash(self, parts: Sequence[bytes]) -> UUID:
        """See `Workbench`."""
        return await self._bench.stash(parts)

    async def stashed(self, handle: UUID, index: int) -> bytes:
        """See `Workbench`."""
        return await self._bench.stashed(handle, index)


async def credentials_of(connection: Connection | NewConnection, secrets: Secrets) -> Credentials:
    """The connection's user name with the secret its reference names.

    Raises:
        SecretUnavailable: the secret is not there.
    """
    username = connection.settings.get("username", "")
    secret = await secrets.resolve(connection.secret_ref) if connection.secret_ref else ""
    return Credentials(username=str(username), secret=secret)
