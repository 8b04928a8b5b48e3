"""The composition root: settings in, wired objects out. Only here are real parts chosen.

What only a worker needs is imported when a worker asks for it: the command uses these parts too, and must be quick.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from contactsync.activities.sources.addresses import AddressRules
from contactsync.activities.sources.secrets import Secrets
from contactsync.activities.store.backfills import Backfills
from contactsync.activities.store.budgets import Budgets
from contactsync.activities.store.contacts import Contacts
from contactsync.activities.store.directory import Directory
from contactsync.activities.store.freshness import Freshness
from contactsync.activities.store.holds import Holds
from contactsync.activities.store.migrate import check_schema
from contactsync.activities.store.offboarding import Offboardings
from contactsync.activities.store.passes import Passes
from contactsync.codecs.audit.key_trail import DatabaseKeyTrail
from contactsync.codecs.audit.logs import AuditLogs
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.postgres import Database
from contactsync.workers.root_keys import opened_root
from contactsync.workers.setting_secrets import opened_secrets, secret_of, with_password
from contactsync.workers.settings import Settings

if TYPE_CHECKING:
    from temporalio.client import Client

    from contactsync.activities.auditing import Auditing
    from contactsync.activities.backfilling import Backfilling
    from contactsync.activities.cleaning import Cleaning
    from contactsync.activities.fetching import Fetching
    from contactsync.activities.key_life import KeyLife
    from contactsync.activities.offboarding import Offboarding
    from contactsync.activities.purging import Purging
    from contactsync.activities.rotating import Rotating
    from contactsync.activities.storing import Storing
    from contactsync.codecs.payloads.staging import Stage


@dataclass(frozen=True, slots=True)
class Parts:
    """What the processes are made of, without Temporal."""

    settings: Settings
    database: Database
    ring: KeyRing
    secrets: Secrets = field(default_factory=Secrets)

    @property
    def addresses(self) -> AddressRules:
        """Which addresses sources may be at."""
        return AddressRules(self.settings.allowed_networks())

    @property
    def budgets(self) -> Budgets:
        """Request budgets of provider accounts."""
        return Budgets(self.database, self.settings.pages_of_a_tenant())

    @property
    def directory(self) -> Directory:
        """Tenants and connections."""
        return Directory(self.database, self.ring)

    @property
    def contacts(self) -> Contacts:
        """Contacts."""
        return Contacts(self.database, self.ring)

    @property
    def passes(self) -> Passes:
        """Passes and their progress."""
        return Passes(self.database)

    @property
    def backfills(self) -> Backfills:
        """Backfills."""
        return Backfills(self.database, self.ring)

    @property
    def holds(self) -> Holds:
        """Deletions that wait for approval."""
        return Holds(self.database)

    @property
    def offboardings(self) -> Offboardings:
        """Tenants on their way out."""
        return Offboardings(self.database)

    @property
    def freshness(self) -> Freshness:
        """How fresh connections are."""
        return Freshness(self.database)

    @property
    def stage(self) -> "Stage | None":
        """Where large payloads stand, if not in Temporal's history."""
        if not self.settings.external_storage_bytes:
            return None
        from contactsync.codecs.payloads.staging import Stage

        return Stage(self.database)

    @property
    def audit_logs(self) -> AuditLogs:
        """The audit logs of all tenants."""
        return AuditLogs(self.database, self.ring)

    def auditing(self) -> "Auditing":
        """The activity that signs checkpoints."""
        from contactsync.activities.auditing import Auditing

        return Auditing(self.audit_logs)

    def fetching(self) -> "Fetching":
        """The fetching activities."""
        from contactsync.activities.fetching import Fetching
        from contactsync.activities.sources.source import PageLimits

        limits = PageLimits(rows=self.settings.page_rows, bytes=self.settings.page_bytes)
        pages = self.settings.pages_of_a_tenant()
        return Fetching(self.database, self.ring, limits, self.addresses, pages, secrets=self.secrets)

    def cleaning(self) -> "Cleaning":
        """The cleaning activities."""
        from contactsync.activities.cleaning import Cleaning

        return Cleaning(self.directory)

    def storing(self) -> "Storing":
        """The writing activities."""
        from contactsync.activities.storing import Storing

        return Storing(self.contacts, self.passes, self.directory, self.backfills, self.holds, self.stage)

    def backfilling(self) -> "Backfilling":
        """The activities of backfills as a whole."""
        from contactsync.activities.backfilling import Backfilling
        from contactsync.activities.reaching import Reach
        from contactsync.activities.store.budgets import Budgets

        reach = Reach(self.database, self.ring, self.addresses, self.secrets)
        budgets = Budgets(self.database, self.settings.pages_of_a_tenant())
        return Backfilling(self.backfills, self.directory, reach, budgets)

    def key_life(self, client: "Client") -> "KeyLife":
        """The activities that end keys; `client` sees which executions are open."""
        from contactsync.activities.key_life import KeyLife, VisibleExecutions

        return KeyLife(self.ring.store, self.database, VisibleExecutions(client))

    def purging(self, client: "Client") -> "Purging":
        """The activities that take away what was kept for a time only; `client` knows which runs have ended."""
        from contactsync.activities.purging import Purging
        from contactsync.codecs.payloads.staging import Stage

        return Purging(Stage(self.database), client)

    def rotating(self) -> "Rotating":
        """The activities of key rotation."""
        from contactsync.activities.rotating import Rotating

        return Rotating(self.database, self.ring)

    def offboarding(self) -> "Offboarding":
        """The activities of an offboarding."""
        from contactsync.activities.offboarding import Offboarding

        return Offboarding(self.offboardings, self.ring, timedelta(days=self.settings.key_backup_days))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncGenerator[Parts]:
    """Parts wired to the settings' database and root key; closed at the end.

    Raises:
        SettingsError, SecretUnavailable, DatabaseError, NotMigrated, RootKeyUnavailable: before anything runs.
    """
    settings = await with_password(settings)
    async with AsyncExitStack() as stack:
        database = await _database(stack, settings.database(), settings)
        keys_url = settings.keys_database()
        keys = database if keys_url == settings.database() else await _database(stack, keys_url, settings)
        root = await stack.enter_async_context(opened_root(settings))
        ring = KeyRing(PostgresKeyStore(keys), root, trail=DatabaseKeyTrail(database))
        await check_schema(database)
        yield Parts(settings, database, ring, await stack.enter_async_context(opened_secrets(settings)))


