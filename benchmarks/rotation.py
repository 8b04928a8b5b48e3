"""All keys rotated under live sync.

Everything is on: real Temporal, real PostgreSQL (fsync on), sealing, audit. A tenant with so many contacts is synced;
then its tenant key, index key and row key are rotated and the root key too, while passes go on, contacts are looked up
all the time, and the worker is killed now and then. At the end every contact is compared with before, by id and
content, and the older keys are destroyed. Options: `contacts`, `kills`.
"""

import asyncio
import hashlib
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from benchmarks.engine import new_sync, timed_pass
from benchmarks.options import Options
from benchmarks.results import Figure, Result

from contactsync.activities.messages import ConnectionRef
from contactsync.activities.root_rotation import RootRewrapped, RootRotation
from contactsync.activities.rotation_messages import RotateArgs, RotationProgress
from contactsync.errors import TemporalUnavailable
from contactsync.workers.bootstrap import Parts, opened, temporal_client
from contactsync.workers.demo.run import settings_of
from contactsync.workers.embedded.processes import Child
from contactsync.workers.embedded.stack import Stack
from contactsync.workers.rotations import Rotations
from contactsync.workers.syncs import Sync, Syncs

SETTLE_SECONDS: Final = 5.0
KILL_EVERY_SECONDS: Final = 4.0
SAMPLED: Final = 200
_ACTOR: Final = "benchmark"


