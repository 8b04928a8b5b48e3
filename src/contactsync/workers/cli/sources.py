"""Asking a source whether it can be synced, before anything about it is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn
from uuid import UUID

from contactsync.activities.contacts.contact import Fields
from contactsync.activities.reaching import credentials_of
from contactsync.activities.sources.addresses import AddressRules
from contactsync.activities.sources.meter import Meter
from contactsync.activities.sources.registry import open_source
from contactsync.activities.sources.secrets import Secrets
from contactsync.activities.sources.source import SourceInfo
from contactsync.activities.sources.tokens import Held, MemoryTokens
from contactsync.activities.store.directory import NewConnection


@dataclass(frozen=True, slots=True)
class Checked:
    """What the source says of itself, and the OAuth tokens that the check was given."""

    info: SourceInfo
    held: Held


async def check_source(new: NewConnection, fields: Fields, addresses: AddressRules, secrets: Secrets) -> Checked:
    """Asks the source whether it can be synced.

    Raises:
        SecretUnavailable: the secret is not there.
        SourceError: the address is wrong, the credentials are refused, or it does not answer.
    """
    credentials = await credentials_of(new, secrets)
    bench = NoWorkbench(addresses, secrets)
    async with open_source(new.kind, new.settings, credentials, fields, bench) as source:
        return Checked(await source.check(), bench.tokens.held)


class NoWorkbench:
    """Lent where nothing is kept: a check keeps nothing, and there is no connection yet that could hold anything."""

    def __init__(self, addresses: AddressRules, secrets: Secrets) -> None:
        self.meter = Meter()
        self.addresses = addresses
        self.tokens = MemoryTokens()
        self.secrets = secrets

    async def unchanged(self, etags: Mapping[str, str]) -> frozenset[str]:
        """Nothing is held."""
        return frozenset[str]() if etags else frozenset()

    async def wants_more(self, records: int, size: int) -> bool:
        """A check reads one page."""
        del records, size
        return False

    async def stash(self, parts: Sequence[bytes]) -> UUID:
        """Never called by a check."""
        self._refuse(parts)

    async def stashed(self, handle: UUID, index: int) -> bytes:
        """Never called by a check."""
        self._refuse((handle, index))

    def _refuse(self, asked: object) -> NoReturn:
        raise NotImplementedError(f"a check keeps no {type(asked).__name__}")
