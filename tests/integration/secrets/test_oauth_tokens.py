"""OAuth tokens that all workers share: one asks for all, whoever dies, hangs or comes late."""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from tests.integration.secrets.providers import FIRST, Rotating, connected, rotating
from tests.unit.rest.apis import Api

from contactsync.activities.contacts.contact import DEFAULT_FIELDS
from contactsync.activities.messages import ConnectionRef
from contactsync.activities.reaching import Reach
from contactsync.activities.sources.addresses import ANY_LOOPBACK
from contactsync.activities.sources.meter import Meter
from contactsync.activities.sources.source import PageLimits
from contactsync.activities.sources.tokens import Grant, Held, Token
from contactsync.activities.store import oauth_tokens
from contactsync.activities.store.directory import Connection, Directory, NewConnection
from contactsync.activities.store.oauth_tokens import StoredTokens
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.postgres_store import PostgresKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.errors import CredentialsRejected, OpenRefused, SourceUnavailable
from contactsync.postgres import Database
from contactsync.workers.embedded.provision import DatabaseUrls

PROGRAM = Path(__file__).with_name("asking_program.py")
PROCESSES, ACTIVITIES = 3, 50
GRANT = Grant("https://t.example/", {"grant_type": "refresh_token", "refresh_token": FIRST}, "client", "")


@dataclass(frozen=True, slots=True)
class Site:
    """A database with one tenant, and the root key of its keys."""

    database: Database
    ring: KeyRing
    root_key: Path
    tenant_id: UUID

    async def connect(self, settings: dict[str, object]) -> Connection:
        """A new connection whose secret is the provider's first refresh token."""
        new = NewConnection(kind="rest", settings=settings, secret_ref="env:FIRST_REFRESH_TOKEN")
        return await Directory(self.database, self.ring).add_connection(self.tenant_id, new)

    async def ref(self) -> ConnectionRef:
        """A new connection that asks nobody."""
        connection = await self.connect({"url": "https://t.example/"})
        return ConnectionRef(tenant_id=self.tenant_id, connection_id=connection.connection_id)

    def tokens(self, ref: ConnectionRef) -> StoredTokens:
        """The connection's tokens, as one worker holds them."""
        return StoredTokens(self.database, self.ring, ref)

    async def ask(self, connection: Connection) -> int:
        """One page, as an activity asks for it; how many contacts came."""
        reach = Reach(self.database, self.ring, ANY_LOOPBACK)
        async with reach.source(connection, DEFAULT_FIELDS, Meter()) as source:
            return len((await source.fetch(None, PageLimits())).changes)


