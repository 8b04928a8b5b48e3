"""What tests of rotation speak in: processes with key rings of their own over one key store, and a rotation that goes
one step at a time."""

from pathlib import Path
from uuid import UUID

from tests.integration.store.address_book import Book, Store

from contactsync.activities.store.epochs import with_sealer
from contactsync.activities.store.reindexing import FIRST, Reindexed, Reindexing
from contactsync.activities.store.resealing import Place, Resealed, Resealing
from contactsync.codecs.keys.file_root import FileRootKey
from contactsync.codecs.keys.key import KeyPurpose
from contactsync.codecs.keys.memory_store import MemoryKeyStore
from contactsync.codecs.keys.ring import KeyRing
from contactsync.codecs.rows import TenantSealer
from contactsync.postgres import Database


class Processes:
    """Processes on one database and one key store; each keeps its keys for minutes and hears of no change."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.keys = MemoryKeyStore()
        self.root = FileRootKey.create(folder / "root.key")

    def ring(self) -> KeyRing:
        """The ring of another process."""
        return KeyRing(self.keys, self.root)

    def store(self) -> Store:
        """The store as another process has it."""
        return Store(self.database, self.ring())

    async def book(self) -> Book:
        """A new connection of a new tenant."""
        return await self.store().new_book()

    def elsewhere(self, book: Book) -> Book:
        """The same connection in another process."""
        return Book(self.store(), book.ref)


class Rotation:
    """A rotation of both row and index key of one tenant, by a process of its own."""

    def __init__(self, processes: Processes, tenant_id: UUID) -> None:
        self._processes = processes
        self._tenant_id = tenant_id
        self._reindexed: tuple[UUID, UUID] | None = (FIRST, FIRST)
        self._resealed: Place | None = Place()
        self._begun = False

    async def begin(self) -> None:
        """The next epoch of both keys is there; nobody is told."""
        rotation = self._processes.ring().rotation()
        for purpose in (KeyPurpose.ROW, KeyPurpose.INDEX):
            epoch = await rotation.newest_epoch(self._tenant_id, purpose)
            await rotation.add_epoch(self._tenant_id, purpose, epoch + 1)
        self._reindexed, self._resealed, self._begun = (FIRST, FIRST), Place(), True

    def join(self) -> None:
        """Go on with what another process has begun, from the start."""
        self._begun = True

    async def step(self) -> bool:
        """One batch of each; False once all is done. Each batch is one of another process."""
        if not self._begun:
            return False
        if self._reindexed is not None:
            self._reindexed = (await with_sealer(*self._process(), self._reindex)).place
        if self._resealed is not None:
            self._resealed = (await with_sealer(*self._process(), self._reseal)).place
        return self._reindexed is not None or self._resealed is not None

    async def finish(self) -> None:
        """All batches, and the end of the older keys."""
        while await self.step():
            pass
        sealer = await self._processes.ring().tenant_sealer(self._tenant_id)
        assert await Reindexing(self._processes.database, sealer).left() == 0
        rotation = self._processes.ring().rotation()
        await rotation.retire_epochs(self._tenant_id, KeyPurpose.ROW, sealer.row_epoch)
        await rotation.retire_epochs(self._tenant_id, KeyPurpose.INDEX, sealer.index_epoch)
        self._begun = False

    def _process(self) -> tuple[Database, KeyRing, UUID]:
        return self._processes.database, self._processes.ring(), self._tenant_id

    async def _reindex(self, sealer: TenantSealer) -> Reindexed:
        assert self._reindexed is not None
        return await Reindexing(self._processes.database, sealer).batch(self._reindexed)

    async def _reseal(self, sealer: TenantSealer) -> Resealed:
        assert self._resealed is not None
        return await Resealing(self._processes.database, sealer).batch(self._resealed)
