"""What `contactsync doctor` looks at, one check after another; what depends on a failed one is skipped."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from contactsync.activities.store.directory import Directory
from contactsync.activities.store.migrate import check_schema
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.errors import ContactSyncError, SettingsError
from contactsync.postgres import Database, Row, load_queries
from contactsync.workers.bootstrap import administering_client
from contactsync.workers.codec_server import access_of, issuer_keys
from contactsync.workers.root_keys import KINDS, opened_root, root_key, root_key_kind
from contactsync.workers.search_attributes import missing_attributes
from contactsync.workers.setting_secrets import with_password
from contactsync.workers.settings import Settings, load_settings
from contactsync.workers.syncs import Syncs

_SQL: Final = load_queries("contactsync.workers.cli", "doctor.sql")
_OLDEST_POSTGRESQL: Final = 150_000
_SKEW_AT_MOST: Final = timedelta(seconds=5)
_TENANTS_OPENED: Final = 3
_AFTER_SETTINGS: Final = (
    *("database", "schema", "roles", "clock", "root key", "keys"),
    *("temporal", "search attributes", "worker"),
)


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    HINT = "hint"
    PROBLEM = "problem"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, how it is, and what to do or to know."""

    check: str
    state: State
    detail: str


@dataclass(slots=True)
class Examination:
    """Runs checks and keeps what they find."""

    findings: list[Finding] = field(default_factory=list[Finding])

    async def check(self, name: str, look: Callable[[], Awaitable[str]]) -> bool:
        """Run one check; its answer is the detail, an error of ours the problem. Returns whether it is fine."""
        try:
            self.findings.append(Finding(name, State.OK, await look()))
        except ContactSyncError as error:
            self.findings.append(Finding(name, State.PROBLEM, str(error)))
            return False
        return True

    def skip(self, *names: str, because: str) -> None:
        """Note checks that another one's problem makes pointless."""
        self.findings += [Finding(name, State.SKIPPED, f"needs {because}") for name in names]

    def hint(self, name: str, detail: str) -> None:
        """Note what cannot be checked from here."""
        self.findings.append(Finding(name, State.HINT, detail))


class Unsound(ContactSyncError):
    """a check found a problem"""


async def examine() -> list[Finding]:
    """Everything, in the order in which things depend on each other."""
    found = Examination()
    settings = await _settings(found)
    if settings is None:
        found.skip(*_AFTER_SETTINGS, because="the settings")
        return found.findings
    await _examine_database(found, settings)
    await _examine_temporal(found, settings)
    if settings.codec_oidc_issuer is not None:
        await _examine_issuer(found, settings, settings.codec_oidc_issuer)
    return found.findings


async def _settings(found: Examination) -> Settings | None:
    read: list[Settings] = []

    async def look() -> str:
        settings = load_settings()
        problems = [problem for problem in map(_problem, (settings.database, lambda: root_key(settings))) if problem]
        if problems:
            raise Unsound("; ".join(problems))
        read.append(await with_password(settings))
        return "read from the environment"

    await found.check("settings", look)
    return read[0] if read else None


def _problem(setting: Callable[[], object]) -> str | None:
    try:
        setting()
    except SettingsError as error:
        return str(error).partition(";")[0]
    return None


async def _examine_database(found: Examination, settings: Settings) -> None:
    async with _opened(settings.database(), settings) as database:
        if not await found.check("database", lambda: _answers(database)):
            found.skip("schema", "roles", "clock", because="the database")
            await _examine_root_key(found, settings)
            found.skip("keys", because="the database")
            return
        schema = await found.check("schema", lambda: _schema(database))
        if schema:
            await found.check("roles", lambda: _roles(database))
        else:
            found.skip("roles", because="the schema")
        await found.check("clock", lambda: _clock(database))
        if await _examine_root_key(found, settings) and schema:
            await _examine_keys(found, settings, database)
        else:
            found.skip("keys", because="schema and root key")


async def _examine_root_key(found: Examination, settings: Settings) -> bool:
    async def look() -> str:
        async with opened_root(settings) as root:
            await root.health()
            return f"{KINDS[root_key_kind(settings)]}: wraps and unwraps; version {await root.newest()}"

    return await found.check("root key", look)


