"""A story: random steps on one connection, by a worker in this process, and what must hold after them."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from tests.chaos.armed import Fault
from tests.chaos.ground import ALWAYS, Place
from tests.chaos.ledger import differences, version_of
from tests.machine.around import Around, Watched
from tests.machine.model import FAILURES, FEWEST, Model
from tests.machine.steps import EDITS, KILL, Script, Step

from contactsync.activities.contacts.contact import DEFAULT_FIELDS, Field
from contactsync.activities.messages import DeleteDecision, PassResult
from contactsync.activities.pages import clean_changes, load_clean
from contactsync.activities.rotation_messages import RotateArgs
from contactsync.activities.store.backfill_rows import Backfill, NewBackfill
from contactsync.activities.store.directory import TenantPolicy
from contactsync.activities.store.holds import Hold
from contactsync.codecs.keys.key import KeyPurpose
from contactsync.errors import HoldNotFound, StalePass
from contactsync.postgres import owner_connection
from contactsync.workers.backfills import BackfillRun, BackfillRuns
from contactsync.workers.bootstrap import Parts
from contactsync.workers.rotations import Rotations
from contactsync.workers.syncs import Syncs
from contactsync.workers.worker import make_worker

SETTLES_WITHIN_SECONDS: Final = 200.0
_STEP_SECONDS: Final = 15.0
_PASSES: Final = 12
_DECISIONS: Final = 5
_HELD: Final = """
    SELECT contact_id FROM contactsync.contact
    WHERE connection_id = $1 AND deleted_at IS NULL AND delete_held IS NOT NULL
