"""What stands for a record of an API, so that one that is held already is not read."""

from collections.abc import Mapping
from hashlib import sha256
from itertools import product

import pytest
from pydantic import JsonValue
from tests.unit.rest.mappings import EVERYTHING, HEAD, WHOLE, mapper, read

from contactsync.activities.contacts.contact import Field, Fields
from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sources.query import Listed, Record
from contactsync.activities.sources.rest_answers import NoJson, parsed
from contactsync.activities.sources.rest_records import READING
from contactsync.activities.sources.source import Changed, Moved, Unreadable

NAMES = [
    "full",
    "given",
    "born",
    *(name for name, where in WHOLE.items() if name == where and name not in ("id", *HEAD)),
]
_WORDS: list[JsonValue] = ["work", " Home ", "cell", "role", "other", ""]
PINNED: list[JsonValue] = [
    *("Ada", " J\u00fcrgen\n", "org", "a@b.example", "x:y", "1815-12-10", "12.5.1990", "", "\u200b", "x" * 70_000),
    *(None, True, False, 0, 7, 1.0, 1.5, 1 << 70, [], {}, [["Ada"]], ["Ada", None, "", 7], {"x": "Ada"}),
    *({main: "Ada"} for main in ("address", "number", "name", "uri", "user", "note", "full", "street")),
    *({"address": "a", "type": word} for word in _WORDS),
    *({"number": "1", "type": word, "features": "fax", "pref": 1, "extension": 5} for word in _WORDS),
    *({"number": "1", "type": [word, "home"], "label": "desk"} for word in _WORDS),
    *({"name": "Ada", "kind": word, "units": ["a", "b"]} for word in _WORDS),
    *({"name": "Ada", "kind": word} for word in _WORDS),
    {"name": "Ada", "units": ["a", 2, None]},
    {"locality": "K\u00f6ln", "street": ["a", "b"], "country_code": "DE", "type": "home"},
    {"service": "Jabber", "user": "ada", "uri": ""},
    {"uri": "https://x.example", "label": "blog"},
    [*["x"] * 101],
]


def etag(raw: Mapping[str, JsonValue], fields: Fields = EVERYTHING, **table: object) -> str:
    """What stands for a record that is not read."""
    (record,) = mapper(fields, **table).records({"id": "1", **raw})
    assert isinstance(record.change, Listed)
    return record.change.etag


def test_an_etag_stands_for_all_that_is_kept() -> None:
    """Another value, version, ETag, mapping or allow-list is another record; what nothing names is not."""
    ada: dict[str, JsonValue] = {"full": "Ada", "emails": ["a@b.example"], "rev": 1}
    others = [
        etag({**ada, "full": "Eve"}),
        etag({**ada, "emails": "a@b.example"}),
        etag({**ada, "emails": None}),
        etag({**ada, "rev": 2}),
        etag({**ada, "etag": "x"}),
        etag(ada, kind="type"),
        etag(ada, EVERYTHING - {Field.NOTES}),
    ]
    assert len({etag(ada), *others}) == 1 + len(others)
    assert etag(ada) == etag({**ada, "seen_at": "today", "at": "2026-03-01T12:34:56Z"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'"\\ud800"', b'"\\ud801"'),
        (b"1e999", b"null"),
        (b"1e999", b"-1e999"),
        (b"1", b"1.0"),
        (b"1", b"true"),
        (b'"1"', b"1"),
        (b"{}", b"[]"),
    ],
)
def test_no_two_values_have_one_etag(one: bytes, other: bytes) -> None:
    """Halves of surrogate pairs and numbers past all bounds too, which JSON's writers take for others."""
    values = [parsed(one), parsed(other)]
    assert not any(isinstance(value, NoJson) for value in values)
    first, second = (etag({"notes": value}) for value in values if not isinstance(value, NoJson))
    assert first != second


def test_the_allow_list_counts_where_the_values_do_not_show_it() -> None:
    """What was found may be the same and become another property."""
    same: dict[str, JsonValue] = {"emails": "1", "phones": "1"}
    assert etag(same, frozenset({Field.EMAILS})) != etag(same, frozenset({Field.PHONES}))


def test_an_infinite_answer_is_none() -> None:
    """An expression's number that JSON does not have makes the record unreadable: it would be written as null. When it
    changed, and who became it, is said all the same."""
    raw: JsonValue = {"id": "1", "full": "1e999", "at": "2026-03-01T12:34:56Z", "losers": "2"}
    moved, itself = mapper(uid="to_number(full)").records(raw)
    assert moved.change == Moved("2", "1")
    assert itself == Record(Unreadable("1", QuarantineReason.INVALID), 1_772_368_496_000_000)


def test_values_deeper_than_anything_is_read() -> None:
    """They are set aside like any value of another shape."""
    deep: JsonValue = "x"
    for _ in range(20_000):
        deep = [deep]
    assert read({"id": "1", "notes": deep}) == Unreadable("1", QuarantineReason.INVALID)


def test_what_values_mean_has_a_number() -> None:
    """Where the same values are read as another contact, `READING` has to rise, or those held are never read anew."""
    digest = sha256()
    for name, value in product(NAMES, PINNED):
        change = read({"id": "1", name: value}, **dict.fromkeys(HEAD))
        assert isinstance(change, Changed | Unreadable)
        said = change.content if isinstance(change, Changed) else change.reason.encode()
        digest.update(f"{name} {len(said)} ".encode() + said)
    assert (READING, digest.hexdigest()[:16]) == (1, "2d769f8796fc7e97")
