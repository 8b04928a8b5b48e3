"""Records that are not read: what is told of them is what is told of those that are."""

import json
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from msgspec import Raw
from pydantic import JsonValue
from tests.unit.rest.apis import Reply, api, described, opened
from tests.unit.rest.mappings import EVERYTHING, mapper, told
from tests.unit.rest.test_records import MEMBERS, json_values

from contactsync.activities.contacts.quarantine import QuarantineReason
from contactsync.activities.sources.query import Listed, Record
from contactsync.activities.sources.replica import Replica
from contactsync.activities.sources.rest_answers import NoJson, may_skim, parsed
from contactsync.activities.sources.rest_outlines import outline, skimmed
from contactsync.activities.sources.rest_settings import RestSettings
from contactsync.activities.sources.source import Change, Changed, PageLimits, Unreadable
from contactsync.activities.sources.window_etags import told_once
from contactsync.errors import SourceMisbehaved

PLAIN: list[dict[str, object]] = [
    {},
    {"uid": "id", "name": {"full": "name.full", "given": "name.given"}, "kind": "name.kind"},
    {"emails": "[full, emails]", "kind": "kind || type", "notes": "join(' ', [full, given])"},
    {"organizations": "{name: organizations || full, units: units}", "titles": "titles && full"},
    {"version": "meta.rev", "changed_at": "meta.at", "notes": "meta.note", "titles": "given"},
]
INSIDE = st.dictionaries(st.sampled_from(["full", "given", "kind", "rev", "at", "note"]), json_values, max_size=3)
OBJECTS = st.dictionaries(st.sampled_from([*MEMBERS, "units", "type", "seen"]), json_values)


def unread(raw: object) -> Raw:
    """A record as an answer has it."""
    return Raw(json.dumps(raw).encode())


def changes(records: Sequence[Record]) -> list[tuple[Change, int | None]]:
    """What records say, read, but for our own ETags."""
    said = [(told(record), record.changed_at) for record in records]
    return [
        (Changed(change.source_id, change.content, None, change.version) if isinstance(change, Changed) else change, at)
        for change, at in said
    ]


@given(OBJECTS, st.none() | INSIDE | json_values, st.sampled_from(PLAIN))
@example({"losers": ["2", "3"], "rev": 7, "at": "2026-03-01T12:34:56Z"}, None, {})
@example({"full": "Ada", "gone": True}, "no object", PLAIN[1])
@example({"winner": "2"}, {"rev": 1, "at": 5}, PLAIN[4])
def test_unread_records_say_the_same(members: dict[str, JsonValue], inner: JsonValue, table: dict[str, object]) -> None:
    """Whatever a record holds, of whatever shape."""
    raw: JsonValue = {"id": "1", **members, "name": inner, "meta": inner}
    reads = mapper(EVERYTHING, **table)
    assert reads.skims
    value = parsed(bytes(unread(raw)))
    assume(isinstance(value, dict))  # not with numbers that JSON does not have
    assert not isinstance(value, NoJson)
    assert changes(reads.records(unread(raw))) == changes(reads.records(value))


def digest(raw: Mapping[str, object] | bytes, **table: object) -> str:
    """What stands for a record that is not read."""
    whole = raw if isinstance(raw, bytes) else json.dumps({"id": "1", **raw}).encode()
    (record,) = mapper(EVERYTHING, **table).records(Raw(whole))
    assert isinstance(record.change, Listed)
    return record.change.etag


@given(OBJECTS, st.sampled_from(MEMBERS), json_values, st.sampled_from(PLAIN[:4]))
@example({"full": "1"}, "given", "1", {"name": {"given": "given", "surname": "full"}})
@example({"rev": 1}, "etag", "1", {})
def test_an_etag_stands_for_the_contact(
    members: dict[str, JsonValue], name: str, value: JsonValue, table: dict[str, object]
) -> None:
    """Where a member differs and the contact with it, or its version, the ETag does too; it is made of nothing else."""
    assume(not isinstance(parsed(bytes(unread({**members, name: value}))), NoJson))
    assume(not isinstance(parsed(bytes(unread(members))), NoJson))
    first, second = [
        mapper(EVERYTHING, **table).records(unread({"id": "1", **each, "seen": at}))
        for at, each in enumerate((members, {**members, name: value}))
    ]
    if changes(first)[-1][0] != changes(second)[-1][0] and all(
        isinstance(one[-1].change, Listed) for one in (first, second)
    ):
        assert _etag(first) != _etag(second)
    again = mapper(EVERYTHING, **table).records(unread({"id": "1", **members, "seen": "later"}))
    assert _etag(again) == _etag(first)


def _etag(records: Sequence[Record]) -> str | None:
    change = records[-1].change
    return change.etag if isinstance(change, Listed) else None


def test_whatever_is_looked_at_counts() -> None:
    """Version, ETag, mapping, and a place that is both a head and a value; the order of members does not."""
    tables: list[dict[str, object]] = [{}, {"uid": "etag"}, {"uid": "full"}]
    raws: list[dict[str, object]] = [{}, {"full": "a"}, {"given": "a"}, {"rev": 1}, {"etag": "a"}, {"etag": "b"}]
    assert len({digest(raw, **table) for table in tables for raw in raws}) == len(tables) * len(raws)
    assert digest(b'{"id": "1", "full": "a", "rev": 1}') == digest(b'{"rev":1,"x":{"full":2},"full":"a","id":"1"}')
    assert digest(b'{"id": "1", "full": "a", "full": "b"}') == digest({"full": "b"})


