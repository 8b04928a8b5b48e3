"""What the provider's users do, and when it shows."""

import pytest

from contactsync.activities.sources.simulator.clock import SECOND, VirtualClock
from contactsync.activities.sources.simulator.faults import Faults, Merges
from contactsync.activities.sources.simulator.provider import Provider
from contactsync.activities.sources.simulator.records import iso

from .asking import asking

A, B, C = "000000000", "000000001", "000000002"


async def test_a_deletion_leaves_a_tombstone_until_it_is_taken_back() -> None:
    """The listing no longer has the contact, changes say that it is gone; restored it is there under its id."""
    provider = Provider(2)
    provider.delete(A)
    async with asking(provider) as client:
        assert await client.ids("/cursor/contacts") == [B]
        assert [(record.id, record.deleted) for record in (await client.page("/cursor/changes")).records] == [
            (B, False),
            (A, True),
        ]
        provider.restore(A)
        assert await client.ids("/cursor/contacts") == [A, B]
    assert dict(provider.live()) == {A: 3, B: 1}


async def test_a_purge_and_a_provider_without_tombstones_tell_nothing() -> None:
    """Only the listing lacks the contact."""
    provider = Provider(3, faults=Faults(tombstones=False))
    provider.delete(A)
    async with asking(provider) as client:
        assert await client.ids("/cursor/changes") == [B, C]
        provider.faults = Faults()
        provider.delete(B, purge=True)
        assert await client.ids("/cursor/changes") == [C, A]
        assert await client.ids("/cursor/contacts") == [C]


@pytest.mark.parametrize(
    ("merges", "expected"),
    [
        ("both", {B: (None, (A,)), A: (B, ())}),
        ("tombstone", {B: (None, ()), A: (B, ())}),
        ("ids", {B: (None, (A,))}),
    ],
)
async def test_a_merge_is_told_by_either_side(
    merges: Merges, expected: dict[str, tuple[str | None, tuple[str, ...]]]
) -> None:
    """The loser names the winner, or the winner names the loser, or both do."""
    provider = Provider(2, faults=Faults(merges=merges))
    provider.merge(A, B)
    async with asking(provider) as client:
        changed = (await client.page("/cursor/changes")).records
    assert {record.id: (record.merged_into, record.merged_ids) for record in changed} == expected
    assert dict(provider.live()) == {B: 2}


async def test_a_renamed_contact_is_found_under_its_new_id() -> None:
    """The old id leads to the new one; the number of contacts stays."""
    provider = Provider(2)
    provider.rename(A, "ada")
    async with asking(provider) as client:
        assert await client.ids("/cursor/contacts") == [B, "ada"]
        changed = {record.id: record for record in (await client.page("/cursor/changes")).records}
    assert (changed[A].merged_into, changed["ada"].merged_ids) == ("ada", (A,))


async def test_a_moved_contact_is_in_the_other_folder() -> None:
    """With its id, or as one that left and one that came."""
    provider = Provider(2, folders=("in",))
    provider.move(A, "out")
    provider.move(B, "out", "new")
    async with asking(provider) as client:
        assert await client.ids("/cursor/contacts", folder="out") == [A, "new"]
        assert await client.ids("/cursor/contacts", folder="in") == []
        deleted = [record.id for record in (await client.page("/cursor/changes")).records if record.deleted]
    assert deleted == [B]


async def test_a_late_commit_shows_after_others_with_an_earlier_time() -> None:
    """What was written at nine and committed at ten past nine stands before what was written and shown meanwhile."""
    clock = VirtualClock()
    provider = Provider(3, clock=clock)
    started = clock.now()
    provider.edit(A, shows_after=600.0)
    clock.advance(60)
    provider.edit(B)
    async with asking(provider) as client:
        assert await client.ids("/cursor/changes", since=iso(started)) == [B]
        clock.advance(540)
        assert await client.ids("/cursor/changes", since=iso(started)) == [A, B]
    assert dict(provider.live())[A] == 2


async def test_the_index_lags_behind_the_listing() -> None:
    """The listing shows the new version at once, changes only after the lag."""
    clock = VirtualClock()
    provider = Provider(1, clock=clock, faults=Faults(index_lag_seconds=30.0))
    clock.advance(1)
    provider.edit(A)
    async with asking(provider) as client:
        versions = [(await client.page(path)).records[0].version for path in ("/cursor/contacts", "/cursor/changes")]
        assert versions == [2, 1]
        clock.advance(30)
        assert (await client.page("/cursor/changes")).records[0].version == 2


async def test_a_young_index_misses_some_until_it_settles() -> None:
    """Some of what was just edited is missing from changes, and there later."""
    clock = VirtualClock()
    provider = Provider(200, clock=clock, faults=Faults(index_settle_seconds=60.0, index_miss_share=0.5))
    ids = [name for name, _ in provider.live()]
    provider.edit(*ids)
    async with asking(provider) as client:
        since = iso(clock.now())
        assert 50 < len(await client.ids("/cursor/changes", since=since)) < 150
        clock.advance(60)
        assert await client.ids("/cursor/changes", since=since) == ids


async def test_an_edit_may_say_any_time() -> None:
    """A mass update gives all its contacts one instant, kept in the provider's unit."""
    clock = VirtualClock(1_800_000_000 * SECOND + 123_456)
    provider = Provider(3, clock=clock, resolution=1000)
    provider.edit(A, B, C)
    entries = [provider.get(name) for name in (A, B, C)]
    assert {entry.updated for entry in entries if entry} == {1_800_000_000 * SECOND + 123_000}


async def test_what_a_person_typed_is_in_the_record() -> None:
    """`put` replaces members of the made-up record, or the whole text of it."""
    provider = Provider(0)
    provider.put("ada", {"title": "Countess", "emails": [{"address": "ada@people.example"}]})
    async with asking(provider) as client:
        record = (await client.page("/cursor/contacts")).records[0].model_dump()
        assert (record["title"], record["emails"]) == ("Countess", [{"address": "ada@people.example"}])
        provider.put("ada", raw=b'{"no": "id"}')
        assert b'"records":[{"no": "id"}]' in (await client.get("/cursor/contacts")).content


def test_nobody_edits_what_is_not_there() -> None:
    """A mistake of a test is told, not swallowed."""
    provider = Provider(2)
    provider.delete(A)
    with pytest.raises(KeyError):
        provider.edit(A)
    with pytest.raises(KeyError):
        provider.delete(A)
    with pytest.raises(KeyError):
        provider.merge(A, B)
    with pytest.raises(KeyError):
        provider.restore(B)