@pytest.fixture
async def site(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A new site."""
    monkeypatch.setenv("FIRST_REFRESH_TOKEN", FIRST)
    ring = KeyRing(PostgresKeyStore(database), FileRootKey.create(tmp_path / "root.key"))
    tenant = await Directory(database, ring).add_tenant("a tenant")
    return Site(database, ring, tmp_path / "root.key", tenant.tenant_id)


@pytest.fixture
async def provider() -> AsyncGenerator[tuple[Rotating, Api]]:
    """A provider that rotates."""
    async with rotating() as served:
        yield served


@dataclass(slots=True)
class Endpoint:
    """A token endpoint that answers when the test lets it."""

    answer: Token | type[Exception]
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    let: asyncio.Event = field(default_factory=asyncio.Event)
    sent: list[str] = field(default_factory=list[str])

    async def ask(self, grant: Grant) -> Token:
        """One request."""
        self.sent.append(grant.form["refresh_token"])
        self.asked.set()
        await self.let.wait()
        if isinstance(self.answer, Token):
            return self.answer
        raise self.answer


def giving(number: int) -> Endpoint:
    """An endpoint that is let answer at once, with numbered tokens."""
    endpoint = Endpoint(Token(f"access-{number}", 3600, f"refresh-{number}"))
    endpoint.let.set()
    return endpoint


async def started(site: Site, url: str, connection: Connection, many: int) -> Process:
    """A process that is ready to ask."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PROGRAM), url, str(site.root_key)),
        *(str(site.tenant_id), str(connection.connection_id), str(many)),
        stdin=PIPE,
        stdout=PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def test_p29_one_refresh_for_all_processes(
    site: Site, provider: tuple[Rotating, Api], database_urls: DatabaseUrls
) -> None:
    """P29: fifty activities in three processes whose token was refused make one refresh, and all get their page."""
    served, there = provider
    connection = await site.connect(connected(there))
    await site.ask(connection)
    served.valid = "refused from now on"
    shares = [ACTIVITIES // PROCESSES + (number < ACTIVITIES % PROCESSES) for number in range(PROCESSES)]
    asking = [await started(site, database_urls.app, connection, many) for many in shares]
    pages = await asyncio.gather(*(process.communicate(b"go\n") for process in asking))
    assert [int(out) for out, _ in pages] == shares
    assert served.sent == [FIRST, "planted-refresh-1"]


async def test_p29_a_revoked_grant_is_asked_for_once(site: Site, provider: tuple[Rotating, Api]) -> None:
    """P29: where the provider revoked everything, those who wait hear of the one refusal; the secret stays as it is."""
    served, there = provider
    connection = await site.connect(connected(there))
    await site.ask(connection)
    served.is_revoked = True
    told = await asyncio.gather(*(site.ask(connection) for _ in range(8)), return_exceptions=True)
    assert {type(each) for each in told} == {CredentialsRejected}
    assert served.sent == [FIRST, "planted-refresh-1"]


async def test_another_worker_goes_on_with_the_newest(site: Site) -> None:
    """Workers that hold nothing of each other's use one access token, then the newest refresh token."""
    ref = await site.ref()
    first, second = giving(1), giving(2)
    assert await site.tokens(ref).get(GRANT, first.ask) == "access-1"
    assert await site.tokens(ref).get(GRANT, second.ask) == "access-1"
    assert await site.tokens(ref).get(GRANT, second.ask, refused="access-1") == "access-2"
    assert (first.sent, second.sent) == ([FIRST], ["refresh-1"])


async def test_an_open_source_asks_the_database_once(site: Site) -> None:
    """A page that takes many requests reads the tokens once; a token that is refused, or near its end, is read anew."""
    ref = await site.ref()
    await site.tokens(ref).get(GRANT, giving(1).ask)
    clock = [time.time()]
    counting = StoredTokens(site.database, site.ring, ref, lambda: clock[0])
    nobody = Endpoint(SourceUnavailable)
    assert await counting.get(GRANT, nobody.ask) == "access-1"
    await site.tokens(ref).get(GRANT, giving(2).ask, refused="access-1")
    assert await counting.get(GRANT, nobody.ask) == "access-1", "as it was read"
    assert await counting.get(GRANT, nobody.ask, refused="access-1") == "access-2"
    clock[0] += 3600
    assert await counting.get(GRANT, giving(3).ask) == "access-3"


async def test_a_renewed_secret_begins_anew(site: Site) -> None:
    """A secret that was replaced is asked with at once; what was held of the old one is not sent any more."""
    ref = await site.ref()
    await site.tokens(ref).get(GRANT, giving(1).ask)
    renewed = giving(2)
    assert await site.tokens(ref).get(GRANT.with_refresh("new secret"), renewed.ask) == "access-2"
    assert renewed.sent == ["new secret"]


async def test_the_dead_are_waited_for_and_replaced(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that died while it asked loses its turn when the turn's time is over, and another asks."""
    monkeypatch.setattr(oauth_tokens, "TURN_SECONDS", 0.3)
    ref = await site.ref()
    dead, living = Endpoint(SourceUnavailable), giving(2)
    dying = asyncio.create_task(site.tokens(ref).get(GRANT, dead.ask))
    await dead.asked.wait()
    assert await site.tokens(ref).get(GRANT, living.ask) == "access-2"
    dead.let.set()
    with pytest.raises(SourceUnavailable):
        await dying
    assert await site.tokens(ref).get(GRANT, dead.ask) == "access-2"


async def test_who_fails_gives_its_turn_back(site: Site) -> None:
    """Where the endpoint does not answer, the next one may ask at once; nobody waits for the end of the turn."""
    ref = await site.ref()
    failing = Endpoint(SourceUnavailable)
    failing.let.set()
    with pytest.raises(SourceUnavailable):
        await site.tokens(ref).get(GRANT, failing.ask)
    async with asyncio.timeout(oauth_tokens.TURN_SECONDS / 2):
        assert await site.tokens(ref).get(GRANT, giving(2).ask) == "access-2"


async def test_what_comes_late_is_not_lost(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that stood still past its turn was given the only token; who was refused meanwhile takes that one."""
    monkeypatch.setattr(oauth_tokens, "TURN_SECONDS", 0.3)
    ref = await site.ref()
    late, refused = Endpoint(Token("access-1", 3600, "refresh-1")), Endpoint(CredentialsRejected)
    standing = asyncio.create_task(site.tokens(ref).get(GRANT, late.ask))
    await late.asked.wait()
    other = asyncio.create_task(site.tokens(ref).get(GRANT, refused.ask))
    await refused.asked.wait()
    late.let.set()
    assert await standing == "access-1"
    refused.let.set()
    assert await other == "access-1"
    following = giving(3)
    await site.tokens(ref).get(GRANT, following.ask, refused="access-1")
    assert following.sent == ["refresh-1"]


async def test_what_comes_late_replaces_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that stood still past its turn takes the token that another one was given meanwhile."""
    monkeypatch.setattr(oauth_tokens, "TURN_SECONDS", 0.3)
    ref = await site.ref()
    late = Endpoint(Token("access-1", 3600, "refresh-1"))
    standing = asyncio.create_task(site.tokens(ref).get(GRANT, late.ask))
    await late.asked.wait()
    assert await site.tokens(ref).get(GRANT, giving(2).ask) == "access-2"
    late.let.set()
    assert await standing == "access-2"


async def test_who_is_stopped_keeps_what_it_was_given(site: Site) -> None:
    """An activity that is cancelled while the provider answers ends only when the new refresh token is kept."""
    ref = await site.ref()
    endpoint = Endpoint(Token("access-1", 3600, "refresh-1"))
    stopped = asyncio.create_task(site.tokens(ref).get(GRANT, endpoint.ask))
    await endpoint.asked.wait()
    stopped.cancel()
    asyncio.get_running_loop().call_soon(endpoint.let.set)
    with pytest.raises(asyncio.CancelledError):
        await stopped
    assert await site.tokens(ref).get(GRANT, Endpoint(SourceUnavailable).ask) == "access-1"


async def test_a_failing_write_is_repeated(site: Site, database_urls: DatabaseUrls) -> None:
    """A database that refuses to keep what the provider gave is asked again: the provider gives it once."""
    owner = await asyncpg.connect(database_urls.owner)
    await owner.execute(
        "CREATE SEQUENCE contactsync.tries; GRANT USAGE ON SEQUENCE contactsync.tries TO contactsync_app;"
        "CREATE FUNCTION contactsync.fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        "  IF nextval('contactsync.tries') = 1 THEN RAISE EXCEPTION 'no' USING ERRCODE = 'disk_full'; END IF;"
        "  RETURN NEW; END $$;"
        "CREATE TRIGGER fail_once BEFORE UPDATE ON contactsync.oauth_token"
        "  FOR EACH ROW EXECUTE FUNCTION contactsync.fail_once()"
    )
    ref, given = await site.ref(), giving(1)
    assert await site.tokens(ref).get(GRANT, given.ask) == "access-1"
    assert await owner.fetchval("SELECT last_value FROM contactsync.tries") == 2
    assert await site.tokens(ref).get(GRANT, Endpoint(SourceUnavailable).ask) == "access-1"
    await owner.close()


async def test_tokens_are_sealed_for_their_connection(site: Site, database_urls: DatabaseUrls) -> None:
    """Nothing of a token is in the row, and the row of one connection is nothing to another."""
    one, other = await site.ref(), await site.ref()
    await site.tokens(one).get(GRANT, giving(1).ask)
    await site.tokens(other).adopt(Held(access="another"))
    server = await asyncpg.connect(database_urls.owner)
    await server.execute("ALTER TABLE contactsync.oauth_token NO FORCE ROW LEVEL SECURITY")
    rows = await server.fetch("SELECT t::text AS row, sealed FROM contactsync.oauth_token t")
    assert len(rows) == 2
    for row in rows:
        for planted in (FIRST, "access", "refresh", "another"):
            assert planted not in row["row"]
            assert planted.encode() not in row["sealed"]
    await server.execute(
        "UPDATE contactsync.oauth_token SET sealed ="
        " (SELECT sealed FROM contactsync.oauth_token WHERE connection_id = $1)",
        one.connection_id,
    )
    await server.close()
    assert await site.tokens(one).get(GRANT, giving(2).ask) == "access-1"
    with pytest.raises(OpenRefused):
        await site.tokens(other).get(GRANT, giving(3).ask)


async def test_what_a_check_was_given_is_used(site: Site) -> None:
    """The first pass goes on with what the check was given; a row that is there already is newer."""
    ref, held = await site.ref(), Held().given(GRANT, Token("access-1", 3600, "refresh-1"), 0.0)
    await site.tokens(ref).adopt(held)
    await site.tokens(ref).adopt(Held(access="older"))
    following = giving(2)
    assert await site.tokens(ref).get(GRANT, following.ask) == "access-2"
    assert following.sent == ["refresh-1"]
