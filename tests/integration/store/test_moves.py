"""Renames and merges: nobody is held twice, and nobody's id is lost."""

from uuid import UUID

import pytest
from msgspec import structs
from tests.integration.store.address_book import WHO, Book, bad, gone, moved, upsert

from contactsync.errors import ContactNotFound


async def ids(book: Book) -> dict[str, UUID]:
    """The contact ids by source id."""
    return {each.source_id: each.contact_id async for each in book.store.contacts.all_of(book.ref)}


async def source_id_of(book: Book, contact_id: UUID) -> str:
    """The source id under which a contact is found now."""
    return (await book.store.contacts.get(book.ref.tenant_id, contact_id, **WHO)).source_id


async def test_p31_a_renamed_contact_keeps_its_id(book: Book) -> None:
    """P31: under its new id the contact is the same one, with its content and addresses, also before it is listed."""
    await book.commit(await book.open(), 1, [upsert("ada", "Ada", etag="1")])
    before = await ids(book)
    result = await book.commit(await book.open(), 1, [moved("ada", "people/ada")])
    assert (result.counts.updated, result.counts.deleted) == (1, 0)
    assert await book.held() == {"people/ada": "Ada"}
    assert (await ids(book))["people/ada"] == before["ada"]
    assert await book.found("ada@example.com") == {"people/ada"}
    assert await book.workbench().unchanged({"people/ada": "1", "ada": "1"}) == frozenset()


async def test_p31_a_renamed_contact_that_changed_in_the_same_page(book: Book) -> None:
    """P31: the alias comes first, then the contact as it is now: one contact, updated."""
    await book.commit(await book.open(), 1, [upsert("ada", "Ada", version=7)])
    before = await ids(book)
    await book.commit(await book.open(), 1, [moved("ada", "new"), upsert("new", "Ada Lovelace", version=1)])
    assert await book.held() == {"new": "Ada Lovelace"}
    assert (await ids(book))["new"] == before["ada"]
    assert await book.found("ada@example.com") == set()
    assert await book.found("new@example.com") == {"new"}


async def test_p31_a_merged_contact_leads_to_the_other(book: Book) -> None:
    """P31: of two contacts one is left; who asks for the other by its contact id finds that one."""
    await book.commit(await book.open(), 1, [upsert("ada"), upsert("countess")])
    before = await ids(book)
    result = await book.commit(await book.open(), 1, [moved("ada", "countess"), upsert("countess", "Ada")])
    assert (result.counts.deleted, result.counts.updated) == (1, 1)
    assert await book.held() == {"countess": "Ada"}
    assert await book.found("ada@example.com") == set()
    assert await source_id_of(book, before["ada"]) == "countess"
    counts = await book.store.contacts.counts(book.ref)
    assert (counts.live, counts.gone) == (1, 1)


async def test_chains_of_merges_and_renames_resolve(book: Book) -> None:
    """However often a contact was merged and renamed since, its first id leads to where it is, on one page or many."""
    await book.commit(await book.open(), 1, [upsert("a"), upsert("b"), upsert("c")])
    before = await ids(book)
    ticket = await book.open()
    await book.commit(ticket, 1, [moved("a", "b")])
    await book.commit(ticket, 2, [moved("b", "c"), moved("c", "d"), moved("d", "e")])
    assert await book.held() == {"e": "c"}
    for name in ("a", "b", "c"):
        assert await source_id_of(book, before[name]) == "e"


async def test_a_late_older_page_does_not_bring_the_old_id_back(book: Book) -> None:
    """What a backfill read before the merge or rename is older than it."""
    await book.commit(await book.open(), 1, [upsert("ada"), upsert("ben"), upsert("countess")], done=True)
    ticket = await book.open()
    filling = await book.backfill()
    await book.commit(ticket, 1, [moved("ada", "countess"), moved("ben", "benjamin"), moved("x", "y")], done=True)
    await filling.commit(1, [upsert("ada"), upsert("ben"), upsert("x"), upsert("countess")], done=True)
    assert set(await book.held()) == {"countess", "benjamin"}


async def test_a_newer_page_revives_the_old_id_as_a_contact_of_its_own(book: Book) -> None:
    """An id that is used again is somebody else: the renamed contact stays where it is."""
    await book.commit(await book.open(), 1, [upsert("ada"), upsert("ben")])
    before = await ids(book)
    ticket = await book.open()
    await book.commit(ticket, 1, [moved("ada", "new"), moved("ben", "new")])
    await book.commit(ticket, 2, [upsert("ada", "another"), upsert("ben", "yet another")])
    after = await ids(book)
    assert await book.held() == {"new": "ada", "ada": "another", "ben": "yet another"}
    assert after["new"] == before["ada"]
    assert len(set(after.values())) == 3
    assert await source_id_of(book, before["ben"]) == "ben"


