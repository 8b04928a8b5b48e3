"""Held deletions, as a person sees and decides them."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from tests.integration.cli.running import Site, printed, ref_of

from contactsync.activities.contacts.made_up import made_up_contacts
from contactsync.activities.sources.memory import AddressBook, shared
from contactsync.activities.store.directory import TenantPolicy
from contactsync.errors import HoldNotFound, NoWorker, TemporalUnavailable
from contactsync.workers.cli.deletes import decide_deletes, list_deletes
from contactsync.workers.cli.status import status_of
from contactsync.workers.embedded.ports import LOOPBACK, free_port
from contactsync.workers.settings import PREFIX
from contactsync.workers.syncs import Sync

STRICT = TenantPolicy(delete_floor=0, delete_share=0.5)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Ten contacts that this process shares under a name."""

    name: str
    book: AddressBook


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    """Ten contacts at the source."""
    book = AddressBook({str(n): contact for n, contact in enumerate(made_up_contacts(10, 1))})
    with shared(book) as name:
        yield Shelf(name, book)


async def holding(site: Site, shelf: Shelf) -> Sync:
    """A connection of ten contacts, eight of which are gone at the source and held; a worker must run."""
    sync = await site.connect({"shared": shelf.name}, tenant_id=await site.tenant(STRICT))
    await done(site, sync)
    for n in range(8):
        shelf.book.delete(str(n))
    await done(site, sync)
    return sync


async def done(site: Site, sync: Sync) -> None:
    """A pass."""
    result = await site.syncs.result(sync, await site.syncs.sync_now(sync))
    assert result.outcome == "completed"


async def live(site: Site, sync: Sync) -> int:
    """How many contacts the connection has."""
    return (await site.parts.contacts.counts(ref_of(sync))).live


async def test_approving(site: Site, shelf: Shelf) -> None:
    """What is held is listed with its cause, and gone once it is approved; a second decision finds nothing."""
    async with site.worker():
        sync = await holding(site, shelf)
        assert await live(site, sync) == 10
        listed = printed(await list_deletes(None, everything=False))
        [hold] = listed["deletes"]
        assert (listed["waiting"], hold["connection"]) == (8, str(sync.connection_id))
        assert (hold["contacts"], hold["live"], hold["cause"]) == (8, 10, "tombstones")
        assert (await site.parts.freshness.of(sync.connection_id)).held == 8
        seen = printed(await status_of(str(sync.connection_id), check=False))["connection"]
        assert (seen["deletes_held"], seen["last_pass"]["counts"]["held"], seen["fresh"]) == (8, 8, True)
        decided = printed(await decide_deletes(str(sync.connection_id), approve=True))
        assert (decided["outcome"], decided["contacts"], decided["hold"]) == ("approved", 8, hold["id"])
        assert await live(site, sync) == 2
        assert (await site.parts.freshness.of(sync.connection_id)).held == 0
        with pytest.raises(HoldNotFound, match="no deletions of this connection"):
            await decide_deletes(str(sync.connection_id), approve=True)
    assert printed(await list_deletes(None, everything=False))["deletes"] == []
    [earlier] = printed(await list_deletes(str(sync.connection_id), everything=True))["deletes"]
    assert earlier["decision"] == "approved"


async def test_rejecting_while_paused_and_without_a_workflow(site: Site, shelf: Shelf) -> None:
    """A decision needs no running sync: the workflow is started for it, and the connection stays paused."""
    async with site.worker():
        sync = await holding(site, shelf)
        await site.parts.directory.set_paused(sync.tenant_id, sync.connection_id, "operator")
        await site.syncs.client.get_workflow_handle(sync.workflow_id).terminate()
        decided = printed(await decide_deletes(str(sync.connection_id)[:13], approve=False))
        assert (decided["outcome"], decided["contacts"], await live(site, sync)) == ("rejected", 8, 10)
    assert (await site.parts.freshness.of(sync.connection_id)).paused == "operator"


async def test_only_one_connection(site: Site, shelf: Shelf) -> None:
    """The list is of all connections, or of one."""
    async with site.worker():
        sync = await holding(site, shelf)
        other = await site.connect({"made_up": 1})
    assert printed(await list_deletes(str(sync.connection_id), everything=False))["waiting"] == 8
    assert printed(await list_deletes(str(other.connection_id), everything=False))["deletes"] == []


async def test_nobody_to_carry_it_out(site: Site, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Temporal or workers nothing is decided, and the sentence says what to do; the list works all the same."""
    async with site.worker():
        sync = await holding(site, shelf)
    monkeypatch.setenv(f"{PREFIX}TASK_QUEUE", f"nobody-{uuid4()}")
    with pytest.raises(NoWorker, match="nothing was decided"):
        await decide_deletes(str(sync.connection_id), approve=True)
    monkeypatch.setenv(f"{PREFIX}TEMPORAL_ADDRESS", f"{LOOPBACK}:{free_port()}")
    with pytest.raises(TemporalUnavailable):
        await decide_deletes(str(sync.connection_id), approve=True)
    assert printed(await list_deletes(None, everything=False))["waiting"] == 8
    assert await live(site, sync) == 10
