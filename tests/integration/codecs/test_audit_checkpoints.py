"""Checkpoints of the audit log: what a superuser does to it shows, also what the chain alone would not show."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.rings import ring_of

from contactsync.codecs.audit.chain import FIRST, Flaw, Soundness, link
from contactsync.codecs.audit.checkpoints import Checkpoint, make_checkpoint, read_checkpoint
from contactsync.codecs.audit.log import AuditKind, append, now_utc
from contactsync.codecs.audit.logs import AGE_AT_MOST, ENTRIES_AT_MOST, AuditLogs
from contactsync.codecs.audit.signing import KEY_NAME, NoteSigner
from contactsync.errors import DatabaseRefused
from contactsync.identifiers import PLATFORM_TENANT
from contactsync.postgres import Database
from contactsync.workers.embedded.provision import DatabaseUrls

TENANT, OTHER = uuid4(), uuid4()
_FREE = """ALTER TABLE audit.entry DISABLE TRIGGER ALL, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE audit.checkpoint DISABLE TRIGGER ALL, NO FORCE ROW LEVEL SECURITY"""
_GUARDED = """ALTER TABLE audit.entry ENABLE TRIGGER ALL, FORCE ROW LEVEL SECURITY;
ALTER TABLE audit.checkpoint ENABLE TRIGGER ALL, FORCE ROW LEVEL SECURITY"""
FORGER = NoteSigner(KEY_NAME, bytes(range(32)))


@dataclass(frozen=True, slots=True)
class Place:
    """A database with logs, and a superuser who owns it."""

    database: Database
    urls: DatabaseUrls
    logs: AuditLogs

    async def write(self, count: int = 1, tenant: UUID = TENANT) -> None:
        """Append entries, all in one transaction."""
        async with self.database.transaction(tenant) as connection:
            for number in range(count):
                await append(connection, tenant, AuditKind.PAYLOADS_OPENED, "token", {"payloads": number})

    async def as_superuser(self, *statements: str, args: tuple[object, ...] = ()) -> None:
        """Do what no trigger sees."""
        await self.as_superuser_each(*((statement, args) for statement in statements))

    async def as_superuser_each(self, *statements: tuple[str, tuple[object, ...]]) -> None:
        """The same, each statement with arguments of its own."""
        owner = await asyncpg.connect(self.urls.owner)
        try:
            await owner.execute(_FREE)
            for statement, args in statements:
                await owner.execute(statement, *args)
            await owner.execute(_GUARDED)
        finally:
            await owner.close()

    async def texts(self, tenant: UUID = TENANT) -> list[str]:
        """The entries' texts."""
        return [each.entry async for each in self.logs.links(tenant)]

    async def rewrite(self, texts: list[str], tenant: UUID = TENANT) -> None:
        """Put another log in the place of the tenant's, with a chain that is right in itself."""
        head, links = FIRST, list[tuple[object, ...]]()
        for seq, text in enumerate(texts, 1):
            head = link(head, text)
            links.append((tenant, seq, text, head))
        await self.as_superuser_each(
            ("DELETE FROM audit.entry WHERE tenant_id = $1", (tenant,)),
            *(("INSERT INTO audit.entry VALUES ($1, $2, $3, $4)", each) for each in links),
        )

    async def signed(self, tenant: UUID = TENANT) -> Checkpoint:
        """A new checkpoint of the log."""
        checkpoint = (await self.logs.sign(tenant)).checkpoint
        assert checkpoint is not None
        return checkpoint

    async def flaw(self, *copies: Checkpoint, tenant: UUID = TENANT) -> Flaw | None:
        """What is found to be wrong."""
        return (await self.logs.verify(tenant, [each.note for each in copies])).flaw


@pytest.fixture
async def place(database: Database, database_urls: DatabaseUrls, tmp_path: Path) -> Place:
    """A fresh one."""
    return Place(database, database_urls, AuditLogs(database, await ring_of(tmp_path)))


async def test_a_checkpoint_says_what_the_log_is(place: Place) -> None:
    """It is a note of three lines, signed by the installation's key, and vouches for the entries up to it."""
    await place.write(3)
    checkpoint = await place.signed()
    verifier = (await place.logs.signer()).verifier
    assert checkpoint.note.startswith(f"contactsync/audit/{TENANT}\n3\n")
    assert read_checkpoint(checkpoint.note, [verifier]) == checkpoint
    assert await place.logs.notes(TENANT) == (checkpoint.note,)
    await place.write(2)
    verdict = await place.logs.verify(TENANT)
    assert (verdict.soundness, verdict.entries, verdict.signed) == (Soundness.SOUND, 5, 3)
    assert (await place.signed()).size == 5


async def test_nothing_new_needs_no_checkpoint(place: Place) -> None:
    """Asked twice, or by many at once, one checkpoint is made; a log without entries has none."""
    assert (await place.logs.sign(TENANT)).checkpoint is None
    await place.write(2)
    made = await asyncio.gather(*(place.logs.sign(TENANT) for _ in range(6)))
    assert sorted(each.checkpoint.size for each in made if each.checkpoint) == [2]
    assert len(await place.logs.notes(TENANT)) == 1


