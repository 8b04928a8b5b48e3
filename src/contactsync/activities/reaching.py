"""Opens the source of a connection: its settings, its secret, its allow-list and the workbench it is lent."""

from collections.abc import AsyncGenerator, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol
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


class WantsMore(Protocol):
    """See `Workbench.wants_more`."""

    async def __call__(self, records: int, size: int) -> bool: ...


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
        named: Set[str] = frozenset(),
        wants_more: WantsMore | None = None,
    ) -> AsyncGenerator[Source]:
        """The connection's source, to be entered. With `reread` nothing counts as held already: all bodies are read.
        So it is with the contacts that are `named`, which may become more while the source is read. `wants_more` says
        whether it will be read on; None: that is not known.

        Raises:
            SettingsError, SecretUnavailable.
        """
        ref = ConnectionRef(tenant_id=connection.tenant_id, connection_id=connection.connection_id)
        bench = StoreWorkbench(self.database, self.ring, ref, meter, self.addresses, part=part, secrets=self.secrets)
        lent = Lent(bench, None if reread else named, wants_more)
        credentials = await credentials_of(connection, self.secrets)
        async with open_source(connection.kind, connection.settings, credentials, fields, lent) as source:
            yield source


class Lent:
    """A workbench on which some contacts are never unchanged, or (`anew` is None) none is.

    Another allow-list may want more of a contact than is held; and of a contact that a page names twice the last word
    counts, of which what was held before the first one says nothing.
    """

    def __init__(self, bench: Workbench, anew: Set[str] | None, wants_more: WantsMore | None = None) -> None:
        self._bench = bench
        self._anew = anew
        self.wants_more = wants_more or bench.wants_more
        self.meter = bench.meter
        self.addresses = bench.addresses
        self.tokens = bench.tokens
        self.secrets = bench.secrets

    async def unchanged(self, etags: Mapping[str, str]) -> frozenset[str]:
        """See `Workbench`."""
        if self._anew is None:
            return frozenset()
        looked_up = {name: etag for name, etag in etags.items() if name not in self._anew} if self._anew else etags
        return await self._bench.unchanged(looked_up) if looked_up else frozenset()

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
