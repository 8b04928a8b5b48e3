"""PostgreSQL, as the rest of contactsync sees it: transactions, named queries, and errors of our own.

Nothing of asyncpg's errors leaves this module: their texts hold values (a client error echoes the argument, a unique
violation the key), so each is replaced, `from None`, by an error whose message holds a SQLSTATE at most.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib import resources
from ssl import RAND_bytes
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
from asyncpg.pgproto import pgproto

from contactsync import faults
from contactsync.errors import (
    DatabaseError,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseRefused,
    DatabaseUnavailable,
    NotMigrated,
    SettingsError,
)

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Row: TypeAlias = asyncpg.Record
Transaction: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
"""A pooled connection inside a transaction. It is given back when the transaction ends: never keep it."""

CONNECT_SECONDS: Final = 10.0
ACQUIRE_SECONDS: Final = 30.0
COMMAND_SECONDS: Final = 60.0
IDLE_SECONDS: Final = 300.0
LISTENING_CHECKED_SECONDS: Final = 30.0
FROZEN_SECONDS: float = 60.0
"""A process that stands still inside a transaction loses it after this time, and with it the locks others wait for."""
TRANSACTION_SECONDS: float = 180.0
"""So long may a transaction last (PostgreSQL 17 and newer): who stops in the middle of a statement is not idle
in PostgreSQL's eyes, and only this ends it."""

_BEGIN: Final = """SELECT set_config('app.tenant_id', $1, true), set_config('app.scope', $2, true),
    set_config('idle_in_transaction_session_timeout', $3, true),
    CASE WHEN current_setting('server_version_num')::int >= 170000
        THEN set_config('transaction_timeout', $4, true) END"""

# the clock of the transaction starts anew only when it was off
_GRANT: Final = """SELECT CASE WHEN current_setting('server_version_num')::int >= 170000
    THEN set_config('transaction_timeout', '0', true) || set_config('transaction_timeout', $1, true) END"""

_ADDRESS: Final = "the database's address is not usable; it looks like postgresql://user:password@host:5432/name"
_SIGN_IN: Final = "the database refused the user or its password; check the database's address"
_NO_DATABASE: Final = "there is no database of this name; create it, or check the database's address"
_NO_RIGHT: Final = "the database user lacks a right; grant it the role that `contactsync migrate` made for it"