"""
_KILLED_AT: Final = ("fetch_page.ends", "upsert_page.transaction.commits", "upsert_page.ends", "open_pass.ends")


@dataclass(frozen=True, slots=True)
class Row:
    """A live contact as the database has it."""

    version: int
    has_notes: bool
    is_held: bool


@dataclass
class Story:
    """One connection, its source, and its worker."""

    place: Place
    model: Model
    around: Around
    worker: AsyncExitStack = field(default_factory=AsyncExitStack)
    tasks: set["asyncio.Task[PassResult]"] = field(default_factory=set["asyncio.Task[PassResult]"])

    async def play(self, script: Script) -> None:
        """All steps, one after the other, and the end: a database that equals its source in everything."""
        await self.set_policy()
        await self.start_worker()
        for step in script.steps:
            await self.step(step)
        await self.settle()
        await self.end()

    async def step(self, step: Step) -> None:
        """One step; what it begins may go on."""
        if step.deed in EDITS:
            self.model.edit(step)
            return
        if step.deed in FAILURES or step.deed == "expire":
            self.model.fail(step)
        else:
            await self._deeds()[step.deed](step)

    def _deeds(self) -> dict[str, Callable[[Step], Awaitable[None]]]:
        live = dict.fromkeys(("sync", "begin", "pause", "resume"), self._steer)
        backfill = dict.fromkeys(
            ("backfill", "since", "dry", "cancel", "pause backfill", "resume backfill"), self._fill
        )
        return {
            **live,
            **backfill,
            "approve": lambda _: self.decide(approve=True),
            "reject": lambda _: self.decide(approve=False),
            "policy": self._change_policy,
            "rotate": self.rotate,
            "settle": lambda _: self.settle(),
            "blank": lambda _: self.blank(),
            "strike": self._disturb,
            "stall": self._disturb,
            "release": self._disturb,
            "wait": lambda _: self.around.stalled(),
            "restart": lambda _: self.restart(),
            "zombies": lambda _: self.write_again(),
            KILL: self.kill,
        }

    async def _disturb(self, step: Step) -> None:
        match step.deed:
            case "strike":
                self.around.strike(step.who, step.whom)
            case "stall":
                self.around.stall(backfill=bool(step.who % 3))
            case _:
                self.around.release()

    async def _change_policy(self, _: Step) -> None:
        self.model.notes = not self.model.notes
        await self.set_policy()

    # workers

    async def start_worker(self) -> None:
        """A worker in this process, whose activities are cut off when it stops."""
        ground = self.place.ground
        settings = self.place.settings.model_copy(update={"shutdown_seconds": 0.0})
        worker = make_worker(
            Parts(settings, ground.parts.database, ground.parts.ring), ground.client, [Watched(self.around)]
        )
        await self.worker.enter_async_context(worker)

    async def restart(self) -> None:
        """Another worker; the first one is stopped without grace."""
        await self.worker.aclose()
        await self.start_worker()

    async def kill(self, step: Step) -> None:
        """A worker in a process of its own gets SIGKILL at some point of a pass, if it comes to it."""
        await self.worker.aclose()
        killed = self.place.start_worker(KILL, Fault(_KILLED_AT[step.who % len(_KILLED_AT)], 1 + step.whom % 2))
        self._begin_sync()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STEP_SECONDS):
                await killed.strikes()
        await killed.kill()
        await self.start_worker()

    async def write_again(self) -> None:
        """Attempts of which nobody knows any more write their pages, whatever was written since."""
        parts = self.place.ground.parts
        for page in tuple(self.around.pages[-40:]):
            family = parts.contacts if page.head.part is None else parts.backfills
            with contextlib.suppress(StalePass):
                await family.commit(page.head, clean_changes(load_clean(page.body)))

    # live sync

    @property
    def syncs(self) -> Syncs:
        """Live syncs on this story's queue."""
        return Syncs(self.place.ground.client, self.place.queue)

    async def sync(self) -> PassResult:
        """A pass that begins now. After one that listed everything, nobody is missing silently any more."""
        silent = set(self.model.silent)
        before = await self.place.ground.parts.passes.next_generation(self.place.ref)
        result = await self.place.finished()
        heads = [page.head for page in self.around.pages]
        if result.outcome == "completed" and any(
            head.part is None and head.full and head.done and head.generation > before for head in heads
        ):
            self.model.silent -= silent
        return result

    def _begin_sync(self) -> None:
        task = asyncio.ensure_future(self.sync())
        self.tasks.add(task)

    async def _steer(self, step: Step) -> None:
        match step.deed:
            case "sync":
                self._begin_sync()
                await asyncio.wait(self.tasks, timeout=_STEP_SECONDS)
            case "begin":
                self._begin_sync()
            case "pause":
                await self.syncs.pause(self.place.sync, "operator")
            case _:
                await self.syncs.resume(self.place.sync)

    async def set_policy(self) -> None:
        """The tenant's policy, with notes or without, and a guard for a few people."""
        fields = DEFAULT_FIELDS | {Field.NOTES} if self.model.notes else DEFAULT_FIELDS
        policy = TenantPolicy(default_region="DE", fields=fields, delete_floor=3, delete_share=0.3)
        await self.place.ground.parts.directory.set_policy(self.place.ref.tenant_id, policy)

    # backfills

    @property
    def runs(self) -> BackfillRuns:
        """Backfills on this story's queue."""
        return BackfillRuns(self.place.ground.client, self.place.queue)

    def _run(self, backfill: Backfill) -> BackfillRun:
        return BackfillRun(self.place.sync, backfill.backfill_id, backfill.number)

    async def backfill_under_way(self) -> Backfill | None:
        """The backfill that has not ended; None if there is none."""
        latest = await self.place.ground.parts.backfills.latest(self.place.ref)
        return latest if latest and latest.is_under_way else None

    async def start_backfill(self, new: NewBackfill) -> Backfill:
        """A backfill, or the one under way."""
        backfill = await self.place.ground.parts.backfills.request(self.place.ref, new, actor="test")
        await self.runs.start(self._run(backfill))
        return backfill

    async def _fill(self, step: Step) -> None:
        window = 1 + step.who % 3
        match step.deed:
            case "backfill":
                await self.start_backfill(NewBackfill(window=window))
            case "dry":
                await self.start_backfill(NewBackfill(dry_run=True, window=window))
            case "since":
                since = datetime.now(UTC) - timedelta(seconds=step.whom)
                await self.start_backfill(NewBackfill(since=since, window=window))
            case _:
                if backfill := await self.backfill_under_way():
                    await self._steer_run(step.deed, self._run(backfill))

    async def _steer_run(self, deed: str, run: BackfillRun) -> None:
        match deed:
            case "cancel":
                await self.runs.cancel(run)
            case "pause backfill":
                await self.runs.pause(run, "operator")
            case _:
                await self.runs.resume(run)

    async def end_backfill(self) -> str | None:
        """Wait for the backfill that is under way, whatever it waits for; its outcome."""
        outcome = None
        while backfill := await self.backfill_under_way():
            run = self._run(backfill)
            await self.runs.start(run)
            await self.runs.resume(run)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STEP_SECONDS):
                    outcome = (await self.place.filled(run)).outcome
        return outcome

    async def blank(self) -> None:
        """All of a sudden the source lists nobody: everybody is held, and a person says that this is wrong."""
        await self.settle()
        self.model.provider.faults = type(self.model.provider.faults)(listing_is_empty=True)
        held = await self.rows()
        await self.start_backfill(NewBackfill(window=2))
        assert await self.end_backfill() == "completed"
        assert (await self.rows()).keys() == held.keys(), "an empty listing deleted somebody"
        self.model.provider.faults = type(self.model.provider.faults)()
        await self.decide(approve=False)

    # keys

    @property
    def rotations(self) -> Rotations:
        """Rotations on this story's queue."""
        return Rotations(self.place.ground.client, self.place.queue)

    async def rotate(self, step: Step) -> None:
        """The tenant's key is rotated, and perhaps its index key and its row key; or that is under way already."""
        tenant_id, ring = self.place.ref.tenant_id, self.place.ground.parts.ring
        if (await self.rotations.condition(tenant_id)).running:
            return
        ring.forget(tenant_id)
        self.place.older.append(await ring.tenant_sealer(tenant_id))
        args = RotateArgs(tenant_id=tenant_id, index=step.who % 3 > 0, reseal=step.who % 3 > 1, settle_seconds=0.5)
        await self.rotations.start(args)

    async def end_rotation(self) -> None:
        """Wait for the rotation that is under way; it leaves one key of each kind."""
        if not self.place.older:
            return
        tenant_id, store = self.place.ref.tenant_id, self.place.ground.parts.ring.store
        assert (await self.rotations.result(tenant_id)).phase == "ended"
        keys = await store.data_keys(tenant_id, (KeyPurpose.ROW, KeyPurpose.INDEX))
        assert sorted(key.purpose for key in keys if key.wrapped) == [KeyPurpose.INDEX, KeyPurpose.ROW]
        assert len([key for key in await store.tenant_keys(tenant_id) if key.wrapped]) == 1

    # held deletions

    async def hold(self) -> Hold | None:
        """The deletions that wait."""
        return await self.place.ground.parts.holds.open_hold(self.place.ref)

    async def decide(self, *, approve: bool) -> None:
        """Approve or reject what is held, if anything is."""
        hold = await self.hold()
        if hold is None:
            return
        held = {source_id for source_id, row in (await self.rows()).items() if row.is_held}
        if not approve:
            self.model.kept |= held - self.model.ledger.people().keys()
        with contextlib.suppress(HoldNotFound):
            async with asyncio.timeout(SETTLES_WITHIN_SECONDS):
                await self.syncs.decide(
                    self.place.sync, DeleteDecision(hold_id=hold.hold_id, actor="test"), approve=approve
                )

    # what must hold

    async def settle(self) -> None:
        """Nothing goes wrong any more, all that was begun ends, and a pass brings source and database together."""
        async with asyncio.timeout(SETTLES_WITHIN_SECONDS):
            self.model.calm()
            self.around.calm()
            await self.end_backfill()
            await self._complete()
            await asyncio.gather(*self.tasks)
            self.tasks.clear()
            await self._complete()
            await self.end_rotation()
        await self.check()

    async def _complete(self) -> None:
        for _ in range(_PASSES):
            await self.syncs.resume(self.place.sync)
            if (await self.sync()).outcome == "completed":
                return
        raise AssertionError("no pass completes, though nothing is wrong with the source")

    async def end(self) -> None:
        """A complete listing, and a person who agrees to all that is held: the database equals the source."""
        for _ in range(_DECISIONS):
            await self.start_backfill(NewBackfill(window=3))
            async with asyncio.timeout(SETTLES_WITHIN_SECONDS):
                assert await self.end_backfill() == "completed"
            await self.decide(approve=True)
            if await self.hold() is None:
                break
        await self.place.check()
        rows = await self.rows()
        assert not [row for row in rows.values() if row.has_notes != self.model.notes]

    async def rows(self) -> dict[str, Row]:
        """The live contacts by source id."""
        async with owner_connection(self.place.ground.superuser_url) as connection:
            found = await connection.fetch(_HELD, self.place.sync.connection_id)
        held: set[UUID] = {row["contact_id"] for row in found}
        contacts = [contact async for contact in self.place.ground.parts.contacts.all_of(self.place.ref)]
        rows = {
            each.source_id: Row(version_of(each.content), "notes" in json.loads(each.content), each.contact_id in held)
            for each in contacts
        }
        assert len(rows) == len(contacts), "one contact is there twice"
        return rows

    async def check(self) -> None:
        """Equal to the source but for whom the database may have kept; held deletions are counted; nothing ever went
        back; all counters say the same."""
        rows, people = await self.rows(), self.model.ledger.people()
        held = {source_id for source_id, row in rows.items() if row.is_held}
        allowed = held | self.model.kept | self.model.silent
        versions = {source_id: row.version for source_id, row in rows.items()}
        found = differences(people, {name: versions[name] for name in versions.keys() - (allowed - people.keys())})
        assert not found, found
        assert not held & people.keys(), "somebody whom the source has waits to be deleted"
        hold = await self.hold()
        assert (hold.contacts if hold else 0) == len(held), (hold, held)
        odd = {source_id for source_id in people if rows[source_id].has_notes != self.model.notes}
        assert not odd, odd
        await self.place.check_history()
        await self.place.check_counters()


@asynccontextmanager
async def telling(place: Place, around: Around) -> AsyncGenerator[Story]:
    """A story at this place; at its end its worker and all that waits for it are gone."""
    story = Story(place, Model(place.ledger), around)
    try:
        yield story
    finally:
        around.calm()
        for task in story.tasks:
            task.cancel()
        await asyncio.gather(*story.tasks, return_exceptions=True)
        await story.worker.aclose()


def hours_of(script: Script) -> float:
    """Hours between the complete listings of a story's passes."""
    return ALWAYS if script.relists else 24.0


PEOPLE: Final = 4 * FEWEST
