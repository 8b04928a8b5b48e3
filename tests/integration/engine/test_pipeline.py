"""fetch → sanitize → upsert through real Temporal into real PostgreSQL."""

from tests.integration.engine.conftest import Engine

from contactsync.activities.contacts.made_up import made_up_contacts
from contactsync.activities.messages import ConnectionRef
from contactsync.activities.sources.memory import AddressBook, shared


async def test_a_first_pass_brings_every_contact_and_a_second_one_nothing(engine: Engine) -> None:
    """1,050 contacts in eleven pages; then nothing is downloaded and nothing changes."""
    sync = await engine.connect(await engine.tenant(), {"made_up": 1050})
    first = await engine.sync(sync)
    assert (first.outcome, first.counts.added, first.counts.pages) == ("completed", 1050, 11)
    second = await engine.sync(sync)
    assert (second.outcome, second.counts.downloaded, second.counts.updated) == ("completed", 0, 0)
    assert len(await engine.held(sync)) == 1050


async def test_adds_edits_and_deletes_arrive_with_the_next_pass(engine: Engine) -> None:
    """Only what changed is downloaded; what was deleted is gone."""
    one, two, three, changed = made_up_contacts(4, 7)
    book = AddressBook({"1": one, "2": two})
    with shared(book) as name:
        sync = await engine.connect(await engine.tenant(), {"shared": name})
        await engine.sync(sync)
        book.put("2", changed)
        book.put("3", three)
        book.delete("1")
        counts = (await engine.sync(sync)).counts
    assert (counts.added, counts.updated, counts.deleted, counts.downloaded) == (1, 1, 1, 2)
    assert await engine.held(sync) == {"2", "3"}


async def test_an_expired_cursor_lists_anew_and_sweeps_what_is_gone(engine: Engine) -> None:
    """A deletion that no cursor tells of is found by the complete listing."""
    contacts = made_up_contacts(250, 3)
    book = AddressBook({str(number): contact for number, contact in enumerate(contacts)})
    with shared(book) as name:
        sync = await engine.connect(await engine.tenant(), {"shared": name})
        await engine.sync(sync)
        book.delete("17")
        book.expire_cursors()
        result = await engine.sync(sync)
    assert (result.outcome, result.counts.deleted, result.counts.added) == ("completed", 1, 0)
    assert len(await engine.held(sync)) == 249


async def test_a_found_contact_is_the_clean_one(engine: Engine) -> None:
    """Look-up by e-mail finds exactly the row, opened and cleaned."""
    contact = made_up_contacts(1, 11)[0]
    with shared(AddressBook({"1": contact})) as name:
        tenant = await engine.tenant()
        sync = await engine.connect(tenant, {"shared": name})
        await engine.sync(sync)
    found = await engine.parts.contacts.find(
        tenant, email=contact.emails[0].address.upper(), actor="test", reason="test"
    )
    assert [held.source_id for held in found] == ["1"]
    counts = await engine.parts.contacts.counts(ConnectionRef(tenant_id=tenant, connection_id=sync.connection_id))
    assert counts.live == 1
