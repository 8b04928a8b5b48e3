"""What the audit log can tell, later, of who saw which contact."""

from tests.integration.store.address_book import WHO, Book, upsert

from contactsync.codecs.audit.logs import AuditLogs
from contactsync.codecs.audit.readers import MAYBE, READINGS, YES, readings_of
from contactsync.codecs.keys.ring import KeyRing
from contactsync.postgres import Database


async def test_every_way_to_see_a_contact_is_told_of_it(book: Book, database: Database, ring: KeyRing) -> None:
    """A look-up and an opening name the contact, a comparison of the connection its range; those that opened another
    contact are not told of it."""
    await book.commit(await book.open(), 1, [upsert("ada"), upsert("bob")], done=True)
    tenant_id, contacts = book.ref.tenant_id, book.store.contacts
    (ada,) = await contacts.find(tenant_id, email="ada@example.com", **WHO)
    (bob,) = await contacts.find(tenant_id, email="bob@example.com", **WHO)
    await contacts.get(tenant_id, bob.contact_id, **WHO)
    await contacts.get(tenant_id, ada.contact_id, **WHO)
    everybody = [each.contact_id async for each in contacts.all_of(book.ref)]
    assert set(everybody) == {ada.contact_id, bob.contact_id}
    entries = await AuditLogs(database, ring).entries(tenant_id, READINGS)
    assert [each.certainty for each in readings_of(entries, ada.contact_id)] == [YES, YES, MAYBE]
    assert len(readings_of(entries)) == 5
