"""What an address book holds or what changed in it: paths and ETags, no cards yet.

Two ways: the sync-collection report (RFC 6578) where the server has it, a PROPFIND of all ETags where it has not.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from contactsync.activities.sources.carddav_cursor import BOOK_GONE, Book
from contactsync.activities.sources.carddav_paths import canonical, raw_path, same_collection
from contactsync.activities.sources.carddav_settings import CardDavSettings
from contactsync.activities.sources.carddav_xml import (
    DAV,
    TOO_MANY_MATCHES,
    VALID_SYNC_TOKEN,
    XML_HEADERS,
    Multistatus,
    Reply,
    error_conditions,
    is_dav_error,
    parse_multistatus,
    propfind,
    sync_collection,
)
from contactsync.activities.sources.transport import MAX_BODY_BYTES, Answer, BodyTooLarge, Transport, refusal
from contactsync.errors import SourceAddressWrong, SourceMisbehaved

ETAG: Final = DAV + "getetag"
RESOURCE_TYPE: Final = DAV + "resourcetype"
SYNC_TOKEN: Final = DAV + "sync-token"

_GONE: Final = frozenset({404, 410})
_INSUFFICIENT_STORAGE: Final = 507
_JUDGED_HERE: Final = frozenset({400, 403, 404, 405, 406, 409, 410, 412, 415, 422, 500, 501, 507})


class TokenRefused(Exception):
    """The server does not go on from this token. Never leaves this source: a complete listing follows."""


class ReportRefused(Exception):
    """The server does not do this report. Never leaves this source: ETags are compared instead."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A card in a listing. `path` is its identity, `href` what the server calls it; `etag` may be empty."""

    path: str = field(repr=False)
    href: str = field(repr=False)
    etag: str = ""
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Round:
    """One answer. `token` follows it; `more` says that it was cut short and that the token leads to the rest."""

    listed: Sequence[Listed]
    token: str = field(default="", repr=False)
    more: bool = False


class Listing:
    """Asks an address book for its listings."""

    def __init__(self, transport: Transport, settings: CardDavSettings) -> None:
        self._transport = transport
        self._limit = settings.sync_limit

    async def by_token(self, book: Book, token: str) -> Round:
        """What changed since `token`; everything there is, where it is empty.

        Raises:
            TokenRefused: the token, or its round of pages, is no longer valid.
            ReportRefused: there is no way to begin with this report.
            SourceAddressWrong: the address book is gone.
            SourceUnavailable, SourceThrottled, CredentialsRejected, SourceMisbehaved.
        """
        answer = await self._report(book, token, self._limit)
        if self._limit and answer.status == _INSUFFICIENT_STORAGE:
            answer = await self._report(book, token, None)
        if answer.status != 207:
            raise _report_refusal(answer, token)
        found = await _parsed(answer, book)
        if token and not found.sync_token:
            raise TokenRefused
        more = any(_is_cut_short(reply, answer.url, book) for reply in found.replies)
        if more and (not found.sync_token or found.sync_token == token):
            raise ReportRefused  # it would ask for the same page for ever
        return Round(members(found, answer.url, book, removals=bool(token)), found.sync_token or "", more)

    async def by_etags(self, book: Book) -> Round:
        """Everything there is. The token is the one offered before the listing, so that nothing falls between.

        Raises:
            SourceAddressWrong: the address book is gone.
            SourceMisbehaved: the listing is cut short: nothing may be concluded from it.
            SourceUnavailable, SourceThrottled, CredentialsRejected.
        """
        token = await self._offered_token(book) if book.by_token else ""
        answer = await self._ask("PROPFIND", book, "1", propfind((ETAG, RESOURCE_TYPE)))
        if answer.status != 207:
            raise refusal(answer)
        found = await _parsed(answer, book)
        if any(_is_cut_short(reply, answer.url, book) for reply in found.replies):
            raise SourceMisbehaved("the source cuts its listing short and offers no way to the rest")
        if not any(same_collection(_path(reply, answer.url), book.path) for reply in found.replies):
            raise SourceMisbehaved("the source's listing lacks the address book itself")
        return Round(members(found, answer.url, book, removals=False), token)

    async def _offered_token(self, book: Book) -> str:
        """The token that the address book's properties name; empty where they name none."""
        answer = await self._ask("PROPFIND", book, "0", propfind((SYNC_TOKEN,)))
        replies = (await _parsed(answer, book)).replies if answer.status == 207 else ()
        return next((reply.text(SYNC_TOKEN) for reply in replies), "")

    async def _report(self, book: Book, token: str, limit: int | None) -> Answer:
        return await self._ask("REPORT", book, "0", sync_collection(token, limit))

    async def _ask(self, method: str, book: Book, depth: str, body: bytes) -> Answer:
        headers = {**XML_HEADERS, "depth": depth}
        try:
            return await self._transport.request(method, book.url, headers=headers, body=body, accept=_JUDGED_HERE)
        except BodyTooLarge:
            raise SourceMisbehaved(
                f"an address book's listing is longer than {MAX_BODY_BYTES >> 20} MiB; divide the address book"
            ) from None


