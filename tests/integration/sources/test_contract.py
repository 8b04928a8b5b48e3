"""What every source does alike. A new source is added to `KINDS` in conftest.py and passes these."""

import pytest
from tests.dav.cards import card, file_name, too_large
from tests.integration.sources.worlds import World
from tests.kept import left_to_collect

from contactsync.activities.contacts.contact import DEFAULT_FIELDS, Field
from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sources.replica import Replica
from contactsync.activities.sources.source import Changed, PageLimits, Removed, Unreadable
from contactsync.errors import CredentialsRejected, SourceAddressWrong, SourceUnavailable


def names(replica: Replica) -> dict[str, str]:
    """What the replica holds: file name to full name."""
    return {
        source_id.rpartition("/")[2]: contact.name.full if contact.name else ""
        for source_id, contact in replica.contacts.items()
    }


async def fill(world: World, count: int) -> dict[str, str]:
    """Puts so many cards there; returns what a replica must hold then."""
    for number in range(count):
        await world.put(file_name(number), card(number))
    return {file_name(number): f"Person {number}" for number in range(count)}


async def test_complete_listing(world: World, replica: Replica) -> None:
    """The first pass lists everything there is, as one complete listing."""
    expected = await fill(world, 3)
    async with world.open(replica) as source:
        first = await replica.follow(source)
    assert names(replica) == expected
    assert (first.full, first.restarts, first.downloaded) == (True, 1, 3)
    assert first.pages[0].restarted


async def test_a_closed_source_is_gone(world: World, replica: Replica) -> None:
    """At once, with all that was read with it: what refers to itself stays for some ten pages of a long pass."""
    await fill(world, 3)
    with left_to_collect() as left:
        async with world.open(replica) as source:
            await replica.follow(source)
        del source
    assert left == []


async def test_empty_address_book(world: World, replica: Replica) -> None:
    """An empty address book is a complete listing of nothing, and what comes later is found."""
    async with world.open(replica) as source:
        first = await replica.follow(source)
        assert (first.changes, first.full, first.restarts) == ([], True, 1)
        expected = await fill(world, 1)
        await replica.follow(source)
    assert names(replica) == expected


async def test_check_counts_address_books(world: World, replica: Replica) -> None:
    """A check says what is there and downloads no card."""
    async with world.open(replica) as source:
        info = await source.check()
    assert (info.address_books, info.incremental) == (1, world.is_incremental)


async def test_nothing_changed_downloads_nothing(world: World, replica: Replica) -> None:
    """A pass over what has not changed downloads no card and changes nothing."""
    expected = await fill(world, 4)
    async with world.open(replica) as source:
        await replica.follow(source)
        second = await replica.follow(source)
    assert names(replica) == expected
    assert second.downloaded == 0
    assert not any(isinstance(change, Changed | Removed | Unreadable) for change in second.changes)
    assert second.full is not world.is_incremental or not second.changes


async def test_only_changes_are_downloaded(world: World, replica: Replica) -> None:
    """Cards added, edited, renamed and deleted arrive in the next pass, and no other card is downloaded."""
    expected = await fill(world, 8)
    async with world.open(replica) as source:
        await replica.follow(source)
        await world.put("new.vcf", card(100, name="New"))
        await world.put(file_name(1), card(1, name="Edited"))
        await world.rename(file_name(2), "renamed.vcf")
        await world.delete(file_name(3))
        second = await replica.follow(source)
    del expected[file_name(2)], expected[file_name(3)]
    assert names(replica) == expected | {"new.vcf": "New", file_name(1): "Edited", "renamed.vcf": "Person 2"}
    assert second.downloaded == 3
    assert second.full is not world.is_incremental


async def test_invalid_cursor_restarts(world: World, replica: Replica) -> None:
    """A cursor that the source no longer honours starts a complete listing, which finds what was deleted meanwhile."""
    expected = await fill(world, 6)
    async with world.open(replica) as source:
        await replica.follow(source)
        await world.delete(file_name(0))
        await world.put(file_name(1), card(1, name="Edited"))
        assert replica.cursor is not None
        replica.cursor = world.spoilt(replica.cursor)
        second = await replica.follow(source)
    del expected[file_name(0)]
    assert names(replica) == expected | {file_name(1): "Edited"}
    assert (second.full, second.restarts) == (True, 1)


@pytest.mark.parametrize("cursor", [b"", b"{}", b"\x00\xff", b'{"format":99,"mask":"x"}'])
async def test_foreign_cursor_restarts(world: World, replica: Replica, cursor: bytes) -> None:
    """A cursor of another version or none at all is no error: a complete listing starts."""
    expected = await fill(world, 2)
    replica.cursor = cursor
    async with world.open(replica) as source:
        first = await replica.follow(source)
    assert names(replica) == expected
    assert (first.full, first.restarts) == (True, 1)


