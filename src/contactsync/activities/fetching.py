"""The activity `fetch_page`: one page from a source, minimised, before anything leaves the worker."""

from dataclasses import dataclass

from temporalio import activity

from contactsync.activities.heartbeat import heartbeating
from contactsync.activities.messages import FETCH_PAGE, ConnectionRef, FetchRequest, Page, PageHead
from contactsync.activities.pages import raw_body, raw_records
from contactsync.activities.sources.addresses import AddressRules
from contactsync.activities.sources.meter import Meter
from contactsync.activities.sources.registry import open_source
from contactsync.activities.sources.secrets import resolve
from contactsync.activities.sources.source import Credentials, FetchedPage, PageLimits
from contactsync.activities.store.cursors import Cursor, open_cursor, seal_cursor
from contactsync.activities.store.directory import Connection, Directory
from contactsync.activities.store.workbench import StoreWorkbench
from contactsync.codecs.keys.ring import KeyRing
from contactsync.postgres import Database


@dataclass(frozen=True, slots=True)
class Fetching:
    """What `fetch_page` works with."""

    database: Database
    ring: KeyRing
    limits: PageLimits
    addresses: AddressRules

    @activity.defn(name=FETCH_PAGE)
    async def fetch_page(self, request: FetchRequest) -> Page:
        """The page after the request's cursor.

        Raises:
            SourceError, KeysError, DatabaseError: each with its retry verdict.
        """
        async with heartbeating():
            return await self._fetch(request)

    async def _fetch(self, request: FetchRequest) -> Page:
        directory = Directory(self.database, self.ring)
        connection = await directory.get_connection(request.connection_id, request.tenant_id)
        sealer = await self.ring.tenant_sealer(request.tenant_id)
        cursor = open_cursor(sealer, request.connection_id, request.cursor) if request.cursor else None
        fetched = await self._ask(connection, cursor, directory)
        after = _next_cursor(cursor, fetched)
        return _page(request, fetched, after, seal_cursor(sealer, request.connection_id, after))

    async def _ask(self, connection: Connection, cursor: Cursor | None, directory: Directory) -> FetchedPage:
        tenant = await directory.get_tenant(connection.tenant_id)
        ref = ConnectionRef(tenant_id=connection.tenant_id, connection_id=connection.connection_id)
        workbench = StoreWorkbench(self.database, self.ring, ref, Meter(), self.addresses)
        async with open_source(
            connection.kind, connection.settings, credentials_of(connection), tenant.policy.fields, workbench
        ) as source:
            return await source.fetch(cursor.source if cursor else None, self._limits_of(connection))

    def _limits_of(self, connection: Connection) -> PageLimits:
        return PageLimits(rows=connection.page_rows or self.limits.rows, bytes=self.limits.bytes)


def credentials_of(connection: Connection) -> Credentials:
    """The connection's user name with the secret its reference names.

    Raises:
        SecretUnavailable: the secret is not there.
    """
    username = connection.settings.get("username", "")
    secret = resolve(connection.secret_ref) if connection.secret_ref else ""
    return Credentials(username=str(username), secret=secret)


def _next_cursor(cursor: Cursor | None, fetched: FetchedPage) -> Cursor:
    generation = cursor.generation if cursor else 0
    return Cursor(
        generation=generation + 1 if fetched.restarted else generation, full=fetched.full, source=fetched.cursor
    )


def _page(request: FetchRequest, fetched: FetchedPage, after: Cursor, sealed_cursor: bytes) -> Page:
    body = raw_body(raw_records(fetched.changes))
    head = PageHead(
        tenant_id=request.tenant_id,
        connection_id=request.connection_id,
        epoch=request.epoch,
        page=request.page,
        cursor=sealed_cursor,
        done=fetched.done,
        full=fetched.full,
        generation=after.generation,
        changes=len(fetched.changes),
        downloaded=fetched.downloaded,
        quarantined=body.quarantined,
    )
    return Page(head=head, body=body.content)
