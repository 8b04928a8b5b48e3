"""Requests of a REST source: what is asked, with which window or part, and from where on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from contactsync.activities.sources.query import Window
from contactsync.activities.sources.rest_expressions import Expression, compiled
from contactsync.activities.sources.rest_settings import RestSettings
from contactsync.activities.sources.rest_tables import (
    PLACEHOLDER,
    ChangesTable,
    CursorPages,
    LinkPages,
    NextUrlPages,
    NumberedPages,
    OffsetPages,
    Pagination,
    Params,
)
from contactsync.activities.sources.rest_times import unit_of, written
from contactsync.errors import CursorExpired

Values = Mapping[str, str | None]
"""Of placeholders; None: the parameter that holds it is left out."""

MAX_NEXT_CHARS: Final = 16_384
"""Characters of a page's token or address."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question, with everything that [changes] takes over from [list]; the values are filled in."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = field(repr=False)
    body: JsonValue = field(repr=False)
    records: Expression
    pagination: Pagination
    size_param: str
    page_size: int
    total: Expression | None = None
    clock: Expression | None = None
    cap: int | None = None

    @property
    def counts(self) -> bool:
        """Whether the next page is asked for by a number of records."""
        return isinstance(self.pagination, OffsetPages | NumberedPages)


@dataclass(frozen=True, slots=True)
class Request:
    """As it is sent."""

    method: str
    url: str = field(repr=False)
    body: bytes = field(repr=False)


class Position(BaseModel):
    """From where on: `next` is the provider's own token or address; `seen` records came before."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    next: str = ""
    seen: int = 0

    def token(self, *, counts: bool) -> bytes:
        """As the engine keeps it; a number where pages are counted (see `QueryPage.is_offset`)."""
        return str(self.seen).encode() if counts else self.model_dump_json().encode()


def position_of(token: bytes | None, query: Query) -> Position | None:
    """The position of a token; None: the first page.

    Raises:
        CursorExpired: it is no token of these settings.
    """
    if token is None:
        return None
    try:
        if query.counts:
            return Position(seen=int(token))
        position = Position.model_validate_json(token)
    except (ValidationError, ValueError):
        raise CursorExpired from None
    if not position.next:
        raise CursorExpired
    return position


def list_query(settings: RestSettings, part: bytes | None) -> Query:
    """The complete listing, or a part of it.

    Raises:
        CursorExpired: it is no part of these settings.
    """
    table = settings.list_
    templates: Params = {**table.params}
    values: Values = {}
    if part is not None:
        templates |= settings.parts.params if settings.parts else {}
        values = _part_values(settings, part)
    return Query(
        method=table.method,
        path=table.path,
        params=_filled_params(templates, values),
        body=_filled(table.body, values),
        records=compiled(table.records),
        pagination=table.pagination,
        size_param=table.size_param,
        page_size=table.page_size,
        total=compiled(table.total) if table.total else None,
        clock=compiled(table.clock) if table.clock else None,
    )


def changes_query(settings: RestSettings, table: ChangesTable, window: Window) -> Query:
    """What changed inside the window."""
    above = settings.list_
    at_one_instant = window.after_id is not None and bool(table.at_one_instant)
    values = _window_values(table, window, at_one_instant=at_one_instant)
    clock = table.clock or above.clock
    return Query(
        method=table.method or above.method,
        path=above.path if table.path is None else table.path,
        params=_filled_params(table.at_one_instant if at_one_instant else table.params, values),
        body=_filled(table.body, values),
        records=compiled(table.records or above.records),
        pagination=table.pagination or above.pagination,
        size_param=above.size_param if table.size_param is None else table.size_param,
        page_size=table.page_size or above.page_size,
        clock=compiled(clock) if clock else None,
        cap=table.cap,
    )


def _window_values(table: ChangesTable, window: Window, *, at_one_instant: bool) -> Values:
    since = window.since - (unit_of(table.format) if table.is_exclusive and not at_one_instant else 0)
    until = None if window.until is None else written(window.until, table.format, is_upper=True)
    return {"since": written(max(since, 0), table.format), "until": until, "after_id": window.after_id}


class _Part(BaseModel):
    """A part of the listing: of one value, or created from `start` on and before `end` (microseconds)."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    value: str | None = None
    start: int | None = None
    end: int | None = None