# Most specific first: the first class that fits decides. A class that is only listed by way of its parent is fine
# if the whole family means the same; a test fails for any class of asyncpg that no line here names or covers.
MEANINGS: Final[tuple[tuple[type[BaseException], type[DatabaseError], str | None], ...]] = (
    # nothing was written, and the same again may succeed
    (asyncpg.ReadOnlySQLTransactionError, DatabaseReadOnly, None),
    (asyncpg.DiskFullError, DatabaseFull, None),
    (asyncpg.InsufficientResourcesError, DatabaseUnavailable, None),
    (asyncpg.PostgresConnectionError, DatabaseUnavailable, None),
    (asyncpg.DatabaseDroppedError, DatabaseRefused, _NO_DATABASE),
    (asyncpg.OperatorInterventionError, DatabaseUnavailable, None),
    (asyncpg.TransactionIntegrityConstraintViolationError, DatabaseRefused, None),
    (asyncpg.TransactionRollbackError, DatabaseUnavailable, None),
    (asyncpg.LockNotAvailableError, DatabaseUnavailable, None),
    (asyncpg.ObjectInUseError, DatabaseUnavailable, None),
    (asyncpg.SnapshotTooOldError, DatabaseUnavailable, None),
    (asyncpg.IdleInTransactionSessionTimeoutError, DatabaseUnavailable, None),
    (asyncpg.TransactionTimeoutError, DatabaseUnavailable, None),
    (asyncpg.PostgresSystemError, DatabaseUnavailable, None),
    (asyncpg.InvalidCachedStatementError, DatabaseUnavailable, None),
    (asyncpg.OutdatedSchemaCacheError, DatabaseUnavailable, None),
    # the schema is another one
    (asyncpg.UndefinedTableError, NotMigrated, None),
    (asyncpg.UndefinedColumnError, NotMigrated, None),
    (asyncpg.UndefinedFunctionError, NotMigrated, None),
    (asyncpg.UndefinedObjectError, NotMigrated, None),
    (asyncpg.InvalidSchemaNameError, NotMigrated, None),
    # the same again would fail again
    (asyncpg.InvalidAuthorizationSpecificationError, DatabaseRefused, _SIGN_IN),
    (asyncpg.InvalidCatalogNameError, DatabaseRefused, _NO_DATABASE),
    (asyncpg.InsufficientPrivilegeError, DatabaseRefused, _NO_RIGHT),
    (asyncpg.ClientConfigurationError, DatabaseRefused, _ADDRESS),
    (asyncpg.UnsupportedClientFeatureError, DatabaseRefused, None),
    (asyncpg.UnsupportedServerFeatureError, DatabaseRefused, None),
    (asyncpg.exceptions.DataError, DatabaseRefused, None),
    (ValueError, DatabaseRefused, None),  # asyncpg's own DataError, whose name the server's of the same name hides
    (asyncpg.CardinalityViolationError, DatabaseRefused, None),
    (asyncpg.CaseNotFoundError, DatabaseRefused, None),
    (asyncpg.ConfigFileError, DatabaseRefused, None),
    (asyncpg.DependentPrivilegeDescriptorsStillExistError, DatabaseRefused, None),
    (asyncpg.DiagnosticsError, DatabaseRefused, None),
    (asyncpg.ExternalRoutineError, DatabaseRefused, None),
    (asyncpg.ExternalRoutineInvocationError, DatabaseRefused, None),
    (asyncpg.FDWError, DatabaseRefused, None),
    (asyncpg.FeatureNotSupportedError, DatabaseRefused, None),
    (asyncpg.IntegrityConstraintViolationError, DatabaseRefused, None),
    (asyncpg.InternalServerError, DatabaseRefused, None),
    (asyncpg.InvalidArgumentForXqueryError, DatabaseRefused, None),
    (asyncpg.InvalidCursorNameError, DatabaseRefused, None),
    (asyncpg.InvalidCursorStateError, DatabaseRefused, None),
    (asyncpg.InvalidGrantorError, DatabaseRefused, None),
    (asyncpg.InvalidRoleSpecificationError, DatabaseRefused, None),
    (asyncpg.InvalidSQLStatementNameError, DatabaseRefused, None),
    (asyncpg.InvalidTransactionInitiationError, DatabaseRefused, None),
    (asyncpg.InvalidTransactionStateError, DatabaseRefused, None),
    (asyncpg.InvalidTransactionTerminationError, DatabaseRefused, None),
    (asyncpg.LocatorError, DatabaseRefused, None),
    (asyncpg.ObjectNotInPrerequisiteStateError, DatabaseRefused, None),
    (asyncpg.PLPGSQLError, DatabaseRefused, None),
    (asyncpg.ProgramLimitExceededError, DatabaseRefused, None),
    (asyncpg.SQLRoutineError, DatabaseRefused, None),
    (asyncpg.SQLStatementNotYetCompleteError, DatabaseRefused, None),
    (asyncpg.SavepointError, DatabaseRefused, None),
    (asyncpg.SyntaxOrAccessError, DatabaseRefused, None),
    (asyncpg.TriggeredActionError, DatabaseRefused, None),
    (asyncpg.TriggeredDataChangeViolationError, DatabaseRefused, None),
    (asyncpg.WithCheckOptionViolationError, DatabaseRefused, None),
    (asyncpg.UnknownPostgresError, DatabaseRefused, None),
    # what is left of asyncpg's own says that a connection is gone or speaks strangely
    (asyncpg.InterfaceError, DatabaseUnavailable, None),
    (asyncpg.InternalClientError, DatabaseUnavailable, None),
    (OSError, DatabaseUnavailable, None),  # refused, reset, name unknown, and TimeoutError, which is one
    (EOFError, DatabaseUnavailable, None),
)

_FOREIGN: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, EOFError)


def meaning_of(error: BaseException) -> DatabaseError:
    """The error of ours that stands for one of asyncpg's or of the network."""
    for kind, ours, message in MEANINGS:
        if isinstance(error, kind):
            return ours(message or _with_state(ours, error))
    return DatabaseRefused(_with_state(DatabaseRefused, error))


