"""Downloading cards: many at once by addressbook-multiget (RFC 6352 §8.7), one by one where that gives none."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from contactsync.activities.contacts.contact import Fields
from contactsync.activities.contacts.limits import MAX_CARD_BYTES
from contactsync.activities.contacts.quarantine import QuarantineReason, UnreadableContact
from contactsync.activities.contacts.vcard import read_vcard
from contactsync.activities.contacts.vcard_vocabulary import ALWAYS, FIELD_OF
from contactsync.activities.sources.carddav_cursor import BOOK_GONE, Book
from contactsync.activities.sources.carddav_listing import ETAG, Listed
from contactsync.activities.sources.carddav_paths import at, path_of
from contactsync.activities.sources.carddav_settings import CardDavSettings
from contactsync.activities.sources.carddav_xml import (
    CARD,
    XML_HEADERS,
    NotMultistatus,
    is_dav_error,
    multiget,
    parse_multistatus,
)
from contactsync.activities.sources.transport import Answer, BodyTooLarge, Transport, refusal
from contactsync.errors import SourceAddressWrong, SourceUnavailable

ADDRESS_DATA: Final = CARD + "address-data"

_TURNS: Final = 6
"""Turns of the loop that a request needs to be sent, and a little more."""

_GONE: Final = frozenset({404, 410})
_ONE_BY_ONE: Final = frozenset({400, 403, 404, 405, 406, 409, 410, 412, 413, 415, 422, 500, 501, 507})


@dataclass(frozen=True, slots=True)
class Read:
    """A card that was downloaded and read; `content` is the contact's JSON."""

    content: bytes = field(repr=False)
    etag: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A card that cannot be had or read."""

    reason: QuarantineReason


class Gone:
    """A card that went away between the listing and now."""


Outcome = Read | Broken | Gone


@dataclass(frozen=True, slots=True)
class _Text:
    text: str | bytes = field(repr=False)
    etag: str


class Cards:
    """Downloads cards of one account and reads them."""

    def __init__(self, transport: Transport, settings: CardDavSettings, fields: Fields) -> None:
        self._transport = transport
        self._fields = fields
        self._properties = frozenset[str]() if settings.whole_cards else properties_of(fields)

    async def ask(self, book: Book, wanted: Sequence[Listed]) -> list[Answer]:
        """Cards by multiget, still to be read; an answer too large is asked for in halves.

        Raises:
            SourceAddressWrong: the whole address book is gone.
            SourceUnavailable, SourceThrottled, CredentialsRejected, SourceMisbehaved.
        """
        if not wanted:
            return []
        body = multiget([item.href for item in wanted], self._properties, "4.0" if book.vcard4 else None)
        try:
            answer = await self._transport.request(
                "REPORT", book.url, headers=XML_HEADERS, body=body, accept=_ONE_BY_ONE
            )
        except BodyTooLarge:
            if len(wanted) == 1:
                return []
            half = len(wanted) // 2
            return [*await self.ask(book, wanted[:half]), *await self.ask(book, wanted[half:])]
        return [answer] if _is_usable(answer) else []

    async def read(self, book: Book, wanted: Sequence[Listed], answers: Sequence[Answer]) -> dict[str, Outcome]:
        """The outcome of each wanted card, by path.

        A card that multiget leaves out, calls missing or refuses is asked for once more by itself: only then it is
        gone, or broken. So neither a forgetful server nor one broken card costs the others.

        Raises:
            SourceUnavailable: it fails on each card.
            SourceThrottled, CredentialsRejected, SourceMisbehaved, SourceAddressWrong.
        """
        etags = {item.path: item.etag for item in wanted}
        outcomes = await self._read_aside(answers, etags) if answers else {}
        left = [item for item in wanted if item.path not in outcomes]
        alone = [await self._one(book, item) for item in left]
        if len(left) > 1 and not any(alone):
            raise SourceUnavailable("the source fails on every card; it is tried again")
        for item, got in zip(left, alone, strict=True):
            found = got or Broken(QuarantineReason.UNREADABLE)
            outcomes[item.path] = await asyncio.to_thread(self._read, found, item.etag)
        return outcomes

    async def _one(self, book: Book, item: Listed) -> _Text | Broken | Gone | None:
        """One card by GET; None where the server fails on it."""
        try:
            answer = await self._transport.request(
                "GET",
                at(book.url, item.href),
                headers={"accept": "text/vcard"},
                accept=_ONE_BY_ONE,
                max_bytes=MAX_CARD_BYTES,
            )
        except BodyTooLarge:
            return Broken(QuarantineReason.TOO_LARGE)
        if answer.status in _GONE:
            return Gone()
        if answer.status == 500:
            return None
        if answer.status != 200:
            return Broken(QuarantineReason.UNREADABLE)
        return _Text(answer.body, answer.headers.get("etag", ""))

    async def _read_aside(self, answers: Sequence[Answer], etags: Mapping[str, str]) -> dict[str, Outcome]:
        """`_read_all` in a thread, which takes 5 ms of each turn of the loop: what was asked for ahead leaves first."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        return await asyncio.to_thread(self._read_all, answers, etags)

    def _read_all(self, answers: Sequence[Answer], etags: Mapping[str, str]) -> dict[str, Outcome]:
        texts = [item for answer in answers for item in _texts(answer).items()]
        return {path: self._read(text, etags[path]) for path, text in texts if path in etags}

    def _read(self, got: _Text | Broken | Gone, listed_etag: str) -> Outcome:
        if not isinstance(got, _Text):
            return got
        if len(got.text) > MAX_CARD_BYTES:
            return Broken(QuarantineReason.TOO_LARGE)
        try:
            return Read(read_vcard(got.text, self._fields), got.etag or listed_etag)
        except UnreadableContact as error:
            return Broken(error.reason)


def properties_of(fields: Fields) -> frozenset[str]:
    """The vCard properties that are asked for: those these fields are made of, and what tells a card's kind apart.

    A server that cannot give parts of cards gives them whole, and the rest is dropped as they are read.
    """
    return ALWAYS | {"VERSION"} | {name for name, field_ in FIELD_OF.items() if field_ in fields}


def _is_usable(answer: Answer) -> bool:
    """Whether the answer holds cards; a report that failed is made up for card by card.

    Raises:
        SourceAddressWrong: the address book is gone, which must not look like each card being gone.
        CredentialsRejected: the door is shut.
    """
    if answer.status in _GONE:
        raise SourceAddressWrong(BOOK_GONE)
    if answer.status == 403 and not is_dav_error(answer.body):
        raise refusal(answer)
    return answer.status == 207


def _texts(answer: Answer) -> dict[str, _Text]:
    try:
        replies = parse_multistatus(answer.body).replies
    except NotMultistatus:  # one card with a character that XML forbids spoils the whole answer
        return {}
    return {
        path_of(answer.url, reply.href): _Text(text, reply.text(ETAG))
        for reply in replies
        if reply.href and (text := reply.raw(ADDRESS_DATA))
    }