def value_part(value: str) -> bytes:
    """A part by value."""
    return _Part(value=value).model_dump_json(exclude_none=True).encode()


def time_part(start: int | None, end: int | None) -> bytes:
    """A part by time of creation."""
    return _Part(start=start, end=end).model_dump_json(exclude_none=True).encode()


def _part_values(settings: RestSettings, part: bytes) -> Values:
    try:
        read = _Part.model_validate_json(part)
    except ValidationError:
        raise CursorExpired from None
    table = settings.parts
    if table is None or (read.value is not None) != bool(table.values):
        raise CursorExpired
    return {
        "value": read.value,
        "from": None if read.start is None else written(read.start, table.format),
        "until": None if read.end is None else written(read.end, table.format, is_upper=True),
    }


# templates


def _filled_params(templates: Params, values: Values) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for name, given in templates.items():
        for each in given if isinstance(given, list) else [given]:
            text = _plain(each)
            if not _lacks(text, values):
                found.append((name, _replaced(text, values)))
    return tuple(found)


def _plain(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lacks(template: str, values: Values) -> bool:
    return any(values.get(name) is None for name in PLACEHOLDER.findall(template))


def _replaced(template: str, values: Values) -> str:
    return PLACEHOLDER.sub(lambda match: values.get(match[1]) or "", template)


def _filled(template: JsonValue, values: Values) -> JsonValue:
    """A body's JSON; members and items whose placeholder has no value are left out."""
    match template:
        case str():
            return _replaced(template, values)
        case list():
            return [_filled(each, values) for each in template if not _is_left_out(each, values)]
        case dict():
            return {name: _filled(each, values) for name, each in template.items() if not _is_left_out(each, values)}
        case _:
            return template


def _is_left_out(template: JsonValue, values: Values) -> bool:
    return isinstance(template, str) and _lacks(template, values)


# addresses


def request_of(base: str, query: Query, position: Position | None, rows: int) -> Request:
    """The request for the page at `position`, of at most `rows` records."""
    paging = _paging(query, position, rows)
    if position is not None and isinstance(query.pagination, LinkPages | NextUrlPages):
        return Request(query.method, position.next, _body(query, {}))
    url = urljoin(base, query.path)
    if query.method == "POST":
        return Request("POST", with_params(url, query.params), _body(query, paging))
    return Request(
        "GET", with_params(url, (*query.params, *((name, str(value)) for name, value in paging.items()))), b""
    )


def page_rows(query: Query, rows: int) -> int:
    """How many records to ask for: pages by number must all be of one size."""
    return query.page_size if isinstance(query.pagination, NumberedPages) else min(rows, query.page_size)


def _paging(query: Query, position: Position | None, rows: int) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    if query.size_param:
        left = query.cap - (position.seen if position else 0) if query.cap and not _is_numbered(query) else rows
        found[query.size_param] = max(1, min(page_rows(query, rows), left))
    pages = query.pagination
    if isinstance(pages, CursorPages) and position is not None:
        found[pages.param] = position.next
    elif isinstance(pages, OffsetPages):
        found[pages.param] = position.seen if position else 0
    elif isinstance(pages, NumberedPages):
        found[pages.param] = pages.first + (position.seen // query.page_size if position else 0)
    return found


def _is_numbered(query: Query) -> bool:
    return isinstance(query.pagination, NumberedPages)


def _body(query: Query, paging: Mapping[str, str | int]) -> bytes:
    if query.method != "POST":
        return b""
    members: JsonValue = query.body if isinstance(query.body, dict) else {}
    return json.dumps({**members, **paging}, ensure_ascii=False).encode()


def with_params(url: str, params: tuple[tuple[str, str], ...]) -> str:
    """`url` with further parameters."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query, keep_blank_values=True), *params])))
