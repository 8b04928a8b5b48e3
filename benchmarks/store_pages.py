"""What the commit of a page costs: on the clock, the worker's CPU (and of it sealing) and PostgreSQL's, a contact.

On a PostgreSQL of its own, whose CPU is taken over all pages of a scene: few pages say little of it. Option: `rows`.
"""

import json
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

from benchmarks.cpu import cpu_seconds
from benchmarks.options import Options
from benchmarks.results import Figure, Result

from contactsync.activities.messages import OpenPass, PageHead
from contactsync.activities.store.changes import CleanChange, Seen, Upsert
from contactsync.activities.store.contacts import Contacts
from contactsync.activities.store.directory import Directory, NewConnection
from contactsync.activities.store.passes import Passes
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.rows import TenantSealer
from contactsync.postgres import Database
from contactsync.workers.embedded.folders import service_user, temporary_folder
from contactsync.workers.embedded.postgres import PostgresServer
from contactsync.workers.embedded.provision import provision


def person(number: int, revision: int = 0) -> Upsert:
    """A contact of the usual size, with two e-mails and a phone."""
    content = {
        "uid": f"uid-{number}",
        "name": {"full": f"Person Number {number}, revision {revision}"},
        "emails": [{"address": f"p{number}@example.com"}, {"address": f"p{number}@work.example"}],
        "phones": [{"number": f"+49301{number:06}"}],
        "organizations": [{"name": "Sample GmbH", "units": ["Purchasing"]}],
    }
    return Upsert(
        source_id=f"/addressbooks/sample/{number}.vcf",
        content=json.dumps(content).encode(),
        etag=f'"{revision}"',
        emails=(f"p{number}@example.com", f"p{number}@work.example"),
        phones=(f"+49301{number:06}",),
    )


SCENES: tuple[tuple[str, Callable[[int], CleanChange]], ...] = (
    ("all new", person),
    ("listed again, equal", person),
    ("all changed", lambda number: person(number, 1)),
    ("seen by etag", lambda number: Seen(person(number).source_id)),
    ("1 % changed", lambda number: Seen(person(number).source_id) if number % 100 else person(number, 2)),
)


@dataclass
class Clock:
    """Commits: wall milliseconds, the worker's CPU microseconds, and those of them that were spent in the sealer."""

    walls: list[float] = field(default_factory=list[float])
    cpus: list[float] = field(default_factory=list[float])
    sealing: float = 0.0

    @contextmanager
    def seals(self) -> Generator[None]:
        """Counts what is done inside as sealing."""
        start = time.thread_time()
        yield
        self.sealing += 1e6 * (time.thread_time() - start)


class Timed(TenantSealer):
    """A sealer that counts its own time."""

    clock = Clock()

    def seal_all(self, table: str, rows: Sequence[tuple[str, bytes]]) -> list[bytes]:
        """As `TenantSealer`."""
        with Timed.clock.seals():
            return super().seal_all(table, rows)

    def indexes(self, field: str, normal_forms: Iterable[str], epoch: int | None = None) -> list[bytes]:
        """As `TenantSealer`."""
        with Timed.clock.seals():
            return super().indexes(field, normal_forms, epoch)

    def content_macs(self, contents: Iterable[bytes]) -> list[bytes]:
        """As `TenantSealer`."""
        with Timed.clock.seals():
            return super().content_macs(contents)


class TimedRing(KeyRing):
    """A ring whose sealers count their time."""

    async def tenant_sealer(self, tenant_id: UUID, *, instead_of: TenantSealer | None = None) -> TenantSealer:
        """As `KeyRing`."""
        sealer = await super().tenant_sealer(tenant_id, instead_of=instead_of)
        sealer.__class__ = Timed
        return sealer


async def commit(contacts: Contacts, head: PageHead, changes: Sequence[CleanChange]) -> None:
    """One page, on the clock."""
    wall, cpu = time.perf_counter(), time.thread_time()
    await contacts.commit(head, changes)
    Timed.clock.cpus.append(1e6 * (time.thread_time() - cpu) / len(changes))
    Timed.clock.walls.append(1_000 * (time.perf_counter() - wall))


async def measure(options: Options) -> Result:
    """Pages of these sizes, in every scene."""
    sizes = options.numbers("rows", usual=(1_000, 2_000), quick=(100,))
    pages = options.times(20)
    figures: list[Figure] = []
    with temporary_folder(service_user()) as folder:
        server = await PostgresServer.start(folder / "postgres")
        urls = await provision(server)
        ring = TimedRing(MemoryKeyStore(), FileRootKey.create(Path(folder) / "root.key"))
        database = await Database.connect(urls.app)
        for rows in sizes:
            figures += await commits(Bench(server, database, ring), rows, pages)
        await database.close()
        await server.stop()
    return Result("store_pages", {"rows": ", ".join(map(str, sizes)), "pages": pages}, tuple(figures))


@dataclass(frozen=True, slots=True)
class Bench:
    """What pages are committed to."""

    server: PostgresServer
    database: Database
    ring: KeyRing


async def commits(bench: Bench, rows: int, pages: int) -> list[Figure]:
    """Every scene on one connection, with pages of so many rows."""
    directory, passes = Directory(bench.database, bench.ring), Passes(bench.database)
    contacts = Contacts(bench.database, bench.ring)
    tenant = await directory.add_tenant("benchmark")
    connection = await directory.add_connection(tenant.tenant_id, NewConnection(kind="memory", settings={}))
    figures: list[Figure] = []
    for generation, (name, change) in enumerate(SCENES, 1):
        ticket = await passes.open(
            OpenPass(tenant_id=tenant.tenant_id, connection_id=connection.connection_id, pass_id=uuid4())
        )
        Timed.clock, before = Clock(), cpu_seconds([bench.server.child.pid])
        for page in range(1, pages + 1):
            changes = [change(number) for number in range((page - 1) * rows, page * rows)]
            head = PageHead(
                tenant_id=tenant.tenant_id,
                connection_id=connection.connection_id,
                epoch=ticket.epoch,
                page=page,
                cursor=b"cursor",
                done=page == pages,
                full=True,
                generation=generation,
                changes=rows,
                downloaded=rows,
            )
            await commit(contacts, head, changes)
        spent = 1e6 * (cpu_seconds([bench.server.child.pid]) - before)
        figures += taken(f"{rows} contacts, {name}", rows * pages, spent)
    return figures


def taken(name: str, contacts: int, database: float) -> list[Figure]:
    """What the clock says of a scene's pages, and the microseconds that PostgreSQL spent on them."""
    clock = Timed.clock
    return [
        Figure(f"{name}: commit", "ms", tuple(clock.walls)),
        Figure(f"{name}: worker's CPU", "µs a contact", tuple(clock.cpus)),
        Figure.once(f"{name}: of it sealing", "µs a contact", clock.sealing / contacts),
        Figure.once(f"{name}: PostgreSQL's CPU", "µs a contact", database / contacts),
    ]
