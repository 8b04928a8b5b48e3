"""The sides of `end_to_end`: contactsync on its stack, and the contenders, each with databases of its own."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final, Protocol

import asyncpg
from benchmarks.contender import Contender, Task

from contactsync.activities.contacts.contact import DEFAULT_FIELDS, Contact, Field
from contactsync.activities.messages import ConnectionRef
from contactsync.activities.store.contacts import Contacts
from contactsync.activities.store.directory import NewConnection, TenantPolicy
from contactsync.workers.bootstrap import Parts, opened, temporal_client
from contactsync.workers.demo.run import settings_of
from contactsync.workers.embedded.processes import Child
from contactsync.workers.embedded.stack import Stack
from contactsync.workers.syncs import Sync, Syncs

SIDES: Final = ("contactsync", "dlt", "prefect", "bare loop")

_SCRIPTS: Final[Mapping[str, tuple[str, str, str]]] = {  # script, table, where the job title is
    "dlt": ("dlt_load", "contacts_data.contacts", "job_title"),
    "prefect": ("prefect_flow", "contacts", "contact->'titles'->0->>'name'"),
    "bare loop": ("bare_loop", "contacts", "job_title"),
}
_SHAPES: Final[Mapping[str, Mapping[str, object]]] = {
    "lists": {
        "name": {"given": "name.given", "surname": "name.family"},
        "emails": "emails",
        "phones": "phones",
    },
    "flat": {
        "name": {"given": "first_name", "surname": "last_name"},
        "emails": "email",
        "phones": "[phone, mobile]",
    },
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What keeps its state from pass to pass: a connection, a pipeline, a database."""

    name: str
    url: str
    incremental: bool


@dataclass(frozen=True, slots=True)
class Known:
    """A contact that changed last: how it is found and how it must look."""

    id: str
    email: str
    job_title: str


@dataclass(frozen=True, slots=True)
class Ground:
    """What all sides share."""

    stack: Stack
    url: str
    shape: str
    processes: int
    folder: Path

    async def checkpoint(self) -> None:
        """Let PostgreSQL write out what one side left, so that it is not charged to the next."""
        await self.execute("CHECKPOINT")

    async def execute(self, statement: str) -> None:
        """A statement of the superuser's."""
        connection = await asyncpg.connect(self.stack.postgres.url())
        await connection.execute(statement)
        await connection.close()


class Side(Protocol):
    """Somebody who brings contacts over."""

    @property
    def name(self) -> str:
        """What it is called in the results."""
        ...

    @property
    def version(self) -> str:
        """What exactly it is."""
        ...

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes above all of its own, PostgreSQL not among them."""
        ...

    async def begin(self, subject: Subject) -> None:
        """Make ready for a first pass."""
        ...

    async def run(self, subject: Subject) -> None:
        """A pass."""
        ...

    async def held(self, subject: Subject, known: Known) -> tuple[int, str]:
        """How many contacts it holds, and the job title of one."""
        ...

    async def end(self, subject: Subject) -> None:
        """Let go of the subject."""
        ...


@asynccontextmanager
async def opened_sides(ground: Ground, names: Sequence[str]) -> AsyncGenerator[tuple[Side, ...]]:
    """The sides of these names, each warmed up by a pass over 1,000 contacts."""
    async with AsyncExitStack() as running:
        sides: list[Side] = []
        for name in names:
            opening = contactsync_side(ground) if name == "contactsync" else _script(ground, name)
            side = await running.enter_async_context(opening)
            await warm_up(ground, side)
            sides.append(side)
        yield tuple(sides)


async def warm_up(ground: Ground, side: Side) -> None:
    """A pass over 1,000 contacts, after which everything is imported and connected."""
    subject = Subject(f"warm_{side.name.replace(' ', '_')}", f"{ground.url}/small", incremental=False)
    await side.begin(subject)
    await side.run(subject)
    await side.end(subject)


class ScriptSide:
    """A contender's script; each subject is a database of its own."""

    def __init__(self, ground: Ground, name: str, contender: Contender) -> None:
        self.name = name
        self.version = contender.version
        self._ground = ground
        self._contender = contender
        _, self._table, self._job_title = _SCRIPTS[name]

    @property
    def pids(self) -> tuple[int, ...]:
        """See `Side.pids`."""
        return (self._contender.pid,)

    async def begin(self, subject: Subject) -> None:
        """See `Side.begin`."""
        await self._ground.execute(f"CREATE DATABASE {subject.name}")

    async def run(self, subject: Subject) -> None:
        """See `Side.run`."""
        database = self._ground.stack.postgres.url(subject.name)
        folder = str(self._ground.folder)
        await self._contender.run(Task(subject.url, database, subject.name, subject.incremental, folder))

    async def held(self, subject: Subject, known: Known) -> tuple[int, str]:
        """See `Side.held`."""
        connection = await asyncpg.connect(self._ground.stack.postgres.url(subject.name))
        count = await connection.fetchval(f"SELECT count(*) FROM {self._table}")  # noqa: S608 # ours
        one = f"SELECT {self._job_title} FROM {self._table} WHERE id = $1"  # noqa: S608 # ours
        job_title = await connection.fetchval(one, known.id)
        await connection.close()
        return int(count), str(job_title)

    async def end(self, subject: Subject) -> None:
        """See `Side.end`."""
        await self._ground.execute(f"DROP DATABASE {subject.name} WITH (FORCE)")


