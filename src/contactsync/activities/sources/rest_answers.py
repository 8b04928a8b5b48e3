"""Answers of a REST source: what they mean, and where the next page is."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urljoin

from msgspec import MsgspecError, Raw
from msgspec.json import Decoder
from pydantic import JsonValue

from contactsync.activities.sources.http_dates import epoch_seconds
from contactsync.activities.sources.limits import seconds_to_midnight
from contactsync.activities.sources.meter import Meter
from contactsync.activities.sources.query import Instant
from contactsync.activities.sources.rest_expressions import Expression, NotEvaluable, compiled, is_true
from contactsync.activities.sources.rest_outlines import Skimmed, is_inside, skimmed
from contactsync.activities.sources.rest_requests import MAX_NEXT_CHARS, Position, Query
from contactsync.activities.sources.rest_settings import RestSettings
from contactsync.activities.sources.rest_tables import (
    CursorPages,
    LinkPages,
    NextUrlPages,
    NumberedPages,
    OffsetPages,
    Pagination,
    ThrottlingTable,
)
from contactsync.activities.sources.rest_times import SECOND, instant_of
from contactsync.activities.sources.rest_values import text_of
from contactsync.activities.sources.throttling import MAX_PATIENCE_SECONDS
from contactsync.activities.sources.transport import Answer, refusal
from contactsync.errors import CursorExpired, SourceMisbehaved, SourceThrottled

_LINK: Final = re.compile(r"<([^<>]*)>([^<]*)")
_REL: Final = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))", re.IGNORECASE)


NO_JSON: Final = "the source's answer is cut off or is no JSON"
_HUGE: Final = 1 << 1100

_quick: Final[Decoder[JsonValue]] = Decoder()
"""Twice as fast as Python's own reader, which is asked about whatever this one refuses."""


@dataclass(frozen=True, slots=True)
class NoJson:
    """A body that is no JSON."""


@dataclass(frozen=True, slots=True)
class Found:
    """An answer's content. `following` is the position of the next page; None: this was the last."""

    records: Sequence[JsonValue | Raw] = field(repr=False)
    following: Position | None = field(repr=False)
    is_capped: bool = False
    clock: Instant | None = None
    total: int | None = None


class Judge:
    """Says what an answer means, by the settings."""

    def __init__(self, settings: RestSettings, meter: Meter) -> None:
        self._settings = settings
        self._meter = meter

    def found(self, answer: Answer, query: Query, position: Position | None, *, skims: bool = False) -> Found:
        """The records of an answer, and what follows it; records that are not read yet if it `skims`.

        Raises:
            CursorExpired: the source no longer knows the position.
            SourceMisbehaved: it is not what the settings say.
            SourceUnavailable, SourceThrottled, SourceAddressWrong, CredentialsRejected.
        """
        skim = skimmed(answer.body, query.records.path or ()) if skims else None
        document = self.document(answer, query, position, skim)
        if document is None:
            return Found([], None)
        records = _records(document, query) if skim is None else skim.records
        seen = (position.seen if position else 0) + len(records)
        following = _following(answer, document, query, position, len(records))
        is_capped = query.cap is not None and _is_capped(query, query.cap, seen, following)
        return Found(
            records=records,
            following=None if is_capped else following,
            is_capped=is_capped,
            clock=_clock(answer, document, query),
            total=_total(document, query.total),
        )

    def document(
        self,
        answer: Answer,
        query: Query | None = None,
        position: Position | None = None,
        skim: Skimmed | None = None,
    ) -> JsonValue:
        """The JSON of an answer; None: there is no page behind the last one. A `skim` of it is all that is read.

        Raises:
            as `found`.
        """
        content = parsed(answer.body) if skim is None else skim.rest
        if isinstance(content, dict | list):
            self._heed(content)
        if answer.status in self._settings.throttling.statuses:
            self._wait_as_told(content)
        if query is not None and position is not None:
            self._judge_token(answer, content, query)
            if answer.status in _end_statuses(query):
                return None
        if answer.status >= 400:
            raise refusal(answer)
        if not isinstance(content, dict | list):
            raise SourceMisbehaved(NO_JSON)
        return content

    def _judge_token(self, answer: Answer, content: JsonValue | NoJson, query: Query) -> None:
        expired = self._settings.expired
        is_said = False
        if expired.when is not None and not isinstance(content, NoJson):
            is_said = compiled(expired.when).holds(content)
        if is_said or (answer.status in expired.statuses and answer.status not in _end_statuses(query)):
            raise CursorExpired

    def _heed(self, document: JsonValue) -> None:
        """Whether the body asks for patience."""
        said = self._settings.throttling
        if said.daily is not None and compiled(said.daily).holds(document):
            zone = self._settings.limits_.daily_zone
            self._wait(seconds_to_midnight(datetime.now(UTC), zone), is_said=True)
        if said.when is not None and compiled(said.when).holds(document):
            self._wait_as_told(document)

    def _wait_as_told(self, document: JsonValue | NoJson) -> None:
        """As long as the body says, or as the settings say where it does not."""
        said = self._settings.throttling
        seconds = None if isinstance(document, NoJson) else _seconds(document, said)
        self._wait(said.default_seconds if seconds is None else seconds, is_said=seconds is not None)

    def _wait(self, seconds: float, *, is_said: bool) -> None:
        bounded = min(max(seconds, 1.0), MAX_PATIENCE_SECONDS)
        self._meter.refused(bounded, said_how_long=is_said)
        raise SourceThrottled(after_seconds=bounded)


