"""Committing pages: what becomes of contacts, look-ups, quarantine and counts."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from msgspec import structs
from tests.integration.store.address_book import WHO, Book, bad, gone, seen, upsert

from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.messages import Counts
from contactsync.activities.store.merging import Held, Stamp, observation
from contactsync.activities.store.page_writer import read_held
from contactsync.errors import ConnectionNotFound, DatabaseUnavailable
from contactsync.postgres import Transaction


async def test_contacts_arrive(book: Book) -> None:
    """What a page brings can be opened again, byte for byte, and is counted."""
    ticket = await book.open()
    result = await book.commit(ticket, 1, [upsert("ada", "Ada"), upsert("ben", "Ben")], done=True)
    assert result.counts == Counts(pages=1, downloaded=1, added=2)
    assert result.done
    assert await book.held() == {"ada": "Ada", "ben": "Ben"}


async def test_content_opens_byte_for_byte(book: Book) -> None:
    """The content comes back as the very bytes that were given, whatever the source id holds."""
    change = upsert('a "quoted"}\\ \u2028 name\0', "Ada")
    await book.commit(await book.open(), 1, [change], done=True)
    (contact,) = [each async for each in book.store.contacts.all_of(book.ref)]
    assert (contact.source_id, contact.content) == (change.source_id, change.content)
    assert "Ada" not in repr(contact)


async def test_changed_contact_keeps_its_id(book: Book) -> None:
    """A change replaces the content and the look-ups of the same row."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada", "Ada")])
    (before,) = await book.store.contacts.find(book.ref.tenant_id, email="ada@example.com", **WHO)
    result = await book.commit(ticket, 2, [upsert("ada", "Ada Lovelace")])
    (after,) = await book.store.contacts.find(book.ref.tenant_id, phone="+4930000012", **WHO)
    assert result.counts == Counts(pages=1, downloaded=1, updated=1)
    assert after.contact_id == before.contact_id
    assert await book.held() == {"ada": "Ada Lovelace"}
    assert await book.store.contacts.find(book.ref.tenant_id, phone="+4930000003", **WHO) == ()


async def test_equal_content_is_no_change(book: Book) -> None:
    """Equal content writes no new blob and is counted as unchanged; its etag is the new one."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada", "Ada", etag="1")])
    before = await book.rows("SELECT sealed, changed_at FROM contactsync.contact")
    result = await book.commit(ticket, 2, [upsert("ada", "Ada", etag="2")])
    assert result.counts == Counts(pages=1, downloaded=1, unchanged=1)
    assert await book.rows("SELECT sealed, changed_at FROM contactsync.contact") == before
    assert await book.workbench().unchanged({"ada": "2"}) == {"ada"}
    assert await book.workbench().unchanged({"ada": "1"}) == frozenset()


async def test_tombstone_leaves_nothing_of_the_person(book: Book) -> None:
    """A tombstone clears blob, digests and look-ups, and the contact is found no more."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada", "Ada", etag="1"), upsert("ben")])
    result = await book.commit(ticket, 2, [gone("ada")])
    assert result.counts == Counts(pages=1, downloaded=1, deleted=1)
    assert await book.held() == {"ben": "ben"}
    assert await book.found("ada@example.com") == set()
    (row,) = await book.rows("SELECT * FROM contactsync.contact WHERE deleted_at IS NOT NULL")
    assert (row["sealed"], row["content_mac"], row["etag_mac"]) == (None, None, None)
    lookups = await book.rows("SELECT 1 FROM contactsync.contact_lookup WHERE contact_id = $1", row["contact_id"])
    assert lookups == []
    assert await book.workbench().unchanged({"ada": "1"}) == frozenset()