async def _database(stack: AsyncExitStack, url: str, settings: Settings) -> Database:
    database = await Database.connect(
        url, max_size=settings.max_activities + 2, statement_cache=settings.statement_cache
    )
    stack.push_async_callback(database.close)
    return database


async def temporal_client(
    settings: Settings, ring: KeyRing, *workflows: type, stage: "Stage | None" = None
) -> "Client":
    """A client that seals: there is no other. It knows the names of our workflows, and of those given beside them, and
    reads and writes large payloads on the stage, if there is one.

    Raises:
        TemporalUnavailable, TemporalRefused.
    """
    from contactsync.codecs.payloads.connect import connect
    from contactsync.workers.registered import WORKFLOWS, names_of

    return await connect(
        settings.temporal_address,
        settings.temporal_namespace,
        ring,
        tls=settings.temporal_tls,
        api_key=await secret_of(settings, "temporal_api_key"),
        names=names_of(*WORKFLOWS, *workflows),
        storage=stage.storage(settings.external_storage_bytes) if stage else None,
    )


async def administering_client(settings: Settings) -> "Client":
    """A client for what has no payloads, such as search attributes: it has no keys, so that it can seal nothing.

    Raises:
        TemporalUnavailable, TemporalRefused.
    """
    keyless = KeyRing(MemoryKeyStore(), FileRootKey(Path(os.devnull)))
    return await temporal_client(settings, keyless)