def _with_state(ours: type[DatabaseError], error: BaseException) -> str:
    """The default message; for a refusal, with the SQLSTATE (PostgreSQL, appendix A), which holds no value."""
    state: object = getattr(error, "sqlstate", None)
    text = (ours.__doc__ or "").strip()
    return f"{text} (SQLSTATE {state})" if ours is DatabaseRefused and state else text


@contextmanager
def database_errors() -> Generator[None]:
    """Turns asyncpg's and the network's errors into ours; all others pass."""
    try:
        yield
    except _FOREIGN as error:
        raise meaning_of(error) from None


class Database:
    """A pool of connections to one database, as one user."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    @classmethod
    async def connect(cls, url: str, *, max_size: int = 8, statement_cache: bool = True) -> "Database":
        """A pool that opens its connections when they are first needed.

        `statement_cache` must be off behind a pooler in transaction mode.

        Raises:
            SettingsError: `url` is no PostgreSQL URL.
        """
        check_url(url)
        with database_errors():
            pool = await asyncpg.create_pool(
                url,
                min_size=0,
                max_size=max_size,
                max_inactive_connection_lifetime=IDLE_SECONDS,
                timeout=CONNECT_SECONDS,
                command_timeout=COMMAND_SECONDS,
                statement_cache_size=100 if statement_cache else 0,
                reset=_leave_as_it_is,
                server_settings={"application_name": "contactsync"},
            )
        return cls(pool)

    async def close(self) -> None:
        """Ends every connection; those at work are given ten seconds."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._pool.close()
        except _FOREIGN:
            self._pool.terminate()

    async def check(self) -> None:
        """Asks the database for an answer.

        Raises:
            DatabaseError: it has none.
        """
        async with self.transaction() as connection:
            await connection.execute("SELECT 1")

    @asynccontextmanager
    async def transaction(
        self, tenant_id: UUID | None = None, *, directory: bool = False
    ) -> AsyncGenerator[Transaction]:
        """One transaction, in which only the rows of `tenant_id` are visible (without one: none).

        `directory` lets the tables of tenants and connections be read across tenants.

        Raises:
            DatabaseError: whatever asyncpg or the network raised inside; the transaction is rolled back.
        """
        try:
            with database_errors():
                async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection, connection.transaction():
                    # for this transaction only, so that it is safe behind a pooler too
                    await connection.execute(
                        _BEGIN,
                        str(tenant_id) if tenant_id else "",
                        "directory" if directory else "",
                        _milliseconds(FROZEN_SECONDS),
                        _milliseconds(TRANSACTION_SECONDS),
                    )
                    faults.reach(faults.TRANSACTION_BEGUN)
                    yield connection
                    faults.reach(faults.TRANSACTION_COMMITS)
                faults.reach(faults.TRANSACTION_COMMITTED)
        except DatabaseReadOnly:
            await self._pool.expire_connections()  # a session stays read-only when the database no longer is
            raise

    async def call(self, statement: str, *arguments: object) -> Row:
        """The one row of a statement that is a transaction of its own, and sees to its tenant itself; once it is
        answered, what it wrote is there for good.

        Raises:
            DatabaseError: as `transaction`.
        """
        try:
            with database_errors():
                async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                    [row] = await connection.fetch(statement, *arguments)
                    return row
        except DatabaseReadOnly:
            await self._pool.expire_connections()
            raise


@contextmanager
def raced(message: str) -> Generator[None]:
    """What is added is there already, so somebody else was faster: the transaction is lost, and worth another try.

    Raises:
        DatabaseUnavailable: with this message, instead of a unique violation.
    """
    try:
        yield
    except asyncpg.UniqueViolationError:
        raise DatabaseUnavailable(message) from None


def rows_in(status: str) -> int:
    """How many rows a statement wrote, by its status: `UPDATE 3`."""
    return int(status.rpartition(" ")[2])


_VERSION_7: Final = bytes(0x70 | byte & 0x0F for byte in range(256))
_VARIANT: Final = bytes(0x80 | byte & 0x3F for byte in range(256))
_RANDOM_BYTES: Final = 10


