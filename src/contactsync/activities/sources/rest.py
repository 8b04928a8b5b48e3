"""REST: any API that lists contacts as JSON, described by a TOML file; docs/rest.md has all of it.

What is here asks one page at a time and keeps no rule of cursors: `windows.py` does (see `query.py`).
"""

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final
from urllib.parse import urljoin

from msgspec import Raw
from pydantic import JsonValue

from contactsync.activities.contacts.contact import Fields
from contactsync.activities.sources.meter import Meter
from contactsync.activities.sources.query import QueryPage, Window
from contactsync.activities.sources.rest_answers import Found, Judge, may_skim
from contactsync.activities.sources.rest_records import Mapper
from contactsync.activities.sources.rest_requests import (
    Query,
    Request,
    changes_query,
    list_query,
    position_of,
    request_of,
    time_part,
    value_part,
)
from contactsync.activities.sources.rest_settings import RestSettings
from contactsync.activities.sources.rest_signing import Signer, endpoint_of
from contactsync.activities.sources.rest_times import SECOND
from contactsync.activities.sources.source import (
    Capabilities,
    Credentials,
    PageLimits,
    Source,
    SourceInfo,
    Workbench,
)
from contactsync.activities.sources.transport import Answer, BodyTooLarge, Transport, open_transport
from contactsync.activities.sources.windows import windowed
from contactsync.errors import CredentialsRejected, SourceMisbehaved

MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
"""Bytes of one answer: it is read in one piece."""

_ANY_ERROR: Final = range(400, 600)
_DAY: Final = 86_400 * SECOND
_MOST_PARTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class RawPage:
    """An answer before its records are mapped. `token` and `size` as in `QueryPage`."""

    records: Sequence[JsonValue | Raw] = field(repr=False)
    found: Found = field(repr=False)
    token: bytes | None
    is_offset: bool
    size: int