async def test_broken_card_is_set_aside(world: World, replica: Replica) -> None:
    """One card that is no contact is set aside with its reason, the others arrive, and once mended it does too."""
    expected = await fill(world, 3)
    await world.put("broken.vcf", too_large(50))
    async with world.open(replica) as source:
        first = await replica.follow(source)
        assert names(replica) == expected
        assert list(replica.unreadable.values()) == [QuarantineReason.TOO_LARGE]
        assert sum(isinstance(change, Unreadable) for change in first.changes) == 1
        await world.put("broken.vcf", card(50, name="Mended"))
        await replica.follow(source)
    assert names(replica) == expected | {"broken.vcf": "Mended"}
    assert replica.unreadable == {}


async def test_contact_larger_than_a_page_is_set_aside(world: World, replica: Replica) -> None:
    """A single contact that no page can hold is set aside as too large, and the pass goes on."""
    expected = await fill(world, 2)
    await world.put("large.vcf", card(60, *(f"TEL:+4366{number:08}" for number in range(60))))
    async with world.open(replica) as source:
        await replica.follow(source, PageLimits(rows=10, bytes=1000))
    assert names(replica) == expected
    assert list(replica.unreadable.values()) == [QuarantineReason.TOO_LARGE]


async def test_groups(world: World, replica: Replica) -> None:
    """A group is a contact of kind group, with its members where the allow-list has them."""
    await world.put("person.vcf", card(1, uid="urn:uuid:11111111-1111-4111-8111-111111111111"))
    member = "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:11111111-1111-4111-8111-111111111111"
    await world.put("group.vcf", card(2, "X-ADDRESSBOOKSERVER-KIND:group", member, name="Choir"))
    async with world.open(replica, fields=DEFAULT_FIELDS | {Field.MEMBERS}) as source:
        await replica.follow(source)
    kinds = {contact.kind: contact.members for contact in replica.contacts.values()}
    assert kinds == {"individual": (), "group": ("urn:uuid:11111111-1111-4111-8111-111111111111",)}


async def test_every_version_of_vcard(world: World, replica: Replica) -> None:
    """Cards in each version of vCard that the source takes arrive with the same contents."""
    for number, version in enumerate(world.versions):
        await world.put(f"v{version}.vcf", card(number, version=version))
    async with world.open(replica) as source:
        await replica.follow(source)
    assert names(replica) == {f"v{version}.vcf": f"Person {n}" for n, version in enumerate(world.versions)}
    assert all(contact.emails for contact in replica.contacts.values())


async def test_names_of_every_spelling(world: World, replica: Replica) -> None:
    """A card keeps one identity whatever characters its file name has."""
    odd = ["a b.vcf", "p@people.example.vcf", "ä-ö-ü.vcf", "100%25.vcf", "plus+and(brackets)!.vcf"]
    for number, name in enumerate(odd):
        await world.put(name, card(number))
    async with world.open(replica) as source:
        await replica.follow(source)
        second = await replica.follow(source)
        assert len(replica.contacts) == len(odd)
        assert second.downloaded == 0
        for name in odd:
            await world.delete(name)
        await replica.follow(source)
    assert replica.contacts == {}


async def test_pages_are_bounded_in_rows(world: World, replica: Replica) -> None:
    """A long listing comes in pages of at most so many rows, each card in exactly one of them."""
    expected = await fill(world, 23)
    async with world.open(replica) as source:
        first = await replica.follow(source, PageLimits(rows=5))
    assert names(replica) == expected
    assert [len(page.changes) for page in first.pages] == [5, 5, 5, 5, 3]
    assert [page.done for page in first.pages] == [False] * 4 + [True]
    assert len({change.source_id for change in first.changes}) == 23
    assert first.downloaded == 23


async def test_pages_are_bounded_in_bytes(world: World, replica: Replica) -> None:
    """A page takes no more bytes of contacts than it may; what does not fit comes on the next one."""
    expected = await fill(world, 12)
    limits = PageLimits(rows=100, bytes=1000)
    async with world.open(replica) as source:
        first = await replica.follow(source, limits)
    sizes = [sum(len(change.content) for change in page.changes if isinstance(change, Changed)) for page in first.pages]
    assert names(replica) == expected
    assert len(first.pages) > 3  # about 150 bytes each, and what a row takes beside it
    assert max(sizes) <= limits.bytes


async def test_resume_from_any_cursor(world: World, replica: Replica) -> None:
    """Any page may be asked for twice, by another process, and the pass ends with the same contacts."""
    expected = await fill(world, 11)
    limits = PageLimits(rows=3)
    for _ in range(20):
        async with world.open(replica) as lost:
            once = await lost.fetch(replica.cursor, limits)
        async with world.open(replica) as source:
            page = await source.fetch(replica.cursor, limits)
        assert {change.source_id for change in once.changes} == {change.source_id for change in page.changes}
        replica.apply(page)
        if page.done:
            break
    assert names(replica) == expected


