"""The source in memory, beyond the contract that all sources share."""

from contactsync.activities.contacts.contact import DEFAULT_FIELDS, Contact, EmailAddress, Field, Note, OnlineService
from contactsync.activities.sources.memory import AddressBook, minimised, shared
from contactsync.activities.sources.registry import open_source
from contactsync.activities.sources.replica import Replica
from contactsync.activities.sources.source import Credentials, PageLimits

NOBODY = Credentials()


async def test_made_up_contacts_are_the_same_everywhere() -> None:
    """The same settings make up the same contacts, under a cursor that another process understands."""
    one, other = Replica(), Replica()
    for replica in (one, other):
        async with open_source("memory", {"made_up": 30, "seed": 7}, NOBODY, DEFAULT_FIELDS, replica) as source:
            first = await replica.follow(source, PageLimits(rows=10))
            assert (len(first.pages), first.downloaded) == (3, 30)
    assert one.contacts == other.contacts
    assert one.cursor == other.cursor
    assert one.etags == other.etags


async def test_other_made_up_contacts_are_another_listing() -> None:
    """When the settings change, the cursor is of another address book and a complete listing follows."""
    replica = Replica()
    for count in (5, 3):
        settings: dict[str, object] = {"made_up": count}
        async with open_source("memory", settings, NOBODY, DEFAULT_FIELDS, replica) as source:
            assert (await replica.follow(source)).restarts == 1
        assert len(replica.contacts) == count


async def test_broken_text_is_set_aside() -> None:
    """A card that is no vCard is set aside."""
    replica = Replica()
    with shared(AddressBook({"a": "no card", "b": Contact(uid="b")})) as name:
        async with open_source("memory", {"shared": name}, NOBODY, DEFAULT_FIELDS, replica) as source:
            await replica.follow(source)
    assert set(replica.unreadable) == {"a"}
    assert set(replica.contacts) == {"b"}


def test_minimised() -> None:
    """A contact keeps its uid, its kind and the allowed properties."""
    whole = Contact(
        uid="u",
        kind="org",
        emails=(EmailAddress(address="a@people.example"),),
        notes=(Note(note="n"),),
        online_services=(OnlineService(uri="x:y"),),
    )
    assert minimised(whole, frozenset({Field.EMAILS})) == Contact(uid="u", kind="org", emails=whole.emails)
    assert minimised(whole, frozenset(Field)) == whole


async def test_a_long_address_book_is_listed_in_parts() -> None:
    """Each part ends by itself; together they name every contact once, whatever comes or goes at their edges."""
    book = AddressBook({f"{number:03}": Contact(uid=f"{number:03}") for number in range(350)})
    bench = Replica()
    with shared(book) as name:
        async with open_source("memory", {"shared": name}, NOBODY, DEFAULT_FIELDS, bench) as source:
            parts = [Replica(cursor=cursor) for cursor in await source.partitions(None)]
            book.put("099a", Contact(uid="099a"))
            book.delete("199")
            for part in parts:
                await part.follow(source, PageLimits(rows=30))
    ids = [source_id for part in parts for source_id in part.contacts]
    assert len(parts) == 4
    assert sorted(ids) == book.ids()