def new_ids(count: int) -> list[UUID]:
    """So many new ids for rows, UUIDs of version 7 (RFC 9562 §5.7), ascending: the time to the millisecond, then 74
    random bits. Rows that are made together stand together in an index, which costs a fraction of random places."""
    at, drawn = (time.time_ns() // 1_000_000).to_bytes(6), bytearray(RAND_bytes(_RANDOM_BYTES * count))
    drawn[::_RANDOM_BYTES] = drawn[::_RANDOM_BYTES].translate(_VERSION_7)
    drawn[2::_RANDOM_BYTES] = drawn[2::_RANDOM_BYTES].translate(_VARIANT)
    ids = sorted(at + drawn[start : start + _RANDOM_BYTES] for start in range(0, len(drawn), _RANDOM_BYTES))
    return [pgproto.UUID(each) for each in ids]  # UUIDs that are made and sent in a tenth of the time


async def _leave_as_it_is(_: object) -> None:
    """What a pooled connection is given back with. Nothing here outlasts its transaction, or it would not be safe
    behind a pooler either, so there is nothing to reset, which would be another statement for each transaction."""


async def grant(connection: Transaction, seconds: float) -> None:
    """So long may the transaction last from now on."""
    await connection.execute(_GRANT, _milliseconds(seconds))


async def join_by_hash(connection: Transaction) -> None:
    """No join of this transaction compares each row with every other, however few of them statistics promise: next to a
    big index that looks as cheap to PostgreSQL, and 2,000 rows become four million comparisons."""
    await connection.execute("SET LOCAL enable_nestloop = off")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms"


@asynccontextmanager
async def owner_connection(url: str) -> AsyncGenerator["asyncpg.Connection[asyncpg.Record]"]:
    """One connection outside any pool, for migrations.

    Raises:
        DatabaseError, SettingsError: as `Database`.
    """
    check_url(url)
    with database_errors():
        connection = await asyncpg.connect(
            url, timeout=CONNECT_SECONDS, server_settings={"application_name": "contactsync-migrate"}
        )
        try:
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def notifications(url: str, channel: str) -> AsyncGenerator[AsyncIterator[Sequence[str]]]:
    """What is notified on a channel from now on, over a connection of its own that is looked after; what came
    together comes together.

    Raises:
        DatabaseError, SettingsError: as `Database`; DatabaseUnavailable also when the connection is lost.
    """
    check_url(url)
    heard = asyncio.Queue[str | None]()
    with database_errors():
        connection = await asyncpg.connect(
            url, timeout=CONNECT_SECONDS, server_settings={"application_name": "contactsync-listening"}
        )
        try:
            connection.add_termination_listener(lambda _: heard.put_nowait(None))
            await connection.add_listener(
                channel, lambda _connection, _pid, _channel, text: heard.put_nowait(str(text))
            )
            yield _batches(connection, heard)
        finally:
            connection.terminate()


async def _batches(
    connection: "asyncpg.Connection[asyncpg.Record]", heard: asyncio.Queue[str | None]
) -> AsyncGenerator[Sequence[str]]:
    while True:
        try:
            batch = [await asyncio.wait_for(heard.get(), LISTENING_CHECKED_SECONDS)]
        except TimeoutError:
            await connection.execute("SELECT 1", timeout=CONNECT_SECONDS)  # a peer that is gone says nothing
            continue
        while not heard.empty():
            batch.append(heard.get_nowait())
        if None in batch:
            raise DatabaseUnavailable
        yield [text for text in batch if text is not None]


def check_url(url: str) -> None:
    """Refuses what is no PostgreSQL URL, without repeating it: it holds a password.

    Raises:
        SettingsError: it is none.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"postgres", "postgresql"} and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(_ADDRESS) from None


_NAME: Final = re.compile(r"^-- name: ([a-z0-9_]+)$", re.MULTILINE)


def load_queries(package: str, file: str) -> Mapping[str, str]:
    """The queries of a `.sql` file: each begins with `-- name: x`, then one comment, then the statement."""
    text = resources.files(package).joinpath(file).read_text("utf-8")
    _, *blocks = _NAME.split(text)
    named = zip(blocks[::2], blocks[1::2], strict=True)
    return MappingProxyType({name: _without_comments(body) for name, body in named})


def _without_comments(body: str) -> str:
    return "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()