async def test_changes_during_a_pass_are_not_lost(world: World, replica: Replica) -> None:
    """P1: what is edited, added or deleted between two pages arrives in this pass or the next."""
    expected = await fill(world, 9)
    limits = PageLimits(rows=4)
    async with world.open(replica) as source:
        replica.apply(await source.fetch(None, limits))
        for number in range(9):
            await world.put(file_name(number), card(number, name=f"Edited {number}"))
        await world.delete(file_name(8))
        await world.put("late.vcf", card(90, name="Late"))
        await replica.follow(source, limits)
        await replica.follow(source, limits)
    expected = {name: full.replace("Person", "Edited") for name, full in expected.items() if name != file_name(8)}
    assert names(replica) == expected | {"late.vcf": "Late"}


async def test_lost_listing_restarts(world: World, replica: Replica) -> None:
    """A listing that the workbench has lost is made again, and nothing is missed or left behind."""
    expected = await fill(world, 9)
    limits = PageLimits(rows=4)
    async with world.open(replica) as source:
        replica.apply(await source.fetch(None, limits))
        replica.lose_stashes()
        await replica.follow(source, limits)
    assert names(replica) == expected


async def test_p12_most_cards_vanish(world: World, replica: Replica) -> None:
    """P12: when 60 % of the cards go, each one is reported gone in one pass, and those left are not downloaded."""
    expected = await fill(world, 20)
    async with world.open(replica) as source:
        await replica.follow(source)
        for number in range(12):
            await world.delete(file_name(number))
            del expected[file_name(number)]
        second = await replica.follow(source, PageLimits(rows=5))
    assert names(replica) == expected
    assert second.downloaded == 0


async def test_only_allowed_properties_arrive(world: World, replica: Replica) -> None:
    """Only what the allow-list names arrives; when it grows, cards that have not changed are read again."""
    await world.put("note.vcf", card(1, "NOTE:likes tea"))
    async with world.open(replica) as source:
        first = await replica.follow(source)
    assert [contact.notes for contact in replica.contacts.values()] == [()]
    assert "likes tea" not in repr([change for change in first.changes if isinstance(change, Changed)])
    async with world.open(replica, fields=DEFAULT_FIELDS | {Field.NOTES}) as source:
        second = await replica.follow(source)
    assert [contact.notes[0].note for contact in replica.contacts.values()] == ["likes tea"]
    assert (second.restarts, second.downloaded) == (1, 1)


async def test_wrong_password(world: World, replica: Replica) -> None:
    """A wrong password is said to be one, by a check and by a pass, and nothing counts as deleted."""
    expected = await fill(world, 2)
    async with world.open(replica) as source:
        await replica.follow(source)
    async with world.open(replica, secret="wrong") as source:
        with pytest.raises(CredentialsRejected):
            await source.check()
        with pytest.raises(CredentialsRejected):
            await source.fetch(replica.cursor, PageLimits())
    assert names(replica) == expected


async def test_wrong_address(world: World, replica: Replica) -> None:
    """An address without an address book is said to be one."""
    with pytest.raises(SourceAddressWrong):
        async with world.open_elsewhere(replica) as source:
            await source.check()
    with pytest.raises(SourceAddressWrong):
        async with world.open_elsewhere(replica) as source:
            await source.fetch(None, PageLimits())


async def test_source_that_is_down(world: World, replica: Replica) -> None:
    """A source that does not answer is unavailable, which is tried again."""
    async with world.open_down(replica) as source:
        with pytest.raises(SourceUnavailable):
            await source.check()
        with pytest.raises(SourceUnavailable):
            await source.fetch(None, PageLimits())


async def test_parts_make_up_the_listing(world: World, replica: Replica) -> None:
    """Read part by part, each to its own end, the listing is complete; every part says that it is one of a listing."""
    expected = await fill(world, 5)
    found: dict[str, str] = {}
    async with world.open(replica) as source:
        for cursor in await source.partitions(None):
            part = Replica(cursor=cursor)
            assert (await part.follow(source)).full
            found |= names(part)
    assert found == expected


async def test_a_baseline_goes_on_from_the_present(world: World, replica: Replica) -> None:
    """Where a source has one: a pass from there finds what changed since, and lists nothing."""
    await fill(world, 3)
    async with world.open(replica) as source:
        replica.cursor = await source.baseline()
        listing_follows = replica.cursor is None
        await world.put(file_name(1), card(1, name="Edited"))
        first = await replica.follow(source)
    assert names(replica)[file_name(1)] == "Edited"
    assert first.restarts == listing_follows