async def test_what_is_due(place: Place) -> None:
    """A log without any checkpoint, one that grew by 1,000, and after an hour every one that grew."""
    now = now_utc()
    first, last = PLATFORM_TENANT, 10
    await place.write(1, PLATFORM_TENANT)
    await place.write(2)
    assert set(await place.logs.logs()) == {PLATFORM_TENANT, TENANT}
    assert await place.logs.due(None, last, now) == (PLATFORM_TENANT, TENANT)
    assert await place.logs.due(first, last, now) == (TENANT,)
    await place.signed()
    assert await place.logs.due(first, last, now + AGE_AT_MOST * 2) == ()
    await place.write(1)
    assert await place.logs.due(first, last, now + timedelta(minutes=1)) == ()
    assert await place.logs.due(first, last, now + AGE_AT_MOST * 2) == (TENANT,)
    await place.write(ENTRIES_AT_MOST - 1)
    assert await place.logs.due(first, last, now) == (TENANT,)


async def reorder(place: Place) -> None:
    texts = await place.texts()
    await place.rewrite([*texts[:2], texts[3].replace('"seq":4', '"seq":3'), texts[2].replace('"seq":3', '"seq":4')])


async def chain_anew(place: Place) -> None:
    texts = await place.texts()
    await place.rewrite([texts[0].replace('"token"', '"other"'), *texts[1:]])


async def cut_the_tail(place: Place) -> None:
    await place.as_superuser("DELETE FROM audit.entry WHERE seq > 2", "UPDATE audit.chain SET entries = 2")


async def cut_the_tail_and_its_checkpoint(place: Place) -> None:
    await cut_the_tail(place)
    await place.as_superuser("DELETE FROM audit.checkpoint WHERE size > 2", "UPDATE audit.chain SET checkpointed = 2")


async def cut_the_tail_and_go_on(place: Place) -> None:
    await place.rewrite([*(await place.texts())[:2]])
    await place.as_superuser("UPDATE audit.chain SET entries = 2")
    await place.write(3)


async def forget_a_checkpoint(place: Place) -> None:
    await place.as_superuser("DELETE FROM audit.checkpoint WHERE size > 2")


async def forget_everything(place: Place) -> None:
    await place.as_superuser("DELETE FROM audit.entry", "DELETE FROM audit.checkpoint", "DELETE FROM audit.chain")


async def forge_a_checkpoint(place: Place) -> None:
    await chain_anew(place)
    *_, newest = [each async for each in place.logs.links(TENANT)]
    forged = make_checkpoint(FORGER, TENANT, newest.seq, newest.hash).note
    await place.as_superuser("UPDATE audit.checkpoint SET note = $1 WHERE size > 2", args=(forged,))
    await place.as_superuser("DELETE FROM audit.checkpoint WHERE size = 2")


async def swap_tenants(place: Place) -> None:
    third = uuid4()
    moves = ((TENANT, third), (OTHER, TENANT), (third, OTHER))
    moved = ("UPDATE audit.entry SET tenant_id = $2 WHERE tenant_id = $1",)
    moved += ("UPDATE audit.checkpoint SET tenant_id = $2 WHERE tenant_id = $1",)
    await place.as_superuser_each(*((statement, move) for move in moves for statement in moved))


async def change(place: Place) -> None:
    await place.as_superuser("UPDATE audit.entry SET entry = replace(entry, 'token', 'other') WHERE seq = 2")


async def take_out(place: Place) -> None:
    await place.as_superuser("DELETE FROM audit.entry WHERE seq = 2")


TAMPERINGS: tuple[tuple[Callable[[Place], Awaitable[None]], Flaw | None, Flaw | None], ...] = (
    (change, Flaw.ENTRY_ALTERED, Flaw.ENTRY_ALTERED),
    (take_out, Flaw.ENTRY_MISSING, Flaw.ENTRY_MISSING),
    (reorder, Flaw.CHECKPOINT_DIFFERS, Flaw.CHECKPOINT_DIFFERS),
    (chain_anew, Flaw.CHECKPOINT_DIFFERS, Flaw.CHECKPOINT_DIFFERS),
    (cut_the_tail, Flaw.TAIL_MISSING, Flaw.TAIL_MISSING),
    (cut_the_tail_and_its_checkpoint, None, Flaw.TAIL_MISSING),
    (cut_the_tail_and_go_on, Flaw.CHECKPOINT_DIFFERS, Flaw.CHECKPOINT_DIFFERS),
    (forget_a_checkpoint, Flaw.CHECKPOINT_MISSING, Flaw.CHECKPOINT_MISSING),
    (forget_everything, None, Flaw.TAIL_MISSING),
    (forge_a_checkpoint, Flaw.CHECKPOINT_FORGED, Flaw.CHECKPOINT_DIFFERS),
    (swap_tenants, Flaw.ENTRY_FOREIGN, Flaw.ENTRY_FOREIGN),
)


