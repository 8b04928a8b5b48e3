"""A contact as the provider keeps it, and as its JSON says it.

Contacts of the base are made up from their number when they are asked for, so that a million of them take no memory
and a page of them takes a millisecond.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final, Literal

from contactsync.activities.contacts.made_up_names import LOCALES
from contactsync.activities.sources.query import Instant

Values = Mapping[str, object]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COMPANIES: Final = ("Nordlicht", "Bluebird", "Fjord & Co.", "Polder BV")
_WIDTH: Final = 9


@dataclass(frozen=True, slots=True)
class Entry:
    """A contact. `values` replace members of the made-up JSON; `raw` replaces all of it."""

    id: str
    number: int
    created: Instant
    updated: Instant
    version: int = 1
    state: Literal["live", "deleted", "purged"] = "live"  # purged: without a trace
    folder: str = ""
    committed: Instant = 0
    merged_into: str | None = None
    merged_ids: tuple[str, ...] = ()
    values: Values = field(default_factory=dict[str, object], repr=False)
    raw: bytes | None = field(default=None, repr=False)


def base_id(number: int) -> str:
    """The id of a contact of the base."""
    return f"{number:0{_WIDTH}}"


def base_number(source_id: str) -> int | None:
    """The other way round; None: such an id is not of the base's form."""
    is_number = len(source_id) == _WIDTH and source_id.isascii() and source_id.isdigit()
    return int(source_id) if is_number else None


def iso(instant: Instant) -> str:
    """RFC 3339 with microseconds."""
    at = _EPOCH + timedelta(microseconds=instant)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def title(entry: Entry) -> str:
    """The job title, which ends in the version: two versions of a contact never look alike."""
    return f"Engineer r{entry.version}"


def document(entry: Entry) -> bytes:
    """The entry as JSON; a deleted one says no more than that."""
    if entry.raw is not None:
        return entry.raw
    if entry.state != "live":
        return (_head(entry) + "}").encode()
    if not entry.values:
        return (_head(entry) + _body(entry) + "}").encode()
    members: dict[str, object] = json.loads(_head(entry) + _body(entry) + "}")
    return json.dumps({**members, **entry.values}, ensure_ascii=False, separators=(",", ":")).encode()


def _head(entry: Entry) -> str:
    merged = f',"merged_into":{json.dumps(entry.merged_into)}' if entry.merged_into else ""
    merged += f',"merged_ids":{json.dumps(entry.merged_ids)}' if entry.merged_ids else ""
    return (
        f'{{"id":{json.dumps(entry.id)},"version":{entry.version},"updated_at":"{iso(entry.updated)}"'
        f',"updated_ms":{entry.updated // 1000},"deleted":{"false" if entry.state == "live" else "true"}{merged}'
    )


def _body(entry: Entry) -> str:
    number = entry.number
    givens, surnames = _names()
    given, surname = givens[number % len(givens)], surnames[number // len(givens) % len(surnames)]
    return (
        f',"created_at":"{iso(entry.created)}","folder":{json.dumps(entry.folder)}'
        f',"name":{{"given":{given},"family":{surname}}}'
        f',"emails":[{{"address":"p{number}@people.example","type":"work"}}]'
        f',"phones":[{{"number":"+491512{number % 10**7:07}","type":"mobile"}}]'
        f',"company":"{_COMPANIES[number % len(_COMPANIES)]}","title":"{title(entry)}"'
        f',"notes":"Met at the fair, reference {number}."'
    )


@cache
def _names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Given names and surnames of all the world, as JSON strings."""
    given = tuple(json.dumps(name, ensure_ascii=False) for locale in LOCALES for name in locale.given)
    surnames = tuple(json.dumps(name, ensure_ascii=False) for locale in LOCALES for name in locale.surnames)
    return given, surnames