async def test_two_contacts_change_ids(book: Book) -> None:
    """A chain of renames over one page may end where it began, with every contact in its new place."""
    await book.commit(await book.open(), 1, [upsert("a"), upsert("b")])
    before = await ids(book)
    await book.commit(await book.open(), 1, [moved("a", "aside"), moved("b", "a"), moved("aside", "b")])
    assert await book.held() == {"b": "a", "a": "b"}
    after = await ids(book)
    assert (after["b"], after["a"]) == (before["a"], before["b"])


async def test_a_contact_is_renamed_to_an_id_that_was_gone(book: Book) -> None:
    """The new id had been deleted once: the contact moves there all the same, and its old id is the tombstone."""
    await book.commit(await book.open(), 1, [upsert("ada"), upsert("old")])
    before = await ids(book)
    await book.commit(await book.open(), 1, [gone("old")])
    await book.commit(await book.open(), 1, [moved("ada", "old")])
    assert await book.held() == {"old": "ada"}
    assert (await ids(book))["old"] == before["ada"]
    await book.commit(await book.open(), 1, [gone("old")])
    assert await book.held() == {}
    with pytest.raises(ContactNotFound):
        await book.store.contacts.get(book.ref.tenant_id, before["ada"], **WHO)


async def test_an_alias_of_a_backfill_that_was_overtaken(book: Book) -> None:
    """An alias older than what is held of the old id moves nothing; one to an id that is gone since leaves nothing."""
    await book.commit(await book.open(), 1, [upsert("ada"), upsert("ben")], done=True)
    filling = await book.backfill()
    await book.commit(await book.open(), 1, [upsert("ada", "newer"), gone("benjamin")], done=True)
    await filling.commit(1, [moved("ada", "x"), moved("ben", "benjamin")], done=True)
    assert await book.held() == {"ada": "newer"}


async def test_versions_decide_on_aliases_too(book: Book) -> None:
    """An alias with an older version than the contact's moves nothing."""
    await book.commit(await book.open(), 1, [upsert("ada", version=5)])
    await book.commit(await book.open(), 1, [moved("ada", "x", version=4)])
    assert await book.held() == {"ada": "ada"}
    await book.commit(await book.open(), 1, [moved("ada", "x", version=6)])
    assert await book.held() == {"x": "ada"}


async def test_the_same_alias_again_changes_nothing(book: Book) -> None:
    """A source may tell of a merge in every listing."""
    await book.commit(await book.open(), 1, [upsert("ada"), upsert("countess")])
    before = await ids(book)
    for generation in (2, 3):
        page = [moved("ada", "countess"), moved("countess", "countess"), upsert("countess")]
        (result,) = await book.full_pass([page], generation)
    assert (result.counts.deleted, result.counts.updated, result.counts.unchanged) == (0, 0, 1)
    assert await source_id_of(book, before["ada"]) == "countess"


async def test_an_alias_clears_the_quarantine_of_the_old_id(book: Book) -> None:
    """What could not be kept under the old id is not set aside there any more."""
    await book.commit(await book.open(), 1, [bad("ada")])
    await book.commit(await book.open(), 1, [moved("ada", "new"), bad("new")])
    assert set(await book.set_aside()) == {"new"}


async def test_p31_a_renamed_contact_is_sealed_under_its_new_id(book: Book) -> None:
    """P31: the row opens with the new id in it, and its digests are those of the new id: equal content is a no-op."""
    await book.commit(await book.open(), 1, [upsert("ada", "Ada")])
    await book.commit(await book.open(), 1, [moved("ada", "new")])
    content = upsert("ada", "Ada").content
    again = structs.replace(upsert("new", "Ada"), content=content)
    result = await book.commit(await book.open(), 1, [again])
    assert result.counts.unchanged == 1


async def test_an_alias_without_a_version_forgets_none(book: Book) -> None:
    """A backfill tells of a rename twice, once with its version: a live page read before brings nobody back."""
    ticket = await book.open()
    await book.commit(ticket, 1, [upsert("ada", version=1)])
    filling = await book.backfill()
    await filling.commit(1, [moved("ada", "new", version=2), moved("ada", "new")])
    await book.commit(ticket, 2, [upsert("ada", version=1)])
    assert set(await ids(book)) == {"new"}