@pytest.mark.parametrize(
    ("tampering", "alone", "with_copy"), TAMPERINGS, ids=[tampering.__name__ for tampering, _, _ in TAMPERINGS]
)
async def test_what_a_superuser_does_shows(
    place: Place, tampering: Callable[[Place], Awaitable[None]], alone: Flaw | None, with_copy: Flaw | None
) -> None:
    """Against the checkpoints in the database, or, where those were taken out as well, against a copy of the last one;
    and a log that was tampered with is never signed over."""
    for count in (2, 2):
        await place.write(count)
        await place.write(count, OTHER)
        copy = await place.signed()
        await place.signed(OTHER)
    assert await place.flaw(copy) is None
    await tampering(place)
    assert await place.flaw() is alone
    assert await place.flaw(copy) is with_copy
    if tampering in (reorder, chain_anew, cut_the_tail, cut_the_tail_and_go_on, forge_a_checkpoint, swap_tenants):
        again = await place.logs.sign(TENANT)
        assert again.checkpoint is None
        assert again.verdict.flaw is not None


async def test_no_part_of_a_broken_log_is_signed(place: Place) -> None:
    """Entries that are sound are not signed either while one behind them is not."""
    await place.write(2)
    await place.signed()
    await place.write(3)
    await place.as_superuser("UPDATE audit.entry SET entry = replace(entry, 'token', 'other') WHERE seq = 5")
    signed = await place.logs.sign(TENANT)
    assert (signed.checkpoint, signed.verdict.entries, signed.verdict.flaw) == (None, 4, Flaw.ENTRY_ALTERED)


async def test_a_tenant_without_a_log_is_missed(place: Place) -> None:
    """Whoever knows that there is such a tenant expects a log."""
    assert (await place.logs.verify(TENANT)).soundness is Soundness.SOUND
    assert (await place.logs.verify(TENANT, expected=True)).flaw is Flaw.TAIL_MISSING


async def test_a_checkpoint_of_another_log_is_none_of_this_one(place: Place) -> None:
    """Genuine as it is, it speaks of another tenant."""
    await place.write(2)
    await place.write(2, OTHER)
    note = (await place.signed(OTHER)).note
    await place.as_superuser("INSERT INTO audit.checkpoint VALUES ($1, 2, $2)", args=(TENANT, note))
    assert await place.flaw() is Flaw.CHECKPOINT_FORGED


CHECKPOINT_FORGERIES = (
    "UPDATE audit.checkpoint SET note = 'x'",
    "DELETE FROM audit.checkpoint",
    "TRUNCATE audit.checkpoint",
    "UPDATE audit.chain SET entries = 1",
    "INSERT INTO audit.checkpoint SELECT tenant_id, 1, note FROM audit.checkpoint",
    "INSERT INTO audit.checkpoint SELECT tenant_id, 3, note FROM audit.checkpoint",
    "INSERT INTO audit.checkpoint SELECT tenant_id, 4, note FROM audit.checkpoint",
    "INSERT INTO audit.checkpoint SELECT tenant_id, 1, replace(replace(c.note, E'\\n2\\n', E'\\n1\\n'),"
    " encode(last.hash, 'base64'), encode(first.hash, 'base64'))"
    " FROM audit.checkpoint AS c JOIN audit.entry AS last USING (tenant_id) JOIN audit.entry AS first USING (tenant_id)"
    " WHERE last.seq = 2 AND first.seq = 1",
    "INSERT INTO audit.checkpoint SELECT gen_random_uuid(), 3, note FROM audit.checkpoint",
)


@pytest.mark.parametrize("user", ["app", "codec", "owner"])
async def test_only_the_next_checkpoint_can_be_written(place: Place, user: str) -> None:
    """Nobody whose triggers hold changes, removes or invents one; the codec server writes none at all."""
    await place.write(2)
    await place.signed()
    await place.write(1)
    as_user = await Database.connect(getattr(place.urls, user))

    async def execute(sql: str) -> None:
        async with as_user.transaction(TENANT) as connection:
            await connection.execute(sql)

    forgeries = (
        CHECKPOINT_FORGERIES if user != "owner" else [each for each in CHECKPOINT_FORGERIES if "chain" not in each]
    )
    try:
        for sql in forgeries:
            with pytest.raises(DatabaseRefused):
                await execute(sql)
    finally:
        await as_user.close()
    assert await place.flaw() is None


async def test_entries_are_counted(place: Place, database_urls: DatabaseUrls) -> None:
    """The count beside the log is that of the log, for every tenant."""
    await place.write(3)
    await place.write(1, OTHER)
    owner = await asyncpg.connect(database_urls.owner)
    try:
        rows = await owner.fetch("SELECT tenant_id, entries, checkpointed FROM audit.chain")
    finally:
        await owner.close()
    assert {tuple(row) for row in rows} == {(TENANT, 3, 0), (OTHER, 1, 0)}
