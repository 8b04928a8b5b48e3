"""Entries that are written together: each is there for good before whoever recorded it goes on, and the chain holds."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import UUID, uuid4

import pytest

from contactsync.codecs.audit import together
from contactsync.codecs.audit.chain import Soundness
from contactsync.codecs.audit.log import AuditKind, append
from contactsync.codecs.audit.logs import check_log
from contactsync.codecs.audit.together import SharedLog
from contactsync.errors import DatabaseRefused, DatabaseUnavailable
from contactsync.postgres import Database, Row
from contactsync.workers.embedded.provision import DatabaseUrls

TENANT, OTHER = uuid4(), uuid4()
OPENED = AuditKind.PAYLOADS_OPENED
_NUMBERS = "SELECT (entry::jsonb -> 'detail' ->> 'n')::int AS n FROM audit.entry ORDER BY seq"
_WAITING = """
    SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE NOT l.granted AND d.datname = current_database()
"""


class Counting(Database):
    """Counts its calls; `failing` of them fail before they reach the database."""

    calls = 0
    failing = 0

    async def call(self, statement: str, *arguments: object) -> Row:
        """See `Database.call`."""
        self.calls += 1
        if self.failing:
            self.failing -= 1
            raise DatabaseUnavailable
        return await super().call(statement, *arguments)


@pytest.fixture
async def codec(database: Database, database_urls: DatabaseUrls) -> AsyncIterator[Counting]:
    """The database, as the codec server's user."""
    assert database
    connected = await Counting.connect(database_urls.codec)
    assert isinstance(connected, Counting)
    yield connected
    await connected.close()


async def _told(database: Database, tenant: UUID = TENANT) -> list[int]:
    """The numbers that a tenant's entries tell of, in the order of the log, which must be sound."""
    async with database.transaction(tenant) as connection:
        assert (await check_log(connection, tenant, [])).soundness is Soundness.SOUND
        rows = await connection.fetch(
            "SELECT (entry::jsonb -> 'detail' ->> 'n')::int AS n FROM audit.entry ORDER BY seq"
        )
    return [row["n"] for row in rows]


async def _record(log: SharedLog, numbers: Sequence[int], tenant: UUID = TENANT) -> None:
    await asyncio.gather(*(log.record(tenant, OPENED, "oidc/1", {"n": number}) for number in numbers))


async def test_many_at_once_share_transactions(database: Database, codec: Counting) -> None:
    """Each is there, in the order in which they came, in a chain without a gap; two tenants do not wait for another."""
    log = SharedLog(codec)
    await asyncio.gather(_record(log, range(500)), _record(log, range(10), OTHER))
    assert await _told(database) == list(range(500))
    assert await _told(database, OTHER) == list(range(10))
    assert codec.calls <= 500 // together.TOGETHER_AT_MOST + 2 + 4
    await _record(log, [500])
    assert await _told(database) == list(range(501))


async def test_others_append_to_the_same_log(database: Database, codec: Counting) -> None:
    """Two servers and a worker write at the same time: nothing is lost, nothing comes twice, the chain holds."""
    logs = SharedLog(codec), SharedLog(codec)

    async def work(number: int) -> None:
        async with database.transaction(TENANT) as connection:
            await append(connection, TENANT, OPENED, "worker", {"n": number})

    for turn in range(0, 90, 9):
        numbers = range(turn, turn + 9)
        await asyncio.gather(
            *(_record(logs[0], numbers[:3]), _record(logs[1], numbers[3:6]), *(work(number) for number in numbers[6:]))
        )
    assert sorted(await _told(database)) == list(range(90))


async def test_whoever_never_sees_the_last_entry_takes_the_lock(
    database: Database, codec: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some tries in vain the log is held while they are appended."""
    monkeypatch.setattr(together, "_TRIES", 0)
    log = SharedLog(codec)
    await _record(log, range(5))
    assert (codec.calls, await _told(database)) == (0, list(range(5)))


async def test_nobody_goes_on_before_the_entry_is_there(database: Database, codec: Counting) -> None:
    """While somebody else's transaction holds the log, whoever records waits; those who gave up change nothing."""
    log = SharedLog(codec)
    async with database.transaction(TENANT) as connection:
        await append(connection, TENANT, OPENED, "worker", {"n": 0})
        waits = asyncio.create_task(log.record(TENANT, OPENED, "oidc/1", {"n": 1}))
        gives_up = asyncio.create_task(log.record(TENANT, OPENED, "oidc/1", {"n": 2}))
        async with asyncio.timeout(30):
            while not await connection.fetchval(_WAITING):  # noqa: ASYNC110  # it is another server's condition
                await asyncio.sleep(0.01)
        gives_up.cancel()
        assert not waits.done()
    await waits
    assert await _told(database) == [0, 1, 2]


async def test_what_fails_fails_for_all_of_it_and_for_no_more(database: Database, codec: Counting) -> None:
    """Nobody hears that an entry is there that is not; the next ones are written."""
    log = SharedLog(codec)
    codec.failing = 1
    found = await asyncio.gather(
        *(log.record(TENANT, OPENED, "oidc/1", {"n": number}) for number in range(3)), return_exceptions=True
    )
    assert [type(each) for each in found] == [DatabaseUnavailable] * 3
    await _record(log, [3])
    assert await _told(database) == [3]


async def test_only_the_next_link_is_taken(codec: Counting) -> None:
    """The function has no rights of its own: a hash that does not follow is refused as in any other way."""
    statement = "SELECT last_seq, appended FROM audit.append($1, 0, $2, $3, $4)"
    with pytest.raises(DatabaseRefused):
        await codec.call(statement, TENANT, bytes(32), ["{}"], [bytes(32)])
    row = await codec.call(statement, TENANT, bytes([1] * 32), [], [])
    assert (row["last_seq"], row["appended"]) == (0, False)


async def test_a_call_leaves_nothing_behind_on_its_connection(database: Database, database_urls: DatabaseUrls) -> None:
    """Its tenant ends with it, as that of a transaction does, also of one that fails: connections are not reset."""
    assert database
    one = await Database.connect(database_urls.app, max_size=1)
    try:
        await _record(SharedLog(one), [0])
        with pytest.raises(DatabaseRefused):
            async with one.transaction(TENANT) as connection:
                await connection.execute("SELECT 1 / 0")
        row = await one.call("SELECT current_setting('app.tenant_id', true) AS tenant, count(*) AS n FROM audit.entry")
        assert (row["tenant"], row["n"]) == ("", 0)
    finally:
        await one.close()