class RestSource:
    """One account of an API; a `QuerySource`. `clock` gives epoch seconds."""

    def __init__(
        self,
        transport: Transport,
        settings: RestSettings,
        fields: Fields,
        meter: Meter,
        *,
        signer: Signer,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._mapper = Mapper(settings.fields, fields)
        self._judge = Judge(settings, meter)
        self._skims = self._mapper.skims and may_skim(settings)
        self._signer = signer
        self._headers = {name.lower(): value for name, value in settings.headers.items()}
        self._clock = clock

    @property
    def capabilities(self) -> Capabilities:
        """See `QuerySource.capabilities`."""
        can, changes = self._settings.capabilities, self._settings.changes
        return Capabilities(
            tokens=False,
            changes=changes is not None,
            versions=self._settings.fields.version is not None,
            tombstones=can.tombstones,
            order=changes.order if changes else "none",
            lag_seconds=can.lag_seconds,
            settles_seconds=can.settles_seconds,
            reconcile_seconds=can.reconcile_hours * 3600 or None,
        )

    async def check(self) -> SourceInfo:
        """Asks for `check_path`, or for a first record; see `Source.check`."""
        if self._settings.check_path is not None:
            url = urljoin(self._settings.url, self._settings.check_path)
            self._judge.document(await self._send(Request("GET", url, b"")))
        else:
            await self.raw_list(None, None, PageLimits(rows=1))
        incremental = self._settings.changes is not None
        notes = () if incremental else ("no [changes]: each pass lists everything",)
        return SourceInfo(address_books=1, incremental=incremental, notes=notes)

    async def list_page(self, token: bytes | None, part: bytes | None, limits: PageLimits) -> QueryPage:
        """See `QuerySource.list_page`."""
        return self._read(await self._ask(list_query(self._settings, part), token, limits, skims=self._skims))

    async def changes_page(self, window: Window, token: bytes | None, limits: PageLimits) -> QueryPage:
        """See `QuerySource.changes_page`."""
        return self._read(await self._ask(self._changes(window), token, limits, skims=self._skims))

    async def raw_list(self, token: bytes | None, part: bytes | None, limits: PageLimits) -> RawPage:
        """As `list_page`, with records as the API has them."""
        return await self._ask(list_query(self._settings, part), token, limits)

    async def raw_changes(self, window: Window, token: bytes | None, limits: PageLimits) -> RawPage:
        """As `changes_page`, with records as the API has them; without [changes] it is the listing."""
        return await self._ask(self._changes(window), token, limits)

    def _changes(self, window: Window) -> Query:
        changes = self._settings.changes
        return changes_query(self._settings, changes, window) if changes else list_query(self._settings, None)

    def list_parts(self) -> tuple[bytes | None, ...]:
        """See `QuerySource.list_parts`."""
        table = self._settings.parts
        if table is None:
            return (None,)
        if table.start is None:
            return tuple(value_part(value) for value in table.values)
        start = round(datetime.fromisoformat(table.start).replace(tzinfo=UTC).timestamp()) * SECOND
        edges = range(start, round(self._clock() * SECOND), table.days * _DAY)[:_MOST_PARTS]
        bounds = [None, *edges, None] if edges else [None, None]
        return tuple(time_part(low, high) for low, high in pairwise(bounds))

    async def _ask(self, query: Query, token: bytes | None, limits: PageLimits, *, skims: bool = False) -> RawPage:
        position = position_of(token, query)
        answer = await self._send(request_of(self._settings.url, query, position, limits.rows))
        found = self._judge.found(answer, query, position, skims=skims)
        following = found.following.token(counts=query.counts) if found.following else None
        return RawPage(found.records, found, following, is_offset=query.counts, size=len(answer.body))

    def _read(self, page: RawPage) -> QueryPage:
        return QueryPage(
            records=tuple(record for raw in page.records for record in self._mapper.records(raw)),
            token=page.token,
            is_capped=page.found.is_capped,
            clock=page.found.clock,
            total=page.found.total,
            is_offset=page.is_offset,
            size=page.size,
        )

    async def _send(self, request: Request) -> Answer:
        """One request, and one more where an access token was refused that may have ended early."""
        signed = await self._signer.headers()
        answer = await self._send_signed(request, signed)
        if answer.status == 401 and self._signer.renews:
            answer = await self._send_signed(request, await self._signer.headers(refused=signed))
        if answer.status == 401:
            raise CredentialsRejected
        return answer

    async def _send_signed(self, request: Request, signed: Mapping[str, str]) -> Answer:
        content = {"content-type": "application/json"} if request.body else {}
        try:
            return await self._transport.request(
                request.method,
                request.url,
                headers={"accept": "application/json", **self._headers, **content, **signed},
                body=request.body,
                accept=_ANY_ERROR,
                max_bytes=MAX_ANSWER_BYTES,
            )
        except BodyTooLarge:
            raise SourceMisbehaved("the source's answer is too large; lower page_size in [list]") from None


@asynccontextmanager
async def open_rest_query(
    settings: RestSettings,
    credentials: Credentials,
    fields: Fields,
    workbench: Workbench,
) -> AsyncGenerator[RestSource]:
    """Opens an account to be asked page by page."""
    signer = Signer(settings, credentials.secret, workbench)
    async with open_transport(endpoint_of(settings, credentials, workbench.addresses, workbench.meter)) as transport:
        yield RestSource(transport, settings, fields, workbench.meter, signer=signer)


@asynccontextmanager
async def open_rest(
    settings: Mapping[str, object], credentials: Credentials, fields: Fields, workbench: Workbench
) -> AsyncGenerator[Source]:
    """Opens an account; see `SourceFactory`."""
    chosen = RestSettings.model_validate(settings)
    async with (
        open_rest_query(chosen, credentials, fields, workbench) as query,
        aclosing(windowed(query, workbench)) as source,
    ):
        yield source