def test_no_two_contacts_have_one_etag() -> None:
    """Not where texts beside each other make the same text, nor where the mapping turns values round, nor where
    somebody looks at one place twice."""
    assert digest({"full": 1, "given": 23}) != digest({"full": 12, "given": 3})
    same = {"emails": "1", "phones": "1"}
    assert digest(same) != digest(same, emails="phones", phones="emails")
    assert digest({"at": 1}, uid="at") != digest({"at": 2}, uid="at")


def test_the_last_of_equal_members_counts() -> None:
    """As it does where the record is read."""
    twice = b'{"id": "1", "full": "a", "id": "2", "full": "b"}'
    value = parsed(twice)
    assert isinstance(value, dict)
    assert changes(mapper().records(Raw(twice))) == changes(mapper().records(value))


@pytest.mark.parametrize(
    "table",
    [
        {"emails": "emails[].address"},
        {"emails": "emails[0]"},
        {"kind": "@"},
        {"titles": "at.title"},
        {"etag": "join('', [etag])"},
        {"name": {"full": 'a."\\"b"'}},
    ],
)
def test_what_has_no_outline_is_read(table: dict[str, object]) -> None:
    """Where more must be looked at than some places, or a place is inside another, all of a record is."""
    assert not mapper(EVERYTHING, **table).skims


def test_what_is_found_stays_out_of_logs() -> None:
    """Neither the values nor the texts are in what a debugger or a log would show."""
    found = outline((("id",), None), frozenset({("name",)}))
    assert found is not None
    outlined = found.of(Raw(b'{"id": "planted-id", "name": "planted-name"}'))
    assert outlined is not None
    assert (outlined.heads, outlined.texts) == (("planted-id", None), b'"planted-name"\0\0')
    assert "planted" not in repr(outlined)


def test_places_inside_each_other() -> None:
    """Of values, the outer one stands for both."""
    table = {"name": {"full": "full"}, "kind": "full.kind"}
    assert digest({"full": {"kind": "org"}}, **table) != digest({"full": {"kind": "group"}}, **table)


@pytest.mark.parametrize(
    ("body", "place", "rest"),
    [
        (b'{"a": 1, "items": [{"id": 1}, 7], "b": {"c": "x"}}', ("items",), {"a": 1, "items": [], "b": {"c": "x"}}),
        (b'{"data": {"items": [{"id": 1}, 7], "x": 1}}', ("data", "items"), {"data": {"items": [], "x": 1}}),
        (b'[{"id": 1}, 7]', (), []),
    ],
)
def test_an_answer_without_its_records(body: bytes, place: tuple[str, ...], rest: JsonValue) -> None:
    """All else is as it was."""
    found = skimmed(body, place)
    assert found is not None
    assert (found.rest, [bytes(each) for each in found.records]) == (rest, [b'{"id": 1}', b"7"])


@pytest.mark.parametrize(
    "body",
    [b"", b"7", b"null", b'{"items": null}', b'{"items": {}}', b"{}", b'{"items": [1]', b"[]", b'{"items": [1]} x'],
)
def test_what_is_no_such_answer_is_read(body: bytes) -> None:
    """Then it is said what is wrong with it."""
    assert skimmed(body, ("items",)) is None


@pytest.mark.parametrize(
    ("tables", "may"),
    [
        ({}, True),
        ({"next": "paging.next", "more": "!done"}, True),
        ({"next": "items[-1].id"}, False),
        ({"next": "next", "more": "length(items)"}, False),
        ({"next": "next", "more": "@"}, False),
        ({"next": "items.next"}, False),
    ],
)
def test_when_nothing_else_looks_at_records(tables: dict[str, object], may: bool) -> None:
    """A place of the next page that is found in the records needs them read."""
    pages = {"kind": "cursor", "param": "after", "next": "next", **tables}
    listing = {"path": "contacts", "records": "items", "pagination": pages}
    assert may_skim(RestSettings.model_validate(described("https://x.example", list=listing))) is may


@pytest.mark.parametrize("email", [b"NaN", b"0123", b'"\xff"', b'"\\x"', b"tru", b"[1,]"])
async def test_a_value_that_is_no_json(email: bytes) -> None:
    """What is wrong with a record is found at the latest when it is read; it never becomes a contact."""
    async with api(lambda _: Reply(b'{"items": [{"id": 1, "email": ' + email + b"}]}")) as there:
        with pytest.raises(SourceMisbehaved):
            await listed_and_read(there.url)


async def listed_and_read(url: str) -> None:
    """Ask for a page and read its records."""
    async with opened(described(url)) as source:
        page = await source.list_page(None, None, PageLimits())
        await told_once(Replica(), [record.change for record in page.records])


def test_what_is_read_late_may_be_unreadable() -> None:
    """As what is read at once may."""
    (record,) = mapper(uid="to_number(full)").records(unread({"id": "1", "full": "1e999"}))
    assert told(record) == Unreadable("1", QuarantineReason.INVALID)