async def test_deleted_contact_comes_back(book: Book) -> None:
    """A contact that arrives after its tombstone is added again, under the same id."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada", "Ada")])
    await book.commit(ticket, 2, [gone("ada")])
    result = await book.commit(ticket, 3, [upsert("ada", "Ada again")])
    assert result.counts == Counts(pages=1, downloaded=1, added=1)
    assert await book.held() == {"ada": "Ada again"}
    assert len(await book.rows("SELECT 1 FROM contactsync.contact")) == 1


async def test_tombstone_for_nobody_is_no_deletion(book: Book) -> None:
    """A source that names cards it deleted long ago (Radicale's first listing) deletes nothing here."""
    result = await book.commit(await book.open(), 1, [gone("nobody"), gone("nobody")])
    assert result.counts == Counts(pages=1, downloaded=1)
    assert await book.held() == {}


async def test_duplicates_in_a_page_are_one_contact(book: Book) -> None:
    """Of a contact listed twice in a page the newest version is kept, and of equals the later one."""
    page = [
        upsert("ada", "new", version=9),
        upsert("ada", "old", version=3),
        upsert("ben", "1st"),
        upsert("ben", "2nd"),
    ]
    result = await book.commit(await book.open(), 1, page)
    assert result.counts == Counts(pages=1, downloaded=1, added=2)
    assert await book.held() == {"ada": "new", "ben": "2nd"}


async def test_same_source_id_in_two_connections(book: Book) -> None:
    """A source id means something inside its connection only; an address is found in both."""
    other = await book.store.new_book(book.ref.tenant_id)
    await book.commit(await book.open(), 1, [upsert("ada", "here")])
    await other.commit(await other.open(), 1, [upsert("ada", "there")])
    assert await book.held() == {"ada": "here"}
    assert await other.held() == {"ada": "there"}
    assert len(await book.store.contacts.find(book.ref.tenant_id, email="ada@example.com", **WHO)) == 2


async def test_p13_an_older_version_never_wins(book: Book) -> None:
    """P13: a slow page with an older version of a contact overwrites nothing, and no tombstone falls for one."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada", "v7", version=7), upsert("ben", "v7", version=7)])
    late = await book.commit(ticket, 2, [upsert("ada", "v5", version=5), gone("ben", 6)])
    assert late.counts == Counts(pages=1, downloaded=1, unchanged=2)
    assert await book.held() == {"ada": "v7", "ben": "v7"}


async def test_p13_a_late_version_does_not_raise_the_dead(book: Book) -> None:
    """P13: what was deleted in a newer version stays deleted when an older version arrives, known before or not."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada", "v5", version=5)])
    await book.commit(ticket, 2, [gone("ada", 7), gone("ben", 7)])
    late = await book.commit(ticket, 3, [upsert("ada", "v6", version=6), upsert("ben", "v6", version=6)])
    assert late.counts == Counts(pages=1, downloaded=1)
    assert await book.held() == {}


async def test_equal_version_with_other_content_wins(book: Book) -> None:
    """The same version cleaned under another policy has other content: the newer reading is kept."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada", "name only", version=7)])
    await book.commit(ticket, 2, [upsert("ada", "name and note", version=7)])
    assert await book.held() == {"ada": "name and note"}


async def test_tombstone_without_version_beats_any_version(book: Book) -> None:
    """A source with versions whose deletions have none: the tombstone counts as newer, being seen later."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada", version=1_760_000_000_000)])
    await book.commit(ticket, 2, [gone("ada")])
    assert await book.held() == {}