async def _examine_keys(found: Examination, settings: Settings, database: Database) -> None:
    async def look() -> str:
        async with _opened(settings.keys_database(), settings) as keys, opened_root(settings) as root:
            ring = KeyRing(PostgresKeyStore(keys), root)
            await ring.check()
            tenants = await Directory(database, ring).list_tenants()
            for tenant in tenants[-_TENANTS_OPENED:]:
                await ring.tenant_sealer(tenant.tenant_id)
        return f"the key store answers; opened the keys of {min(len(tenants), _TENANTS_OPENED)} tenants"

    await found.check("keys", look)


async def _examine_temporal(found: Examination, settings: Settings) -> None:
    reached: list[Syncs] = []

    async def look() -> str:
        reached.append(Syncs(await administering_client(settings), settings.task_queue))
        return f"answers, and has the namespace {settings.temporal_namespace}"

    if not await found.check("temporal", look):
        found.skip("search attributes", "worker", because="Temporal")
        return
    syncs = reached[0]
    await found.check("search attributes", lambda: _attributes(syncs))
    await found.check("worker", lambda: _worker(syncs))
    found.hint("fairness", "cannot be seen from here: a self-hosted Temporal needs matching.enableFairness=true")


async def _examine_issuer(found: Examination, settings: Settings, issuer: str) -> None:
    async def look() -> str:
        await access_of(settings)
        keys = await issuer_keys(settings, issuer).current()
        return f"answers, and publishes {len(keys.keys)} keys"

    await found.check("issuer", look)


@asynccontextmanager
async def _opened(url: str, settings: Settings) -> AsyncGenerator[Database]:
    database = await Database.connect(url, max_size=2, statement_cache=settings.statement_cache)
    try:
        yield database
    finally:
        await database.close()


async def _answers(database: Database) -> str:
    server = await _row(database, "server")
    version: int = server["version"]
    if version < _OLDEST_POSTGRESQL:
        raise Unsound(f"this is PostgreSQL {version // 10_000}; contactsync needs 15 or newer")
    if server["read_only"]:
        raise Unsound("the database is read-only; make it writable, or point the settings to the primary")
    return f"PostgreSQL {version // 10_000}, takes writes"


async def _schema(database: Database) -> str:
    await check_schema(database)
    return "is the one that this version needs"


async def _roles(database: Database) -> str:
    rights = await _row(database, "rights")
    if rights["superuser"] or rights["bypasses_rls"]:
        raise Unsound("the workers' user stands above row-level security; give them a plain user of their own")
    if rights["owner"]:
        raise Unsound("the workers' user owns the tables; let another user migrate, and grant this one contactsync_app")
    missing = [role for role, has in (("contactsync_app", "app"), ("contactsync_keys", "keys")) if not rights[has]]
    if missing:
        raise Unsound(f"the workers' user lacks a role; GRANT {', '.join(missing)} TO it")
    return "a plain user with the roles contactsync_app and contactsync_keys"


async def _clock(database: Database) -> str:
    before = datetime.now(UTC)
    there: datetime = (await _row(database, "server"))["now"]
    after = datetime.now(UTC)
    skew = max(before - there, there - after, timedelta(0))
    if skew > _SKEW_AT_MOST:
        raise Unsound(
            f"this machine's clock and the database's are {skew.total_seconds():.0f} s apart; set both by NTP"
        )
    return "agrees with the database's"


async def _attributes(syncs: Syncs) -> str:
    missing = await missing_attributes(syncs.client)
    if missing:
        raise Unsound(f"the namespace lacks {', '.join(missing)}; run `contactsync migrate`")
    return "are all there"


async def _worker(syncs: Syncs) -> str:
    await syncs.require_worker()
    return f"one polls the task queue {syncs.task_queue}"


async def _row(database: Database, query: str) -> Row:
    async with database.transaction() as connection:
        row = await connection.fetchrow(_SQL[query])
    if row is None:
        raise Unsound("the database does not know its own user")
    return row
