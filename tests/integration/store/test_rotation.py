"""Rotation of row and index keys under live commits: nothing is lost, nothing is twice, find works at every moment."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.store.address_book import WHO, Book, bad, gone, moved, seen, upsert
from tests.integration.store.rotating import Processes, Rotation
from tests.integration.store.test_any_history import Model, check

from contactsync.activities.store import reindexing, resealing
from contactsync.activities.store.changes import CleanChange
from contactsync.activities.store.epochs import begin_epochs, hold_epochs
from contactsync.activities.store.reindexing import FIRST, Reindexing
from contactsync.activities.store.resealing import TABLES, Place, Resealing
from contactsync.codecs.keys.key import KeyPurpose
from contactsync.errors import KeysRotated, OpenRefused
from contactsync.postgres import Database

KEYED = {
    "contact": {"source_index", "content_mac", "etag_mac", "sealed"},
    "contact_lookup": {"blind_index"},
    "quarantine": {"source_index", "sealed_source_id"},
    "connection": {"sealed_settings"},
    "progress": {"cursor"},
    "backfill_part": {"cursor"},
    "stash": {"sealed"},
    "oauth_token": {"sealed"},
    "budget": {"account"},
    "budget_lease": {"account"},
    "staged_payload": {"payload"},  # a payload key's
    "migration": {"sha256"},
}


@pytest.fixture
def processes(database: Database, tmp_path: Path) -> Processes:
    """Processes over a fresh database."""
    return Processes(database, tmp_path)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """So that a few contacts are many batches."""
    monkeypatch.setattr(reindexing, "BATCH", 2)
    monkeypatch.setattr(resealing, "BATCH", 2)
    monkeypatch.setattr(resealing, "SMALL_BATCH", 1)


names = st.sampled_from(("ada", "ben", "cid"))
unversioned = st.one_of(
    st.builds(upsert, names, st.sampled_from(["x", "yy", "zzz"])),
    st.builds(gone, names),
    st.builds(seen, names),
    st.builds(bad, names),
    st.builds(moved, names, names),
)
pages = st.lists(unversioned, min_size=1, max_size=4)
Script = list[str | list[CleanChange]]


def _begun(first: list[CleanChange], then: Script) -> Script:
    """Contacts, a rotation, and whatever happens in it."""
    return [first, "begin", *then]


steps = st.builds(
    _begun, pages, st.lists(pages | st.sampled_from(["step", "begin", "finish"]), min_size=1, max_size=11)
)


@given(script=steps, strangers=st.lists(st.booleans(), min_size=14, max_size=14))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_any_pages_while_keys_rotate(processes: Processes, script: Script, strangers: list[bool]) -> None:
    """Pages, by processes that know nothing of the rotation, between any of its steps: the store holds and finds what
    the pages say, after each step and in every process."""
    book = await processes.book()
    stale, rotation, model = processes.elsewhere(book), Rotation(processes, book.ref.tenant_id), Model()
    await stale.held()
    ticket, page = await book.open(), 0
    for step, stranger in zip(script, strangers, strict=False):
        if isinstance(step, list):
            page += 1
            await (stale if stranger else processes.elsewhere(book)).commit(ticket, page, step)
            for change in step:
                model.apply(change, 1)
        else:
            await {"begin": rotation.begin, "step": rotation.step, "finish": rotation.finish}[step]()
        await check(stale if stranger else processes.elsewhere(book), model)
        assert (await book.store.contacts.counts(book.ref)).live == len(model.live())
    await rotation.begin()
    await rotation.finish()
    await check(book, model)


async def _filled(processes: Processes, count: int = 7) -> Book:
    book = await processes.book()
    listing = [upsert(f"n{number}", f"text {number}", version=5) for number in range(count)]
    await book.full_pass([[*listing, bad("broken")]], 1)
    return book


async def test_the_next_listing_changes_nothing(processes: Processes) -> None:
    """After a rotation a complete listing finds every contact as it was: same ids, none added, none deleted."""
    book = await _filled(processes)
    before = {each.source_id: each.contact_id async for each in book.store.contacts.all_of(book.ref)}
    rotation = Rotation(processes, book.ref.tenant_id)
    await rotation.begin()
    await rotation.step()
    listing = [upsert(f"n{number}", f"text {number}", version=5) for number in range(7)]
    (halfway,) = await processes.elsewhere(book).full_pass([[*listing, bad("broken")]], 2)
    await rotation.finish()
    (after,) = await processes.elsewhere(book).full_pass([[*listing, bad("broken")]], 3)
    for result in (halfway, after):
        assert (result.counts.unchanged, result.counts.added, result.counts.deleted) == (7, 0, 0)
    assert {each.source_id: each.contact_id async for each in book.store.contacts.all_of(book.ref)} == before
    assert set(await processes.elsewhere(book).set_aside()) == {"broken"}


async def test_a_late_state_does_not_bring_back_what_is_gone(processes: Processes) -> None:
    """While the older key is there, a tombstone keeps out an older version, and one that a page names moves along."""
    book = await _filled(processes)
    await book.commit(await book.open(), 1, [gone("n1", 9), gone("n2", 9)])
    rotation = Rotation(processes, book.ref.tenant_id)
    await rotation.begin()
    while await rotation.step():
        pass
    await processes.elsewhere(book).commit(await book.open(), 1, [upsert("n1", "late", version=8)])
    assert {"n1", "n2"}.isdisjoint(await book.held())
    await rotation.finish()
    await processes.elsewhere(book).commit(await book.open(), 1, [upsert("n1", "later", version=8)])
    assert "n1" not in await book.held()


async def test_broken_off_and_begun_again(processes: Processes) -> None:
    """A rotation that dies between any two batches is begun anew from the start, and by two at once, and comes to the
    same end."""
    book = await _filled(processes)
    held = await book.held()
    for dies_after in range(5):
        rotation, other = (Rotation(processes, book.ref.tenant_id) for _ in range(2))
        await rotation.begin()
        for _ in range(dies_after):
            await rotation.step()
        other.join()
        await other.step()
        await other.finish()
        assert await processes.elsewhere(book).held() == held
        for name in held:
            assert await book.found(f"{name}@example.com") == {name}


async def test_the_older_keys_are_needed_no_more(processes: Processes) -> None:
    """After the end nothing is under the older keys in any table: settings, cursors, listings and contacts open."""
    book = await _filled(processes)
    handle = await book.workbench().stash([b"part one", b"part two"])
    filling = await book.backfill(parts=(b"from here", None))
    rotation = Rotation(processes, book.ref.tenant_id)
    await rotation.begin()
    await rotation.finish()
    fresh = processes.elsewhere(book)
    assert await fresh.workbench().stashed(handle, 1) == b"part two"
    assert (await fresh.store.directory.get_connection(book.ref.connection_id)).settings
    assert await fresh.cursor() == "1/1"
    kid = (await fresh.store.ring.tenant_sealer(book.ref.tenant_id)).row_kid
    ticket = await filling.open()
    assert [part.cursor[:16] == kid for part in ticket.parts if part.cursor] == [True]
    assert len(await fresh.held()) == 7


async def test_a_cursor_of_before_is_kept_under_the_newest_key(processes: Processes) -> None:
    """A page that was fetched by a process with older keys leaves a cursor that needs none of them."""
    book = await _filled(processes)
    ticket = await book.open()
    head = await book.head(ticket, 1)
    rotation = Rotation(processes, book.ref.tenant_id)
    await rotation.begin()
    await rotation.step()
    await processes.store().contacts.commit(head, [upsert("n1", "new")])
    (row,) = await book.rows("SELECT cursor FROM contactsync.progress")
    fresh = processes.elsewhere(book)
    assert row["cursor"].startswith((await fresh.store.ring.tenant_sealer(book.ref.tenant_id)).row_kid)
    await rotation.finish()
    assert await fresh.cursor() == f"{ticket.epoch}/1"


async def test_who_has_older_keys_is_refused(processes: Processes) -> None:
    """Once newer epochs have begun, a transaction with older ones is refused, whatever it is about to do."""
    book = await _filled(processes)
    older = await processes.ring().tenant_sealer(book.ref.tenant_id)
    await processes.ring().rotation().add_epoch(book.ref.tenant_id, KeyPurpose.INDEX, 2)
    newer = await processes.ring().tenant_sealer(book.ref.tenant_id)
    async with processes.database.transaction(book.ref.tenant_id) as connection:
        await hold_epochs(connection, older)
        with pytest.raises(KeysRotated):
            await hold_epochs(connection, newer)
    assert (await begin_epochs(processes.database, processes.ring(), older)).index_epoch == 2
    async with processes.database.transaction(book.ref.tenant_id) as connection:
        await hold_epochs(connection, newer)
        with pytest.raises(KeysRotated):
            await hold_epochs(connection, older)
    with pytest.raises(KeysRotated):
        await Reindexing(processes.database, older).batch((book.ref.connection_id, FIRST))


async def test_what_no_key_opens_stays_and_is_counted(processes: Processes) -> None:
    """An altered row is left as it is, the rows around it are sealed again, and it is refused to whoever reads it."""
    book = await _filled(processes)
    await book.rows(
        "UPDATE contactsync.contact SET sealed = set_byte(sealed, 60, get_byte(sealed, 60) # 1)"
        " WHERE contact_id = (SELECT min(contact_id::text)::uuid FROM contactsync.contact) RETURNING 1"
    )
    await book.rows("UPDATE contactsync.connection SET sealed_settings = '\\x00' RETURNING 1")
    await processes.ring().rotation().add_epoch(book.ref.tenant_id, KeyPurpose.ROW, 2)
    await processes.elsewhere(book).commit(await book.open(), 1, [upsert("n9", "new")])  # begins the epoch
    place: Place | None = Place()
    rows = unreadable = 0
    while place is not None:
        sealer = await processes.ring().tenant_sealer(book.ref.tenant_id)
        batch = await Resealing(processes.database, sealer).batch(place)
        place, rows, unreadable = batch.place, rows + batch.rows, unreadable + batch.unreadable
    assert unreadable == 2
    assert rows >= 6
    with pytest.raises(OpenRefused):
        await processes.elsewhere(book).held()


async def test_every_keyed_column_is_known(database: Database) -> None:
    """Whoever adds a column of bytes says here under which key it is; sealed ones are sealed again by a rotation."""
    async with database.transaction() as connection:
        rows = await connection.fetch(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'contactsync' AND data_type = 'bytea' AND table_name !~ '_[0-9]$'"
        )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["table_name"], set()).add(row["column_name"])
    assert found == KEYED
    assert set(TABLES) | {"contact"} <= set(KEYED)


async def test_a_merged_contact_is_found_by_its_old_id(processes: Processes) -> None:
    """`get` follows a merge across a rotation: what a tombstone names is an id, and no index."""
    book = await _filled(processes)
    before = {each.source_id: each.contact_id async for each in book.store.contacts.all_of(book.ref)}
    await book.commit(await book.open(), 1, [moved("n1", "n2")])
    rotation = Rotation(processes, book.ref.tenant_id)
    await rotation.begin()
    await rotation.finish()
    found = await processes.store().contacts.get(book.ref.tenant_id, before["n1"], **WHO)
    assert found.contact_id == before["n2"]