def may_skim(settings: RestSettings) -> bool:
    """Whether nothing but `records` looks at the records of an answer, so that all else needs none of them."""
    listing, changes = settings.list_, settings.changes
    records = [listing.records, *_given(changes and changes.records)]
    pages = [listing.pagination, *([changes.pagination] if changes and changes.pagination else [])]
    said = settings.throttling
    others = [said.when, said.daily, said.seconds, settings.expired.when, listing.total, listing.clock]
    others += [changes and changes.clock, *(text for each in pages for text in _asked_by(each))]
    return all(_is_apart(compiled(one), compiled(other)) for one in records for other in _given(*others))


def _asked_by(pages: Pagination) -> Iterator[str | None]:
    match pages:
        case CursorPages():
            yield from (pages.next, pages.more)
        case OffsetPages() | NumberedPages():
            yield pages.more
        case NextUrlPages():
            yield pages.next
        case _:
            pass


def _given(*texts: str | None) -> list[str]:
    return [text for text in texts if text]


def _is_apart(records: Expression, other: Expression) -> bool:
    """Whether the other looks at nothing of the records, nor at what they are in."""
    place, places = records.path, other.places
    if place is None or places is None:
        return False
    return not any(is_inside(place, each) or is_inside(each, place) for each in places)


def parsed(body: bytes) -> JsonValue | NoJson:
    """The body's JSON; numbers that JSON does not have are none."""
    try:
        return _quick.decode(body)
    except (MsgspecError, UnicodeDecodeError, RecursionError):
        return _parsed_leniently(body)