async def test_quarantine_is_kept_until_the_contact_is_well(book: Book) -> None:
    """What cannot be kept is listed with its reason, its old content stays, and the entry goes when it arrives well."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada", "Ada")])
    result = await book.commit(ticket, 2, [bad("ada"), bad("eve", QuarantineReason.TOO_LARGE)])
    assert result.counts == Counts(pages=1, downloaded=1, quarantined=2)
    assert await book.set_aside() == {"ada": QuarantineReason.UNREADABLE, "eve": QuarantineReason.TOO_LARGE}
    assert await book.held() == {"ada": "Ada"}
    await book.commit(ticket, 3, [upsert("ada", "Ada is well"), gone("eve")])
    assert await book.set_aside() == {}
    assert await book.held() == {"ada": "Ada is well"}


async def test_quarantine_again_is_one_entry(book: Book) -> None:
    """Set aside again, the entry keeps its first date and takes the new reason."""
    ticket = await book.open()
    await book.commit(ticket, 1, [bad("eve", QuarantineReason.TOO_LARGE)])
    await book.commit(ticket, 2, [bad("eve", QuarantineReason.EMPTY)])
    (row,) = await book.rows("SELECT first_seen_at < seen_at AS again FROM contactsync.quarantine")
    assert row["again"]
    assert await book.set_aside() == {"eve": QuarantineReason.EMPTY}


async def test_well_and_broken_in_one_page(book: Book) -> None:
    """A page with a good and a broken copy of one card keeps the good one; the last word decides on the quarantine."""
    ticket = await book.open()
    result = await book.commit(ticket, 1, [upsert("ada"), bad("ada"), bad("ben"), upsert("ben")])
    assert result.counts == Counts(pages=1, downloaded=1, added=2, quarantined=1)
    assert await book.held() == {"ada": "ada", "ben": "ben"}
    assert set(await book.set_aside()) == {"ada"}


async def test_sweep_ends_a_complete_listing(book: Book) -> None:
    """At the end of a complete listing what it did not name is gone; the listed, the unchanged and the broken stay."""
    await book.full_pass([[upsert("ada"), upsert("ben")], [upsert("cid"), upsert("dan", etag="1")]], generation=1)
    pages = [[upsert("ada")], [bad("cid"), seen("dan")]]
    first, last = await book.full_pass(pages, generation=2)
    assert first.counts == Counts(pages=1, downloaded=1, unchanged=1)
    assert last.counts == Counts(pages=1, downloaded=1, unchanged=1, deleted=1, quarantined=1)
    assert await book.held() == {"ada": "ada", "cid": "cid", "dan": "dan"}
    lookups = "SELECT deleted_at FROM contactsync.contact_lookup JOIN contactsync.contact USING (contact_id)"
    assert {row["deleted_at"] for row in await book.rows(lookups)} == {None}


async def test_sweep_forgets_quarantine_that_is_listed_no_more(book: Book) -> None:
    """A quarantine entry ends when a complete listing no longer names its card."""
    await book.full_pass([[bad("eve"), bad("ada")]], generation=1)
    await book.full_pass([[bad("ada")]], generation=2)
    assert set(await book.set_aside()) == {"ada"}


@pytest.mark.parametrize("full", [False, True])
async def test_p10_only_a_finished_complete_listing_sweeps(book: Book, *, full: bool) -> None:
    """P10: an incremental pass, and a complete listing that fails half-way, delete nothing."""
    await book.full_pass([[upsert("ada"), upsert("ben")]], generation=1)
    ticket = await book.open()
    await book.commit(ticket, 1, [], done=not full, full=full, generation=2)
    assert await book.held() == {"ada": "ada", "ben": "ben"}


async def test_p10_an_empty_page_moves_the_cursor_only_where_the_source_says(book: Book) -> None:
    """P10: an empty page stores the cursor it was given and nothing of its own making."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada")])
    await book.commit(ticket, 2, [])
    assert await book.cursor() == f"{ticket.epoch}/2"


async def test_a_listing_goes_on_in_the_next_pass(book: Book) -> None:
    """A complete listing that a new workflow goes on with sweeps by what both passes listed."""
    await book.full_pass([[upsert("ada"), upsert("ben"), upsert("cid")]], generation=1)
    await book.commit(await book.open(), 1, [upsert("ada")], full=True, generation=2)
    ticket = await book.open()
    result = await book.commit(ticket, 1, [upsert("ben")], done=True, full=True, generation=2)
    assert result.counts.deleted == 1
    assert await book.held() == {"ada": "ada", "ben": "ben"}


async def test_unchanged_contact_of_nobody_is_nothing(book: Book) -> None:
    """`Seen` of a contact that is not held makes none up."""
    result = await book.commit(await book.open(), 1, [seen("nobody")])
    assert result.counts == Counts(pages=1, downloaded=1)