@asynccontextmanager
async def _script(ground: Ground, name: str) -> AsyncGenerator[Side]:
    async with Contender.running(_SCRIPTS[name][0], ground.folder) as contender:
        yield ScriptSide(ground, name, contender)


class ContactSyncSide:
    """contactsync as it is installed, with a worker; each subject is a connection of a tenant of its own."""

    name = "contactsync"

    def __init__(self, ground: Ground, worker: Child, parts: Parts, syncs: Syncs) -> None:
        self.version = f"contactsync {version('contactsync')}, worker of {ground.processes or 'a process a core'}"
        self.pids = (worker.pid, ground.stack.temporal.child.pid)
        self.client = syncs.client
        self._worker = worker
        self._shape = ground.shape
        self._parts = parts
        self._syncs = syncs
        self._open: dict[str, Sync] = {}

    def sync(self, subject: Subject) -> Sync:
        """The connection that the subject is."""
        return self._open[subject.name]

    async def begin(self, subject: Subject) -> None:
        """See `Side.begin`."""
        policy = TenantPolicy(fields=DEFAULT_FIELDS | {Field.ADDRESSES}, default_region="DE")
        tenant = await self._parts.directory.add_tenant("Measured", policy)
        settings = rest_settings(subject.url, self._shape, incremental=subject.incremental)
        new = NewConnection(kind="rest", settings=settings, interval_seconds=86_400)
        connection = await self._parts.directory.add_connection(tenant.tenant_id, new)
        self._open[subject.name] = Sync(tenant.tenant_id, connection.connection_id, new.kind)

    async def run(self, subject: Subject) -> None:
        """See `Side.run`."""
        working = asyncio.ensure_future(self._pass(self._open[subject.name]))
        ending = asyncio.ensure_future(self._worker.wait())
        await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if not working.done():
            raise SystemExit(f"the worker ended; its log said last: {self._worker.log.read_text()[-500:]}")
        if (outcome := working.result()) != "completed":
            raise SystemExit(f"a pass of contactsync ended with {outcome}")

    async def _pass(self, sync: Sync) -> str:
        return (await self._syncs.result(sync, await self._syncs.sync_now(sync))).outcome

    async def held(self, subject: Subject, known: Known) -> tuple[int, str]:
        """See `Side.held`."""
        sync = self._open[subject.name]
        contacts = Contacts(self._parts.database, self._parts.ring)
        ref = ConnectionRef(tenant_id=sync.tenant_id, connection_id=sync.connection_id)
        counts = await contacts.counts(ref)
        found = await contacts.find(sync.tenant_id, email=known.email, actor="benchmark", reason="comparison")
        return counts.live, Contact.model_validate_json(found[0].content).titles[0].name if found else ""

    async def end(self, subject: Subject) -> None:
        """See `Side.end`."""
        del self._open[subject.name]


@asynccontextmanager
async def contactsync_side(ground: Ground) -> AsyncGenerator["ContactSyncSide"]:
    """contactsync, with a worker, until the block ends."""
    worker = await ground.stack.start_worker(processes=ground.processes)
    try:
        settings = settings_of(ground.stack)
        async with opened(settings) as parts:
            syncs = Syncs(await temporal_client(settings, parts.ring), settings.task_queue)
            yield ContactSyncSide(ground, worker, parts, syncs)
    finally:
        await worker.stop()


def rest_settings(url: str, shape: str, *, incremental: bool) -> dict[str, object]:
    """The TOML of a connection to the source, as a mapping."""
    listing = {
        "path": "contacts",
        "records": "contacts",
        "clock": "now",
        "page_size": 1_000,
        "pagination": {"kind": "cursor", "param": "cursor", "next": "next"},
    }
    work = {
        "organizations": "company",
        "titles": "job_title",
        "addresses": "{locality: city, country_code: country}",
    }
    fields = {"id": "id", "changed_at": "updated_at", **_SHAPES[shape], **work}
    tables: dict[str, object] = {"url": url, "list": listing, "fields": fields, "capabilities": {"lag_seconds": 0}}
    changes = {"path": "contacts", "params": {"updated_since": "{since}"}}
    return {**tables, "changes": changes} if incremental else tables