async def _parsed(answer: Answer, book: Book) -> Multistatus:
    """The answer's parts; xandikos says within a 207 that the address book itself is gone."""
    found = await asyncio.to_thread(parse_multistatus, answer.body)
    if any(reply.status in _GONE and same_collection(_path(reply, answer.url), book.path) for reply in found.replies):
        raise SourceAddressWrong(BOOK_GONE)
    return found


def _report_refusal(answer: Answer, token: str) -> Exception:
    """Why a report failed. `valid-sync-token` comes with 403, 409, 410 or 412: the element counts, not the status."""
    conditions = error_conditions(answer.body)
    refused = TokenRefused() if token else ReportRefused()
    if VALID_SYNC_TOKEN in conditions or TOO_MANY_MATCHES in conditions:
        return refused
    if answer.status in _GONE:
        return SourceAddressWrong(BOOK_GONE)
    if answer.status == 500 or (answer.status == 403 and not is_dav_error(answer.body)):
        return refusal(answer)
    return refused


def members(found: Multistatus, base: str, book: Book, *, removals: bool) -> list[Listed]:
    """The cards of an answer, each once. A card called both gone and there counts as there: asking for it will tell."""
    members: dict[str, Listed] = {}
    for reply in found.replies:
        listed = _listed(reply, base, book)
        if listed is None or (listed.gone and (not removals or listed.path in members)):
            continue
        members[listed.path] = listed
    return list(members.values())


def _listed(reply: Reply, base: str, book: Book) -> Listed | None:
    if not reply.href:
        return None
    href = raw_path(base, reply.href)
    path = canonical(href)
    if same_collection(path, book.path) or reply.has(RESOURCE_TYPE, DAV + "collection"):
        return None
    if reply.status in _GONE:
        return Listed(path, href, gone=True)
    if reply.status is not None and path.endswith("/"):
        return None  # a collection within, which the server does not enter (RFC 6578 §3.6)
    return Listed(path, href, reply.text(ETAG))


def _is_cut_short(reply: Reply, base: str, book: Book) -> bool:
    return reply.status == _INSUFFICIENT_STORAGE and same_collection(_path(reply, base), book.path)


def _path(reply: Reply, base: str) -> str:
    return canonical(raw_path(base, reply.href))


def dump_listed(listed: Sequence[Listed]) -> bytes:
    """Part of a listing as bytes, for the stash."""
    rows = [[item.path, "" if item.href == item.path else item.href, item.etag, item.gone] for item in listed]
    return json.dumps(rows, separators=(",", ":")).encode()


def load_listed(part: bytes) -> list[Listed]:
    """What `dump_listed` wrote."""
    return [Listed(path, href or path, etag, gone) for path, href, etag, gone in json.loads(part)]