async def test_unchanged_contacts_are_those_that_are_there(book: Book) -> None:
    """Of what is listed as unchanged, only the live ones count, beside what the page says of others; what is gone stays
    gone."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada"), upsert("ben"), upsert("cid"), bad("ada")])
    await book.commit(ticket, 2, [gone("ben")])
    result = await book.commit(ticket, 3, [seen("ada"), seen("ben"), seen("nobody"), upsert("cid", "Cid")])
    assert result.counts == Counts(pages=1, downloaded=1, unchanged=1, updated=1)
    assert await book.held() == {"ada": "ada", "cid": "Cid"}
    assert await book.set_aside() == {}


async def test_an_unchanged_contact_is_as_new_as_its_page(book: Book) -> None:
    """It was seen in the newer pass and listing, and nothing older says otherwise from then on."""
    await book.full_pass([[upsert("ada")]], generation=1)
    ticket = await book.open()
    await book.commit(ticket, 1, [seen("ada")], done=True, full=True, generation=2)
    (row,) = await book.rows("SELECT observed, generation FROM contactsync.contact")
    assert (row["observed"], row["generation"]) == (observation(ticket.epoch, 1), 2)


async def test_what_a_page_sets_aside_and_clears_is_clear(book: Book) -> None:
    """Also where the connection had nothing in quarantine before the page, and where the page takes two rounds."""
    changes = [upsert("ada", version=1), bad("ada"), upsert("ada", "Ada")]
    await book.commit(await book.open(), 1, changes)
    assert await book.set_aside() == {}
    assert await book.held() == {"ada": "Ada"}


@pytest.mark.parametrize("held", [{}, {"contact_id": UUID(int=7)}])
async def test_another_writer_in_spite_of_the_lock_is_noticed(
    book: Book, monkeypatch: pytest.MonkeyPatch, held: dict[str, UUID]
) -> None:
    """A page that was planned by what is no longer held writes nothing, and is worth another try."""

    async def read_late(connection: Transaction, stamp: Stamp, indexes: Sequence[bytes]) -> dict[bytes, Held]:
        found = await read_held(connection, stamp, indexes)
        return {index: each._replace(**held) for index, each in found.items()} if held else {}

    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada", "Ada")])
    with monkeypatch.context() as patched:
        patched.setattr("contactsync.activities.store.committing.read_held", read_late)
        with pytest.raises(DatabaseUnavailable, match="another writer"):
            await book.commit(ticket, 2, [upsert("ada", "Eve"), upsert("ben")])
    assert await book.held() == {"ada": "Ada"}
    await book.commit(ticket, 2, [upsert("ada", "Eve"), upsert("ben")])
    assert await book.held() == {"ada": "Eve", "ben": "ben"}


async def test_find_takes_any_spelling(book: Book) -> None:
    """A contact is found by an address in another spelling, and by nothing that is no address."""
    await book.commit(await book.open(), 1, [upsert("ada")])
    assert await book.found(" ADA@Example.COM ") == {"ada"}
    assert await book.found("ada") == set()


async def test_unknown_connection_is_not_found(book: Book) -> None:
    """A page for a connection of another tenant finds no connection."""
    other = await book.store.new_book()
    head = (await book.head(await book.open(), 1)).model_copy(update={"connection_id": other.ref.connection_id})
    with pytest.raises(ConnectionNotFound):
        await book.store.contacts.commit(head, [upsert("ada")])


async def test_a_look_up_that_is_there_twice_finds_one_contact(book: Book) -> None:
    """No constraint keeps a look-up from being there twice; it would change no answer, and a change takes both away."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada", "Ada")])
    await book.rows("INSERT INTO contactsync.contact_lookup SELECT * FROM contactsync.contact_lookup RETURNING 1")
    assert len(await book.store.contacts.find(book.ref.tenant_id, email="ada@example.com", **WHO)) == 1
    await book.commit(ticket, 2, [gone("ada")])
    assert await book.rows("SELECT 1 FROM contactsync.contact_lookup") == []


async def test_an_address_twice_in_a_contact_is_one_look_up(book: Book) -> None:
    """Of a new contact, and of one that changed."""
    ticket = await book.open()
    for page, text in enumerate(["Ada", "Ada Lovelace"], 1):
        ada = upsert("ada", text)
        await book.commit(ticket, page, [structs.replace(ada, emails=ada.emails * 2, phones=ada.phones * 3)])
        rows = await book.rows("SELECT kind FROM contactsync.contact_lookup ORDER BY kind")
        assert [row["kind"] for row in rows] == ["email", "phone"]