def _parsed_leniently(body: bytes) -> JsonValue | NoJson:
    """What Python's own reader makes of it: it takes UTF-16, halves of surrogate pairs and numbers past any bound."""
    try:
        value: JsonValue = json.loads(body, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        return NoJson()
    return value


def _finite(text: str) -> float:
    """The number, or one that is as much too large for anything, but not infinite: that would be written as null."""
    number = float(text)
    return number if math.isfinite(number) else _HUGE if number > 0 else -_HUGE


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _seconds(document: JsonValue, said: ThrottlingTable) -> float | None:
    if said.seconds is None:
        return None
    try:
        seconds = float(text_of(compiled(said.seconds).of(document)))
    except (NotEvaluable, ValueError):
        return None
    return seconds if math.isfinite(seconds) else None


def _end_statuses(query: Query) -> tuple[int, ...]:
    pages = query.pagination
    return pages.end_statuses if isinstance(pages, CursorPages | OffsetPages | NumberedPages) else ()


def _records(document: JsonValue, query: Query) -> list[JsonValue]:
    try:
        records = query.records.of(document)
    except NotEvaluable:
        records = None
    if not isinstance(records, list):
        raise SourceMisbehaved("the source's answer has no list of records; check `records` in [list]")
    return records


def _following(
    answer: Answer, document: JsonValue, query: Query, position: Position | None, count: int
) -> Position | None:
    seen = (position.seen if position else 0) + count
    match query.pagination:
        case CursorPages() as pages:
            return _by_cursor(document, pages, seen)
        case OffsetPages() as pages:
            return Position(seen=seen) if _has_more(document, pages, default=count > 0) else None
        case NumberedPages() as pages:
            number = (position.seen if position else 0) // query.page_size
            is_more = _has_more(document, pages, default=count > 0)
            return Position(seen=(number + 1) * query.page_size) if is_more else None
        case LinkPages():
            return _at(answer.url, _link(answer.headers), seen)
        case NextUrlPages() as pages:
            return _at(answer.url, _next(document, compiled(pages.next)), seen)
        case _:
            return None


def _by_cursor(document: JsonValue, pages: CursorPages, seen: int) -> Position | None:
    text = _next(document, compiled(pages.next))
    if not _has_more(document, pages, default=bool(text)):
        return None
    if not text:
        raise SourceMisbehaved("the source says that there is more and not where; check `next` in [list.pagination]")
    return Position(next=text, seen=seen)


def _has_more(document: JsonValue, pages: CursorPages | OffsetPages | NumberedPages, *, default: bool) -> bool:
    if pages.more is None:
        return default
    try:
        answer = compiled(pages.more).of(document)
    except NotEvaluable:
        answer = None
    if answer is None:  # of a body without its end nobody knows
        raise SourceMisbehaved("the source does not say whether there is more; check `more` in [list.pagination]")
    return is_true(answer)


def _next(document: JsonValue, expression: Expression) -> str:
    try:
        answer = expression.of(document)
        text = text_of(answer)
    except NotEvaluable:
        raise SourceMisbehaved("the source's next page is no text; check `next` in [list.pagination]") from None
    return _bounded(text)


def _bounded(text: str) -> str:
    if len(text) > MAX_NEXT_CHARS:
        raise SourceMisbehaved("the source's token of the next page is too long")
    return text


def _at(url: str, text: str, seen: int) -> Position | None:
    if not text:
        return None
    try:
        return Position(next=_bounded(urljoin(url, text)), seen=seen)
    except ValueError:
        raise SourceMisbehaved("the source's address of the next page is none") from None


def _link(headers: Mapping[str, str]) -> str:
    """The address with `rel="next"` (RFC 8288 §3)."""
    for address, parameters in _LINK.findall(_bounded(headers.get("link", ""))):
        relations = " ".join(quoted or plain for quoted, plain in _REL.findall(parameters))
        if "next" in relations.lower().split():
            return str(address).strip()
    return ""


def _is_capped(query: Query, cap: int, seen: int, following: Position | None) -> bool:
    """Whether the query has answered with all it ever will; a whole page more may have to fit under the cap."""
    if seen >= cap:
        return True
    asks_whole_pages = isinstance(query.pagination, NumberedPages) or not query.size_param
    return following is not None and asks_whole_pages and following.seen + query.page_size > cap


def _clock(answer: Answer, document: JsonValue, query: Query) -> Instant | None:
    if query.clock is not None:
        try:
            return instant_of(query.clock.of(document))
        except NotEvaluable:
            return None
    said = epoch_seconds(answer.headers.get("date", ""))
    return None if said is None else round(said) * SECOND


def _total(document: JsonValue, expression: Expression | None) -> int | None:
    try:
        answer = None if expression is None else expression.of(document)
    except NotEvaluable:
        return None
    if not isinstance(answer, int) or isinstance(answer, bool):
        return None
    return answer if 0 <= answer < 1 << 31 else None