@dataclass
class Seen:
    """What was measured on the way."""

    phases: dict[str, float] = field(default_factory=dict[str, float])  # seconds
    passes: list[float] = field(default_factory=list[float])  # seconds
    searches: int = 0
    missed: int = 0
    kills: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run of the benchmark found."""

    seen: Seen
    before: float
    seconds: float
    result: RotationProgress
    root: RootRewrapped
    contacts: int
    differing: int


@dataclass
class Scene:
    """Who takes part."""

    stack: Stack
    worker: Child
    parts: Parts
    syncs: Syncs
    sync: Sync
    seen: Seen = field(default_factory=Seen)

    @property
    def rotations(self) -> Rotations:
        """The rotations of the stack's namespace."""
        return Rotations(self.syncs.client, self.syncs.task_queue)

    async def held(self) -> dict[UUID, bytes]:
        """A digest of every live contact's content, by its id."""
        ref = ConnectionRef(tenant_id=self.sync.tenant_id, connection_id=self.sync.connection_id)
        contacts = self.parts.contacts.all_of(ref, actor=_ACTOR)
        return {each.contact_id: hashlib.blake2s(each.content).digest() async for each in contacts}

    async def addresses(self) -> list[tuple[str, UUID]]:
        """Some addresses, and who has them."""
        ref = ConnectionRef(tenant_id=self.sync.tenant_id, connection_id=self.sync.connection_id)
        found: list[tuple[str, UUID]] = []
        async for each in self.parts.contacts.all_of(ref, actor=_ACTOR):
            emails: list[dict[str, str]] = json.loads(each.content).get("emails", [])
            found += [(email["address"], each.contact_id) for email in emails[:1]]
            if len(found) >= SAMPLED:
                break
        return found

    async def look_up(self, addresses: list[tuple[str, UUID]]) -> None:
        """Look for somebody, again and again."""
        while True:
            address, contact_id = addresses[self.seen.searches % len(addresses)]
            tenant_id = self.sync.tenant_id
            found = await self.parts.contacts.find(tenant_id, email=address, actor=_ACTOR, reason="benchmark")
            self.seen.missed += contact_id not in {each.contact_id for each in found}
            self.seen.searches += 1
            await asyncio.sleep(0.02)

    async def pass_by_pass(self) -> None:
        """Sync, again and again."""
        while True:
            timed = await timed_pass(self.syncs, self.sync)
            self.seen.passes.append(timed.seconds)

    async def kill(self, kills: int) -> None:
        """SIGKILL the worker, and start another one, so many times."""
        while self.seen.kills < kills:
            await asyncio.sleep(KILL_EVERY_SECONDS)
            os.kill(self.worker.pid, signal.SIGKILL)
            await self.worker.wait()
            self.seen.kills += 1
            self.worker = await self.stack.start_worker(f"worker-{self.seen.kills}")

    async def watch(self) -> None:
        """How long each phase lasts."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.1)
            try:
                progress = await self.rotations.progress(self.sync.tenant_id)
            except TemporalUnavailable:
                continue
            if progress is not None:
                passed = time.perf_counter() - began
                self.seen.phases[progress.phase] = self.seen.phases.get(progress.phase, 0.0) + passed

    async def rotate(self) -> RotationProgress:
        """All three keys of the tenant."""
        args = RotateArgs(tenant_id=self.sync.tenant_id, index=True, reseal=True, settle_seconds=SETTLE_SECONDS)
        await self.rotations.start(args)
        return await self.rotations.result(self.sync.tenant_id)

    async def rotate_root(self) -> RootRewrapped:
        """The root key; the older version goes at once."""
        rotation = RootRotation(self.parts.database, self.parts.ring)
        version = await rotation.rotate(_ACTOR)
        done = await rotation.rewrap(_ACTOR)
        await rotation.destroy(version - 1, _ACTOR)
        return done


async def beside(work: Callable[[], Awaitable[RotationProgress]], *others: Awaitable[None]) -> RotationProgress:
    """Do the work while others go on; they end with it, and what one of them fails with ends it."""
    going = [asyncio.ensure_future(other) for other in others]
    working = asyncio.ensure_future(work())
    try:
        while not working.done():
            await asyncio.wait({working, *going}, return_when=asyncio.FIRST_COMPLETED)
            going = [each for each in going if not (each.done() and each.result() is None)]
        return await working
    finally:
        for each in (working, *going):
            each.cancel()
        await asyncio.gather(working, *going, return_exceptions=True)


async def measure(options: Options) -> Result:
    """One rotation of everything.

    Raises:
        SystemExit: something was lost.
    """
    contacts = options.number("contacts", usual=50_000, quick=1_000)
    kills = options.number("kills", usual=3, quick=0)
    async with Stack.running() as stack:
        worker = await stack.start_worker()
        settings = settings_of(stack)
        async with opened(settings) as parts:
            syncs = Syncs(await temporal_client(settings, parts.ring), settings.task_queue)
            scene = Scene(stack, worker, parts, syncs, await new_sync(parts, contacts, 1))
            try:
                measured = await run(scene, kills)
            finally:
                await scene.worker.stop()
    if measured.differing or measured.seen.missed or measured.result.phase != "ended":
        raise SystemExit(f"something was lost: {measured.differing} contacts, {measured.seen.missed} look-ups")
    return Result("rotation", {"contacts": contacts, "kills": kills}, figures(measured))


async def run(scene: Scene, kills: int) -> Measured:
    """Sync, rotate, compare."""
    await timed_pass(scene.syncs, scene.sync)
    unchanged = await timed_pass(scene.syncs, scene.sync)
    before, addresses = await scene.held(), await scene.addresses()
    began = time.perf_counter()
    around = (scene.look_up(addresses), scene.pass_by_pass(), scene.watch(), scene.kill(kills))
    result = await beside(scene.rotate, *around)
    seconds = time.perf_counter() - began
    root = await scene.rotate_root()
    scene.parts.ring.forget()
    last = await timed_pass(scene.syncs, scene.sync)
    after = await scene.held()
    differing = len(dict(before.items() ^ after.items())) + last.result.counts.added + last.result.counts.deleted
    return Measured(scene.seen, unchanged.seconds, seconds, result, root, len(after), differing)


def figures(measured: Measured) -> tuple[Figure, ...]:
    """What was found, with how long each phase took."""
    seen, result = measured.seen, measured.result
    return (
        Figure.once("contacts that differ afterwards", "contacts", measured.differing),
        Figure.once("in all", "s", measured.seconds),
        *(Figure.once(f"phase {name}", "s", seconds) for name, seconds in seen.phases.items()),
        Figure.once("data keys wrapped again", "keys", result.rewrapped),
        Figure.once("rows brought forward", "rows", result.reindexed),
        Figure.once("rows sealed again", "rows", result.resealed),
        Figure.once("tenant keys under the new root", "keys", measured.root.rewrapped),
        Figure.once("workers killed", "workers", seen.kills),
        Figure.once("look-ups", "look-ups", seen.searches),
        Figure.once("look-ups that missed", "look-ups", seen.missed),
        Figure.once("unchanged pass before", "s", measured.before),
        Figure("unchanged passes meanwhile", "s", tuple(seen.passes) or (measured.before,)),
    )
